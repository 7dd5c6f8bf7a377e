import { type KindName, kindNames, OPEN } from './kinds.ts';
import type { BlockedRecord } from './records.ts';

const FIRST = 16;

/** The spans of one request as parallel arrays; recording one writes numbers and references, and allocates nothing. */
export class Columns {
  capacity: number;
  start: Float64Array;
  end: Float64Array;
  waited: Float64Array;
  amount: Float64Array;
  seq: Uint32Array;
  parent: Int32Array;
  task: Int32Array;
  kind: Uint8Array;
  status: Uint8Array;
  readonly name: string[] = [];
  readonly detail: (string | null)[] = [];
  readonly site: (string | null)[] = [];
  readonly error: (string | null)[] = [];
  readonly params: (readonly unknown[] | null)[] = [];
  readonly reads: (readonly number[] | null)[] = [];
  readonly wrote: (readonly number[] | null)[] = [];
  readonly blocked: (BlockedRecord | null)[] = [];
  readonly counts = new Uint32Array(kindNames.length);

  constructor(capacity = FIRST) {
    this.capacity = capacity;
    // One piece of memory for all nine: the collector has one thing to follow, not nine.
    const { buffer, offset } = piece(capacity * 48);
    let at = offset;
    const next = (bytes: number): number => {
      const here = at;
      at += bytes * capacity;
      return here;
    };
    this.start = new Float64Array(buffer, next(8), capacity);
    this.end = new Float64Array(buffer, next(8), capacity);
    this.waited = new Float64Array(buffer, next(8), capacity);
    this.amount = new Float64Array(buffer, next(8), capacity);
    this.seq = new Uint32Array(buffer, next(4), capacity);
    this.parent = new Int32Array(buffer, next(4), capacity);
    this.task = new Int32Array(buffer, next(4), capacity);
    this.kind = new Uint8Array(buffer, next(1), capacity);
    this.status = new Uint8Array(buffer, next(1), capacity);
  }

  grow(): void {
    const capacity = this.capacity * 2;
    const floats = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const next = new Float64Array(capacity);
      next.set(old);
      return next;
    };
    const ints = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const next = new Int32Array(capacity);
      next.set(old);
      return next;
    };
    const bytes = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
      const next = new Uint8Array(capacity);
      next.set(old);
      return next;
    };
    this.start = floats(this.start);
    this.end = floats(this.end);
    this.waited = floats(this.waited);
    this.amount = floats(this.amount);
    const seq = new Uint32Array(capacity);
    seq.set(this.seq);
    this.seq = seq;
    this.parent = ints(this.parent);
    this.task = ints(this.task);
    this.kind = bytes(this.kind);
    this.status = bytes(this.status);
    this.capacity = capacity;
  }

  /** Lets go of what the slots refer to; the numbers may stay. */
  clear(): void {
    this.name.length = this.detail.length = this.site.length = this.error.length = 0;
    this.params.length = this.reads.length = this.wrote.length = this.blocked.length = 0;
    this.counts.fill(0);
  }
}

const SLAB = 64 * 1024;
let slab = new ArrayBuffer(0);
let slabUsed = 0;

/** A piece of a larger buffer; a piece that is itself large has its own. Aligned to eight bytes. */
function piece(bytes: number): { buffer: ArrayBuffer; offset: number } {
  if (bytes > SLAB / 4) return { buffer: new ArrayBuffer(bytes), offset: 0 };
  const size = (bytes + 7) & ~7;
  if (slabUsed + size > slab.byteLength) {
    slab = new ArrayBuffer(SLAB);
    slabUsed = 0;
  }
  const offset = slabUsed;
  slabUsed += size;
  return { buffer: slab, offset };
}

/** Numbers and references of one slot, for the account of memory. Measured: 4 × 8 + 3 × 4 + 2, and 8 references. */
export const SLOT_BYTES = 46 + 8 * 8;
/** A Trace, its Columns and their headers. */
export const TRACE_BYTES = 2400;
export const FIRST_SLOTS = FIRST;

/** What the recorder needs of whoever owns a trace. */
export interface TraceOwner {
  /** Whether `bytes` more may be used. */
  reserve(bytes: number): boolean;
  /** Takes the texts that a trace has come to hold into the account; may forget it. */
  account(trace: Trace): void;
  readonly maxSpans: number;
  readonly callSites: boolean;
  readonly dependencies: boolean;
  readonly values: boolean;
}

/** The timeline of one request. Found through `currentContext().trace`. */
export class Trace {
  readonly id: string;
  readonly owner: TraceOwner;
  readonly type: 'http' | 'websocket' | 'recording';
  method = '';
  path = '';
  query = '';
  scheme = 'http';
  client: string | null = null;
  headers: readonly (readonly [string, string])[] = [];
  /** ms since 1970; durations come from the monotonic clock only. */
  readonly startedAt = Date.now();
  headAt = 0;
  bytesOut = 0;
  responseStatus = 0;
  route: string | null = null;
  view: string | null = null;
  /** The message of `http.request`, while it runs. */
  http: Readonly<Record<string, unknown>> | null = null;
  state: 'running' | 'done' | 'failed' | 'cancelled' = 'running';
  /** W3C trace id; empty until somebody needs one. */
  traceId = '';
  /** Span id of the caller, from `traceparent`. */
  remoteParent = '';
  /** Whether the caller records (flag 01); null without a caller. */
  remoteSampled: boolean | null = null;
  tracestate = '';
  /** The timeline inside which this one was opened. */
  outer: Trace | null = null;
  mainTask = 0;
  count = 0;
  bytes: number;
  /** Those of `bytes` that are texts. */
  texts = 0;
  /** null once it was forgotten: what still runs of it records nothing more. */
  columns: Columns | null;
  /** Incoming headers, only while the request is being opened: other propagators read theirs. */
  incoming: readonly (readonly [string, string])[] | null = null;
  /** Whatever the OpenTelemetry bridge keeps. */
  bridge: object | null = null;
  #full = false;

  constructor(id: string, owner: TraceOwner, type: Trace['type'], columns: Columns) {
    this.id = id;
    this.owner = owner;
    this.type = type;
    this.columns = columns;
    this.bytes = TRACE_BYTES + columns.capacity * SLOT_BYTES;
  }

  get used(): number {
    const { columns } = this;
    return columns === null ? 0 : Math.min(this.count, columns.capacity);
  }

  /** Slot 0 is the request and is never overwritten; the others become a ring when there is no more room. */
  slotOf(seq: number): number {
    const capacity = this.columns?.capacity ?? 0;
    return seq < capacity ? seq : 1 + ((seq - 1) % (capacity - 1));
  }

  /** Begins a span; -1 when the trace was forgotten. */
  begin(kind: number, name: string, parent: number, task: number): number {
    // What never ends must be counted before it ends.
    if ((this.count & 255) === 255) this.owner.account(this);
    const { columns } = this;
    if (columns === null) return -1;
    const seq = this.count++;
    if (seq >= columns.capacity && !this.#full) this.#room(columns);
    const slot = seq < columns.capacity ? seq : 1 + ((seq - 1) % (columns.capacity - 1));
    if (seq !== slot) {
      columns.detail[slot] = columns.error[slot] = columns.site[slot] = null;
      columns.params[slot] = columns.reads[slot] = columns.wrote[slot] = null;
      columns.blocked[slot] = null;
    }
    columns.seq[slot] = seq;
    columns.kind[slot] = kind;
    columns.counts[kind] = (columns.counts[kind] ?? 0) + 1;
    columns.status[slot] = OPEN;
    columns.name[slot] = name;
    columns.parent[slot] = parent;
    columns.task[slot] = task;
    columns.waited[slot] = -1;
    columns.amount[slot] = Number.NaN;
    columns.end[slot] = 0;
    columns.start[slot] = performance.now();
    return seq;
  }

  /** Ends a span. False when it is gone, or has ended already. */
  end(seq: number, status: number): boolean {
    const { columns } = this;
    if (columns === null || seq < 0) return false;
    const slot = this.slotOf(seq);
    if (columns.seq[slot] !== seq || columns.status[slot] !== OPEN) return false;
    columns.end[slot] = performance.now();
    columns.status[slot] = status;
    return true;
  }

  /** The slot of a span that is still there, else -1. */
  find(seq: number): number {
    const { columns } = this;
    if (columns === null || seq < 0 || seq >= this.count) return -1;
    const slot = this.slotOf(seq);
    return columns.seq[slot] === seq ? slot : -1;
  }

  #room(columns: Columns): void {
    const more = columns.capacity * SLOT_BYTES;
    // Only while it runs: making room may forget finished traces, and this must not be one of them.
    if (this.state !== 'running' || columns.capacity >= this.owner.maxSpans || !this.owner.reserve(more)) {
      this.#full = true;
      return;
    }
    columns.grow();
    this.bytes += more;
  }

  countsByName(): Partial<Record<KindName, number>> {
    const counts: Partial<Record<KindName, number>> = {};
    const { columns } = this;
    if (columns !== null)
      for (const [index, name] of kindNames.entries()) {
        const count = columns.counts[index] ?? 0;
        if (count > 0) counts[name] = count;
      }
    return counts;
  }
}
