import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Running } from './running.ts';

function start(t: TestContext, args: string[], options?: ConstructorParameters<typeof Running>[1]): Running {
  const running = new Running(args, options);
  t.after(async () => {
    running.child.kill('SIGTERM');
    const killer = setTimeout(() => running.child.kill('SIGKILL'), 3000);
    await running.exit;
    clearTimeout(killer);
  });
  return running;
}

/** A request on a connection of its own, so that workers take turns. */
function get(port: number, path = '/', agent: http.Agent | false = false): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, agent }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
        response.on('end', () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`status ${response.statusCode}`)),
        );
      })
      .on('error', reject);
  });
}

async function pids(port: number): Promise<Set<string>> {
  return new Set(await Promise.all(Array.from({ length: 12 }, () => get(port))));
}

test('one process: serves, stops gracefully on SIGTERM and SIGINT, exit code 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const running = start(t, ['serve', 'process-app.ts', '--port', '0']);
    const port = await running.port();
    const slow = get(port, '/slow');
    await get(port);
    running.child.kill(signal);
    assert.equal(await slow, String(running.child.pid));
    assert.equal(await running.exit, 0);
  }
});

test('what keeps it from starting is said once, with its exit code', async (t) => {
  const first = start(t, ['serve', 'process-app.ts', '--port', '0']);
  const port = String(await first.port());
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [
      ['serve', 'process-app.ts', '--port', port],
      {},
      1,
      /Another process already listens on 127\.0\.0\.1:\d+\n/,
    ],
    [['serve', 'process-app.ts', '--port', port, '--workers', '2'], {}, 1, /Another process already listens/],
    [['serve', 'process-app.ts', '--port', '0'], { FAIL_STARTUP: '1' }, 3, /did not start: no buckwheat/],
    [
      ['serve', 'process-app.ts', '--port', '0', '--workers', '2'],
      { FAIL_STARTUP: '1' },
      3,
      /did not start: no buckwheat/,
    ],
    [['serve', 'missing.ts', '--workers', '2'], {}, 2, /There is no module .*missing\.ts/],
    [['serve', 'process-app.ts', '--port', '99999'], {}, 2, /The option port is 99999/],
    [
      ['serve', 'process-app.ts', '--uds', '/tmp/x', '--port', '1'],
      {},
      2,
      /--uds and --host and --port contradict/,
    ],
    [['serve', 'process-app.ts', '--reload', '--workers', '2'], {}, 2, /--reload and --workers contradict/],
    [['serve', 'process-app.ts', '--config', 'missing.json'], {}, 2, /A configuration file cannot be used/],
  ];
  await Promise.all(
    cases.map(async ([args, env, code, message]) => {
      const running = start(t, args, { env });
      assert.equal(await running.exit, code, running.text);
      assert.match(running.text, message);
      assert.equal(running.text.match(new RegExp(message.source, 'g'))?.length, 1, running.text);
      assert.doesNotMatch(running.text, /\n\s+at /);
    }),
  );
});

test('workers share a port and take turns; one that dies is replaced while the port answers', async (t) => {
  const running = start(t, ['serve', 'process-app.ts', '--port', '0', '--workers', '2']);
  const port = await running.port();
  let seen = await pids(port);
  while (seen.size < 2) seen = await pids(port);
  await assert.rejects(get(port, '/die'));
  for (let index = 0; index < 20; index++) await get(port);
  await running.says(/ended with signal SIGKILL/);
  let after = await pids(port);
  while (after.size < 2) after = await pids(port);
  assert.ok([...after].some((pid) => !seen.has(pid)));
  assert.equal(await running.stop(), 0);
});

test('SIGHUP: every worker is new, and not one request failed', async (t) => {
  const running = start(t, ['serve', 'process-app.ts', '--port', '0', '--workers', '2']);
  const port = await running.port();
  const before = await pids(port);
  let load = true;
  let answers = 0;
  // Half of the clients keep their connections, half do not.
  const agent = new http.Agent({ keepAlive: true });
  const clients = Array.from({ length: 16 }, async (_, index) => {
    while (load) {
      await get(port, index % 3 === 0 ? '/slow' : '/', index % 2 === 0 ? agent : false);
      answers++;
    }
  });
  running.child.kill('SIGHUP');
  await running.says(/All workers are new/);
  load = false;
  await Promise.all(clients);
  agent.destroy();
  const after = await pids(port);
  assert.ok(answers > 50);
  for (const pid of after) assert.ok(!before.has(pid));
});

test('SIGTTIN and SIGTTOU change the number of workers', async (t) => {
  const running = start(t, [
    'serve',
    'process-app.ts',
    '--port',
    '0',
    '--workers',
    '1',
    '--limit-max-age',
    '0',
    '--reload-dir',
    '.',
  ]);
  await running.port();
  running.child.kill('SIGUSR2');
  await running.says(/0 requests running/);
  await running.stop();
  const two = start(t, ['serve', 'process-app.ts', '--port', '0', '--workers', '2']);
  const port = await two.port();
  two.child.kill('SIGTTIN');
  await two.says(/^3 workers/m);
  while ((await pids(port)).size < 3);
  two.child.kill('SIGTTOU');
  await two.says(/^2 workers/m);
  two.child.kill('SIGTTOU');
  await two.says(/^1 workers/m);
  while ((await pids(port)).size > 1);
});

test('a worker is replaced after so many requests', async (t) => {
  const running = start(t, [
    'serve',
    'process-app.ts',
    '--port',
    '0',
    '--workers',
    '2',
    '--limit-max-requests',
    '20',
  ]);
  const port = await running.port();
  while (!running.text.includes('is replaced: it has served 20 requests')) await get(port);
});

test('a worker whose loop is blocked is killed, with the stack of what blocks it', async (t) => {
  const running = start(t, [
    'serve',
    'process-app.ts',
    '--port',
    '0',
    '--workers',
    '2',
    '--timeout-stuck',
    '1',
  ]);
  const port = await running.port();
  await assert.rejects(get(port, '/block'));
  await running.says(/the event loop was blocked for \d+ ms by GET \/block\n[\s\S]*process-app\.ts/);
  await running.says(/ended with signal SIGKILL/);
  await get(port);
});

test('--reload: a change restarts the worker, a broken change waits for the next', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-reload-'));
  const write = (content: string): void => writeFileSync(join(folder, 'app.mjs'), content);
  const app = (word: string): string =>
    `export const app = async (scope, receive, send) => { if (scope.type !== 'http') throw new Error('no');
     await send({ type: 'http.response.start', status: 200 }); await send({ type: 'http.response.body', body: Buffer.from('${word}') }); };`;
  write(app('one'));
  const running = start(t, ['serve', 'app.mjs', '--port', '0', '--reload'], { cwd: folder });
  const port = await running.port();
  assert.equal(await get(port), 'one');
  write(app('two'));
  while ((await get(port)) !== 'two');
  write('export const app = ;');
  await running.says(/app\.mjs failed while it was imported: SyntaxError/);
  await running.says(/Waiting for a change/);
  write(app('three'));
  while ((await get(port)) !== 'three');
  assert.equal(await running.stop(), 0);
});

test('--env-file and --config', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-config-'));
  writeFileSync(join(folder, '.env'), 'SOBA=zaru\n');
  writeFileSync(join(folder, 'serve.json'), '{ "port": 0, "serverHeader": false }');
  writeFileSync(join(folder, 'bad.json'), '{ "prot": 0 }');
  writeFileSync(
    join(folder, 'app.mjs'),
    `export const app = async (scope, receive, send) => { if (scope.type !== 'http') throw new Error('no');
     await send({ type: 'http.response.start', status: 200 }); await send({ type: 'http.response.body', body: Buffer.from(process.env.SOBA) }); };`,
  );
  const running = start(t, ['serve', 'app.mjs', '--config', 'serve.json', '--env-file', '.env'], {
    cwd: folder,
  });
  const response = await fetch(`http://127.0.0.1:${await running.port()}`);
  assert.equal(await response.text(), 'zaru');
  assert.equal(response.headers.get('server'), null);
  const bad = start(t, ['serve', 'app.mjs', '--config', 'bad.json'], { cwd: folder });
  assert.equal(await bad.exit, 2);
  assert.match(bad.text, /there is no option "prot"/);
});
