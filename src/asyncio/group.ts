import { fault } from '../errors/index.ts';
import { notAFunction } from './checks.ts';
import { type Context, currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { cancelled, leave, Scope } from './scope.ts';
import {
  callSite,
  cancelWith,
  isCancellation,
  onAbort,
  type Startable,
  type Supervisor,
  Task,
  type TaskOptions,
} from './task.ts';

export interface TaskGroupOptions {
  /** For people: `sobaya ps`, messages. */
  readonly name?: string | undefined;
  /** The group is cancelled when this signal aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Tasks that live and fail together; see `taskGroup`. */
export class TaskGroup {
  readonly scope: Scope;
  readonly #parent: Context;
  readonly #errors: unknown[] = [];
  #live = 0;
  #onEmpty: (() => void) | null = null;
  #state: 'open' | 'shutting down' | 'finished' = 'open';

  /** For builders. Everybody else: `taskGroup`. */
  constructor(name?: string) {
    this.#parent = currentContext();
    this.scope = new Scope(this.#parent.scope, name === undefined ? 'task group' : `task group "${name}"`);
    this.scope.held = true;
  }

  /** Starts `fn` now, as a task of this group. */
  start<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
    if (typeof fn !== 'function') throw notAFunction('group.start', 1, fn);
    if (this.#state !== 'open') throw fault('SBY_ASYNCIO_GROUP_CLOSED', { state: this.#state });
    return this.#start(fn, options);
  }

  /** For builders: the block is a task of the group too, so that a failing child interrupts it. */
  startBlock<T>(block: (group: TaskGroup) => T | PromiseLike<T>, name: string): Task<Awaited<T>> {
    return this.#start(
      () => block(this),
      { name },
      (task) => {
        // However the block was interrupted, what it started ends with it.
        if (task.state === 'cancelled') this.#close('the block of the task group was cancelled', task.error);
        this.#onEnd(task);
      },
    );
  }

  #start<T>(fn: Startable<T>, options: TaskOptions, onEnd: Supervisor = this.#onEnd): Task<Awaited<T>> {
    this.#live++;
    const context = this.#parent.withScope(this.scope);
    const started = fn as Startable<Awaited<T>>;
    const task = new Task(started, context, options.name, onEnd, false, '', callSite());
    if (options.signal !== undefined) cancelWith(task as Task<unknown>, options.signal, 'group.start');
    return task;
  }

  /**
   * Starts `fn` as a task and waits until it calls `ready(value)`; gives that value. For servers: the task goes on
   * in the group. Fails with the task's error when it ends before it was ready.
   */
  async startUntilReady<T = void>(
    fn: (ready: (value: T) => void) => unknown,
    options: TaskOptions = {},
  ): Promise<Awaited<T>> {
    if (typeof fn !== 'function') throw notAFunction('group.startUntilReady', 1, fn);
    if (this.#state !== 'open') throw fault('SBY_ASYNCIO_GROUP_CLOSED', { state: this.#state });
    let isReady = false;
    return await new Promise<T>((resolve, reject) => {
      const ready = (value: T): void => {
        isReady = true;
        resolve(value);
      };
      const name = options.name ?? (fn.name || 'anonymous');
      const task = this.start(() => fn(ready), { ...options, name });
      void task.ended.then(() => {
        if (isReady) return;
        reject(task.state === 'done' ? fault('SBY_ASYNCIO_NEVER_READY', { name }) : task.error);
      });
    });
  }

  readonly #onEnd = (task: Task<unknown>): void => {
    if (task.state === 'failed' && !(this.scope.cancelled && isCancellation(task.error, this.scope.reason))) {
      this.#errors.push(task.error);
      this.#close(`task group: "${task.name}" failed`, task.error);
    }
    if (--this.#live > 0 || this.#onEmpty === null) return;
    this.#onEmpty();
  };

  #close(why: string, cause?: unknown): void {
    if (this.#state === 'open') this.#state = 'shutting down';
    this.scope.cancel(cancelled(why, { cause }));
  }

  /** Cancels all tasks of the group, the block included. */
  cancel(why = 'the task group was cancelled'): void {
    if (this.#state === 'finished') throw fault('SBY_ASYNCIO_GROUP_CLOSED', { state: this.#state });
    this.#close(why);
  }

  /** For builders: the same for a reason that is an error already, at any time. */
  abort(reason: unknown): void {
    if (this.#state === 'open') this.#state = 'shutting down';
    this.scope.cancel(reason);
  }

  /** For builders: waits for all tasks, also those started meanwhile, and throws what failed. */
  async join(): Promise<void> {
    while (this.#live > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    this.#state = 'finished';
    const left = leave(this.scope, `the ${this.scope.kind} ended`);
    if (left !== null) await left;
    if (this.#errors.length > 0) {
      const messages = this.#errors.map((error) => (error instanceof Error ? error.message : String(error)));
      throw new AggregateError(
        this.#errors,
        `${this.#errors.length} task${this.#errors.length === 1 ? '' : 's'} of the group failed: ${messages.join('; ')}`,
      );
    }
    this.#parent.scope.throwIfCancelled();
  }

  /** Names what is going on in the group, for people. */
  get state(): 'open' | 'shutting down' | 'finished' {
    return this.#state;
  }

  /** Tasks of the group that have not ended. */
  get size(): number {
    return this.#live;
  }
}

/**
 * Gives `block` a group to start tasks in, and ends when the block and all its tasks have ended. When one fails
 * the others are cancelled, the block too, and an AggregateError carries every real failure.
 */
export function taskGroup<T>(
  block: (group: TaskGroup) => T | PromiseLike<T>,
  options: TaskGroupOptions = {},
): Promise<Awaited<T>> {
  const promise = runGroup(block, options);
  return hooks.watch === null ? promise : hooks.watch(promise, 'taskGroup()');
}

async function runGroup<T>(
  block: (group: TaskGroup) => T | PromiseLike<T>,
  options: TaskGroupOptions,
): Promise<Awaited<T>> {
  if (typeof block !== 'function') throw notAFunction('taskGroup', 1, block);
  const group = new TaskGroup(options.name);
  let unlisten: (() => void) | null = null;
  if (options.signal !== undefined)
    // On the scope: the abort may come while a finished group still cleans up.
    unlisten = onAbort(options.signal, 'taskGroup', (reason) => group.abort(reason));
  const task = group.startBlock(block, block.name || options.name || 'task group');
  try {
    await group.join();
  } finally {
    unlisten?.();
  }
  return await task;
}
