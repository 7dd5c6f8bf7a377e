/**
 * From starting the process to its first answer: `sobaya serve` with a bare ASGI application and with the soba shop
 * (templates, ORM, migrated SQLite database, client), and the smallest `node:http` program beside them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Measured } from '../harness.ts';

const root = resolve(import.meta.dirname, '../..');
const application = join(import.meta.dirname, 'startup-application.ts:application');
const shop = join(root, 'examples/soba_shop/app.ts:application');

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

const kinds = {
  source: (port: number) => [
    '--conditions=sobaya:source',
    'src/cli/main.ts',
    'serve',
    application,
    '--port',
    `${port}`,
  ],
  published: (port: number) => ['bin/sobaya.js', 'serve', application, '--port', `${port}`],
  'shop from source': (port: number) => [
    '--conditions=sobaya:source',
    'src/cli/main.ts',
    'serve',
    shop,
    '--port',
    `${port}`,
  ],
  'shop as published': (port: number) => ['bin/sobaya.js', 'serve', shop, '--port', `${port}`],
  'node:http': (port: number) => [
    '-e',
    `require('node:http').createServer((q, r) => r.end('Hello, World!')).listen(${port}, '127.0.0.1'); process.on('SIGTERM', () => process.exit())`,
  ],
};

/** CPU time of a running process in milliseconds, all its threads; 0 where there is no /proc. */
function cpuOf(pid: number): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return 0;
  // After the name in brackets, which may hold anything: utime and stime in clock ticks of 10 ms (proc_pid_stat(5)).
  const fields = readFileSync(file, 'latin1').split(') ').at(-1)!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** From spawn to the first byte of the answer, which must be a 200: milliseconds, and those of the processor. */
async function once(
  kind: keyof typeof kinds,
  env: NodeJS.ProcessEnv,
): Promise<{ ms: number; cpuMs: number }> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, kinds[kind](port), { cwd: root, stdio: 'ignore', env });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  try {
    await new Promise<void>((answered, failed) => {
      child.once('exit', (code) =>
        failed(new Error(`${kind}: the server ended with ${code} before it answered`)),
      );
      const knock = (): void => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => setTimeout(knock, 2));
        socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'));
        socket.once('data', (data) => {
          socket.destroy();
          if (data.toString('latin1').startsWith('HTTP/1.1 200 ')) answered();
          else failed(new Error(`${kind}: answered ${data}`));
        });
      };
      knock();
    });
    return { ms: performance.now() - began, cpuMs: cpuOf(child.pid!) };
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

export async function start(kind: keyof typeof kinds): Promise<Measured> {
  if (kind === 'published' && !existsSync(join(root, 'dist/cli/main.js')))
    spawnSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'ignore' });
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-startup-'));
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    DATABASE_URL: `sqlite:${join(folder, 'shop.sqlite3')}`,
  };
  if (kind.startsWith('shop')) {
    const migrate = ['--conditions=sobaya:source', 'src/cli/main.ts', 'migrate', '--app', shop];
    const done = spawnSync(process.execPath, migrate, { cwd: root, env, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`the shop's database was not migrated: ${done.stderr}`);
  }
  await once(kind, env);
  return {
    round: async () => {
      const times = [await once(kind, env), await once(kind, env), await once(kind, env)];
      return times.sort((a, b) => a.ms - b.ms)[1]!;
    },
    close: async () => rmSync(folder, { recursive: true }),
  };
}
