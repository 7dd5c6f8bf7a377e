import { fault } from '../errors/index.ts';
import { currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import type { Startable, Task } from './task.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface LockStatistics {
  readonly locked: boolean;
  /** The name of the task that holds it; null when nobody does, or nobody with a name. */
  readonly owner: string | null;
  readonly tasksWaiting: number;
}

/** What `acquire()` gives: `using held = await lock.acquire()` releases it at the end of the block. */
export class Held implements Disposable {
  #release: ((held: Held) => void) | null;
  /** For builders. */
  constructor(release: (held: Held) => void) {
    this.#release = release;
  }

  /** Releases, once. Later calls do nothing. */
  release(): void {
    const release = this.#release;
    this.#release = null;
    release?.(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Mutual exclusion, first come, first served. Not reentrant. */
export class Lock {
  readonly name: string;
  readonly #waiting: ParkingLot<Held>;
  /** Who has it. An old `Held` cannot release it for a newer holder. */
  #held: Held | null = null;
  #owner: Task<unknown> | null = null;

  constructor(name = '') {
    this.name = name;
    this.#waiting = new ParkingLot('lock', () => this.describe());
    this.#waiting.holder = () => this.#owner;
  }

  get locked(): boolean {
    return this.#held !== null;
  }

  /** Waits for the lock. `using held = await lock.acquire()`, or release it by hand. */
  acquire(options?: SignalOptions): Promise<Held> {
    const promise = waitUnder(options, 'lock.acquire', () => this.resume(new Held(this.#giveBack)));
    return hooks.watch === null ? promise : hooks.watch(promise, 'lock.acquire()');
  }

  /** Takes the lock if it is free. */
  tryAcquire(): boolean {
    if (this.#held !== null) return false;
    this.#held = new Held(this.#giveBack);
    this.#owner = currentContext().task;
    return true;
  }

  /** Hands the lock to the next in line. */
  release(): void {
    if (this.#held === null) throw fault('SBY_ASYNCIO_NOT_HELD', { what: 'Lock', name: this.name });
    const next = this.#waiting.first;
    this.#held = next === null ? null : (next.wish as Held);
    this.#owner = next?.task ?? null;
    if (this.#held !== null) this.#waiting.wake(this.#held);
  }

  readonly #giveBack = (held: Held): void => {
    if (this.#held === held) this.release();
  };

  /** For builders, `Condition`: releases the lock, to be taken again for the same holder with `resume`. */
  suspend(): Held {
    const held = this.#held;
    this.release();
    return held as Held;
  }

  /** For builders: waits for the lock, for a given holder. */
  resume(held: Held): Promise<Held> {
    const { scope, task } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.#held !== null) return this.#waiting.park(held);
    this.#held = held;
    this.#owner = task;
    return Promise.resolve(held);
  }

  /** Runs `fn` while holding the lock. */
  async run<T>(fn: Startable<T>): Promise<Awaited<T>> {
    using _held = await this.acquire();
    return await fn();
  }

  describe(): string {
    const name = this.name ? `lock "${this.name}"` : 'a lock';
    return this.#owner === null ? name : `${name}, held by task "${this.#owner.name}"`;
  }

  statistics(): LockStatistics {
    return { locked: this.locked, owner: this.#owner?.name ?? null, tasksWaiting: this.#waiting.size };
  }
}
