import { fault } from '../errors/index.ts';
import { currentContext, rootContext } from './context.ts';
import { Waiter } from './scope.ts';
import { notAFunction, type Startable, Task } from './task.ts';

function checkTime(callee: string, ms: unknown): void {
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw fault('SBY_ASYNCIO_BAD_TIME', { callee, got: ms });
}

class Sleeper extends Waiter {
  readonly ms: number;
  timer: NodeJS.Timeout | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;

  constructor(ms: number, resolve: () => void, reject: (reason: unknown) => void) {
    super();
    this.ms = ms;
    this.resolve = resolve;
    this.reject = reject;
  }

  override onCancel(reason: unknown): void {
    clearTimeout(this.timer);
    this.reject(reason);
  }

  override describe(): string {
    return `sleep ${this.ms} ms`;
  }
}

function wake(sleeper: Sleeper): void {
  sleeper.unlink();
  sleeper.resolve();
}

/** Waits `ms` milliseconds; ends early, with a CancelledError, when the scope is cancelled. */
export function sleep(ms: number): Promise<void> {
  checkTime('sleep', ms);
  const { scope } = currentContext();
  if (scope.cancelled) return Promise.reject(scope.reason);
  return new Promise((resolve, reject) => {
    const sleeper = new Sleeper(ms, resolve, reject);
    sleeper.timer = setTimeout(wake, ms, sleeper);
    scope.link(sleeper);
  });
}

/** Lets other work run, and throws if the scope has been cancelled. For long loops. */
export async function checkpoint(): Promise<void> {
  const { scope } = currentContext();
  scope.throwIfCancelled();
  await new Promise<void>((resolve) => setImmediate(resolve));
  scope.throwIfCancelled();
}

class Until extends Waiter {
  readonly reject: (reason: unknown) => void;
  readonly what: string;
  constructor(reject: (reason: unknown) => void, what: string) {
    super();
    this.reject = reject;
    this.what = what;
  }
  override onCancel(reason: unknown): void {
    this.reject(reason);
  }
  override describe(): string {
    return this.what;
  }
}

/** Waits for a promise that is not ours, but stops waiting on cancellation. The work itself goes on. */
export function until<T>(promise: PromiseLike<T>, what = 'a promise'): Promise<T> {
  const { scope } = currentContext();
  return new Promise<T>((resolve, reject) => {
    if (scope.cancelled) {
      promise.then(null, () => {});
      reject(scope.reason);
      return;
    }
    const waiter = new Until(reject, what);
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
}

class Aborter extends Waiter {
  readonly controller = new AbortController();
  override onCancel(reason: unknown): void {
    this.controller.abort(reason);
  }
}

/** Gives `fn` an AbortSignal for one call, dropped when the call ends, so that nothing piles up on a long-lived scope. */
export async function withSignal<T>(fn: (signal: AbortSignal) => PromiseLike<T>): Promise<T> {
  const { scope } = currentContext();
  scope.throwIfCancelled();
  const aborter = new Aborter();
  scope.link(aborter);
  try {
    return await fn(aborter.controller.signal);
  } finally {
    aborter.unlink();
  }
}

/**
 * Runs `fn` with a deadline: after `ms` its scope is cancelled and a TimeoutError is thrown here. Work that
 * ignores the cancellation is left behind, so timeout itself never hangs.
 */
export async function timeout<T>(ms: number, fn: Startable<T>): Promise<Awaited<T>> {
  checkTime('timeout', ms);
  if (typeof fn !== 'function') throw notAFunction('timeout', 2, fn);
  const task = new Task<Awaited<T>>(fn as Startable<Awaited<T>>, currentContext(), undefined, () => {});
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Awaited<T>>((resolve, reject) => {
      timer = setTimeout(() => {
        const error = fault('SBY_ASYNCIO_TIMEOUT', { ms, name: fn.name || undefined });
        task.scope.cancel(error);
        timer = setTimeout(reject, 0, error);
      }, ms);
      task.then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `fn` to its end even if the scope around it is cancelled meanwhile; only shutdown stops it. */
export async function shield<T>(fn: Startable<T>): Promise<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('shield', 1, fn);
  const context = currentContext().withScope(rootContext.scope);
  return await new Task<Awaited<T>>(fn as Startable<Awaited<T>>, context, undefined, () => {});
}
