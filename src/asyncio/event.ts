import { currentContext } from './context.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface EventStatistics {
  readonly isSet: boolean;
  readonly tasksWaiting: number;
}

/** A flag that tasks can wait for. Named `Event` as in asyncio; import it under another name beside the DOM's. */
export class Event {
  readonly name: string;
  #isSet = false;
  readonly #waiting: ParkingLot;

  constructor(name = '') {
    this.name = name;
    this.#waiting = new ParkingLot('event', () => (name ? `event "${name}"` : 'an event'));
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  /** Lets everybody through who waits, and who comes until `clear()`. */
  set(): void {
    this.#isSet = true;
    this.#waiting.wakeAll();
  }

  clear(): void {
    this.#isSet = false;
  }

  wait(options?: SignalOptions): Promise<void> {
    return waitUnder(options, 'event.wait', () => this.#wait());
  }

  #wait(): Promise<void> {
    if (!this.#isSet) return this.#waiting.park();
    const { scope } = currentContext();
    return scope.cancelled ? refused(scope.reason) : Promise.resolve();
  }

  statistics(): EventStatistics {
    return { isSet: this.#isSet, tasksWaiting: this.#waiting.size };
  }
}
