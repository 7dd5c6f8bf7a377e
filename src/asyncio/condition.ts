import { fault } from '../errors/index.ts';
import { checkCount } from './checks.ts';
import { type Held, Lock } from './lock.ts';
import { ParkingLot } from './parking.ts';
import { shield } from './shield.ts';
import type { Startable } from './task.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface ConditionStatistics {
  readonly locked: boolean;
  readonly owner: string | null;
  /** Waiting for a notification. */
  readonly tasksWaiting: number;
  /** Waiting for the lock. */
  readonly tasksWaitingForLock: number;
}

/** A lock, and a place to wait in until somebody who holds the lock says that something has changed. */
export class Condition {
  readonly lock: Lock;
  readonly name: string;
  readonly #waiting: ParkingLot;

  constructor(lock: Lock = new Lock(), name = '') {
    this.lock = lock;
    this.name = name;
    this.#waiting = new ParkingLot('condition', () => (name ? `condition "${name}"` : 'a condition'));
  }

  get locked(): boolean {
    return this.lock.locked;
  }

  acquire(options?: SignalOptions): Promise<Held> {
    return this.lock.acquire(options);
  }

  release(): void {
    this.lock.release();
  }

  run<T>(fn: Startable<T>): Promise<Awaited<T>> {
    return this.lock.run(fn);
  }

  /** Releases the lock, waits for a notification, and takes the lock again, even when cancelled meanwhile. */
  wait(options?: SignalOptions): Promise<void> {
    return waitUnder(options, 'condition.wait', () => this.#wait());
  }

  async #wait(): Promise<void> {
    this.#needLock('wait');
    const notified = this.#waiting.park();
    const held = this.lock.suspend();
    try {
      await notified;
    } finally {
      // Whoever leaves must hold the lock, as its caller believes.
      await shield(() => this.lock.resume(held));
    }
  }

  /** Waits until `predicate` is true; it is called with the lock held. */
  async waitFor(predicate: () => boolean, options?: SignalOptions): Promise<void> {
    while (!predicate()) await this.wait(options);
  }

  notify(count = 1): void {
    checkCount('notify', 'count', count, 1, true);
    this.#needLock('notify');
    for (let left = count; left > 0; left--) if (this.#waiting.wake() === null) return;
  }

  notifyAll(): void {
    this.notify(Number.POSITIVE_INFINITY);
  }

  #needLock(callee: string): void {
    if (!this.lock.locked) throw fault('SBY_ASYNCIO_CONDITION_UNLOCKED', { callee, name: this.name });
  }

  statistics(): ConditionStatistics {
    const { locked, owner, tasksWaiting } = this.lock.statistics();
    return { locked, owner, tasksWaiting: this.#waiting.size, tasksWaitingForLock: tasksWaiting };
  }
}
