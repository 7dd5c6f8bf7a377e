import { fault } from '../errors/index.ts';

/** What a queue keeps its items in. */
export interface Store<T> {
  readonly size: number;
  /** Throws when the item cannot be kept. */
  check?(item: T): void;
  push(item: T): void;
  /** Takes the next item; only called when there is one. */
  pop(): T;
}

/** First in, first out, O(1): an array that is read from a moving start. */
export class Fifo<T> implements Store<T> {
  #items: (T | undefined)[] = [];
  #start = 0;

  get size(): number {
    return this.#items.length - this.#start;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    const item = this.#items[this.#start] as T;
    this.#items[this.#start++] = undefined;
    if (this.#start === this.#items.length) {
      this.#items = [];
      this.#start = 0;
    } else if (this.#start > 1024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }
}

export class Lifo<T> implements Store<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    return this.#items.pop() as T;
  }
}

/** What has an order: arrays compare item by item, as Python's tuples do. */
export type Order = number | bigint | string | boolean | Date | readonly Order[];

function compare(a: Order, b: Order): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < Math.min(a.length, b.length); index++) {
      const order = compare(a[index] as Order, b[index] as Order);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether values of this kind have an order; NaN and invalid dates have none. */
function checkOrder(key: unknown): asserts key is Order {
  if (Array.isArray(key)) {
    for (const part of key) checkOrder(part);
    return;
  }
  const kind = typeof key;
  if (kind === 'string' || kind === 'bigint' || kind === 'boolean') return;
  if ((kind === 'number' || key instanceof Date) && !Number.isNaN(Number(key))) return;
  throw fault('SBY_ASYNCIO_NO_ORDER', { got: key });
}

interface Entry<T> {
  readonly key: Order;
  readonly turn: number;
  readonly item: T;
}

/** A binary heap, stable: equal keys leave in the order in which they came. */
export class Heap<T> implements Store<T> {
  readonly #heap: Entry<T>[] = [];
  readonly #key: (item: T) => Order;
  #turn = 0;

  constructor(key: (item: T) => Order = (item) => item as Order) {
    this.#key = key;
  }

  get size(): number {
    return this.#heap.length;
  }

  check(item: T): void {
    checkOrder(this.#key(item));
  }

  push(item: T): void {
    const key = this.#key(item);
    checkOrder(key);
    const heap = this.#heap;
    const entry = { key, turn: this.#turn++, item };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(entry, heap[up] as Entry<T>)) break;
      heap[at] = heap[up] as Entry<T>;
      at = up;
    }
    heap[at] = entry;
  }

  pop(): T {
    const heap = this.#heap;
    const top = heap[0] as Entry<T>;
    const last = heap.pop() as Entry<T>;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let down = at * 2 + 1;
        if (down >= heap.length) break;
        if (down + 1 < heap.length && before(heap[down + 1] as Entry<T>, heap[down] as Entry<T>)) down++;
        if (!before(heap[down] as Entry<T>, last)) break;
        heap[at] = heap[down] as Entry<T>;
        at = down;
      }
      heap[at] = last;
    }
    return top.item;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  const order = compare(a.key, b.key);
  return order === 0 ? a.turn < b.turn : order < 0;
}
