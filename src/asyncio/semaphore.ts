import { fault } from '../errors/index.ts';
import { checkCount } from './checks.ts';
import { currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { Held } from './lock.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import type { Startable } from './task.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface SemaphoreStatistics {
  readonly value: number;
  readonly tasksWaiting: number;
}

/** Lets `value` holders in at the same time, first come, first served. */
export class Semaphore {
  readonly name: string;
  readonly initial: number;
  #value: number;
  readonly #waiting: ParkingLot;

  constructor(value = 1, name = '') {
    checkCount(this.constructor.name, 'value', value, 0);
    this.name = name;
    this.initial = value;
    this.#value = value;
    this.#waiting = new ParkingLot('semaphore', () => this.describe());
  }

  /** How many more may enter now. */
  get value(): number {
    return this.#value;
  }

  get locked(): boolean {
    return this.#value === 0;
  }

  /** Waits for a place. `using held = await semaphore.acquire()`, or release it by hand. */
  acquire(options?: SignalOptions): Promise<Held> {
    const promise = waitUnder(options, 'semaphore.acquire', () => this.#acquire());
    return hooks.watch === null ? promise : hooks.watch(promise, 'semaphore.acquire()');
  }

  #acquire(): Promise<Held> {
    const { scope } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.tryAcquire()) return Promise.resolve(new Held(() => this.release()));
    return this.#waiting.park().then(() => new Held(() => this.release()));
  }

  tryAcquire(): boolean {
    if (this.#value === 0) return false;
    this.#value--;
    return true;
  }

  release(): void {
    // Handed over, not put back: nobody who comes later can snatch it.
    if (this.#waiting.wake() === null) this.#value++;
  }

  async run<T>(fn: Startable<T>): Promise<Awaited<T>> {
    using _held = await this.acquire();
    return await fn();
  }

  describe(): string {
    return `${this.name ? `semaphore "${this.name}"` : 'a semaphore'} of ${this.initial}`;
  }

  statistics(): SemaphoreStatistics {
    return { value: this.#value, tasksWaiting: this.#waiting.size };
  }
}

/** A semaphore that refuses to be released more often than it was acquired. */
export class BoundedSemaphore extends Semaphore {
  override release(): void {
    if (this.value >= this.initial)
      throw fault('SBY_ASYNCIO_OVER_RELEASED', { name: this.name, value: this.initial });
    super.release();
  }
}
