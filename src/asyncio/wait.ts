import { fault } from '../errors/index.ts';
import { checkTime, notAFunction } from './checks.ts';
import { now } from './clock.ts';
import { currentContext } from './context.ts';
import { type DeadlineOptions, moveOnAfter, timeout, timeoutAt } from './deadline.ts';
import { reportUnseen } from './never-retrieved.ts';
import { leave, Scope } from './scope.ts';
import { type Startable, Task } from './task.ts';
import { cancelledBy } from './under-signal.ts';
import { until } from './until.ts';

export interface WaitOptions {
  /** Default: `allCompleted`. */
  readonly returnWhen?: 'firstCompleted' | 'firstException' | 'allCompleted' | undefined;
  /** Gives what is done after so many ms. Nothing is cancelled and nothing is thrown. */
  readonly timeout?: number | undefined;
  /** Ends the wait with a CancelledError when it aborts; the tasks go on. */
  readonly signal?: AbortSignal | undefined;
}

export interface Waited<T> {
  readonly done: Set<Task<T>>;
  readonly pending: Set<Task<T>>;
}

const moments: readonly unknown[] = ['firstCompleted', 'firstException', 'allCompleted'];

async function patiently(ms: number | undefined, wait: () => Promise<void>): Promise<void> {
  if (ms === undefined) await wait();
  else await moveOnAfter(ms, wait);
}

/** Waits for tasks without taking their errors; those that are pending go on. */
export async function wait<T>(tasks: Iterable<Task<T>>, options: WaitOptions = {}): Promise<Waited<T>> {
  const all = [...tasks];
  for (const [index, task] of all.entries()) {
    if (!(task instanceof Task))
      throw fault('SBY_ASYNCIO_NOT_A_TASK', { callee: 'wait', position: index + 1, got: task });
  }
  if (all.length === 0) throw fault('SBY_ASYNCIO_NO_TASKS', { callee: 'wait' });
  if (options.timeout !== undefined) checkTime('wait', options.timeout);
  const { returnWhen = 'allCompleted', signal } = options;
  if (!moments.includes(returnWhen))
    throw fault('SBY_ASYNCIO_BAD_OPTION', {
      callee: 'wait',
      option: 'returnWhen',
      got: returnWhen,
      expected: `"${moments.join('", "')}"`,
    });
  const enough = (): boolean => {
    if (returnWhen === 'firstCompleted') return all.some((task) => task.done);
    // A cancelled task has not failed: asyncio's rule as well.
    if (returnWhen === 'firstException' && all.some((task) => task.state === 'failed')) return true;
    return all.every((task) => task.done);
  };
  if (!enough()) {
    const unlisten: (() => void)[] = [];
    const met = new Promise<void>((resolve) => {
      const look = (): void => {
        if (enough()) resolve();
      };
      for (const task of all) if (!task.done) unlisten.push(task.onEnd(look));
    });
    const what = `${all.length} task${all.length === 1 ? '' : 's'}`;
    const wait = (): Promise<void> => until(met, what);
    try {
      if (signal !== undefined) await cancelledBy(signal, 'wait', () => patiently(options.timeout, wait));
      else await patiently(options.timeout, wait);
    } finally {
      // The tasks may live long, and be waited for often.
      for (const off of unlisten) off();
    }
  } else currentContext().scope.throwIfCancelled();
  const done = new Set<Task<T>>();
  const pending = new Set<Task<T>>();
  for (const task of all) (task.done ? done : pending).add(task);
  return { done, pending };
}

/**
 * Runs a function, or waits for a task, at most `ms`: then it is cancelled, its clean-up is waited for, and a
 * TimeoutError is thrown. A task given inside `shield` goes on: `waitFor(() => shield(task), 500)`.
 */
export async function waitFor<T>(
  work: Startable<T> | Task<T>,
  ms: number | null,
  options: DeadlineOptions = {},
): Promise<Awaited<T>> {
  if (ms !== null) checkTime('waitFor', ms);
  if (work instanceof Task) {
    return timeout(
      ms,
      async () => {
        const { scope } = currentContext();
        try {
          return await work;
        } catch (error) {
          if (!work.done && error === scope.reason) {
            work.cancel(`waitFor: task "${work.name}" took longer than ${ms} ms`);
            await work.ended;
            // It may have made it after all.
            if (work.state !== 'cancelled') return work.result();
          }
          throw error;
        }
      },
      options,
    ) as Promise<Awaited<T>>;
  }
  if (typeof work !== 'function') throw notAFunction('waitFor', 1, work);
  const fn = work;
  return timeout(
    ms,
    Object.defineProperty(() => fn(), 'name', { value: fn.name }),
    options,
  );
}

export interface AsCompletedOptions {
  /** A TimeoutError is thrown at the item that is not there after so many ms. */
  readonly timeout?: number | undefined;
}

/**
 * Gives results in the order in which they arrive. `for await (const result of asCompleted(work))` throws at the item
 * that failed, and ends there; to go on after a failure take the promises one by one:
 * `for (const next of asCompleted(work)) try { await next } catch …`. Functions are started at once, and what of them
 * still runs when the loop is left is cancelled. Tasks handed in are left alone.
 */
export function asCompleted<T>(
  work: Iterable<Startable<T> | Task<T>>,
  options: AsCompletedOptions = {},
): Completions<Awaited<T>> {
  const all = [...work];
  for (const [index, item] of all.entries()) {
    if (typeof item !== 'function' && !(item instanceof Task))
      throw notAFunction('asCompleted', index + 1, item);
  }
  if (options.timeout !== undefined) checkTime('asCompleted', options.timeout);
  return new Completions(all as (Startable<Awaited<T>> | Task<Awaited<T>>)[], options.timeout);
}

/** See `asCompleted`. */
export class Completions<T> implements AsyncIterable<T>, Iterable<Promise<T>> {
  readonly #completed: Task<T>[] = [];
  readonly #started = new Set<Task<T>>();
  readonly #waiting: ((task: Task<T>) => void)[] = [];
  readonly #unlisten: (() => void)[] = [];
  readonly #scope: Scope;
  readonly #deadline: number | null;
  #left: number;

  /** For builders. */
  constructor(all: readonly (Startable<T> | Task<T>)[], ms: number | undefined) {
    const parent = currentContext();
    this.#scope = new Scope(parent.scope, 'asCompleted');
    this.#scope.held = true;
    this.#deadline = ms === undefined ? null : now() + ms;
    this.#left = all.length;
    const inner = parent.withScope(this.#scope);
    const onEnd = (task: Task<unknown>): void => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#completed.push(task as Task<T>);
      else waiting(task as Task<T>);
    };
    for (const item of all) {
      if (item instanceof Task) this.#unlisten.push(item.onEnd(() => onEnd(item as Task<unknown>)));
      else this.#started.add(new Task<T>(item, inner, undefined, onEnd));
    }
    this.#scope.whenEmpty(() => this.#scope.unlink());
  }

  /** The result of the next one that ends. */
  async #next(): Promise<T> {
    let task = this.#completed.shift();
    if (task === undefined) {
      const next = new Promise<Task<T>[]>((resolve) => {
        this.#waiting.push((ended) => resolve([ended]));
      });
      const wait = (): Promise<Task<T>[]> => until(next, 'the next task');
      [task] = await (this.#deadline === null ? wait() : timeoutAt(this.#deadline, wait));
    }
    return (task as Task<T>).result();
  }

  /** Cancels what was started and still runs, and waits for its end. */
  async #leave(): Promise<void> {
    this.#left = 0;
    for (const off of this.#unlisten) off();
    const left = leave(this.#scope, 'the loop over asCompleted() was left');
    if (left !== null) await left;
    // Errors that come too late for the loop; nobody else can get them.
    for (const task of this.#completed.splice(0))
      if (this.#started.has(task) && task.state === 'failed') reportUnseen(task, task.error);
  }

  [Symbol.iterator](): IterableIterator<Promise<T>> {
    const iterator: IterableIterator<Promise<T>> = {
      next: () => {
        if (this.#left === 0) return { done: true, value: undefined };
        this.#left--;
        const value = this.#next();
        // The loop may be left before it is awaited.
        value.catch(() => {});
        return { done: false, value };
      },
      return: () => {
        void this.#leave();
        return { done: true, value: undefined };
      },
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      while (this.#left > 0) {
        this.#left--;
        yield await this.#next();
      }
    } finally {
      await this.#leave();
    }
  }
}
