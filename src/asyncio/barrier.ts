import { fault } from '../errors/index.ts';
import { checkCount } from './checks.ts';
import { currentContext } from './context.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface BarrierStatistics {
  readonly parties: number;
  readonly tasksWaiting: number;
  readonly broken: boolean;
}

/** Lets `parties` tasks wait for each other: nobody passes before all have come. Can be used again at once. */
export class Barrier {
  readonly parties: number;
  readonly name: string;
  readonly #waiting: ParkingLot<number>;
  #broken = false;

  constructor(parties: number, name = '') {
    checkCount('Barrier', 'parties', parties, 1);
    this.parties = parties;
    this.name = name;
    this.#waiting = new ParkingLot('barrier', () => this.describe());
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** How many have come and wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Waits for the others; gives each party another number from 0 to parties - 1. */
  wait(options?: SignalOptions): Promise<number> {
    return waitUnder(options, 'barrier.wait', () => this.#wait());
  }

  async #wait(): Promise<number> {
    const { scope } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.#broken) throw this.#error('was broken before');
    if (this.#waiting.size + 1 < this.parties) return this.#waiting.park();
    for (let index = 0; index < this.parties - 1; index++) this.#waiting.wake(index);
    return this.parties - 1;
  }

  /** Breaks the barrier: who waits, and who comes, fails with a BrokenBarrierError until `reset()`. */
  abort(): void {
    this.#broken = true;
    while (this.#waiting.fail(this.#error('was aborted')));
  }

  /** Makes a new barrier of it; who waits for the old one fails with a BrokenBarrierError. */
  reset(): void {
    this.#broken = false;
    while (this.#waiting.fail(this.#error('was reset')));
  }

  #error(why: string): Error {
    return fault('SBY_ASYNCIO_BARRIER_BROKEN', { name: this.name, why });
  }

  describe(): string {
    const name = this.name ? `barrier "${this.name}"` : 'a barrier';
    return `${name}, ${this.#waiting.size} of ${this.parties} have come`;
  }

  statistics(): BarrierStatistics {
    return { parties: this.parties, tasksWaiting: this.#waiting.size, broken: this.#broken };
  }
}
