import { fault } from '../errors/index.ts';
import { currentContext, rootContext } from './context.ts';
import { notAFunction, type Startable, Task } from './task.ts';

/**
 * Runs a program: `main` in a scope of its own, cancelled by SIGINT and SIGTERM. What main started and did not
 * wait for is cancelled when it ends.
 */
export async function run<T>(main: Startable<T>): Promise<Awaited<T>> {
  if (typeof main !== 'function') throw notAFunction('run', 1, main);
  if (currentContext() !== rootContext) throw fault('SBY_ASYNCIO_NESTED_RUN', {});
  const task = new Task<Awaited<T>>(
    main as Startable<Awaited<T>>,
    rootContext,
    main.name || 'main',
    () => {},
  );
  const stop = (signal: NodeJS.Signals): void => void task.cancel(`the program got ${signal}`);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await task;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
