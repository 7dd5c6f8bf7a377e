import { fault } from '../errors/index.ts';
import { checkTime, notAFunction } from './checks.ts';
import { now, startTimer, stopTimer, type Timer } from './clock.ts';
import { currentContext, runInContext } from './context.ts';

/** What an exception handler is told. */
export interface ExceptionContext {
  readonly message: string;
  readonly exception?: unknown;
}
export type ExceptionHandler = (context: ExceptionContext) => void;

/** Runs functions of modules elsewhere: a pool of threads or processes, see `sobaya/sync`. */
export interface Executor {
  submit(module: string | URL, name: string, ...args: unknown[]): PromiseLike<unknown>;
}

/** A call that is due; it can be taken back until it has happened. */
export class Handle {
  #cancelled = false;
  #timer: Timer | undefined;
  /** When it is due on the loop's clock. */
  readonly when: number;

  /** For builders. */
  constructor(when: number) {
    this.when = when;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
    stopTimer(this.#timer);
  }

  /** For builders. */
  arm(timer: Timer): void {
    this.#timer = timer;
  }
}

const printException: ExceptionHandler = ({ message, exception }) => {
  console.error(message, ...(exception === undefined ? [] : [exception]));
};

/** Node's one event loop of this thread, with asyncio's names. */
export class Loop {
  #slowCallbackDuration = 100;
  #handler: ExceptionHandler | null = null;
  #executor: Executor | null = null;
  #debug = false;

  /** Monotonic milliseconds. What `timeoutAt`, `sleepUntil` and `callAt` count by. */
  time(): number {
    return now();
  }

  /** Calls `fn` in the next turn of the loop, in the order of the calls, in the context of now. */
  callSoon<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): Handle {
    if (typeof fn !== 'function') throw notAFunction('callSoon', 1, fn);
    const handle = new Handle(now());
    setImmediate(this.#call(handle, fn, args));
    return handle;
  }

  /** Calls `fn` after `ms`. Unlike `sleep` it belongs to no scope: it happens even if the caller was cancelled. */
  callLater<A extends unknown[]>(ms: number, fn: (...args: A) => unknown, ...args: A): Handle {
    checkTime('callLater', ms);
    if (typeof fn !== 'function') throw notAFunction('callLater', 2, fn);
    const handle = new Handle(now() + ms);
    handle.arm(startTimer(this.#call(handle, fn, args), ms));
    return handle;
  }

  /** Calls `fn` at a time on the loop's clock. */
  callAt<A extends unknown[]>(when: number, fn: (...args: A) => unknown, ...args: A): Handle {
    if (typeof when !== 'number' || !Number.isFinite(when))
      throw fault('SBY_ASYNCIO_BAD_TIME', { callee: 'callAt', got: when });
    if (typeof fn !== 'function') throw notAFunction('callAt', 2, fn);
    const handle = new Handle(when);
    handle.arm(startTimer(this.#call(handle, fn, args), Math.max(0, when - now())));
    return handle;
  }

  #call<A extends unknown[]>(handle: Handle, fn: (...args: A) => unknown, args: A): () => void {
    const context = currentContext();
    return () => {
      if (handle.cancelled) return;
      const failed = (exception: unknown): void =>
        this.callExceptionHandler({ message: `A callback failed: ${fn.name || 'anonymous'}`, exception });
      try {
        const result = runInContext(context, fn, ...args);
        if (typeof (result as PromiseLike<unknown> | null)?.then === 'function')
          (result as PromiseLike<unknown>).then(null, failed);
      } catch (exception) {
        failed(exception);
      }
    };
  }

  /** Runs the function `name` of a module in an executor; null: the default one. */
  async runInExecutor(
    executor: Executor | null,
    module: string | URL,
    name: string,
    ...args: unknown[]
  ): Promise<unknown> {
    const chosen = executor ?? this.#executor;
    if (chosen === null) throw fault('SBY_ASYNCIO_NO_EXECUTOR', {});
    return chosen.submit(module, name, ...args);
  }

  setDefaultExecutor(executor: Executor | null): void {
    this.#executor = executor;
  }

  /** Replaces what is done with errors that nobody can get. Default, or null: printed on stderr. */
  setExceptionHandler(handler: ExceptionHandler | null): void {
    if (handler !== null && typeof handler !== 'function')
      throw notAFunction('setExceptionHandler', 1, handler);
    this.#handler = handler;
  }

  getExceptionHandler(): ExceptionHandler | null {
    return this.#handler;
  }

  callExceptionHandler(context: ExceptionContext): void {
    try {
      (this.#handler ?? printException)(context);
    } catch (exception) {
      printException({ message: 'The exception handler of the loop failed', exception });
      printException(context);
    }
  }

  /** From how many ms on a callback counts as blocking the loop; for debug mode. */
  get slowCallbackDuration(): number {
    return this.#slowCallbackDuration;
  }

  set slowCallbackDuration(ms: number) {
    checkTime('slowCallbackDuration', ms);
    this.#slowCallbackDuration = ms;
  }

  get debug(): boolean {
    return this.#debug;
  }

  /** For builders: debug mode says that it is on. */
  markDebug(on: boolean): void {
    this.#debug = on;
  }
}

const loop = new Loop();

/** The event loop of this thread. In JavaScript it always runs. */
export function getRunningLoop(): Loop {
  return loop;
}
