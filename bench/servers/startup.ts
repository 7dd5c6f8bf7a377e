/** From starting the process to its first answer: `sobaya serve`, and the smallest `node:http` program beside it. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import type { Measured } from '../harness.ts';

const root = resolve(import.meta.dirname, '../..');
const application = join(import.meta.dirname, 'startup-application.ts:application');

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
  'node:http': (port: number) => [
    '-e',
    `require('node:http').createServer((q, r) => r.end('Hello, World!')).listen(${port}, '127.0.0.1'); process.on('SIGTERM', () => process.exit())`,
  ],
};

/** Milliseconds from spawn to the first byte of the answer. */
async function once(kind: keyof typeof kinds): Promise<number> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(process.execPath, kinds[kind](port), { cwd: root, stdio: 'ignore' });
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
        socket.on('data', () => {
          socket.destroy();
          answered();
        });
      };
      knock();
    });
    return performance.now() - began;
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

export async function start(kind: keyof typeof kinds): Promise<Measured> {
  if (kind === 'published' && !existsSync(join(root, 'dist/cli/main.js')))
    spawnSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'ignore' });
  await once(kind);
  return {
    round: async () => {
      const times = [await once(kind), await once(kind), await once(kind)].sort((a, b) => a - b);
      return { ms: times[1] as number };
    },
  };
}
