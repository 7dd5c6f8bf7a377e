import { fault } from '../errors/index.ts';
import { type Context, currentContext } from './context.ts';
import { cancelled, Scope } from './scope.ts';
import { isCancellation, notAFunction, type Startable, Task, type TaskOptions } from './task.ts';

type Result<X> = X extends Task<infer T> ? T : X extends () => infer R ? Awaited<R> : never;

/**
 * Runs functions at the same time and gives their results in order. The first failure cancels the others, and
 * gather only returns once all have ended. A bare promise is refused: it already runs, outside this scope.
 */
export async function gather<const X extends readonly (Startable<unknown> | Task<unknown>)[]>(
  ...work: X
): Promise<{ -readonly [K in keyof X]: Result<X[K]> }> {
  for (const [index, item] of work.entries()) {
    if (typeof item !== 'function' && !(item instanceof Task)) throw notAFunction('gather', index + 1, item);
  }
  const parent = currentContext();
  const scope = new Scope(parent.scope);
  const inner = parent.withScope(scope);
  let failure: { error: unknown } | null = null;
  const onEnd = (task: Task<unknown>): void => {
    if (task.state === 'done' || failure !== null) return;
    failure = { error: task.error };
    scope.cancel(cancelled(`gather: "${task.name}" failed`, { cause: task.error }));
  };
  const tasks = work.map((item) => {
    if (item instanceof Task) {
      void item.ended.then(() => onEnd(item));
      return item;
    }
    return new Task<unknown>(item, inner, undefined, onEnd);
  });
  for (const task of tasks) await task.ended;
  scope.unlink();
  if (failure !== null) throw (failure as { error: unknown }).error;
  const results: unknown[] = [];
  for (const task of tasks) results.push(await task);
  return results as { -readonly [K in keyof X]: Result<X[K]> };
}

/** Tasks that live and fail together; see `taskGroup`. */
export class TaskGroup {
  readonly scope: Scope;
  readonly #parent: Context;
  readonly #live = new Set<Task<unknown>>();
  readonly #errors: unknown[] = [];
  #state: 'open' | 'shutting down' | 'finished' = 'open';

  /** For builders. Everybody else: `taskGroup`. */
  constructor() {
    this.#parent = currentContext();
    this.scope = new Scope(this.#parent.scope);
  }

  /** Starts `fn` now, as a task of this group. */
  start<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
    if (typeof fn !== 'function') throw notAFunction('group.start', 1, fn);
    if (this.#state !== 'open') throw fault('SBY_ASYNCIO_GROUP_CLOSED', { state: this.#state });
    const context = this.#parent.withScope(this.scope);
    const task = new Task(fn as Startable<Awaited<T>>, context, options.name, (t) =>
      this.#onEnd(t as Task<unknown>),
    );
    if (!task.done) this.#live.add(task as Task<unknown>);
    return task;
  }

  #onEnd(task: Task<unknown>): void {
    this.#live.delete(task);
    if (task.state !== 'failed') return;
    if (this.scope.cancelled && isCancellation(task.error, this.scope.reason)) return;
    this.#errors.push(task.error);
    this.#close(`task group: "${task.name}" failed`, task.error);
  }

  #close(why: string, cause?: unknown): void {
    if (this.#state === 'open') this.#state = 'shutting down';
    this.scope.cancel(cancelled(why, { cause }));
  }

  /** Cancels all tasks of the group, the block included. */
  cancel(why = 'the task group was cancelled'): void {
    this.#close(why);
  }

  async join(): Promise<void> {
    while (this.#live.size > 0) for (const task of this.#live) await task.ended;
    this.#state = 'finished';
    this.scope.unlink();
    if (this.#errors.length > 0) {
      const messages = this.#errors.map((error) => (error instanceof Error ? error.message : String(error)));
      throw new AggregateError(
        this.#errors,
        `${this.#errors.length} task${this.#errors.length === 1 ? '' : 's'} of the group failed: ${messages.join('; ')}`,
      );
    }
    this.#parent.scope.throwIfCancelled();
  }
}

/**
 * Gives `block` a group to start tasks in, and ends when the block and all its tasks have ended. When one fails
 * the others are cancelled, the block too, and an AggregateError carries every real failure.
 */
export async function taskGroup<T>(block: (group: TaskGroup) => T | PromiseLike<T>): Promise<Awaited<T>> {
  if (typeof block !== 'function') throw notAFunction('taskGroup', 1, block);
  const group = new TaskGroup();
  const task = group.start(() => block(group), { name: block.name || 'task group' });
  await group.join();
  return await task;
}
