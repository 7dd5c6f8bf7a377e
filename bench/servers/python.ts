/** A server written in Python, as a peer: started on a free port, waited for, stopped by its id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Served } from '../harness.ts';

/** Debian's, which has Debian's packages. */
const python = '/usr/bin/python3';

/** A reason not to run when one of these modules is missing. */
export function missingModules(modules: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync(python, ['-c', `import ${modules.join(', ')}`], {
    encoding: 'utf8',
  });
  if (error !== undefined) return `no ${python}`;
  return status === 0 ? null : `${python}: ${stderr.trim().split('\n').pop() ?? 'failed'}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => {}).unref();
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error('the server does not listen');
}

/** `python3 -m …`, `args` given the port. */
export async function startPython(
  args: (port: number) => readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Served> {
  const port = await freePort();
  const child = spawn(python, args(port), {
    env: { ...process.env, ...env, PYTHONPATH: import.meta.dirname, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGTERM'));
  await answers(port, child);
  return {
    port,
    process: child.pid as number,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}
