import { fault } from '../errors/index.ts';
import { Context, currentContext, rootContext, runInContext } from './context.ts';
import { cancelled, Scope } from './scope.ts';

/** Something that can be started: a function, sync or async. */
export type Startable<T> = () => T | PromiseLike<T>;
export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

export interface TaskOptions {
  /** For people: timelines, `sobaya ps`, messages. Default: the function's name. */
  readonly name?: string;
}

let onNeverRetrieved = (task: Task<unknown>, error: unknown): void => {
  console.error(`Task "${task.name}" failed and nobody looked at its error:`, error);
};

/** Replaces what is done with the error of a task that nobody awaits. Default: printed on stderr. */
export function setNeverRetrievedHandler(handler: (task: Task<unknown>, error: unknown) => void): void {
  onNeverRetrieved = handler;
}

let lastId = 0;

/**
 * Work that was started as a child of the current scope. Awaiting it gives its result or throws its error. The
 * outcome is kept inside and becomes a rejection only in the hands of whoever awaits, so a task that fails
 * before it is awaited is no "unhandled rejection".
 */
export class Task<T> implements PromiseLike<T> {
  readonly id = ++lastId;
  readonly name: string;
  readonly scope: Scope;
  /** Resolves when the task has ended, whichever way; never rejects. */
  readonly ended: Promise<void>;
  #state: TaskState = 'running';
  #value: unknown = undefined;
  #retrieved = false;

  /** For builders. Everybody else: `createTask`. */
  constructor(fn: Startable<T>, parent: Context, name?: string, onEnd?: (task: Task<T>) => void) {
    this.name = name ?? (fn.name || 'anonymous');
    this.scope = new Scope(parent.scope);
    const context = new Context(this.scope, this as Task<unknown>, parent.vars, parent.trace, parent.span);
    this.ended = runInContext(context, () => this.#run(fn, onEnd));
  }

  async #run(fn: Startable<T>, onEnd: ((task: Task<T>) => void) | undefined): Promise<void> {
    try {
      this.scope.throwIfCancelled();
      this.#value = await fn();
      this.#state = 'done';
    } catch (error) {
      this.#value = error;
      this.#state = this.scope.cancelled && isCancellation(error, this.scope.reason) ? 'cancelled' : 'failed';
    }
    // What a task started and did not wait for ends with it (as Swift's `async let`).
    if (this.scope.head !== null) this.scope.cancel(cancelled(`task "${this.name}" ended`));
    else this.scope.unlink();
    if (onEnd !== undefined) onEnd(this);
    else if (this.#state === 'failed' && !this.#retrieved) {
      setImmediate(() => {
        if (!this.#retrieved) onNeverRetrieved(this as Task<unknown>, this.#value);
      });
    }
  }

  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#retrieved = true;
    return this.ended.then(() => {
      if (this.#state === 'done') return onValue ? onValue(this.#value as T) : (this.#value as A);
      if (onError) return onError(this.#value);
      throw this.#value;
    });
  }

  get state(): TaskState {
    return this.#state;
  }

  get done(): boolean {
    return this.#state !== 'running';
  }

  /** What the task failed with; undefined while it runs and after success. Counts as having looked at it. */
  get error(): unknown {
    this.#retrieved = true;
    return this.#state === 'failed' || this.#state === 'cancelled' ? this.#value : undefined;
  }

  /** Asks the task to end: its waits fail with a CancelledError. False when it has ended already. */
  cancel(why?: string): boolean {
    if (this.done) return false;
    this.scope.cancel(cancelled(why ?? `task "${this.name}" was cancelled`));
    return true;
  }
}

/** Whether `error` is what cancelling with `reason` looks like, also after `fetch` and others wrapped it. */
export function isCancellation(error: unknown, reason?: unknown): boolean {
  if (reason !== undefined && error === reason) return true;
  return error instanceof Error && error.name === 'AbortError';
}

/** Starts `fn` now, as a child of the current task; await the task when its result is needed. */
export function createTask<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('createTask', 1, fn);
  return new Task<Awaited<T>>(fn as Startable<Awaited<T>>, currentContext(), options.name);
}

/** Work that outlives whoever starts it: owned by the program, ended by shutdown, reported if it fails. */
export function background<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('background', 1, fn);
  const context = new Context(rootContext.scope, null, currentContext().vars, null, -1);
  return new Task<Awaited<T>>(fn as Startable<Awaited<T>>, context, options.name);
}

export function currentTask(): Task<unknown> | null {
  return currentContext().task;
}

export function notAFunction(callee: string, position: number, got: unknown): Error {
  // It runs already; its failure must not become an unhandled rejection on top of this error.
  (got as { then?: (a: null, b: () => void) => void } | null)?.then?.(null, () => {});
  return fault('SBY_ASYNCIO_NOT_A_FUNCTION', { callee, position, got });
}
