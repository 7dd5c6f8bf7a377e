import type { Attributes, Context, Counter, Histogram, Span } from '@opentelemetry/api';
import { fault } from '../errors/index.ts';
import { CANCELLED, ERROR, Kind, kindNames, OPEN } from './kinds.ts';
import { clientEndHooks, clientHooks } from './observers.ts';
import type { HeaderBag } from './propagation.ts';
import type { Recorder } from './recorder.ts';
import { readSql, redactText, redactUrl } from './redact.ts';
import type { Trace } from './trace.ts';

type Api = typeof import('@opentelemetry/api');

/** What the bridge keeps with a timeline: its own span, and those of outgoing requests, which must exist at once. */
class Bridge {
  readonly root: Span;
  readonly context: Context;
  readonly clients = new Map<number, Span>();
  constructor(root: Span, context: Context) {
    this.root = root;
    this.context = context;
  }
}

/**
 * Hands timelines to whatever OpenTelemetry SDK the program has set up. The span of the request and those of outgoing
 * requests are made when they begin, because their ids travel; all others when the request has ended.
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
  const queries = meter.createHistogram('db.client.operation.duration', { unit: 's' });
  const blocked = meter.createCounter('sobaya.loop.blocked', {
    unit: 'ms',
    description: 'Time that the event loop was held',
  });

  const offOpened = recorder.onOpened((trace) => {
    active.add(1);
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
      trace.method,
      { kind: api.SpanKind.SERVER, startTime: trace.startedAt },
      parent,
    );
    trace.bridge = new Bridge(root, api.trace.setSpan(parent, root));
    const { traceId } = root.spanContext();
    if (api.isValidTraceId(traceId)) trace.traceId = traceId;
  });

  const offFinished = recorder.onFinished((trace) => {
    if (!(trace.bridge instanceof Bridge)) return;
    active.add(-1);
    finish(api, trace, trace.bridge, requests, queries, blocked);
    trace.bridge = null;
  });

  const started: Parameters<typeof clientHooks.add>[0] = (message, trace, slot) => {
    if (!(trace.bridge instanceof Bridge) || trace.owner !== recorder) return;
    const method = String(message['method'] ?? 'GET');
    const span = tracer.startSpan(
      method,
      { kind: api.SpanKind.CLIENT, attributes: urlAttributes(String(message['url'] ?? ''), method) },
      trace.bridge.context,
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
      if (message['status'] >= 400) span.setStatus({ code: api.SpanStatusCode.ERROR });
    }
    const error = trace.columns?.error[slot];
    if (error != null) span.setStatus({ code: api.SpanStatusCode.ERROR, message: redactText(error) });
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
  const host = /^[a-z]+:\/\/([^/:]+)(?::(\d+))?/i.exec(safe);
  return {
    'http.request.method': method,
    'url.full': safe,
    ...(host?.[1] === undefined ? {} : { 'server.address': host[1] }),
    ...(host?.[2] === undefined ? {} : { 'server.port': Number(host[2]) }),
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
  const attributes: Attributes = {
    'http.request.method': trace.method,
    'url.path': redactText(trace.path),
    ...(trace.responseStatus === 0 ? {} : { 'http.response.status_code': trace.responseStatus }),
    ...(trace.route === null ? {} : { 'http.route': `/${trace.route}` }),
  };
  root.setAttributes(attributes);
  if (trace.route !== null) root.updateName(`${trace.method} /${trace.route}`);
  const error = columns?.error[0];
  if (trace.state === 'failed' || trace.responseStatus >= 500)
    root.setStatus({
      code: api.SpanStatusCode.ERROR,
      ...(error == null ? {} : { message: redactText(error) }),
    });
  const origin = columns?.start[0] ?? 0;
  const at = (time: number): number => trace.startedAt + (time - origin);
  const duration = (columns?.end[0] ?? origin) - origin;
  if (columns !== null && root.isRecording()) {
    const contexts = new Map<number, Context>([[0, bridge.context]]);
    const slots = Array.from({ length: trace.used }, (_, slot) => slot)
      .filter((slot) => slot !== 0 && columns.kind[slot] !== Kind.client)
      .sort((a, b) => (columns.seq[a] ?? 0) - (columns.seq[b] ?? 0));
    const tracer = api.trace.getTracer('sobaya');
    for (const slot of slots) {
      const kind = columns.kind[slot] ?? 0;
      const name = columns.name[slot] ?? '';
      const isQuery = kind === Kind.query;
      const sql = isQuery ? readSql(name).shape : '';
      const span = tracer.startSpan(
        isQuery ? (/^\w+/.exec(sql)?.[0]?.toUpperCase() ?? 'query') : redactText(name),
        {
          kind: isQuery ? api.SpanKind.CLIENT : api.SpanKind.INTERNAL,
          startTime: at(columns.start[slot] ?? 0),
          attributes: {
            'sobaya.kind': kindNames[kind] ?? 'other',
            'sobaya.task': columns.task[slot] ?? 0,
            ...(isQuery ? { 'db.query.text': sql } : {}),
            ...(isQuery && columns.detail[slot] != null
              ? { 'db.namespace': columns.detail[slot] as string }
              : {}),
            ...codeAttributes(columns.site[slot]),
          },
        },
        contexts.get(columns.parent[slot] ?? 0) ?? bridge.context,
      );
      contexts.set(columns.seq[slot] ?? 0, api.trace.setSpan(bridge.context, span));
      const failed = columns.error[slot];
      if (columns.status[slot] === ERROR)
        span.setStatus({
          code: api.SpanStatusCode.ERROR,
          ...(failed == null ? {} : { message: redactText(failed) }),
        });
      else if (columns.status[slot] === CANCELLED) span.setAttribute('sobaya.cancelled', true);
      span.end(columns.status[slot] === OPEN ? at(columns.end[0] ?? 0) : at(columns.end[slot] ?? 0));
    }
  }
  if (columns !== null)
    for (let slot = 1; slot < trace.used; slot++) {
      const took = (columns.end[slot] ?? 0) - (columns.start[slot] ?? 0);
      if (columns.status[slot] === OPEN) continue;
      if (columns.kind[slot] === Kind.query)
        queries.record(took / 1000, { 'db.namespace': columns.detail[slot] ?? '' });
      else if (columns.kind[slot] === Kind.blocked && columns.blocked[slot]?.role === 'culprit')
        blocked.add(took);
    }
  root.end(at(columns?.end[0] ?? origin));
  requests.record(duration / 1000, {
    'http.request.method': trace.method,
    ...(trace.route === null ? {} : { 'http.route': `/${trace.route}` }),
    ...(trace.responseStatus === 0 ? {} : { 'http.response.status_code': trace.responseStatus }),
  });
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
