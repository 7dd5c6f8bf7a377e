import { currentContext, rootContext, runInContext, Waiter } from '../asyncio/index.ts';
import { fault, type PostgresqlConnectionError } from '../errors/index.ts';
import { Connection, type Shared } from './connection.ts';
import { closed } from './faults.ts';
import { Forms } from './form.ts';
import { choose, laneOf, type Slot } from './lanes.ts';
import { Hub, type ListenOptions, type Subscription } from './listen.ts';
import type { Holder, Operation } from './operation.ts';
import { type ConnectOptions, resolveOptions } from './options.ts';
import { Query, Script } from './query.ts';
import { type Lent, Session } from './session.ts';
import { runTransaction, type Transaction, type TransactionOptions } from './transaction.ts';
import { TypeRegistry } from './types/registry.ts';
import { idle, type Notification } from './wire.ts';

export interface PoolOptions extends ConnectOptions {
  /** Most connections. Default 10. */
  readonly size?: number | undefined;
  /** Connections that are kept although nobody uses them. Default 0. */
  readonly minimum?: number | undefined;
  /** Statements under way on one shared connection. Default 8. */
  readonly depth?: number | undefined;
  /** Callers that may wait for a connection; who comes then gets an error at once. Default 1000. */
  readonly queue?: number | undefined;
  /** Milliseconds that a caller waits for a connection. Default 10000. */
  readonly queueTimeout?: number | undefined;
  /** Milliseconds without work after which a connection is closed. Default 300000. */
  readonly idleTimeout?: number | undefined;
  /** Milliseconds after which a connection is replaced, give or take a tenth. Default 1800000. */
  readonly maxAge?: number | undefined;
  /** Milliseconds without work after which a connection is asked whether it is still there. Default 30000. */
  readonly healthInterval?: number | undefined;
}

export interface PoolStatistics {
  readonly size: number;
  readonly open: number;
  readonly opening: number;
  /** Connections with nothing to do. */
  readonly idle: number;
  /** Connections held by transactions, cursors, COPY. */
  readonly leased: number;
  /** Statements sent and not answered. */
  readonly running: number;
  /** Statements and transactions that wait for a connection. */
  readonly waiting: number;
  /** Since the beginning. */
  readonly opened: number;
  readonly lost: number;
  readonly refused: number;
  readonly queries: number;
  readonly timeouts: number;
}

type AnyQuery = Query<unknown, unknown>;

/** A caller that needs a connection for itself. */
class Lease extends Waiter {
  readonly queuedAt = performance.now();
  readonly promise: Promise<Slot>;
  settled = false;
  #resolve!: (slot: Slot) => void;
  #reject!: (error: unknown) => void;

  constructor() {
    super();
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }
  override onCancel(reason: unknown): void {
    this.reject(reason);
  }
  override describe(): string {
    return 'a connection of the pool';
  }
  resolve(slot: Slot): void {
    this.settled = true;
    this.unlink();
    this.#resolve(slot);
  }
  reject(error: unknown): void {
    this.settled = true;
    this.unlink();
    this.#reject(error);
  }
}

function count(option: string, value: unknown, otherwise: number, least: number): number {
  if (value === undefined) return otherwise;
  if (
    typeof value !== 'number' ||
    !(value >= least) ||
    (value !== Number.POSITIVE_INFINITY && !Number.isInteger(value))
  )
    throw fault('SBY_POSTGRESQL_BAD_OPTION', {
      option,
      got: value,
      expected: `a whole number, ${least} or more`,
    });
  return value;
}

function take(slot: Slot): void {
  slot.leased = true;
  slot.draining = null;
  slot.connection.ref();
}

/**
 * Connections for a whole program. Statements outside of transactions share connections, many at once on each; a
 * transaction has one for itself. Connections are made when they are needed and replaced when they break or age.
 */
export class Pool extends Session implements Holder, AsyncDisposable {
  readonly #shared: Shared;
  readonly #size: number;
  readonly #minimum: number;
  readonly #depth: number;
  readonly #queueLimit: number;
  readonly #queueTimeout: number;
  readonly #idleTimeout: number;
  readonly #maxAge: number;
  readonly #healthInterval: number;
  readonly #slots: Slot[] = [];
  readonly #fast: AnyQuery[] = [];
  readonly #slow: AnyQuery[] = [];
  readonly #leases: Lease[] = [];
  readonly #abort = new AbortController();
  #opening = 0;
  #connected = false;
  #failures = 0;
  #lastFailure: unknown = null;
  #retry: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #tending: NodeJS.Timeout | undefined;
  #scheduled = false;
  #closing: Promise<void> | null = null;
  #drained: (() => void) | null = null;
  #hub: Hub | null = null;
  #opened = 0;
  #lost = 0;
  #refused = 0;
  #queries = 0;
  #timeouts = 0;

  /** Nothing is connected yet: that happens with the first statement, or with `open()`. */
  constructor(options: string | URL | PoolOptions = {}) {
    super();
    const given: PoolOptions =
      typeof options === 'string' || options instanceof URL ? { url: options } : options;
    const settings = resolveOptions(given);
    this.#shared = { settings, registry: new TypeRegistry(settings.types), forms: new Forms() };
    this.#size = count('size', given.size, 10, 1);
    this.#minimum = count('minimum', given.minimum, 0, 0);
    this.#depth = count('depth', given.depth, 8, 1);
    this.#queueLimit = count('queue', given.queue, 1000, 0);
    this.#queueTimeout = count('queueTimeout', given.queueTimeout, 10_000, 1);
    this.#idleTimeout = count('idleTimeout', given.idleTimeout, 300_000, 1);
    this.#maxAge = count('maxAge', given.maxAge, 1_800_000, 1);
    this.#healthInterval = count('healthInterval', given.healthInterval, 30_000, 1);
  }

  override get forms(): Forms {
    return this.#shared.forms;
  }

  /** Makes the first connection (and `minimum` of them), so that a wrong password is seen at the start. */
  async open(): Promise<this> {
    const lease = await this.#lease();
    this.#release(lease);
    while (this.#slots.length + this.#opening < this.#minimum) this.#connect();
    return this;
  }

  // ---- statements

  override submit(operation: Operation): void {
    if (this.#closing !== null) throw closed('pool');
    const query = operation as AnyQuery;
    query.holder = this;
    this.#queries++;
    const queue = laneOf(query.form) === 'fast' ? this.#fast : this.#slow;
    if (queue.length === 0 && this.#dispatch(query)) return;
    if (this.#fast.length + this.#slow.length + this.#leases.length >= this.#queueLimit) {
      this.#compact();
      if (this.#waiting >= this.#queueLimit) {
        this.#refused++;
        throw fault('SBY_POSTGRESQL_POOL_FULL', { waiting: this.#waiting, size: this.#size });
      }
    }
    query.queuedAt = performance.now();
    queue.push(query);
    this.#watch();
    this.#schedule();
  }

  #dispatch(query: AnyQuery): boolean {
    const lane = laneOf(query.form);
    const { slot, spare } = choose(this.#slots, lane, this.#depth, this.#size);
    if (spare) this.#grow(slot === null ? 1 : 0);
    if (slot === null) return false;
    if (query.queuedAt !== 0) query.waited = performance.now() - query.queuedAt;
    query.slot = slot;
    query.slow = lane !== 'fast';
    query.expected = lane === 'fast' ? query.form.ms : 0;
    if (slot.load === 0) slot.connection.ref();
    slot.load++;
    if (query.slow) slot.slow++;
    slot.backlog += query.expected;
    slot.connection.wire.submit(query);
    return true;
  }

  /** Another connection, when there is room, and not more of them on their way than somebody waits for. */
  #grow(more: number): void {
    if (this.#opening > 0 && this.#opening >= this.#waiting + more) return;
    if (this.#slots.length + this.#opening < this.#size) this.#connect();
  }

  over(operation: Operation): void {
    const query = operation as AnyQuery;
    const { slot } = query;
    if (slot === null) return;
    query.slot = null;
    slot.load--;
    slot.backlog = slot.load === 0 ? 0 : slot.backlog - query.expected;
    if (query.slow) slot.slow--;
    // After a failover: this server is no longer the one that was asked for.
    const { target } = this.#shared.settings;
    if (
      (target === 'read-write' || target === 'primary') &&
      (query.error as { sqlState?: string } | null)?.sqlState === '25006'
    )
      slot.draining = 'close';
    if (slot.load === 0) this.#emptied(slot);
    this.#schedule();
  }

  retake(operation: Operation): boolean {
    const query = operation as AnyQuery;
    // After close() nobody would take it from the queue again.
    if (!(query instanceof Query) || this.#abort.signal.aborted) return false;
    query.slot = null;
    if (query.queuedAt === 0) query.queuedAt = performance.now();
    (laneOf(query.form) === 'fast' ? this.#fast : this.#slow).unshift(query);
    this.#watch();
    this.#schedule();
    return true;
  }

  withdraw(): void {
    // It is rejected now, and left out when its turn comes.
    this.#schedule();
  }

  #emptied(slot: Slot): void {
    slot.idleSince = performance.now();
    // A connection with nothing to do keeps no program from ending.
    slot.connection.unref();
    if (slot.draining === 'close') this.#discard(slot);
    else if (slot.draining === 'lease' && !slot.leased) slot.draining = null;
  }

  // ---- queues

  get #waiting(): number {
    let waiting = 0;
    for (const query of this.#fast) if (query.stage !== 'done') waiting++;
    for (const query of this.#slow) if (query.stage !== 'done') waiting++;
    for (const lease of this.#leases) if (!lease.settled) waiting++;
    return waiting;
  }

  #compact(): void {
    for (const queue of [this.#fast, this.#slow]) {
      const live = queue.filter((query) => query.stage !== 'done');
      queue.splice(0, queue.length, ...live);
    }
    const live = this.#leases.filter((lease) => !lease.settled);
    this.#leases.splice(0, this.#leases.length, ...live);
  }

  /** Something may be possible now that was not before. */
  #schedule(): void {
    if (this.#scheduled) return;
    if (this.#fast.length + this.#slow.length + this.#leases.length === 0 && this.#drained === null) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#advance();
    });
  }

  #advance(): void {
    this.#serveLeases();
    this.#serve(this.#fast);
    this.#serve(this.#slow);
    // It stands until its time, for the next who waits; alone it keeps no program from ending.
    if (this.#fast.length + this.#slow.length + this.#leases.length === 0) this.#deadline?.unref();
    if (this.#drained !== null && this.#quiet) this.#drained();
  }

  #serve(queue: AnyQuery[]): void {
    let served = 0;
    for (const query of queue) {
      if (query.stage !== 'done' && !this.#dispatch(query)) break;
      served++;
    }
    if (served > 0) queue.splice(0, served);
  }

  #serveLeases(): void {
    while (this.#leases.length > 0) {
      const lease = this.#leases[0] as Lease;
      if (!lease.settled) {
        const slot = this.#free();
        if (slot === null) {
          this.#makeRoom();
          return;
        }
        take(slot);
        lease.resolve(slot);
      }
      this.#leases.shift();
    }
  }

  #free(): Slot | null {
    for (const slot of this.#slots)
      if (!slot.leased && slot.load === 0 && slot.draining !== 'close' && slot.connection.wire.open)
        return slot;
    return null;
  }

  /** For those who need a connection alone: opens one, or lets as many run empty as are needed. */
  #makeRoom(): void {
    const wanted = this.#leases.filter((lease) => !lease.settled).length;
    let coming = this.#opening;
    for (const slot of this.#slots) if (slot.draining === 'lease') coming++;
    while (coming < wanted && this.#slots.length + this.#opening < this.#size && this.#retry === undefined) {
      this.#connect();
      coming++;
    }
    while (coming < wanted) {
      let least: Slot | null = null;
      for (const slot of this.#slots)
        if (!slot.leased && slot.draining === null && (least === null || slot.load < least.load))
          least = slot;
      if (least === null) return;
      least.draining = 'lease';
      coming++;
    }
  }

  /** One timer for all that wait: they wait in the order of coming. */
  #watch(): void {
    if (this.#deadline !== undefined) {
      this.#deadline.ref();
      return;
    }
    this.#deadline = setTimeout(() => {
      this.#deadline = undefined;
      this.#expire();
    }, this.#queueTimeout);
  }

  #expire(): void {
    const now = performance.now();
    this.#compact();
    const late = now - this.#queueTimeout + 1;
    let next = Number.POSITIVE_INFINITY;
    for (const waiting of [...this.#fast, ...this.#slow, ...this.#leases]) {
      if (waiting.queuedAt > late) {
        next = Math.min(next, waiting.queuedAt);
        continue;
      }
      this.#timeouts++;
      const leased = this.#slots.filter((slot) => slot.leased).length;
      const error = fault(
        'SBY_POSTGRESQL_POOL_TIMEOUT',
        { ms: this.#queueTimeout, leased, size: this.#size },
        this.#lastFailure === null ? undefined : { cause: this.#lastFailure },
      );
      waiting.reject(error);
    }
    this.#compact();
    if (next !== Number.POSITIVE_INFINITY)
      this.#deadline = setTimeout(
        () => {
          this.#deadline = undefined;
          this.#expire();
        },
        Math.max(1, next + this.#queueTimeout - now),
      );
    this.#schedule();
  }

  #rejectWaiting(error: unknown): void {
    for (const waiting of [...this.#fast.splice(0), ...this.#slow.splice(0), ...this.#leases.splice(0)])
      waiting.reject(error);
    this.#schedule();
  }

  // ---- connections

  #connect(): void {
    if (this.#retry !== undefined || this.#abort.signal.aborted) return;
    this.#opening++;
    let slot: Slot | null = null;
    const listeners = {
      onProgress: () => this.#schedule(),
      onDown: () => {
        if (slot !== null) this.#down(slot);
      },
    };
    // In the program's context, not in that of whoever happened to come first.
    runInContext(rootContext, () => Connection.open(this.#shared, listeners, this.#abort.signal)).then(
      (connection) => {
        this.#opening--;
        this.#opened++;
        this.#connected = true;
        this.#failures = 0;
        this.#lastFailure = null;
        if (this.#abort.signal.aborted) {
          connection.destroy();
          return;
        }
        const now = performance.now();
        slot = {
          connection,
          load: 0,
          slow: 0,
          backlog: 0,
          leased: false,
          draining: null,
          idleSince: now,
          expiresAt: now + this.#maxAge * (0.9 + Math.random() * 0.2),
        };
        connection.unref();
        this.#slots.push(slot);
        this.#tend();
        this.#schedule();
      },
      (error: PostgresqlConnectionError) => {
        this.#opening--;
        this.#failures++;
        this.#lastFailure = error;
        // Nobody is helped by waiting for a password to become right, or for a server that was never there.
        if (this.#slots.length === 0 && (!this.#connected || error.retryable !== true))
          this.#rejectWaiting(error);
        else this.#retryLater();
        this.#schedule();
      },
    );
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    const ms = Math.min(2000, 25 * 2 ** Math.min(this.#failures, 8)) * (0.75 + Math.random() / 2);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#waiting > 0 && this.#slots.length + this.#opening < this.#size) this.#connect();
      this.#schedule();
    }, ms);
  }

  #down(slot: Slot): void {
    const at = this.#slots.indexOf(slot);
    if (at < 0) return;
    this.#slots.splice(at, 1);
    this.#lost++;
    this.#schedule();
  }

  /** Closes a connection that has nothing to do. */
  #discard(slot: Slot): void {
    const at = this.#slots.indexOf(slot);
    if (at >= 0) this.#slots.splice(at, 1);
    slot.connection.destroy();
  }

  /** Looks after connections without work: too old, not needed, no longer there. */
  #tend(): void {
    if (this.#tending !== undefined) return;
    const every = Math.max(10, Math.min(this.#idleTimeout, this.#maxAge, this.#healthInterval) / 2);
    this.#tending = setTimeout(() => {
      this.#tending = undefined;
      const now = performance.now();
      for (const slot of [...this.#slots]) {
        const unused = slot.load === 0 && !slot.leased;
        if (now > slot.expiresAt) {
          if (unused) this.#discard(slot);
          else slot.draining = 'close';
        } else if (unused && now - slot.idleSince > this.#idleTimeout && this.#slots.length > this.#minimum)
          this.#discard(slot);
        else if (unused && now - slot.connection.wire.heardAt > this.#healthInterval) this.#ping(slot);
      }
      while (
        this.#closing === null &&
        this.#slots.length + this.#opening < this.#minimum &&
        this.#retry === undefined
      )
        this.#connect();
      if (this.#slots.length > 0 || this.#minimum > 0) this.#tend();
    }, every);
    this.#tending.unref();
  }

  #ping(slot: Slot): void {
    const { wire } = slot.connection;
    const timer = setTimeout(
      () => wire.ended(new Error('no answer to a health check')),
      this.#shared.settings.connectTimeout,
    );
    timer.unref();
    slot.load++;
    wire.submit(
      new Script('', () => {
        clearTimeout(timer);
        slot.load--;
        this.#schedule();
      }),
    );
  }

  // ---- connections for oneself

  async #lease(): Promise<Slot> {
    if (this.#closing !== null) throw closed('pool');
    const { scope } = currentContext();
    scope.throwIfCancelled();
    if (this.#leases.length === 0) {
      const slot = this.#free();
      if (slot !== null) {
        take(slot);
        return slot;
      }
    }
    this.#compact();
    if (this.#waiting >= this.#queueLimit) {
      this.#refused++;
      throw fault('SBY_POSTGRESQL_POOL_FULL', { waiting: this.#waiting, size: this.#size });
    }
    const lease = new Lease();
    scope.link(lease);
    this.#leases.push(lease);
    this.#makeRoom();
    this.#watch();
    return await lease.promise;
  }

  #release(slot: Slot): void {
    const { wire } = slot.connection;
    const free = (): void => {
      slot.leased = false;
      this.#emptied(slot);
      this.#schedule();
    };
    if (wire.down !== null) {
      this.#schedule();
      return;
    }
    if (wire.load === 0 && wire.status === idle) {
      free();
      return;
    }
    // Something was left running, or a transaction open: it ends before anybody else gets the connection.
    slot.connection.control('ROLLBACK').then(free, () => this.#schedule());
  }

  override async lend(): Promise<Lent> {
    const asked = performance.now();
    const slot = await this.#lease();
    const waited = performance.now() - asked;
    let given = false;
    return {
      connection: slot.connection,
      waited,
      giveBack: () => {
        if (!given) this.#release(slot);
        given = true;
      },
    };
  }

  /** Runs `fn` in a transaction: committed when it returns, rolled back when it throws or its scope is cancelled. */
  transaction<T>(fn: (tx: Transaction) => T | PromiseLike<T>, options: TransactionOptions = {}): Promise<T> {
    return this.hold((connection) => runTransaction(connection, fn, options));
  }

  // ---- LISTEN and NOTIFY

  /**
   * Calls `onMessage` for each NOTIFY on `channel`, until `close()` or the end of the scope. A connection of its own,
   * shared by all listeners of the pool, subscribes again when it was lost; `onGap` tells that messages may be missing.
   */
  listen(
    channel: string,
    onMessage: (notification: Notification) => void,
    options: ListenOptions = {},
  ): Promise<Subscription> {
    if (this.#closing !== null) return Promise.reject(closed('pool'));
    this.#hub ??= new Hub(this.#shared);
    return this.#hub.add(channel, onMessage, options);
  }

  // ---- the end

  get #quiet(): boolean {
    return (
      this.#opening === 0 &&
      this.#waiting === 0 &&
      this.#slots.every((slot) => slot.load === 0 && !slot.leased && slot.connection.wire.load === 0)
    );
  }

  /** Takes nothing new, waits for what was accepted, closes the connections. After `timeout` ms (10000) it cuts them. */
  close(options: { readonly timeout?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeout ?? 10_000);
    return this.#closing;
  }

  async #close(timeout: number): Promise<void> {
    if (!this.#quiet) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        timer = setTimeout(resolve, timeout);
      });
      clearTimeout(timer);
      this.#drained = null;
    }
    this.#hub?.close();
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    clearTimeout(this.#tending);
    this.#rejectWaiting(closed('pool'));
    this.#abort.abort(closed('pool'));
    for (const slot of this.#slots.splice(0)) slot.connection.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  statistics(): PoolStatistics {
    const slots = this.#slots;
    return {
      size: this.#size,
      open: slots.length,
      opening: this.#opening,
      idle: slots.filter((slot) => slot.load === 0 && !slot.leased).length,
      leased: slots.filter((slot) => slot.leased).length,
      running: slots.reduce((sum, slot) => sum + slot.connection.wire.load, 0),
      waiting: this.#waiting,
      opened: this.#opened,
      lost: this.#lost,
      refused: this.#refused,
      queries: this.#queries,
      timeouts: this.#timeouts,
    };
  }
}
