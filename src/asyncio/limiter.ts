import { describe, fault } from '../errors/index.ts';
import { checkCount } from './checks.ts';
import { currentContext } from './context.ts';
import { Held } from './lock.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import { type Startable, Task } from './task.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface CapacityLimiterStatistics {
  readonly totalTokens: number;
  readonly borrowedTokens: number;
  /** The names of those who hold a token. */
  readonly borrowers: readonly string[];
  readonly tasksWaiting: number;
}

/**
 * Tokens that are lent to borrowers, at most one each; by default the borrower is the current task. Unlike a
 * semaphore it knows who holds what, and its size can be changed while it is used.
 */
export class CapacityLimiter {
  readonly name: string;
  #total: number;
  readonly #borrowers = new Set<unknown>();
  readonly #waiting: ParkingLot;

  constructor(totalTokens: number, name = '') {
    checkCount('CapacityLimiter', 'totalTokens', totalTokens, 1, true);
    this.#total = totalTokens;
    this.name = name;
    this.#waiting = new ParkingLot('capacity limiter', () => this.describe());
  }

  get totalTokens(): number {
    return this.#total;
  }

  /** More tokens wake who waits; fewer take nothing away, but nothing is lent until enough came back. */
  set totalTokens(totalTokens: number) {
    checkCount('CapacityLimiter', 'totalTokens', totalTokens, 1, true);
    this.#total = totalTokens;
    this.#lend();
  }

  get availableTokens(): number {
    return Math.max(0, this.#total - this.#borrowers.size);
  }

  /** Waits for a token for the current task. */
  acquire(options?: SignalOptions): Promise<Held> {
    return this.acquireOnBehalfOf(currentContext().task ?? {}, options);
  }

  /** Waits for a token for any borrower: a connection, a user's id. */
  acquireOnBehalfOf(borrower: unknown, options?: SignalOptions): Promise<Held> {
    return waitUnder(options, 'limiter.acquire', () => this.#acquire(borrower));
  }

  #acquire(borrower: unknown): Promise<Held> {
    const { scope } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.#borrowers.has(borrower)) {
      const who = borrower instanceof Task ? `task "${borrower.name}"` : describe(borrower);
      return Promise.reject(fault('SBY_ASYNCIO_ALREADY_BORROWED', { name: this.name, who }));
    }
    if (this.availableTokens > 0 && this.#waiting.size === 0) {
      this.#borrowers.add(borrower);
      return Promise.resolve(this.#held(borrower));
    }
    return this.#waiting.park(borrower).then(() => this.#held(borrower));
  }

  #held(borrower: unknown): Held {
    return new Held(() => this.releaseOnBehalfOf(borrower));
  }

  release(): void {
    this.releaseOnBehalfOf(currentContext().task);
  }

  releaseOnBehalfOf(borrower: unknown): void {
    if (!this.#borrowers.delete(borrower))
      throw fault('SBY_ASYNCIO_NOT_HELD', { what: 'CapacityLimiter', name: this.name });
    this.#lend();
  }

  #lend(): void {
    while (this.availableTokens > 0) {
      const next = this.#waiting.wake();
      if (next === null) return;
      this.#borrowers.add(next.wish);
    }
  }

  async run<T>(fn: Startable<T>): Promise<Awaited<T>> {
    using _held = await this.acquire();
    return await fn();
  }

  describe(): string {
    return `${this.name ? `capacity limiter "${this.name}"` : 'a capacity limiter'}, ${this.#borrowers.size} of ${this.#total} lent`;
  }

  statistics(): CapacityLimiterStatistics {
    return {
      totalTokens: this.#total,
      borrowedTokens: this.#borrowers.size,
      borrowers: [...this.#borrowers].map((who) => (who instanceof Task ? who.name : describe(who))),
      tasksWaiting: this.#waiting.size,
    };
  }
}
