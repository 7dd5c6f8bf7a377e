import { availableParallelism } from 'node:os';
import {
  type Context,
  currentContext,
  currentDeadline,
  type Executor,
  getRunningLoop,
  isCancellation,
  mapConcurrent,
  now,
  portableVars,
  runInContext,
  Task,
} from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { askedBy, Call, type OnCancel } from './call.ts';
import { type SyncCallMessage, syncCallChannel } from './channels.ts';
import { packError, reviveError } from './error-wire.ts';
import { type Lane, type LaneEvents, ProcessLane, ThreadLane } from './lane.ts';
import { moduleUrl } from './module.ts';
import {
  type AskMessage,
  type CallMessage,
  type FromThread,
  type OutcomeMessage,
  slots,
  unwrap,
} from './wire.ts';

export interface PoolOptions {
  /** For people. */
  readonly name?: string | undefined;
  /** How many threads or processes at most. Default: one per core, at least two. They start when needed. */
  readonly threads?: number | undefined;
  /** How many calls may wait; one more is refused. Default: no limit. */
  readonly maxQueue?: number | undefined;
  /** How much heap each may use, in MB; one that needs more dies, is replaced, and its call fails. Default: Node's. */
  readonly memory?: number | undefined;
}

export interface PoolStatistics {
  readonly threads: number;
  readonly busy: number;
  readonly queued: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** How many threads died and were replaced. */
  readonly died: number;
  /** In ms, of calls that have ended. */
  readonly waitTime: { readonly mean: number; readonly max: number };
  readonly runTime: { readonly mean: number; readonly max: number };
}

export interface CallOptions {
  /** Calls of the same key run in order in one thread. Default: null, in any thread. */
  readonly key?: object | null | undefined;
  readonly onCancel?: OnCancel | undefined;
}

class Times {
  #count = 0;
  #sum = 0;
  #max = 0;
  add(ms: number): void {
    this.#count++;
    this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
  }
  get summary(): { mean: number; max: number } {
    return { mean: this.#count === 0 ? 0 : this.#sum / this.#count, max: this.#max };
  }
}

let lastId = 0;

/** What ThreadPool and ProcessPool have in common. */
export abstract class Pool implements Executor, AsyncDisposable, LaneEvents {
  readonly name: string;
  readonly threads: number;
  readonly maxQueue: number;
  readonly memory: number | null;
  readonly #lanes: Lane[] = [];
  /** Calls that may run on any lane. */
  readonly #queue: Call[] = [];
  readonly #byKey = new WeakMap<object, Lane>();
  readonly #calls = new Map<number, Call>();
  readonly #waitTimes = new Times();
  readonly #runTimes = new Times();
  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  #died = 0;
  #closed = false;

  constructor(options: PoolOptions = {}) {
    const { name = 'pool', threads = Math.max(2, availableParallelism()), maxQueue, memory } = options;
    check('threads', threads, 1);
    if (maxQueue !== undefined && maxQueue !== Number.POSITIVE_INFINITY) check('maxQueue', maxQueue, 0);
    if (memory !== undefined) check('memory', memory, 1);
    this.name = name;
    this.threads = threads;
    this.maxQueue = maxQueue ?? Number.POSITIVE_INFINITY;
    this.memory = memory ?? null;
  }

  protected abstract readonly kind: 'thread' | 'process';
  protected abstract open(number: number): Lane;

  /** Calls the function `name` that a module exports. */
  submit(module: string | URL, name: string, ...args: unknown[]): Promise<unknown> {
    return this.call(moduleUrl('submit', module), name, args);
  }

  /** Calls a function for every item, as many at a time as there are threads, and gives the results in order. */
  map<T>(
    module: string | URL,
    name: string,
    items: Iterable<T> | AsyncIterable<T>,
    options: { readonly limit?: number } = {},
  ): Promise<unknown[]> {
    const url = moduleUrl('map', module);
    return mapConcurrent(items, options.limit ?? this.threads, (item) => this.call(url, name, [item]));
  }

  /** For builders; everybody else: `submit`, or `syncToAsync`. */
  call(module: string, name: string, args: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const context = currentContext();
    const { scope } = context;
    if (scope.cancelled) return Promise.reject(scope.reason);
    if (this.#closed) return Promise.reject(fault('SBY_SYNC_CLOSED', { name: this.name }));
    const key = options.key ?? null;
    if (!syncCallChannel.start.hasSubscribers)
      return this.#call(context, module, name, args, key, options, null);
    const message: SyncCallMessage = {
      module,
      function: name,
      threadSensitive: key !== null,
      kind: this.kind,
    };
    return syncCallChannel.tracePromise(
      () => this.#call(context, module, name, args, key, options, message),
      message,
    );
  }

  #call(
    context: Context,
    module: string,
    name: string,
    args: readonly unknown[],
    key: object | null,
    options: CallOptions,
    message: SyncCallMessage | null,
  ): Promise<unknown> {
    const here = new Error();
    const { plain, list } = unwrap(args);
    return new Promise((resolve, reject) => {
      const call = new Call({
        id: ++lastId,
        module,
        name,
        args: plain,
        list: list as ArrayBuffer[],
        key,
        context,
        onCancel: options.onCancel ?? 'abandon',
        parent: askedBy.get() ?? null,
        here,
        message,
        resolve,
        reject,
        onCancelled: this.#onCancelled,
      });
      context.scope.link(call);
      try {
        if (key !== null) this.#laneOf(key).queue.push(call);
        else this.#queue.push(call);
        this.#pump();
      } catch (cause) {
        // Not even a thread could be made.
        this.#dequeue(call);
        this.#refuse(
          call,
          fault('SBY_SYNC_NO_THREAD', { what: this.kind, why: (cause as Error).message }, { cause }),
        );
        return;
      }
      if (call.lane === null && this.#queued() > this.maxQueue) {
        this.#dequeue(call);
        call.unlink();
        reject(fault('SBY_SYNC_QUEUE_FULL', { name: this.name, maxQueue: this.maxQueue }));
      }
    });
  }

  #queued(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.queue.length, this.#queue.length);
  }

  /** The lane of a context: where its calls went before, else the one with the least to do. */
  #laneOf(key: object): Lane {
    const bound = this.#byKey.get(key);
    if (bound !== undefined && !bound.dead) return bound;
    const load = (lane: Lane): number => lane.keys + (lane.blocked === null ? 0 : 1000);
    let best = this.#lanes[0];
    for (const lane of this.#lanes) if (best === undefined || load(lane) < load(best)) best = lane;
    if (best === undefined || (load(best) > 0 && this.#lanes.length < this.threads)) best = this.#open();
    best.keys++;
    this.#byKey.set(key, best);
    return best;
  }

  #open(): Lane {
    const lane = this.open(this.#lanes.length + 1);
    this.#lanes.push(lane);
    return lane;
  }

  /** Starts what can be started. */
  #pump(): void {
    for (const lane of this.#lanes) this.#feed(lane);
    while (this.#queue.length > 0 && this.#lanes.length < this.threads) this.#feed(this.#open());
    // Nobody is free. A call made on behalf of one that blocks its thread runs on top of that one.
    if (this.#queue.length === 0) return;
    for (const lane of this.#lanes) {
      const { blocked } = lane;
      if (blocked === null) continue;
      const at = this.#queue.findIndex((call) => call.descendsFrom(blocked));
      if (at !== -1) this.#start(lane, this.#queue.splice(at, 1)[0] as Call);
    }
  }

  #feed(lane: Lane): void {
    if (lane.idle) {
      const next = lane.queue.shift() ?? this.#queue.shift();
      if (next !== undefined) this.#start(lane, next);
      return;
    }
    const { blocked } = lane;
    if (blocked === null) return;
    const at = lane.queue.findIndex((call) => call.key === blocked.key || call.descendsFrom(blocked));
    if (at !== -1) this.#start(lane, lane.queue.splice(at, 1)[0] as Call);
  }

  #start(lane: Lane, call: Call): void {
    const depth = Math.min(lane.running.length, slots.count - slots.cancelled - 1);
    const { id, module, name, args } = call;
    lane.setCancelled(depth, false);
    const deadline = runInContext(call.context, currentDeadline);
    const left = deadline === null ? null : Math.max(0, deadline - now());
    const message = {
      kind: 'call' as const,
      id,
      module,
      name,
      args,
      vars: portableVars(call.context),
      left,
      depth,
    };
    try {
      lane.post(message, call.list);
    } catch (cause) {
      if (!postWithoutVars(lane, message, call)) {
        const at = args.findIndex((value) => !lane.carries(value));
        const part = at === -1 ? 'An argument' : `argument ${at + 1}`;
        const got = at === -1 ? args : args[at];
        this.#refuse(call, fault('SBY_SYNC_NOT_CLONEABLE', { name, part, got }, { cause }));
        this.#feed(lane);
        return;
      }
    }
    call.lane = lane;
    call.startedAt = performance.now();
    this.#waitTimes.add(call.startedAt - call.queuedAt);
    if (call.message !== null) {
      call.message.waited = call.startedAt - call.queuedAt;
      call.message.thread = lane.id;
    }
    if (lane.idle) lane.hold(true);
    lane.running.push(call);
    this.#calls.set(id, call);
  }

  /** Ends a call that never began. */
  #refuse(call: Call, error: unknown): void {
    call.unlink();
    call.settled = true;
    this.#failed++;
    call.reject(error);
  }

  onMessage(lane: Lane, message: FromThread): void {
    if (message.kind === 'ask') void this.#answer(lane, message);
    else this.#end(lane, message);
  }

  #end(lane: Lane, message: OutcomeMessage): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    this.#calls.delete(call.id);
    const at = lane.running.indexOf(call);
    if (at !== -1) lane.running.splice(at, 1);
    if (lane.idle) lane.hold(false);
    this.#runTimes.add(performance.now() - call.startedAt);
    call.unlink();
    if (message.ok) this.#completed++;
    else this.#failed++;
    if (!call.settled) {
      call.settled = true;
      if (call.cancelReason !== null) call.reject(call.cancelReason);
      else if (message.ok) call.resolve(message.value);
      else void reviveError(message.value, call.here).then(call.reject, call.reject);
    } else if (!message.ok) void this.#reportAbandoned(call, message.value);
    this.#pump();
  }

  /** The caller has left; an error of the function is nobody else's to get. */
  async #reportAbandoned(call: Call, value: unknown): Promise<void> {
    const exception = await reviveError(value, call.here);
    if (isCancellation(exception, call.cancelReason)) return;
    const message = `${call.describe()} failed after its caller had been cancelled:`;
    getRunningLoop().callExceptionHandler({ message, exception });
  }

  /** A thread is blocked until an async function has ended here, in the context of its caller. */
  async #answer(lane: Lane, message: AskMessage): Promise<void> {
    const call = this.#calls.get(message.call);
    if (call === undefined) return;
    call.asking++;
    // What waits for this very thread may run on top of it now.
    this.#pump();
    let exports: Record<string, unknown> = {};
    let ok = true;
    let value: unknown;
    try {
      const context = this.#contextOf(call, message);
      exports = (await import(message.module)) as Record<string, unknown>;
      const fn = exports[message.name];
      if (typeof fn !== 'function') {
        const names = Object.keys(exports).filter((key) => typeof exports[key] === 'function');
        throw fault('SBY_SYNC_NO_FUNCTION', { module: message.module, name: message.name, exports: names });
      }
      const task = new Task<unknown>(() => fn(...message.args), context, message.name, null);
      value = await task;
    } catch (error) {
      ok = false;
      value = error;
    }
    call.asking--;
    if (lane.dead) return;
    const { id } = message;
    const { plain, list } = unwrap([value]);
    try {
      const answer = ok ? plain[0] : packError(value, message.module, exports);
      lane.post({ kind: 'answer', id, ok, value: answer }, list as ArrayBuffer[]);
    } catch {
      const error = fault('SBY_SYNC_NOT_CLONEABLE', { name: message.name, part: 'The result', got: value });
      lane.post({ kind: 'answer', id, ok: false, value: packError(error, message.module, exports) }, []);
    }
  }

  /** The caller's context, with what the thread has set meanwhile that can travel back. */
  #contextOf(call: Call, message: AskMessage): Context {
    let { context } = call;
    if (message.vars !== null) {
      const byName = new Map([...(context.vars?.keys() ?? [])].map((variable) => [variable.name, variable]));
      for (const [name, value] of message.vars) {
        const variable = byName.get(name);
        if (variable !== undefined) context = context.withVar(variable, value);
      }
    }
    return context.withVar(askedBy, call);
  }

  readonly #onCancelled = (call: Call, reason: unknown): void => {
    this.#cancelled++;
    const { lane } = call;
    if (lane === null) {
      this.#dequeue(call);
      call.settled = true;
      call.reject(reason);
      return;
    }
    lane.setCancelled(lane.running.indexOf(call), true);
    lane.post({ kind: 'cancel', id: call.id }, []);
    call.cancelReason = reason;
    if (call.onCancelDo === 'wait') return;
    call.settled = true;
    call.reject(reason);
    if (call.onCancelDo === 'kill') void lane.kill();
  };

  #dequeue(call: Call): void {
    for (const queue of [this.#queue, ...this.#lanes.map((lane) => lane.queue)]) {
      const at = queue.indexOf(call);
      if (at !== -1) queue.splice(at, 1);
    }
  }

  onExit(lane: Lane, why: string, cause: unknown): void {
    const at = this.#lanes.indexOf(lane);
    if (at !== -1) this.#lanes.splice(at, 1);
    const waiting = lane.queue.splice(0);
    const reason = this.#closed ? 'its pool was closed by force' : why;
    if (!this.#closed) this.#died++;
    for (const call of lane.running.splice(0)) {
      this.#calls.delete(call.id);
      call.unlink();
      this.#failed++;
      if (call.settled) continue;
      call.settled = true;
      const { module, name } = call;
      if (call.cancelReason !== null) call.reject(call.cancelReason);
      else
        call.reject(
          fault(
            'SBY_SYNC_THREAD_DIED',
            { what: lane.kind, module, name, why: reason },
            cause === null ? {} : { cause },
          ),
        );
    }
    // What had not begun goes elsewhere.
    for (const call of waiting) this.#laneOf(call.key as object).queue.push(call);
    this.#pump();
  }

  statistics(): PoolStatistics {
    return {
      threads: this.#lanes.length,
      busy: this.#lanes.filter((lane) => !lane.idle).length,
      queued: this.#queued(),
      completed: this.#completed,
      failed: this.#failed,
      cancelled: this.#cancelled,
      died: this.#died,
      waitTime: this.#waitTimes.summary,
      runTime: this.#runTimes.summary,
    };
  }

  /** Takes no more calls, lets those under way end (`force`: not even those), and ends the threads. */
  async close(options: { readonly force?: boolean } = {}): Promise<void> {
    this.#closed = true;
    if (options.force !== true) {
      while (this.#calls.size > 0 || this.#queued() > 0) {
        const under = [...this.#calls.values()][0];
        await new Promise((resolve) => setTimeout(resolve, under === undefined ? 0 : 1));
      }
    }
    for (const call of [...this.#queue.splice(0), ...this.#lanes.flatMap((lane) => lane.queue.splice(0))]) {
      call.unlink();
      call.reject(fault('SBY_SYNC_CLOSED', { name: this.name }));
    }
    await Promise.all(this.#lanes.map((lane) => lane.kill()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A variable's value may hold something that cannot travel, deep inside: then it stays at home. */
function postWithoutVars(lane: Lane, message: CallMessage, call: Call): boolean {
  if (message.vars === null) return false;
  const vars = new Map([...message.vars].filter(([, value]) => lane.carries(value)));
  if (vars.size === message.vars.size) return false;
  try {
    lane.post({ ...message, vars }, call.list);
    return true;
  } catch {
    return false;
  }
}

function check(option: string, got: unknown, least: number): void {
  if (!Number.isSafeInteger(got) || (got as number) < least)
    throw fault('SBY_SYNC_BAD_OPTION', {
      of: 'a pool',
      option,
      got,
      expected: `a whole number, ${least} or more`,
    });
}

/** Worker threads: they share memory when it is handed over, and can ask the main loop. */
export class ThreadPool extends Pool {
  protected readonly kind = 'thread';

  protected open(number: number): Lane {
    return new ThreadLane(this, this.memory, `${this.name} ${number}`);
  }
}

/** Child processes: slower to reach, but a crash of native code takes only the call with it. */
export class ProcessPool extends Pool {
  protected readonly kind = 'process';

  protected open(): Lane {
    return new ProcessLane(this, this.memory);
  }
}

let shared: ThreadPool | null = null;

/** The pool that syncToAsync() uses when it is given none. */
export function defaultPool(): ThreadPool {
  shared ??= new ThreadPool({ name: 'default' });
  return shared;
}
