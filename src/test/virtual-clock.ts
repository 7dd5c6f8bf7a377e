import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { type Clock, setClock } from '../asyncio/index.ts';

export interface VirtualClockOptions {
  /** False: time moves only by `advance()`. Default: it jumps to the next timer whenever everybody waits. */
  readonly auto?: boolean | undefined;
  /** How long real work that is under way (sockets, files, threads) may take before time jumps, in real ms. */
  readonly patience?: number | undefined;
  /** Also replaces the global setTimeout, setInterval and Date. Default: false. */
  readonly globals?: boolean | undefined;
}

interface VirtualTimer {
  readonly when: number;
  readonly turn: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Resources of Node that say nothing about work under way. */
const idleResources = new Set([
  'Timeout',
  'Immediate',
  'TTYWrap',
  'PipeWrap',
  'TCPServerWrap',
  'SignalWrap',
  // Output on its way; what is written to a socket has the socket itself.
  'WriteWrap',
]);

/** Work of Node's thread pool. What is asked for by promises (node:fs/promises) is in no list of active resources. */
const poolWork = /^(?:FSREQ|FILEHANDLECLOSEREQ|GETADDRINFO|GETNAMEINFO|QUERYWRAP)|REQUEST$/;

/** Resources of Node that may be work under way, by kind. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo())
    if (!idleResources.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/**
 * Time for tests. Every sleep, deadline and `callLater` of ours goes by it, and it jumps ahead when everybody waits:
 * an hour passes in a millisecond. What is due at the same time happens in the order in which it was asked for, one
 * turn of the loop each, so that a test runs the same way every time.
 */
export class VirtualClock implements Clock, Disposable {
  #now = 0;
  #turn = 0;
  #activity = 0;
  #driving = false;
  #stopped = false;
  #timers: VirtualTimer[] = [];
  readonly #auto: boolean;
  readonly #patience: number;
  readonly #pooled = new Set<number>();
  readonly #hook = createHook({
    init: (id, type) => void (poolWork.test(type) && this.#pooled.add(id)),
    after: (id) => void this.#pooled.delete(id),
    destroy: (id) => void this.#pooled.delete(id),
  });
  /** What was there before; what has ended since is taken from it, or it would hide as much that is new. */
  readonly #baseline: Map<string, number>;
  readonly #before: Clock | null;
  #restoreGlobals: (() => void) | null = null;

  constructor(options: VirtualClockOptions = {}) {
    this.#auto = options.auto ?? true;
    this.#patience = options.patience ?? 50;
    this.#baseline = resources();
    this.#hook.enable();
    this.#before = setClock(this);
    if (options.globals === true) this.#restoreGlobals = replaceGlobals(this);
  }

  /** Milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  setTimer(callback: () => void, ms: number): object {
    const timer: VirtualTimer = {
      when: this.#now + ms,
      turn: this.#turn++,
      callback: AsyncLocalStorage.bind(callback),
      cancelled: false,
    };
    this.#activity++;
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as VirtualTimer).when > timer.when) at--;
    this.#timers.splice(at, 0, timer);
    if (this.#auto && !this.#driving) void exit(() => this.#drive());
    return timer;
  }

  clearTimer(handle: object): void {
    const timer = handle as VirtualTimer;
    this.#activity++;
    timer.cancelled = true;
    const at = this.#timers.indexOf(timer);
    if (at !== -1) this.#timers.splice(at, 1);
  }

  async #drive(): Promise<void> {
    this.#driving = true;
    while (this.#timers.length > 0 && !this.#stopped) {
      await this.#settled();
      if (!this.#stopped) this.#fire();
    }
    this.#driving = false;
  }

  /** Resolves when nothing has happened for two turns of the loop and no real work is under way. */
  async #settled(): Promise<void> {
    let quiet = 0;
    const impatient = performance.now() + this.#patience;
    while (quiet < 2) {
      const before = this.#activity;
      await new Promise<void>((resolve) => realImmediate(resolve));
      quiet = this.#activity === before ? quiet + 1 : 0;
      if (quiet >= 2 && this.#workUnderWay() && performance.now() < impatient) {
        await new Promise<void>((resolve) => realTimeout(resolve, 1));
        quiet = 0;
      }
    }
  }

  #workUnderWay(): boolean {
    if (this.#pooled.size > 0) return true;
    const counts = resources();
    for (const [name, before] of this.#baseline)
      if ((counts.get(name) ?? 0) < before) this.#baseline.set(name, counts.get(name) ?? 0);
    for (const [name, count] of counts) if (count > (this.#baseline.get(name) ?? 0)) return true;
    return false;
  }

  #fire(): void {
    const timer = this.#timers.shift();
    if (timer === undefined) return;
    this.#now = Math.max(this.#now, timer.when);
    timer.callback();
  }

  /** Lets `ms` pass: fires what becomes due, in order, and returns when everybody waits again. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#settled();
    while ((this.#timers[0]?.when ?? Number.POSITIVE_INFINITY) <= until) {
      this.#fire();
      await this.#settled();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** Puts real time back. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#hook.disable();
    this.#restoreGlobals?.();
    setClock(this.#before);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

const realImmediate = setImmediate;
const realTimeout = setTimeout;
const exit = AsyncLocalStorage.snapshot();

function replaceGlobals(clock: VirtualClock): () => void {
  const { setTimeout, clearTimeout, setInterval, clearInterval, Date: RealDate } = globalThis;
  const start = RealDate.now();
  const time = (): number => start + clock.now();
  const patch = {
    setTimeout: (callback: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) =>
      clock.setTimer(() => callback(...args), Math.max(1, Number(ms) || 1)),
    clearTimeout: (timer: object | undefined) => timer && clock.clearTimer(timer),
    setInterval: (callback: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) => {
      const handle: { current?: object } = {};
      const again = (): void => {
        handle.current = clock.setTimer(
          () => {
            again();
            callback(...args);
          },
          Math.max(1, Number(ms) || 1),
        );
      };
      again();
      return handle;
    },
    clearInterval: (handle: { current?: object } | undefined) =>
      handle?.current && clock.clearTimer(handle.current),
    Date: new Proxy(RealDate, {
      construct: (target, args, newTarget) =>
        Reflect.construct(target, args.length === 0 ? [time()] : args, newTarget),
      apply: () => new RealDate(time()).toString(),
      get: (target, key) => (key === 'now' ? time : Reflect.get(target, key)),
    }),
  };
  Object.assign(globalThis, patch);
  return () =>
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, Date: RealDate });
}

/** Time for tests, put in place of the real one until disposed: `using clock = virtualClock()`. */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  return new VirtualClock(options);
}
