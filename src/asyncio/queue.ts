import { fault } from '../errors/index.ts';
import { checkCount } from './checks.ts';
import { currentContext } from './context.ts';
import { hooks } from './hooks.ts';
import { ParkingLot } from './parking.ts';
import { refused } from './sleep.ts';
import { Fifo, Heap, Lifo, type Order, type Store } from './store.ts';
import { type SignalOptions, waitUnder } from './under-signal.ts';

export interface QueueStatistics {
  readonly size: number;
  readonly maxsize: number;
  /** Items taken or waiting for which `taskDone()` has not been called. */
  readonly unfinished: number;
  readonly tasksWaitingToGet: number;
  readonly tasksWaitingToPut: number;
  readonly shutDown: boolean;
}

export interface QueueOptions {
  /** How many items wait at most; 0 or Infinity: any number. Default 0, as in asyncio. */
  readonly maxsize?: number | undefined;
  /** For people. */
  readonly name?: string | undefined;
}

/** First in, first out, between tasks. `for await (const item of queue)` takes items until `shutdown()`. */
export class Queue<T> implements AsyncIterable<T> {
  readonly name: string;
  readonly maxsize: number;
  readonly #store: Store<T>;
  readonly #getters: ParkingLot<T>;
  readonly #putters: ParkingLot;
  readonly #joiners: ParkingLot;
  #unfinished = 0;
  #shutDown = false;

  constructor(options: QueueOptions | number = {}, store: Store<T> = new Fifo<T>()) {
    const { maxsize = 0, name = '' } = typeof options === 'number' ? { maxsize: options } : options;
    checkCount(this.constructor.name, 'maxsize', maxsize, 0, true);
    this.maxsize = maxsize;
    this.name = name;
    this.#store = store;
    const called = name ? `queue "${name}"` : 'a queue';
    this.#getters = new ParkingLot('queue get', () => `an item of ${called}`);
    this.#putters = new ParkingLot('queue put', () => `room in ${called}`);
    this.#joiners = new ParkingLot('queue join', () => `${this.#unfinished} unfinished items of ${called}`);
  }

  get size(): number {
    return this.#store.size;
  }

  get empty(): boolean {
    return this.#store.size === 0;
  }

  get full(): boolean {
    return this.maxsize > 0 && this.#store.size >= this.maxsize;
  }

  /** Waits for room and puts `item` in. */
  put(item: T, options?: SignalOptions): Promise<void> {
    const promise = waitUnder(options, 'queue.put', () => this.#put(item));
    return hooks.watch === null ? promise : hooks.watch(promise, 'queue.put()');
  }

  #put(item: T): Promise<void> {
    const { scope } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.#shutDown) return Promise.reject(this.#gone());
    try {
      this.#store.check?.(item);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.full) return this.#putters.park(item);
    this.#accept(item);
    return Promise.resolve();
  }

  /** Puts `item` in now; QueueFull when there is no room. */
  putNowait(item: T): void {
    if (this.#shutDown) throw this.#gone();
    if (this.full) throw fault('SBY_ASYNCIO_QUEUE_FULL', { name: this.name, maxsize: this.maxsize });
    this.#accept(item);
  }

  #accept(item: T): void {
    // Through the store even when somebody waits: a priority queue's order holds for what is in it.
    this.#store.push(item);
    this.#unfinished++;
    if (this.#getters.size > 0) this.#getters.wake(this.#store.pop());
  }

  /** Waits for an item and takes it. QueueShutDown once the queue is shut down and empty. */
  get(options?: SignalOptions): Promise<T> {
    const promise = waitUnder(options, 'queue.get', () => this.#get());
    return hooks.watch === null ? promise : hooks.watch(promise, 'queue.get()');
  }

  #get(): Promise<T> {
    const { scope } = currentContext();
    if (scope.cancelled) return refused(scope.reason);
    if (this.#store.size > 0) return Promise.resolve(this.#take());
    if (this.#shutDown) return Promise.reject(this.#gone());
    return this.#getters.park();
  }

  /** Takes an item now; QueueEmpty when there is none. */
  getNowait(): T {
    if (this.#store.size > 0) return this.#take();
    if (this.#shutDown) throw this.#gone();
    throw fault('SBY_ASYNCIO_QUEUE_EMPTY', { name: this.name });
  }

  #take(): T {
    const item = this.#store.pop();
    const putter = this.#putters.wake();
    if (putter !== null) this.#accept(putter.wish as T);
    return item;
  }

  /** Says that an item that was taken has been dealt with; see `join`. */
  taskDone(): void {
    if (this.#unfinished === 0) throw fault('SBY_ASYNCIO_TASK_DONE_TOO_OFTEN', { name: this.name });
    if (--this.#unfinished === 0) this.#joiners.wakeAll();
  }

  /** Waits until `taskDone()` has been called for every item. */
  join(options?: SignalOptions): Promise<void> {
    return waitUnder(options, 'queue.join', () => this.#join());
  }

  #join(): Promise<void> {
    if (this.#unfinished > 0) return this.#joiners.park();
    const { scope } = currentContext();
    return scope.cancelled ? refused(scope.reason) : Promise.resolve();
  }

  /**
   * Nothing more goes in, and who waits to put fails with QueueShutDown. What is in can still be taken; with
   * `immediate` it is thrown away and counts as done.
   */
  shutdown(options: { readonly immediate?: boolean } = {}): void {
    this.#shutDown = true;
    if (options.immediate === true) {
      for (let left = this.#store.size; left > 0; left--) {
        this.#store.pop();
        this.#unfinished--;
      }
      if (this.#unfinished <= 0) {
        this.#unfinished = 0;
        this.#joiners.wakeAll();
      }
    }
    while (this.#putters.fail(this.#gone()));
    if (this.#store.size === 0) while (this.#getters.fail(this.#gone()));
  }

  #gone(): Error {
    return fault('SBY_ASYNCIO_QUEUE_SHUT_DOWN', { name: this.name });
  }

  /** Takes items until the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      if (this.#shutDown && this.#store.size === 0) return;
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if ((error as { code?: unknown }).code === 'SBY_ASYNCIO_QUEUE_SHUT_DOWN') return;
        throw error;
      }
      yield item;
    }
  }

  statistics(): QueueStatistics {
    return {
      size: this.size,
      maxsize: this.maxsize,
      unfinished: this.#unfinished,
      tasksWaitingToGet: this.#getters.size,
      tasksWaitingToPut: this.#putters.size,
      shutDown: this.#shutDown,
    };
  }
}

/** Last in, first out. */
export class LifoQueue<T> extends Queue<T> {
  constructor(options: QueueOptions | number = {}) {
    super(options, new Lifo<T>());
  }
}

export interface PriorityQueueOptions<T> extends QueueOptions {
  /** What to sort by. Default: the item itself: numbers, bigints, strings, dates, arrays of such. */
  readonly key?: ((item: T) => Order) | undefined;
}

/** The smallest first; among equals, the one that came first. */
export class PriorityQueue<T> extends Queue<T> {
  constructor(options: PriorityQueueOptions<T> | number = {}) {
    super(options, new Heap<T>(typeof options === 'number' ? undefined : options.key));
  }
}
