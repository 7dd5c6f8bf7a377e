import { ContextVar, type Task, type TaskMessage, taskChannel } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';

const watching = new ContextVar<Set<Task<unknown>> | null>('started tasks', null);
let listeners = 0;

function note(message: unknown): void {
  const { task } = message as TaskMessage;
  watching.get()?.add(task);
}

/** Fails when a task that `fn` started still runs after `fn` has ended, and names it. */
export async function assertNoOrphans<T>(fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
  const tasks = new Set<Task<unknown>>();
  if (listeners++ === 0) taskChannel.start.subscribe(note);
  try {
    const result = await watching.run(tasks, fn);
    const left = [...tasks].filter((task) => !task.done);
    if (left.length > 0)
      throw fault('SBY_TEST_ORPHANS', {
        tasks: left.map((task) => `"${task.name}"${task.site ? ` from ${task.site}` : ''}`),
      });
    return result;
  } finally {
    if (--listeners === 0) taskChannel.start.unsubscribe(note);
  }
}
