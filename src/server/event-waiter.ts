import { currentContext, Waiter } from '../asyncio/index.ts';

/** A wait inside `receive` or `send`; ends early when the scope of whoever waits is cancelled. */
export class EventWaiter<T> extends Waiter {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly what: string;
  /** What `wait` gave out. */
  promise: Promise<T> | null = null;
  settled = false;

  constructor(what: string, resolve: (value: T) => void, reject: (reason: unknown) => void) {
    super();
    this.what = what;
    this.resolve = resolve;
    this.reject = reject;
  }

  settle(value: T): void {
    this.settled = true;
    this.unlink();
    this.resolve(value);
  }

  fail(reason: unknown): void {
    this.settled = true;
    this.unlink();
    this.#refuse(reason);
  }

  override onCancel(reason: unknown): void {
    this.settled = true;
    this.#refuse(reason);
  }

  #refuse(reason: unknown): void {
    // An application that does not await is in no way to end the process.
    this.promise?.catch(nothing);
    this.reject(reason);
  }

  override describe(): string {
    return this.what;
  }
}

export function wait<T>(list: EventWaiter<T>[], what: string): Promise<T> {
  const { scope } = currentContext();
  if (scope.cancelled) return handled(scope.reason);
  let waiter!: EventWaiter<T>;
  const promise = new Promise<T>((resolve, reject) => {
    waiter = new EventWaiter<T>(what, resolve, reject);
  });
  waiter.promise = promise;
  list.push(waiter);
  scope.link(waiter);
  return promise;
}

/** A rejection that is no "unhandled rejection" when the application forgot to await it. */
export function handled(error: unknown): Promise<never> {
  return unobserved(Promise.reject(error));
}

/** The same promise, whose failure is nobody's unhandled rejection. */
export function unobserved<T>(promise: Promise<T>): Promise<T> {
  promise.catch(nothing);
  return promise;
}

function nothing(): void {}
