import type { Application } from '../../asgi/index.ts';
import type { ServeOptions } from '../options.ts';
import { Server } from '../server.ts';
import type { SupervisorOptions } from './supervisor.ts';
import type { WorkerOptions } from './worker.ts';

// Loaded when needed: a single process starts faster without them.

/** Keeps workers on one shared port until told to stop; gives the exit code. See `Supervisor`. */
export async function supervise(options: SupervisorOptions): Promise<number> {
  const { Supervisor } = await import('./supervisor.ts');
  return await new Supervisor(options).run();
}

const supervised = process.env['SOBAYA_WORKER'] === '1' && process.send !== undefined;
// What this process starts itself is no worker.
if (supervised) delete process.env['SOBAYA_WORKER'];

/** True in a process that a supervisor started. */
export function isSupervised(): boolean {
  return supervised;
}

/** Serves connections that the supervisor accepts, until it says stop; asks to be replaced in time. Gives the exit code. */
export async function serveAsWorker(
  app: Application,
  serveOptions: ServeOptions,
  options: WorkerOptions = {},
): Promise<number> {
  const server = new Server(app, serveOptions);
  await server.start(false);
  const worker = await import('./worker.ts');
  await worker.workUntilStopped(server, options);
  return server.shutdownFailed ? 1 : 0;
}
