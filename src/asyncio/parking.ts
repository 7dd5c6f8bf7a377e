import { type WaitMessage, waitChannel } from './channels.ts';
import { currentContext } from './context.ts';
import { Waiter } from './scope.ts';
import { refused } from './sleep.ts';
import type { Task } from './task.ts';
import { tracePromise } from './tracing.ts';

const nothing = (): void => {};

/** Somebody who waits in a `ParkingLot`. */
export class Parked<T> extends Waiter {
  readonly lot: ParkingLot<T>;
  readonly task: Task<unknown> | null;
  /** What it asks for or brings along: an item for a full queue, a borrower. */
  readonly wish: unknown;
  promise!: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;
  ahead: Parked<T> | null = null;
  behind: Parked<T> | null = null;
  message: WaitMessage | null = null;

  constructor(lot: ParkingLot<T>, task: Task<unknown> | null, wish: unknown) {
    super();
    this.lot = lot;
    this.task = task;
    this.wish = wish;
  }

  override onCancel(reason: unknown): void {
    this.lot.remove(this);
    if (this.message !== null) this.message.cancelled = true;
    this.promise.catch(nothing);
    this.reject(reason);
    this.lot.onLeave?.(this);
  }

  override describe(): string {
    return this.lot.what();
  }
}

/**
 * Where waiters of a lock, a queue, an event stand in line: first come, first served. Joining, leaving and being
 * cancelled are O(1). Whoever is woken owns what it waited for, even if its scope is cancelled before it runs on.
 */
export class ParkingLot<T = void> {
  first: Parked<T> | null = null;
  last: Parked<T> | null = null;
  size = 0;
  readonly kind: string;
  /** For people: what is waited for, and who holds it. */
  readonly what: () => string;
  /** Called when a waiter was cancelled. */
  readonly onLeave: ((parked: Parked<T>) => void) | null;
  /** Who alone can let the first in line through; unknown where it is not one. */
  holder: (() => Task<unknown> | null) | null = null;

  constructor(kind: string, what: () => string, onLeave: ((parked: Parked<T>) => void) | null = null) {
    this.kind = kind;
    this.what = what;
    this.onLeave = onLeave;
  }

  /** Waits in line until somebody wakes this waiter with a value. */
  park(wish?: unknown): Promise<T> {
    const { scope, task } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    const parked = new Parked<T>(this, task, wish);
    const promise = new Promise<T>((resolve, reject) => {
      parked.resolve = resolve;
      parked.reject = reject;
    });
    parked.promise = promise;
    parked.ahead = this.last;
    if (this.last === null) this.first = parked;
    else this.last.behind = parked;
    this.last = parked;
    this.size++;
    scope.link(parked);
    if (waitChannel.start.hasSubscribers) {
      parked.message = { what: this.what(), kind: this.kind };
      return tracePromise(waitChannel, () => promise, parked.message);
    }
    return promise;
  }

  /** Takes the first in line out and hands it `value`; null when nobody waits. */
  wake(value: T): Parked<T> | null {
    const parked = this.first;
    if (parked === null) return null;
    this.remove(parked);
    parked.unlink();
    parked.resolve(value);
    return parked;
  }

  wakeAll(value: T): void {
    while (this.wake(value) !== null);
  }

  /** Makes the first in line fail. */
  fail(error: unknown): boolean {
    const parked = this.first;
    if (parked === null) return false;
    this.remove(parked);
    parked.unlink();
    parked.reject(error);
    return true;
  }

  remove(parked: Parked<T>): void {
    if (parked.ahead === null) this.first = parked.behind;
    else parked.ahead.behind = parked.behind;
    if (parked.behind === null) this.last = parked.ahead;
    else parked.behind.ahead = parked.ahead;
    parked.ahead = parked.behind = null;
    this.size--;
  }

  /** The names of those who wait, in line. */
  names(): string[] {
    const names: string[] = [];
    for (let parked = this.first; parked !== null; parked = parked.behind)
      names.push(parked.task?.name ?? 'no task');
    return names;
  }
}
