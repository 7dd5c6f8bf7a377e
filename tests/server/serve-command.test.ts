import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { execute } from 'sobaya/cli';
import { activatedSocket, keepWatchdogQuiet, serve, silentLog } from 'sobaya/server';
import { declareOptions } from '../../src/cli/serve-options.ts';
import { outOfTime } from '../../src/server/listening/tls.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { hello } from './applications.ts';
import { certificate, hasOpenssl } from './certificates.ts';
import { fixtures, Running } from './running.ts';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-serve-'));

function start(t: TestContext, args: string[], options?: ConstructorParameters<typeof Running>[1]): Running {
  const running = new Running(['serve', 'process-app.ts', ...args], options);
  t.after(() => running.end());
  return running;
}

function ask(where: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ agent: false, ...where }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve(body));
      })
      .on('error', reject);
  });
}

/** Every way to say it wrongly: one message, exit code 2, and no stack. */
const wrong: [args: string[], env: Record<string, string>, message: RegExp][] = [
  [['--fd', '3', '--port', '1'], {}, /--fd and --host and --port contradict/],
  [['--fd', '3', '--uds', '/tmp/x'], {}, /--fd and --uds contradict/],
  [['--uds-permissions', '999'], {}, /It must be three octal digits/],
  [['--uds-permissions', '660'], {}, /The option udsPermissions is 432\.? ?\n?.*uds as well/s],
  [['--workers', '0'], {}, /--workers is 0/],
  [['--workers', 'many'], {}, /It must be a whole number or auto/],
  [[], { WEB_CONCURRENCY: 'many' }, /\$WEB_CONCURRENCY is "many"/],
  [[], { SOBAYA_PORT: 'http' }, /\$SOBAYA_PORT is "http"/],
  [[], { SOBAYA_LIFESPAN: 'maybe' }, /\$SOBAYA_LIFESPAN is "maybe"[\s\S]*'auto' or 'on' or 'off'/],
  [[], { SOBAYA_RELOAD: 'yes' }, /\$SOBAYA_RELOAD is "yes"[\s\S]*1 or 0/],
  [['--proxy-protocol', 'v2'], {}, /proxyProtocol is "v2"[\s\S]*proxyAllowIps as well/],
  [['--access-log', 'comon'], {}, /accessLog is "comon"/],
  [['--cert-reqs', 'required'], {}, /certReqs is "required"[\s\S]*caCerts as well/],
  [['--keyfile', 'x.pem'], {}, /keyfile is "x\.pem"[\s\S]*certfile as well/],
  [['--certfile', 'missing.pem'], {}, /TLS cannot be set up[\s\S]*certfile missing\.pem/],
  [['--health-path', '/a', '--metrics-path', '/a'], {}, /each a path of its own/],
  [['--limit-concurrency-queue', '4'], {}, /limitConcurrency as well/],
  [['--forwarded-allow-ips', 'proxy.local'], {}, /forwardedAllowIps is "proxy\.local"/],
];
/** The command in this process: what is wrong ends it before anything is started. */
async function refused(args: string[], env: Record<string, string> = {}): Promise<string> {
  let text = '';
  const stream = { write: (chunk: string) => (text += chunk) };
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    const words = ['serve', 'process-app.ts', ...args];
    const code = await execute(words, { cwd: fixtures, stdout: stream, stderr: stream });
    assert.equal(code, 2, `${args.join(' ')}\n${text}`);
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
  assert.doesNotMatch(text, /\n\s+at /);
  return text;
}

for (const [args, env, message] of wrong) {
  const name = [...Object.entries(env).map(([key, value]) => `$${key}=${value}`), ...args].join(' ');
  test(`what is said wrongly is refused by name: ${name}`, async () =>
    assert.match(await refused(args, env), message));
}

const badConfigs: [content: string, message: RegExp][] = [
  ['{', /bad\.json/],
  ['[]', /it holds no object of options/],
  ['{ "prot": 1 }', /there is no option "prot"/],
  ['{ "config": "other.json" }', /there is no option "config"/],
  ['{ "workers": "4" }', /workers is "4", and must be a number/],
  ['{ "reload": "yes" }', /reload is "yes", and must be true or false/],
  ['{ "reloadDir": 5 }', /reloadDir is 5, and must be a text or an array of texts/],
  ['{ "logLevel": "loud" }', /logLevel is "loud", and must be info or warning or error/],
  [
    '{ "timeoutKeepAlive": 5 }',
    /timeoutKeepAlive is 5, which is hardly meant: times in a file are milliseconds/,
  ],
  ['{ "port": "8000" }', /The option port is "8000"/],
  ['{ "timeoutKeepAlive": "5s" }', /The option timeoutKeepAlive is "5s"/],
  ['{ "envFile": "missing.env" }', /missing\.env cannot be|missing\.env/],
  ['{ "reload": true, "workers": 2 }', /--reload and --workers contradict/],
];
for (const [content, message] of badConfigs) {
  test(`a configuration file is held to names and kinds: ${content}`, async () => {
    const path = join(mkdtempSync(join(folder, 'config-')), 'bad.json');
    writeFileSync(path, content);
    assert.match(await refused(['--config', path]), message);
  });
}

test('the command line counts before the environment, and that before the file; a module may be the file', async (t) => {
  const path = join(folder, 'serve.config.ts');
  writeFileSync(
    path,
    `export default { port: 1, healthPath: '/from-file', livePath: '/live', serverHeader: false };`,
  );
  const running = start(t, ['--config', path, '--port', '0'], {
    env: { SOBAYA_PORT: '2', SOBAYA_HEALTH_PATH: '/from-environment', SOBAYA_DATE_HEADER: '0' },
  });
  const port = await running.port();
  assert.equal(await ask({ port, path: '/from-environment' }), 'ok\n');
  assert.equal(await ask({ port, path: '/live' }), 'alive\n');
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.deepEqual([response.headers.get('server'), response.headers.get('date')], [null, null]);
});

test('--check-config loads everything and serves nothing', async (t) => {
  const right = start(t, ['--check-config', '--port', '1']);
  assert.equal(await right.exit, 0);
  assert.match(right.text, /process-app\.ts:application can be served/);
  const bad = start(t, ['--check-config', '--certfile', 'missing.pem']);
  assert.equal(await bad.exit, 2);
  const missing = new Running(['serve', 'missing.ts', '--check-config']);
  assert.equal(await missing.exit, 2);
});

test('help reads well at 80 and at 120 columns', async () => {
  for (const columns of [80, 120]) {
    const { stdout } = spawnSync(
      process.execPath,
      ['--conditions=sobaya:source', join(import.meta.dirname, '../../src/cli/main.ts'), 'serve', '--help'],
      { encoding: 'utf8', env: { ...process.env, COLUMNS: String(columns), FORCE_COLOR: '0' } },
    );
    for (const line of stdout.split('\n')) assert.ok(line.length <= columns, line);
    for (const title of [
      'Listening:',
      'Processes:',
      'TLS and HTTP/2:',
      'Proxies:',
      'Signals:',
      'Exit codes:',
    ])
      assert.ok(stdout.includes(title), title);
    assert.match(stdout, /--timeout-graceful <seconds>\s+running requests may finish when stopping/);
  }
});

test('every option of serve has its flag, and with it its variable and its name in the file', () => {
  const { log: _log, ...known } = resolveOptions({}) as Record<string, unknown>;
  const flags = new Command();
  declareOptions(flags);
  const names = flags.options.map((option) => option.attributeName());
  for (const name of Object.keys(known)) assert.ok(names.includes(name), name);
});

// ---- where it listens

test('a unix socket: left behind it is taken over, in use or no socket it is not', async (t) => {
  for (const workers of ['1', '2']) {
    const uds = join(folder, `soba-${workers}.sock`);
    const args = ['--uds', uds, '--workers', workers, '--uds-permissions', '600'];
    const first = start(t, args);
    await first.says(/on unix:/);
    assert.equal(statSync(uds).mode & 0o777, 0o600);
    assert.match(await ask({ socketPath: uds }), /^\d+$/);
    const second = start(t, args);
    assert.equal(await second.exit, 1);
    assert.match(second.text, /Another process already listens on .*soba-\d\.sock/);
    assert.match(await ask({ socketPath: uds }), /^\d+$/, 'the first was not disturbed');
    first.child.kill('SIGKILL');
    await first.exit;
    assert.ok(existsSync(uds));
    const third = start(t, args);
    await third.says(/on unix:/);
    assert.match(await ask({ socketPath: uds }), /^\d+$/);
    third.child.kill('SIGHUP');
    if (workers === '2') await third.says(/All workers are new/);
    assert.match(await ask({ socketPath: uds }), /^\d+$/, 'workers that stop leave it in place');
    assert.equal(await third.stop(), 0);
    assert.ok(!existsSync(uds), 'and is removed at the end');
  }
  const file = join(folder, 'no-socket');
  writeFileSync(file, 'precious');
  const refused = start(t, ['--uds', file]);
  assert.equal(await refused.exit, 1);
  assert.match(refused.text, /there is a file of this name that is no socket/);
  assert.equal(readFileSync(file, 'utf8'), 'precious');
  const nowhere = start(t, ['--uds', join(folder, 'no', 'folder.sock')]);
  assert.equal(await nowhere.exit, 1);
  assert.match(nowhere.text, /The folder of the socket must exist and be writable/);
});

test('permissions of a unix socket are those asked for, whatever the umask', async () => {
  const uds = join(folder, 'open.sock');
  const before = process.umask(0o077);
  try {
    const server = await serve(hello, { uds, udsPermissions: 0o666, log: silentLog });
    assert.equal(statSync(uds).mode & 0o777, 0o666);
    assert.equal(process.umask(), 0o077, 'the umask is as it was');
    await server.close();
  } finally {
    process.umask(before);
  }
});

/** A listening descriptor, as whoever starts the server opens it. */
async function descriptor(): Promise<{ fd: number; port: number; handOver(): void }> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    // Both would accept: whoever hands it over lets go of it.
    handOver: () => void listener.close(),
    fd: (listener as unknown as { _handle: { fd: number } })._handle.fd,
    port: (listener.address() as net.AddressInfo).port,
  };
}

test('--fd: a socket that is open already, also shared by workers; one that is none is refused', async (t) => {
  for (const workers of ['1', '2']) {
    const { fd, port, handOver } = await descriptor();
    const running = start(t, ['--fd', '5', '--workers', workers], {
      stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', fd],
    });
    handOver();
    assert.equal(await running.port(), port);
    assert.match(await ask({ port }), /^\d+$/);
    assert.equal(await running.stop(), 0);
  }
  const closed = start(t, ['--fd', '77']);
  assert.equal(await closed.exit, 1);
  assert.match(
    closed.text,
    /Cannot listen on file descriptor 77: [\s\S]*It must be an open socket that listens/,
  );
});

test('socket activation: the descriptor of systemd is used, and the port of the options is not', async (t) => {
  for (const workers of ['1', '2']) {
    const { fd, port, handOver } = await descriptor();
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    // LISTEN_PID is the process that serves, so a shell says it and then becomes that process.
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"',
        'sh',
        process.execPath,
        '--conditions=sobaya:source',
        main,
        'serve',
        'process-app.ts',
        '--workers',
        workers,
      ],
      {
        cwd: fixtures,
        env: { ...process.env, NODE_TEST_CONTEXT: '' },
        stdio: ['ignore', 'pipe', 'pipe', fd],
      },
    );
    handOver();
    const exit = once(child, 'exit');
    t.after(() => child.kill('SIGKILL'));
    let text = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (/Serving/.test(text)) resolve();
      });
      exit.then(() => reject(new Error(text)), reject);
    });
    assert.match(text, new RegExp(`on http://127\\.0\\.0\\.1:${port}\\b`));
    assert.match(await ask({ port }), /^\d+$/);
    child.kill('SIGTERM');
    assert.equal((await exit)[0], 0);
  }
});

test('socket activation: meant for another process, or for none', () => {
  const env = { LISTEN_PID: '1234', LISTEN_FDS: '2', LISTEN_FDNAMES: 'http:https' };
  assert.equal(activatedSocket(env, 99), null);
  assert.equal(env.LISTEN_FDS, '2');
  assert.equal(activatedSocket(env, 1234), 3);
  assert.deepEqual(env, {}, 'what this process starts is not meant');
  assert.equal(activatedSocket({}, 1234), null);
  for (const LISTEN_FDS of ['0', '-1', 'x', '', '1.5'])
    assert.equal(activatedSocket({ LISTEN_PID: '1234', LISTEN_FDS }, 1234), null);
});

const hasNotify = ['systemd-notify', 'python3'].every(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0,
);
test('systemd is told of ready, reloading, watchdog and stopping', {
  skip: hasNotify ? false : 'systemd-notify or python3 is missing',
}, async (t) => {
  for (const workers of ['1', '2']) {
    const path = join(folder, `notify-${workers}`);
    // Node has no datagram unix sockets; this prints each message on a line.
    const receiver = spawn('python3', [
      '-uc',
      `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(${JSON.stringify(path)}); print('bound')
while True: print(s.recv(4096).decode().replace('\\n', ' '))`,
    ]);
    t.after(() => receiver.kill());
    let text = '';
    let wake = (): void => {};
    receiver.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      wake();
    });
    const told = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(text)) await new Promise<void>((resolve) => (wake = resolve));
    };
    await told(/bound/);
    const running = start(t, ['--port', '0', '--workers', workers], {
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' },
    });
    await told(/READY=1/);
    await told(/WATCHDOG=1/);
    await running.port();
    running.child.kill('SIGHUP');
    await told(/RELOADING=1 MONOTONIC_USEC=\d+/);
    await told(/READY=1[\s\S]*RELOADING=1[\s\S]*READY=1/);
    assert.equal(await running.stop(), 0);
    await told(/STOPPING=1/);
  }
});

test('the watchdog of another process is not kept quiet', () => {
  keepWatchdogQuiet({ WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }, 2)();
  keepWatchdogQuiet({ WATCHDOG_USEC: 'x' }, 2)();
  keepWatchdogQuiet({}, 2)();
});

function unprivileged(): string | false {
  try {
    const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    return first > 80 ? false : 'port 80 is open to everybody here';
  } catch {
    return 'the first unprivileged port is not known here';
  }
}
test('port 80 without the privilege: what to do instead', { skip: unprivileged() }, async (t) => {
  // Root becomes nobody; the descriptor check is of the process, so the loader's files must be readable by it.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const running = start(t, ['--port', '80'], nobody);
  const code = await running.exit;
  if (/EACCES.*(?:open|scandir|stat)|Cannot find module/.test(running.text)) {
    t.skip('the files of the project cannot be read by another user');
    return;
  }
  assert.equal(code, 1, running.text);
  assert.match(running.text, /Cannot listen on 127\.0\.0\.1:80: listen EACCES[\s\S]*CAP_NET_BIND_SERVICE/);
});

test('--pid-file: written, refused while its process runs, taken over from a dead one, removed', async (t) => {
  for (const workers of ['1', '2']) {
    const path = join(folder, `soba-${workers}.pid`);
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    writeFileSync(path, `${dead}\n`);
    const args = ['--port', '0', '--workers', workers, '--pid-file', path];
    const running = start(t, args);
    await running.port();
    assert.equal(readFileSync(path, 'utf8'), `${running.child.pid}\n`);
    const second = start(t, args);
    assert.equal(await second.exit, 1);
    assert.match(second.text, new RegExp(`Process ${running.child.pid} runs already`));
    assert.equal(await running.stop(), 0);
    assert.ok(!existsSync(path));
  }
});

test('--reload: includes, excludes, folders of excludes, and nothing else', async (t) => {
  const project = mkdtempSync(join(folder, 'reload-'));
  const file = (name: string): string => join(project, name);
  execFileSync('mkdir', ['-p', file('menu/deep'), file('generated/deep'), file('node_modules/x')]);
  writeFileSync(file('app.mjs'), readFileSync(join(fixtures, 'plain-app.mjs')));
  const running = new Running(
    [
      'serve',
      'app.mjs',
      '--port',
      '0',
      '--reload',
      ...['--reload-include', '*.yaml', '--reload-exclude', 'generated', '--reload-exclude', '*.tmp.mjs'],
    ],
    { cwd: project },
  );
  t.after(() => running.end());
  await running.port();
  const ignored = [
    'note.txt',
    'generated/deep/a.mjs',
    'generated/b.yaml',
    'x.tmp.mjs',
    'node_modules/x/a.mjs',
  ];
  let count = 0;
  for (const path of ['menu/deep/menu.yaml', 'menu/new.mjs', 'app.mjs']) {
    for (const other of ignored) writeFileSync(file(other), String(Math.random()));
    // Each that counts is written until it has been seen, as the watcher may begin late.
    const pattern = new RegExp(`${path.replace('.', '\\.')} changed, reloading`);
    while (!pattern.test(running.text)) {
      const content = path.endsWith('app.mjs') ? readFileSync(file(path), 'utf8') : '';
      writeFileSync(file(path), `${content}\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    count++;
  }
  assert.equal(count, 3);
  for (const path of ignored) assert.ok(!running.text.includes(`${path} changed`), path);
});

// ---- TLS

test('certificates are read again under load, with and without workers; bad ones change nothing', {
  skip: hasOpenssl() ? false : 'openssl is missing',
}, async (t) => {
  const { Agent, fetch } = await import('undici');
  for (const workers of ['1', '2']) {
    const one = certificate(`reload-one-${workers}`);
    const two = certificate(`reload-two-${workers}`);
    const cert = join(folder, `live-${workers}.pem`);
    const key = join(folder, `live-${workers}.key`);
    const install = (from: { cert: string; key: string }): void => {
      writeFileSync(cert, readFileSync(from.cert));
      writeFileSync(key, readFileSync(from.key));
    };
    install(one);
    const running = start(t, ['--port', '0', '--workers', workers, '--certfile', cert, '--keyfile', key]);
    const port = await running.port();
    const subject = async (): Promise<string> => {
      const tls = await import('node:tls');
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN as unknown as string;
      socket.end();
      return name;
    };
    let load = true;
    let answers = 0;
    const clients = Array.from({ length: 6 }, async (_, index) => {
      // Half of them on kept connections, half with a handshake each time.
      const kept = new Agent({ connect: { rejectUnauthorized: false } });
      while (load) {
        const agent = index % 2 === 0 ? kept : new Agent({ connect: { rejectUnauthorized: false } });
        const response = await fetch(`https://127.0.0.1:${port}/`, { dispatcher: agent });
        assert.match(await response.text(), /^\d+$/);
        answers++;
        if (agent !== kept) await agent.close();
      }
      await kept.close();
    });
    assert.equal(await subject(), `reload-one-${workers}`);
    install(two);
    running.child.kill('SIGHUP');
    while ((await subject()) !== `reload-two-${workers}`);
    if (workers === '2') await running.says(/All workers are new/);
    // A key that belongs to another certificate.
    writeFileSync(cert, readFileSync(one.cert));
    running.child.kill('SIGHUP');
    await running.says(/the key does not belong to the certificate/);
    await running.says(/the certificate stays as it was|the old ones stay/);
    assert.equal(await subject(), `reload-two-${workers}`);
    // On a quick machine all of it is over before anybody has been answered often.
    while (answers <= 20) await new Promise((resolve) => setImmediate(resolve));
    load = false;
    await Promise.all(clients);
    assert.equal(await running.stop(), 0);
  }
});

test('certificates and keys that cannot be used: one message each', {
  skip: hasOpenssl() ? false : 'openssl is missing',
}, async (t) => {
  const good = certificate('usable');
  const other = certificate('other');
  const path = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const unreadable = path('unreadable.pem', readFileSync(good.cert));
  chmodSync(unreadable, 0);
  const encrypted = join(folder, 'encrypted.key');
  execFileSync('openssl', ['ec', '-aes256', '-passout', 'pass:soba', '-in', good.key, '-out', encrypted], {
    stdio: 'ignore',
  });
  const cases: [string[], RegExp][] = [
    [['--certfile', good.cert, '--keyfile', other.key], /the key does not belong to the certificate/],
    [['--certfile', good.cert], /keyfile|key/],
    [['--certfile', path('empty.pem', ''), '--keyfile', good.key], /certfile .*empty\.pem/],
    [['--certfile', path('garbage.pem', 'soba'), '--keyfile', good.key], /certfile .*garbage\.pem/],
    [['--certfile', folder, '--keyfile', good.key], /certfile .*EISDIR|EISDIR[\s\S]*certfile/],
    [
      ['--certfile', good.cert, '--keyfile', encrypted],
      /the key is encrypted and the password is missing or wrong/,
    ],
    [
      ['--certfile', good.cert, '--keyfile', encrypted, '--keyfile-password', 'udon'],
      /the key is encrypted and the password is missing or wrong/,
    ],
    [
      ['--certfile', good.cert, '--keyfile', good.key, '--ca-certs', path('ca.pem', 'soba')],
      /caCerts .*ca\.pem/,
    ],
    [['--certfile', good.cert, '--keyfile', good.key, '--tls-ciphers', 'SOBA'], /tlsCiphers/],
  ];
  for (let at = 0; at < cases.length; at += 3)
    await Promise.all(
      cases.slice(at, at + 3).map(async ([args, message]) => {
        const running = start(t, ['--port', '0', ...args]);
        assert.equal(await running.exit, 2, `${args.join(' ')}\n${running.text}`);
        assert.match(running.text, message);
        assert.doesNotMatch(running.text, /\n\s+at /);
      }),
    );
  // The password from the environment, where no list of processes shows it.
  const running = start(t, ['--port', '0', '--certfile', good.cert, '--keyfile', encrypted], {
    env: { SOBAYA_KEYFILE_PASSWORD: 'soba' },
  });
  await running.port();
  assert.equal(await running.stop(), 0);
});

test('a certificate out of its time is found', { skip: hasOpenssl() ? false : 'openssl is missing' }, () => {
  const cert = readFileSync(certificate('timely').cert);
  const day = 86_400_000;
  assert.equal(outOfTime(cert), null);
  assert.match(outOfTime(cert, Date.now() + 3 * day)!, /has expired: it was valid until .* GMT/);
  assert.match(outOfTime(cert, Date.now() - day)!, /is not valid before .* GMT/);
});
