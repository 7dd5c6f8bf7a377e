import { type Channel, channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { bindContext, type Context, currentContext } from '../asyncio/index.ts';
import { blockedMessage } from './blocked.ts';
import { given, returned, words } from './fingerprint.ts';
import { CANCELLED, ERROR, Kind, OK } from './kinds.ts';
import type { Recorder } from './recorder.ts';
import { cut } from './redact.ts';
import { captureSite } from './sites.ts';
import { Trace } from './trace.ts';

/**
 * What each channel's messages become. The messages are read loosely: a subscriber must not throw, and must not
 * depend on a room being there. The contract: docs/design/tracing.md.
 */
const TRACE = Symbol('xray trace');
const SPAN = Symbol('xray span');

interface Message {
  [TRACE]?: Trace | null;
  [SPAN]?: number;
  error?: unknown;
  result?: unknown;
  [field: string]: unknown;
}

interface Reader {
  readonly kind: number;
  readonly nests: boolean;
  /** The name on the bar. */
  name(message: Message): string;
  /** After `begin`: what is known from the start. */
  start?(message: Message, trace: Trace, slot: number): void;
  /** At the end: what became known. */
  end?(message: Message, trace: Trace, slot: number): void;
}

const text = (value: unknown, fallback = ''): string =>
  typeof value === 'string' ? (value.length > 500 ? cut(value, 500) : value) : fallback;
const number = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);

const readers: Readonly<Record<string, Reader>> = {
  'sobaya:http.middleware': {
    kind: Kind.middleware,
    nests: true,
    name: (m) => text(m['name'], 'middleware'),
  },
  'sobaya:http.view': {
    kind: Kind.view,
    nests: true,
    name: (m) => text(m['name'], 'view'),
    start(m, trace) {
      if (typeof m['route'] === 'string') trace.route ??= m['route'];
      if (typeof m['name'] === 'string') trace.view ??= m['name'];
    },
  },
  'sobaya:templates.render': {
    kind: Kind.template,
    nests: true,
    name: (m) => text(m['name'], 'template'),
    end(m, trace, slot) {
      trace.columns!.amount[slot] = number(m['bytes'], Number.NaN);
    },
  },
  'sobaya:db.query': {
    kind: Kind.query,
    nests: false,
    // By reference: the text of a shape is the program's own and lives as long as it does.
    name: (m) => {
      const sql = m['sql'];
      return typeof sql === 'string' ? (sql.length > 8000 ? cut(sql, 8000) : sql) : '';
    },
    start(m, trace, slot) {
      const columns = trace.columns!;
      const database = m['alias'] ?? m['database'];
      if (typeof database === 'string') {
        columns.detail[slot] = database;
        if (typeof m['vendor'] === 'string' && vendors.get(database) !== m['vendor'])
          vendors.set(database, m['vendor']);
      }
      const params = m['params'];
      if (trace.owner.callSites && Array.isArray(params)) {
        columns.params[slot] = small(params);
        columns.reads[slot] = given(params);
      }
    },
    end(m, trace, slot) {
      const columns = trace.columns!;
      columns.amount[slot] = number(
        m['rows'],
        Array.isArray(m.result) ? (m.result as unknown[]).length : Number.NaN,
      );
      columns.waited[slot] = number(m['waited'], -1);
      if (trace.owner.dependencies && m.result !== undefined) columns.wrote[slot] = returned(m.result);
    },
  },
  'sobaya:db.transaction': {
    kind: Kind.transaction,
    nests: true,
    name: (m) => (m['savepoint'] ? 'savepoint' : 'transaction'),
    end(m, trace, slot) {
      if (typeof m['outcome'] === 'string') trace.columns!.detail[slot] = m['outcome'];
      trace.columns!.waited[slot] = number(m['waited'], -1);
    },
  },
  'sobaya:client.request': {
    kind: Kind.client,
    nests: false,
    name: (m) => `${text(m['method'], 'GET')} ${urlText(m['url'])}`,
    start(m, trace, slot) {
      if (trace.owner.dependencies) trace.columns!.reads[slot] = words(urlText(m['url']));
      for (const hook of clientHooks) hook(m, trace, slot);
    },
    end(m, trace, slot) {
      const columns = trace.columns!;
      columns.amount[slot] = number(m['status'], Number.NaN);
      columns.waited[slot] = number(m['waited'], -1);
      if (trace.owner.dependencies) columns.wrote[slot] = bodyWords(m.result);
      for (const hook of clientEndHooks) hook(m, trace, slot);
    },
  },
  'sobaya:asyncio.sleep': {
    kind: Kind.sleep,
    nests: false,
    name: (m) => sleepName(m['ms']),
    start(m, trace, slot) {
      trace.columns!.amount[slot] = number(m['ms'], Number.NaN);
    },
  },
  'sobaya:asyncio.wait': {
    kind: Kind.wait,
    nests: false,
    name: (m) => text(m['what'], text(m['kind'], 'wait')),
    start(m, trace, slot) {
      if (typeof m['kind'] === 'string') trace.columns!.detail[slot] = m['kind'];
    },
  },
  'sobaya:sync.call': {
    kind: Kind.thread,
    nests: false,
    name: (m) => text(m['function'], 'call'),
    end(m, trace, slot) {
      const columns = trace.columns!;
      columns.waited[slot] = number(m['waited'], -1);
      columns.amount[slot] = number(m['thread'], Number.NaN);
      if (m['kind'] === 'process') columns.detail[slot] = 'process';
    },
  },
  'sobaya:xray.span': {
    kind: Kind.span,
    nests: true,
    name: (m) => text(m['name'], 'span'),
    start(m, trace, slot) {
      const attributes = m['attributes'];
      if (typeof attributes === 'object' && attributes !== null)
        try {
          trace.columns!.detail[slot] = cut(JSON.stringify(attributes), 500);
        } catch {
          // Cyclic: the name is enough.
        }
    },
  },
};

/** What kind of database stands behind an alias, by OpenTelemetry's names. */
const vendors = new Map<string, string>();
export function vendorOf(alias: string): string {
  return vendors.get(alias) ?? 'other_sql';
}

type ClientHook = (message: Message, trace: Trace, slot: number) => void;
/** For `traceparent` and OpenTelemetry: called when an outgoing request starts and ends. */
export const clientHooks = new Set<ClientHook>();
export const clientEndHooks = new Set<ClientHook>();

function urlText(url: unknown): string {
  if (typeof url === 'string') return text(url);
  return url instanceof URL ? text(url.href) : '';
}

const sleepNames = new Map<number, string>();
function sleepName(ms: unknown): string {
  if (typeof ms !== 'number') return 'sleep';
  let name = sleepNames.get(ms);
  if (name === undefined) {
    name = ms === Number.POSITIVE_INFINITY ? 'sleep for ever' : `sleep ${Math.round(ms * 10) / 10} ms`;
    if (sleepNames.size < 256) sleepNames.set(ms, name);
  }
  return name;
}

/** Parameters small enough to keep: no objects that hold more than they show. */
function small(params: readonly unknown[]): unknown[] {
  const kept: unknown[] = [];
  for (let i = 0; i < params.length && i < 32; i++) {
    const value = params[i];
    if (typeof value === 'string') kept.push(value.length > 200 ? cut(value, 200) : value);
    else if (typeof value !== 'object' || value === null || value instanceof Date) kept.push(value);
    else if (ArrayBuffer.isView(value)) kept.push(new Sized('bytes', value.byteLength));
    else if (Array.isArray(value)) kept.push(new Sized('list', value.length));
    else kept.push(new Sized('object', 0));
  }
  return kept;
}

/** Stands for a parameter that was too big to keep. */
export class Sized {
  readonly kind: string;
  readonly size: number;
  constructor(kind: string, size: number) {
    this.kind = kind;
    this.size = size;
  }
  toString(): string {
    return this.kind === 'object' ? 'object' : `${this.kind}(${this.size})`;
  }
}

/** What a body that has been read already says, for telling dependencies. Never reads a stream. */
function bodyWords(response: unknown): number[] {
  const it = response as { bytes?: unknown; body?: unknown } | null | undefined;
  const body = it?.bytes ?? it?.body;
  if (typeof body === 'string') return words(body);
  if (body instanceof Uint8Array) return words(Buffer.from(body.subarray(0, 16384)).toString('utf8'));
  return [];
}

function isCancelled(error: unknown): boolean {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return name === 'CancelledError' || name === 'AbortError';
}

export function errorText(error: unknown): string {
  try {
    if (error instanceof Error) return cut(`${error.name}: ${error.message}`, 300);
    return cut(String(error), 300);
  } catch {
    return 'an error that cannot be shown';
  }
}

function begin(message: Message, reader: Reader, trace: Trace, context: Context): number {
  const seq = trace.begin(reader.kind, reader.name(message), context.span, context.task?.id ?? 0);
  if (seq < 0) return seq;
  message[TRACE] = trace;
  message[SPAN] = seq;
  const slot = trace.slotOf(seq);
  if (trace.owner.callSites) trace.columns!.site[slot] = captureSite();
  reader.start?.(message, trace, slot);
  return seq;
}

function close(message: Message, reader: Reader, failed: boolean): void {
  const trace = message[TRACE];
  if (trace === undefined || trace === null) return;
  message[TRACE] = null;
  const seq = message[SPAN] ?? -1;
  const status = !failed
    ? OK
    : isCancelled(message.error) || message['cancelled'] === true
      ? CANCELLED
      : ERROR;
  if (!trace.end(seq, status)) return;
  const slot = trace.slotOf(seq);
  if (status === ERROR) trace.columns!.error[slot] = errorText(message.error);
  reader.end?.(message, trace, slot);
}

type Undo = () => void;

function on(name: string, listener: (message: Message) => void): Undo {
  const listen = (message: unknown): void => listener(message as Message);
  subscribe(name, listen);
  return () => void unsubscribe(name, listen);
}

function observe(name: string, reader: Reader): Undo[] {
  const channels = tracingChannel<Message, object>(name);
  const undo: Undo[] = [];
  if (reader.nests)
    undo.push(
      bindContext(channels.start as Channel<Message, object>, (message) => {
        const context = currentContext();
        const { trace } = context;
        if (!(trace instanceof Trace)) return context;
        const seq = begin(message, reader, trace, context);
        return seq < 0 ? context : context.withSpan(trace, seq);
      }),
    );
  else
    undo.push(
      on(`tracing:${name}:start`, (message) => {
        const context = currentContext();
        const { trace } = context;
        if (trace instanceof Trace) begin(message, reader, trace, context);
      }),
    );
  undo.push(on(`tracing:${name}:error`, (message) => close(message, reader, true)));
  undo.push(on(`tracing:${name}:asyncEnd`, (message) => close(message, reader, false)));
  // Published with traceSync: it has its result when the sync part ends.
  undo.push(
    on(`tracing:${name}:end`, (message) => {
      if ('result' in message) close(message, reader, false);
    }),
  );
  return undo;
}

interface TaskLike {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly parent?: { readonly id: number } | null;
  [TRACE]?: Trace | null;
  [SPAN]?: number;
}

function observeTasks(): Undo[] {
  return [
    on('tracing:sobaya:asyncio.task:start', (message) => {
      const context = currentContext();
      const { trace } = context;
      if (!(trace instanceof Trace)) return;
      const task = message['task'] as TaskLike;
      const seq = trace.begin(Kind.task, task.name, context.span, task.id);
      if (seq < 0) return;
      task[TRACE] = trace;
      task[SPAN] = seq;
      // Whose child it is: the lanes of the drawing.
      trace.columns!.amount[trace.slotOf(seq)] = task.parent?.id ?? 0;
      if (trace.owner.callSites) trace.columns!.site[trace.slotOf(seq)] = captureSite();
    }),
    on('tracing:sobaya:asyncio.task:end', (message) => {
      const task = message['task'] as TaskLike;
      const trace = task[TRACE];
      if (trace === undefined || trace === null) return;
      task[TRACE] = null;
      trace.end(
        task[SPAN] ?? -1,
        task.state === 'failed' ? ERROR : task.state === 'cancelled' ? CANCELLED : OK,
      );
    }),
  ];
}

function observeHttp(): Undo[] {
  const nested: Reader = {
    kind: Kind.other,
    nests: true,
    name: (m) => `${text(m['method'])} ${text(m['path'])}`,
  };
  const channels = tracingChannel<Message, object>('sobaya:http.request');
  return [
    bindContext(channels.start as Channel<Message, object>, (message) => {
      const context = currentContext();
      const { trace } = context;
      if (!(trace instanceof Trace)) return context;
      // The first one is the recorded request itself; a further one is an application inside the application.
      if (trace.http === null && trace.type !== 'recording') {
        trace.http = message;
        return context;
      }
      const seq = begin(message, nested, trace, context);
      return seq < 0 ? context : context.withSpan(trace, seq);
    }),
    on('tracing:sobaya:http.request:error', (message) => close(message, nested, true)),
    on('tracing:sobaya:http.request:asyncEnd', (message) => close(message, nested, false)),
  ];
}

const recorders = new Set<Recorder>();
let undo: Undo[] = [];

/** Subscribes once, however many recorders there are. */
export function observeChannels(recorder: Recorder): Undo {
  if (recorders.size === 0) {
    undo = [...observeTasks(), ...observeHttp()];
    for (const [name, reader] of Object.entries(readers)) undo.push(...observe(name, reader));
    const blocked = (message: unknown): void => blockedMessage(message, recorders);
    channel('sobaya:asyncio.blocked').subscribe(blocked);
    undo.push(() => void channel('sobaya:asyncio.blocked').unsubscribe(blocked));
  }
  recorders.add(recorder);
  return () => {
    if (!recorders.delete(recorder) || recorders.size > 0) return;
    for (const one of undo) one();
    undo = [];
  };
}
