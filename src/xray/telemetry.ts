import type { Attributes, Context, Counter, Histogram, Span, Tracer } from '@opentelemetry/api';
import { fault } from '../errors/index.ts';
import { CANCELLED, ERROR, Kind, kindNames, OPEN } from './kinds.ts';
import { clientEndHooks, clientHooks, vendorOf } from './observers.ts';
import type { HeaderBag } from './propagation.ts';
import type { Recorder } from './recorder.ts';
import { readSql, redactText, redactUrl } from './redact.ts';
import type { Columns, Trace } from './trace.ts';

type Api = typeof import('@opentelemetry/api');

/** What the bridge keeps with a timeline: its own span, and those that must exist before it ends. */
class Bridge {
  readonly root: Span;
  readonly context: Context;
  readonly clients = new Map<number, Span>();
  /** Spans that were begun, by number. */
  readonly opened = new Map<number, Span>();
  readonly #contexts = new Map<number, Context>();
  readonly #api: Api;
  readonly #tracer: Tracer;
  constructor(api: Api, tracer: Tracer, root: Span, parent: Context) {
    this.#api = api;
    this.#tracer = tracer;
    this.root = root;
    this.context = api.trace.setSpan(parent, root);
  }

  /** The context in which a span began: that of the span around it, which is begun for it where it has not been. */
  around(trace: Trace, slot: number): Context {
    const { columns } = trace;
    if (columns === null) return this.context;
    const up = parentSlot(trace, slot);
    if (up <= 0 || columns.kind[up] === Kind.client) return this.context;
    this.spanOf(trace, up);
    return this.#contexts.get(columns.seq[up] ?? 0) ?? this.context;
  }

  spanOf(trace: Trace, slot: number): Span {
    const columns = trace.columns as Columns;
    const seq = columns.seq[slot] ?? 0;
    const known = this.opened.get(seq);
    if (known !== undefined) return known;
    const kind = columns.kind[slot] ?? 0;
    const name = columns.name[slot] ?? '';
    const query = kind === Kind.query ? queryAttributes(name, columns.detail[slot]) : null;
    const span = this.#tracer.startSpan(
      query === null ? redactText(name) : query.name,
      {
        kind: query === null ? this.#api.SpanKind.INTERNAL : this.#api.SpanKind.CLIENT,
        startTime: trace.startedAt + ((columns.start[slot] ?? 0) - (columns.start[0] ?? 0)),
        attributes: {
          'sobaya.kind': kindNames[kind] ?? 'other',
          'sobaya.task': columns.task[slot] ?? 0,
          ...query?.attributes,
          ...codeAttributes(columns.site[slot]),
        },
      },
      this.around(trace, slot),
    );
    this.opened.set(seq, span);
    this.#contexts.set(seq, this.#api.trace.setSpan(this.context, span));
    return span;
  }
}

/** Where the span around another one stands: what a task calls stands below the task. 0: the request itself. */
function parentSlot(trace: Trace, slot: number): number {
  const { columns, mainTask } = trace;
  if (columns === null) return 0;
  const up = trace.find(columns.parent[slot] ?? 0);
  const isTask = columns.kind[slot] === Kind.task;
  const maker = isTask ? (columns.amount[slot] ?? 0) : (columns.task[slot] ?? 0);
  if (maker === mainTask || (up >= 0 && columns.task[up] === maker)) return up === slot ? 0 : Math.max(0, up);
  for (let other = 1; other < trace.used; other++)
    if (columns.kind[other] === Kind.task && columns.task[other] === maker && other !== slot) return other;
  return Math.max(0, up);
}

/** Database semantic conventions: a name of few values, the text without literals. */
function queryAttributes(
  sql: string,
  alias: string | null | undefined,
): { name: string; attributes: Attributes } {
  const { shape } = readSql(sql);
  const operation = /^\w+/.exec(shape)?.[0]?.toUpperCase();
  const table = /\b(?:FROM|INTO|UPDATE)\s+["`]?(?:\w+["`]?\.["`]?)?(\w+)/i.exec(shape)?.[1];
  return {
    name: [operation, table].filter((part) => part !== undefined).join(' ') || 'query',
    attributes: {
      'db.query.text': shape,
      ...(operation === undefined ? {} : { 'db.operation.name': operation }),
      ...(table === undefined ? {} : { 'db.collection.name': table }),
      ...(alias == null ? {} : { 'db.namespace': alias, 'db.system.name': vendorOf(alias) }),
    },
  };
}

/** The class of an error, as it stands before the colon of its text. */
function errorType(text: string | null | undefined): string {
  return /^\w+/.exec(text ?? '')?.[0] ?? '_OTHER';
}

const methods = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
]);

/** HTTP semantic conventions: what anybody may write into a request must not become a metric of its own. */
function methodAttributes(method: string): Attributes {
  return methods.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': method === 'WS' ? 'GET' : '_OTHER' };
}

/**
 * Hands timelines to whatever OpenTelemetry SDK the program has set up. The span of the request and those of outgoing
 * requests (and what is around them) are made when they begin, because their ids travel; all others when the request has ended.
 */
export async function connectTelemetry(recorder: Recorder): Promise<() => void> {
  let api: Api;
  try {
    api = await import('@opentelemetry/api');
  } catch (cause) {
    throw fault('SBY_XRAY_NO_TELEMETRY', {}, { cause });
  }
  return connect(recorder, api);
}

function connect(recorder: Recorder, api: Api): () => void {
  const tracer = api.trace.getTracer('sobaya');
  const meter = api.metrics.getMeter('sobaya');
  const requests = meter.createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Duration of HTTP server requests',
  });
  const active = meter.createUpDownCounter('http.server.active_requests', { unit: '{request}' });
  const queries = meter.createHistogram('db.client.operation.duration', {
    unit: 's',
    description: 'Duration of database client operations',
  });
  const blocked = meter.createCounter('sobaya.loop.blocked', {
    unit: 'ms',
    description: 'Time that the event loop was held',
  });

  const offOpened = recorder.onOpened((trace) => {
    active.add(1, { ...methodAttributes(trace.method), 'url.scheme': trace.scheme });
    const carrier: Record<string, string> = {};
    if (trace.remoteParent !== '') {
      carrier['traceparent'] =
        `00-${trace.traceId}-${trace.remoteParent}-${trace.remoteSampled ? '01' : '00'}`;
      if (trace.tracestate !== '') carrier['tracestate'] = trace.tracestate;
    }
    // The W3C headers were read already; another propagator of the program's (B3, …) reads its own.
    for (const [name, value] of trace.incoming ?? []) carrier[name] ??= value;
    const parent = api.propagation.extract(api.ROOT_CONTEXT, carrier);
    const root = tracer.startSpan(
      methods.has(trace.method) ? trace.method : 'HTTP',
      { kind: api.SpanKind.SERVER, startTime: trace.startedAt },
      parent,
    );
    trace.bridge = new Bridge(api, tracer, root, parent);
    const { traceId } = root.spanContext();
    if (api.isValidTraceId(traceId)) trace.traceId = traceId;
  });

  const offFinished = recorder.onFinished((trace) => {
    if (!(trace.bridge instanceof Bridge)) return;
    active.add(-1, { ...methodAttributes(trace.method), 'url.scheme': trace.scheme });
    finish(api, trace, trace.bridge, requests, queries, blocked);
    trace.bridge = null;
  });

  const started: Parameters<typeof clientHooks.add>[0] = (message, trace, slot) => {
    if (!(trace.bridge instanceof Bridge) || trace.owner !== recorder) return;
    const method = String(message['method'] ?? 'GET');
    const span = tracer.startSpan(
      method,
      { kind: api.SpanKind.CLIENT, attributes: urlAttributes(String(message['url'] ?? ''), method) },
      trace.bridge.around(trace, slot),
    );
    trace.bridge.clients.set(trace.columns?.seq[slot] ?? -1, span);
    const headers = message['headers'] as HeaderBag | undefined;
    if (typeof headers?.set !== 'function') return;
    api.propagation.inject(api.trace.setSpan(trace.bridge.context, span), headers, {
      set: (bag, name, value) => void bag.set(name, value),
    });
  };
  const ended: Parameters<typeof clientEndHooks.add>[0] = (message, trace, slot) => {
    if (!(trace.bridge instanceof Bridge)) return;
    const seq = trace.columns?.seq[slot] ?? -1;
    const span = trace.bridge.clients.get(seq);
    if (span === undefined) return;
    trace.bridge.clients.delete(seq);
    if (typeof message['status'] === 'number') {
      span.setAttribute('http.response.status_code', message['status']);
      if (message['status'] >= 400) {
        span.setStatus({ code: api.SpanStatusCode.ERROR });
        span.setAttribute('error.type', String(message['status']));
      }
    }
    const error = trace.columns?.error[slot];
    if (typeof message['attempts'] === 'number' && message['attempts'] > 1)
      span.setAttribute('http.request.resend_count', message['attempts'] - 1);
    if (error != null) {
      span.setStatus({ code: api.SpanStatusCode.ERROR, message: redactText(error) });
      span.setAttribute('error.type', errorType(error));
    }
    span.end();
  };
  clientHooks.add(started);
  clientEndHooks.add(ended);
  return () => {
    offOpened();
    offFinished();
    clientHooks.delete(started);
    clientEndHooks.delete(ended);
  };
}

/** HTTP semantic conventions: the query string is left out, it may hold anything. */
function urlAttributes(url: string, method: string): Attributes {
  const safe = redactUrl(url).replace(/\?.*$/s, '');
  const host = /^[a-z]+:\/\/(\[[^\]]*\]|[^/:]+)(?::(\d+))?/i.exec(safe);
  return {
    ...methodAttributes(method),
    'url.full': safe,
    ...(host?.[1] === undefined
      ? {}
      : {
          'server.address': host[1],
          'server.port': Number(host[2] ?? (safe.startsWith('https:') ? 443 : 80)),
        }),
  };
}

function finish(
  api: Api,
  trace: Trace,
  bridge: Bridge,
  requests: Histogram,
  queries: Histogram,
  blocked: Counter,
): void {
  const { columns } = trace;
  const { root } = bridge;
  const failedWith =
    trace.state === 'failed'
      ? errorType(columns?.error[0])
      : trace.responseStatus >= 500
        ? String(trace.responseStatus)
        : null;
  const shared: Attributes = {
    ...methodAttributes(trace.method),
    'url.scheme': trace.scheme,
    ...(trace.route === null ? {} : { 'http.route': `/${trace.route}` }),
    ...(trace.responseStatus === 0 ? {} : { 'http.response.status_code': trace.responseStatus }),
    ...(failedWith === null ? {} : { 'error.type': failedWith }),
  };
  const attributes: Attributes = {
    ...shared,
    'url.path': redactText(trace.path),
    ...(methods.has(trace.method) || trace.method === 'WS'
      ? {}
      : { 'http.request.method_original': trace.method.slice(0, 40) }),
  };
  root.setAttributes(attributes);
  if (trace.route !== null)
    root.updateName(`${methods.has(trace.method) ? trace.method : 'HTTP'} /${trace.route}`);
  const error = columns?.error[0];
  if (trace.state === 'failed' || trace.responseStatus >= 500)
    root.setStatus({
      code: api.SpanStatusCode.ERROR,
      ...(error == null ? {} : { message: redactText(error) }),
    });
  const origin = columns?.start[0] ?? 0;
  const at = (time: number): number => trace.startedAt + (time - origin);
  const duration = (columns?.end[0] ?? origin) - origin;
  const ended = new Set<Span>();
  if (columns !== null && root.isRecording()) {
    const slots = Array.from({ length: trace.used }, (_, slot) => slot)
      .filter((slot) => slot !== 0 && columns.kind[slot] !== Kind.client)
      .sort((a, b) => (columns.seq[a] ?? 0) - (columns.seq[b] ?? 0));
    for (const slot of slots) {
      const span = bridge.spanOf(trace, slot);
      const failed = columns.error[slot];
      if (columns.status[slot] === ERROR) {
        span.setStatus({
          code: api.SpanStatusCode.ERROR,
          ...(failed == null ? {} : { message: redactText(failed) }),
        });
        span.setAttribute('error.type', errorType(failed));
      } else if (columns.status[slot] === CANCELLED) span.setAttribute('sobaya.cancelled', true);
      const amount = columns.amount[slot] ?? Number.NaN;
      if (columns.kind[slot] === Kind.query && Number.isFinite(amount))
        span.setAttribute('db.response.returned_rows', amount);
      span.end(columns.status[slot] === OPEN ? at(columns.end[0] ?? 0) : at(columns.end[slot] ?? 0));
      ended.add(span);
    }
  }
  // Whose slot was taken by a later one: begun for an outgoing request below it, so it has to end.
  for (const span of [...bridge.opened.values(), ...bridge.clients.values()].filter((one) => !ended.has(one)))
    span.end(at(columns?.end[0] ?? origin));
  if (columns !== null)
    for (let slot = 1; slot < trace.used; slot++) {
      const took = (columns.end[slot] ?? 0) - (columns.start[slot] ?? 0);
      if (columns.status[slot] === OPEN) continue;
      if (columns.kind[slot] === Kind.query) {
        const { 'db.query.text': _text, ...few } = queryAttributes(
          columns.name[slot] ?? '',
          columns.detail[slot],
        ).attributes;
        queries.record(took / 1000, {
          ...few,
          ...(columns.status[slot] === ERROR ? { 'error.type': errorType(columns.error[slot]) } : {}),
        });
      } else if (columns.kind[slot] === Kind.blocked && columns.blocked[slot]?.role === 'culprit')
        blocked.add(took);
    }
  root.end(at(columns?.end[0] ?? origin));
  requests.record(duration / 1000, shared);
}

function codeAttributes(site: string | null | undefined): Attributes {
  if (site == null) return {};
  const [file = '', line = '0', , fn = ''] = site.split('\n');
  return {
    'code.file.path': file.replace(/^file:\/\//, ''),
    'code.line.number': Number(line),
    ...(fn === '' ? {} : { 'code.function.name': fn }),
  };
}
