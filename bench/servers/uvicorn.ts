/** Uvicorn on uvloop and httptools, as its users run it in production; the packages are those of the system. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Served } from '../harness.ts';

/** The interpreter that has Uvicorn with both, or why there is none. */
export function findUvicorn(): { python: string } | { missing: string } {
  for (const python of ['python3', '/usr/bin/python3']) {
    const { status } = spawnSync(python, ['-c', 'import uvicorn, uvloop, httptools'], { stdio: 'ignore' });
    if (status === 0) return { python };
  }
  return { missing: 'no Python with uvicorn, uvloop and httptools (Debian: python3-uvicorn)' };
}

export async function start(): Promise<Served> {
  const found = findUvicorn();
  if ('missing' in found) throw new Error(found.missing);
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  const child = spawn(
    found.python,
    [
      '-m',
      'uvicorn',
      'hello_uvicorn:hello',
      '--port',
      String(port),
      '--loop',
      'uvloop',
      '--http',
      'httptools',
      '--no-access-log',
      '--log-level',
      'warning',
      '--lifespan',
      'off',
    ],
    { cwd: import.meta.dirname, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  process.on('exit', () => child.kill('SIGKILL'));
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`uvicorn ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port, process: child.pid!, close: () => child.kill('SIGTERM') };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() !== null));
    socket.on('error', () => resolve(false));
  });
}
