import { randomBytes } from 'node:crypto';
import { type Context, currentContext, runInContext } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { CANCELLED, ERROR, Kind, OK } from './kinds.ts';
import { observeChannels } from './observers.ts';
import { Columns, FIRST_SLOTS, SLOT_BYTES, TRACE_BYTES, Trace, type TraceOwner } from './trace.ts';

export interface RecorderOptions {
  /** Most memory for recorded requests, in bytes. Oldest are forgotten first. Default: 32 MB. */
  readonly memory?: number;
  /** Share of the requests that are recorded, 0 to 1. Default: 1. */
  readonly sample?: number;
  /** Most spans kept of one request; then the oldest are overwritten. Default: 5,000. */
  readonly maxSpans?: number;
  /** Record file and line of every call: about 6 µs each, for development. Default: false. */
  readonly callSites?: boolean;
  /** Keep the values of query parameters (looked through for secrets). Default: false, only their kinds. */
  readonly values?: boolean;
  /** Keep request headers (secret ones hidden). Default: as `callSites`. */
  readonly headers?: boolean;
}

const boot = randomBytes(3).toString('hex');
let lastId = 0;

export const DEFAULT_MEMORY = 32 * 1024 * 1024;

/** Keeps the timelines of requests within a bound of memory. One for each `xray()`, one for each `record()`. */
export class Recorder implements TraceOwner {
  readonly memory: number;
  readonly sample: number;
  readonly maxSpans: number;
  readonly callSites: boolean;
  readonly dependencies: boolean;
  readonly values: boolean;
  readonly headers: boolean;
  /** Path of the page that shows them. */
  page: string | null = null;
  readonly active = new Set<Trace>();
  /** Finished, oldest first. */
  readonly finished = new Map<string, Trace>();
  /** Estimate of the memory that all of it takes. */
  bytes = 0;
  /** Requests that were not recorded: not in the sample, or no memory. */
  skipped = 0;
  recorded = 0;
  readonly #listeners = new Set<(trace: Trace) => void>();
  readonly #openers = new Set<(trace: Trace) => void>();
  /** Columns to use again, all of the capacity that requests lately needed. */
  #columns: Columns[] = [];
  #typical = FIRST_SLOTS;
  #largest = FIRST_SLOTS;
  #closed = 0;
  #stop: (() => void) | null = null;

  constructor(options: RecorderOptions = {}) {
    this.memory = positive('memory', options.memory ?? DEFAULT_MEMORY, 64 * 1024);
    const sample = options.sample ?? 1;
    if (!(sample >= 0 && sample <= 1))
      throw fault('SBY_XRAY_BAD_OPTION', {
        option: 'sample',
        got: sample,
        expected: 'a share between 0 and 1',
      });
    this.sample = sample;
    this.maxSpans = positive('maxSpans', options.maxSpans ?? 5000, FIRST_SLOTS);
    this.callSites = options.callSites ?? false;
    this.dependencies = this.callSites;
    this.values = options.values ?? false;
    this.headers = options.headers ?? this.callSites;
  }

  /** Subscribes to the channels. Until then, and after `stop`, nothing is recorded. */
  start(): this {
    this.#stop ??= observeChannels(this);
    return this;
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  get running(): boolean {
    return this.#stop !== null;
  }

  reserve(bytes: number): boolean {
    if (this.bytes + bytes > this.memory) this.#makeRoom(bytes);
    if (this.bytes + bytes > this.memory) return false;
    this.bytes += bytes;
    return true;
  }

  #makeRoom(bytes: number): void {
    for (const [id, trace] of this.finished) {
      if (this.bytes + bytes <= this.memory) return;
      this.finished.delete(id);
      this.#forget(trace);
    }
  }

  account(trace: Trace): void {
    if (trace.columns === null) return;
    const texts = textBytes(trace);
    const more = texts - trace.texts;
    trace.texts = texts;
    trace.bytes += more;
    this.bytes += more;
    if (this.bytes <= this.memory) return;
    this.#makeRoom(0);
    // Alone too much: a request that never ends, with texts without end.
    if (this.bytes > this.memory && trace.columns !== null) {
      this.finished.delete(trace.id);
      this.#forget(trace);
    }
  }

  #forget(trace: Trace): void {
    this.bytes -= trace.bytes;
    const { columns } = trace;
    if (columns !== null && columns.capacity === this.#typical && this.#columns.length < 64) {
      columns.clear();
      this.#columns.push(columns);
    }
    trace.columns = null;
  }

  /** Opens a timeline; null when this one is not recorded. */
  open(type: Trace['type']): Trace | null {
    if (
      this.#stop === null ||
      (this.sample < 1 && Math.random() >= this.sample) ||
      !this.reserve(TRACE_BYTES + this.#typical * SLOT_BYTES)
    ) {
      this.skipped++;
      return null;
    }
    const trace = new Trace(
      `${boot}-${(++lastId).toString(36)}`,
      this,
      type,
      this.#columns.pop() ?? new Columns(this.#typical),
    );
    const task = currentContext().task?.id ?? 0;
    trace.mainTask = task;
    trace.begin(Kind.request, '', -1, task);
    this.active.add(trace);
    this.recorded++;
    return trace;
  }

  /** Runs `fn` with `trace` as the ambient timeline. */
  run<T>(trace: Trace, fn: () => T): T {
    const context: Context = currentContext();
    return runInContext(context.withSpan(trace, 0), fn);
  }

  /** Closes a timeline and keeps it. */
  close(trace: Trace, state: 'done' | 'failed' | 'cancelled', error: string | null = null): void {
    if (!this.active.delete(trace)) return;
    trace.state = state;
    trace.end(0, state === 'done' ? OK : state === 'failed' ? ERROR : CANCELLED);
    if (trace.columns !== null && error !== null) trace.columns.error[0] = error;
    if (trace.http !== null) settleHttp(trace);
    this.#learn(trace.columns?.capacity ?? FIRST_SLOTS);
    if (trace.columns !== null) {
      this.finished.set(trace.id, trace);
      this.account(trace);
    }
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener(trace);
  }

  /** Growing costs nine new arrays: the next requests begin with what the last sixty-four needed. */
  #learn(capacity: number): void {
    if (capacity > this.#largest) this.#largest = Math.min(capacity, 256, this.maxSpans);
    if (++this.#closed % 64 !== 0) return;
    if (this.#largest !== this.#typical) this.#columns = [];
    this.#typical = this.#largest;
    this.#largest = FIRST_SLOTS;
  }

  get(id: string): Trace | null {
    const done = this.finished.get(id);
    if (done !== undefined) return done;
    for (const trace of this.active) if (trace.id === id) return trace;
    return null;
  }

  clear(): void {
    for (const trace of this.finished.values()) this.#forget(trace);
    this.finished.clear();
  }

  /** Called by whoever opened a timeline, when method, path and headers are known. */
  opened(trace: Trace): void {
    this.account(trace);
    if (this.#openers.size > 0) for (const opener of this.#openers) opener(trace);
  }

  /** Hears of every request that begins. Gives what unsubscribes. */
  onOpened(opener: (trace: Trace) => void): () => void {
    this.#openers.add(opener);
    return () => this.#openers.delete(opener);
  }

  /** Hears of every finished request; keep it short. Gives what unsubscribes. */
  onFinished(listener: (trace: Trace) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Takes over what `http.request` says, and lets go of its message, which holds the whole request. */
export function settleHttp(trace: Trace): void {
  const { http } = trace;
  if (http === null) return;
  if (typeof http['route'] === 'string') trace.route = http['route'];
  if (typeof http['view'] === 'string') trace.view = http['view'];
  if (typeof http['status'] === 'number' && trace.responseStatus === 0) trace.responseStatus = http['status'];
}

/** Bytes of the texts that only this trace holds. Shapes are shared with the program and cost a pointer. */
function textBytes(trace: Trace): number {
  const { columns } = trace;
  let bytes = 2 * (trace.path.length + trace.query.length);
  for (const [name, value] of trace.headers) bytes += 2 * (name.length + value.length) + 64;
  if (columns === null) return bytes;
  const { used } = trace;
  for (let i = 0; i < used; i++) {
    const kind = columns.kind[i];
    const name = columns.name[i] ?? '';
    if (kind === Kind.query) bytes += isShared(name) ? 0 : 2 * name.length;
    else if (kind !== Kind.middleware && kind !== Kind.view) bytes += 2 * name.length;
    bytes += 2 * ((columns.detail[i]?.length ?? 0) + (columns.error[i]?.length ?? 0));
    const params = columns.params[i];
    if (params) for (const param of params) bytes += 16 + (typeof param === 'string' ? 2 * param.length : 0);
    bytes += 8 * ((columns.reads[i]?.length ?? 0) + (columns.wrote[i]?.length ?? 0));
    if (columns.blocked[i]) bytes += 4000;
  }
  return bytes;
}

/** Statements that were seen before live as long as the program; such as are made anew each time are counted. */
const statements = new Set<string>();
let statementBytes = 0;
function isShared(sql: string): boolean {
  if (statements.has(sql)) return true;
  if (statementBytes < 1_000_000) {
    statements.add(sql);
    statementBytes += 2 * sql.length;
  }
  return false;
}

function positive(option: string, value: number, least: number): number {
  if (!Number.isFinite(value) || value < least)
    throw fault('SBY_XRAY_BAD_OPTION', { option, got: value, expected: `a number of at least ${least}` });
  return value;
}
