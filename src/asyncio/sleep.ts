import { fault } from '../errors/index.ts';
import { sleepChannel } from './channels.ts';
import { checkTime } from './checks.ts';
import { now, startTimer, stopTimer, type Timer } from './clock.ts';
import { currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { Waiter } from './scope.ts';
import { tracePromise } from './tracing.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

const nothing = (): void => {};

class Sleeper extends Waiter {
  readonly ms: number;
  timer: Timer | undefined;
  promise: Promise<void> | null = null;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;

  constructor(ms: number, resolve: () => void, reject: (reason: unknown) => void) {
    super();
    this.ms = ms;
    this.resolve = resolve;
    this.reject = reject;
  }

  override onCancel(reason: unknown): void {
    stopTimer(this.timer);
    // Nobody may be awaiting it: cancelling a forgotten sleep is no unhandled rejection.
    this.promise?.catch(nothing);
    this.reject(reason);
  }

  override describe(): string {
    return this.ms === Number.POSITIVE_INFINITY ? 'sleep for ever' : `sleep ${this.ms} ms`;
  }
}

function wake(sleeper: Sleeper): void {
  sleeper.unlink();
  sleeper.resolve();
}

function start(ms: number): Promise<void> {
  const { scope } = currentContext();
  if (scope.cancelled) return refused(scope.reason);
  let sleeper!: Sleeper;
  const promise = new Promise<void>((resolve, reject) => {
    sleeper = new Sleeper(ms, resolve, reject);
  });
  sleeper.promise = promise;
  // For ever: the timer only keeps the process alive.
  sleeper.timer = ms === Number.POSITIVE_INFINITY ? startTimer(nothing, 1e15) : startTimer(wake, ms, sleeper);
  scope.link(sleeper);
  return sleepChannel.start.hasSubscribers ? tracePromise(sleepChannel, () => promise, { ms }) : promise;
}

/** The answer to a wait in a cancelled scope; forgetting it is no unhandled rejection. */
export function refused(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(nothing);
  return promise;
}

/** Waits `ms` milliseconds; ends early, with a CancelledError, when the scope is cancelled. */
export function sleep(ms: number, options?: SignalOptions): Promise<void> {
  checkTime('sleep', ms);
  const promise = waitUnder(options, 'sleep', () => start(ms));
  return hooks.watch === null ? promise : hooks.watch(promise, `sleep(${ms})`);
}

/** Waits until `when` on the loop's clock (`getRunningLoop().time()`); not at all when that has passed. */
export function sleepUntil(when: number, options?: SignalOptions): Promise<void> {
  if (typeof when !== 'number' || !Number.isFinite(when))
    throw fault('SBY_ASYNCIO_BAD_TIME', { callee: 'sleepUntil', got: when });
  const promise = waitUnder(options, 'sleepUntil', () => start(Math.max(0, when - now())));
  return hooks.watch === null ? promise : hooks.watch(promise, 'sleepUntil()');
}

/** Waits until the scope is cancelled. */
export function sleepForever(options?: SignalOptions): Promise<never> {
  const wait = (): Promise<never> => start(Number.POSITIVE_INFINITY) as Promise<never>;
  const promise = waitUnder(options, 'sleepForever', wait);
  return hooks.watch === null ? promise : hooks.watch(promise, 'sleepForever()');
}

/** Lets other work run, and throws if the scope has been cancelled. For long loops. */
export async function checkpoint(): Promise<void> {
  const { scope } = currentContext();
  scope.throwIfCancelled();
  await new Promise<void>((resolve) => setImmediate(resolve));
  scope.throwIfCancelled();
}
