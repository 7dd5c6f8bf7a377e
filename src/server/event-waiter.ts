import { currentContext, Waiter } from '../asyncio/index.ts';

/** A wait inside `receive` or `send`; ends early when the scope of whoever waits is cancelled. */
export class EventWaiter<T> extends Waiter {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly what: string;
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
    this.reject(reason);
  }

  override onCancel(reason: unknown): void {
    this.settled = true;
    this.reject(reason);
  }

  override describe(): string {
    return this.what;
  }
}

export function wait<T>(list: EventWaiter<T>[], what: string): Promise<T> {
  const { scope } = currentContext();
  if (scope.cancelled) return Promise.reject(scope.reason);
  return new Promise<T>((resolve, reject) => {
    const waiter = new EventWaiter<T>(what, resolve, reject);
    list.push(waiter);
    scope.link(waiter);
  });
}
