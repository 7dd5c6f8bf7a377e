import { fault } from '../errors/index.ts';
import { notAFunction } from './checks.ts';
import { currentContext } from './context.ts';
import { Waiter } from './scope.ts';
import { refused } from './sleep.ts';

const nothing = (): void => {};

class Until extends Waiter {
  readonly reject: (reason: unknown) => void;
  readonly what: string;
  promise: Promise<unknown> | null = null;
  constructor(reject: (reason: unknown) => void, what: string) {
    super();
    this.reject = reject;
    this.what = what;
  }
  override onCancel(reason: unknown): void {
    this.promise?.catch(nothing);
    this.reject(reason);
  }
  override describe(): string {
    return this.what;
  }
}

/** Waits for a promise that is not ours, but stops waiting on cancellation. The work itself goes on. */
export function until<T>(promise: PromiseLike<T>, what = 'a promise'): Promise<T> {
  if (typeof (promise as PromiseLike<T> | null | undefined)?.then !== 'function')
    throw fault('SBY_ASYNCIO_NOT_A_PROMISE', { callee: 'until', got: promise });
  const { scope } = currentContext();
  if (scope.cancelled) {
    // What it comes to no longer matters to anybody.
    promise.then(null, nothing);
    return refused(scope.reason);
  }
  let waiter!: Until;
  const result = new Promise<T>((resolve, reject) => {
    waiter = new Until(reject, what);
    scope.link(waiter);
    promise.then(
      (value) => {
        waiter.unlink();
        resolve(value);
      },
      (error) => {
        waiter.unlink();
        reject(error);
      },
    );
  });
  waiter.promise = result;
  return result;
}

class Aborter extends Waiter {
  readonly controller = new AbortController();
  readonly what: string;
  constructor(what: string) {
    super();
    this.what = what;
  }
  override onCancel(reason: unknown): void {
    this.controller.abort(reason);
  }
  override describe(): string {
    return this.what;
  }
}

/** Gives `fn` an AbortSignal for one call, dropped when the call ends, so that nothing piles up on a long-lived scope. */
export async function withSignal<T>(
  fn: (signal: AbortSignal) => T | PromiseLike<T>,
  what: string = fn.name || 'a call with a signal',
): Promise<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('withSignal', 1, fn);
  const { scope } = currentContext();
  scope.throwIfCancelled();
  const aborter = new Aborter(what);
  scope.link(aborter);
  try {
    return await fn(aborter.controller.signal);
  } finally {
    aborter.unlink();
  }
}
