import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  type Attributes,
  context,
  defaultTextMapGetter,
  metrics,
  propagation,
  type Span,
  type SpanOptions,
  trace,
} from '@opentelemetry/api';
import { AsyncClient, MockTransport } from 'sobaya/client';
import { xray } from 'sobaya/xray';
import { call, httpScope, pagesApp } from './applications.ts';
import { database, view } from './programs.ts';

/** An SDK of thirty lines: spans with ids, a W3C propagator, metrics as a list. */
interface Seen {
  readonly name: string;
  readonly options: SpanOptions;
  readonly parent: string;
  readonly traceId: string;
  readonly spanId: string;
  attributes: Attributes;
  ended: number;
  renamed: string;
}
const spans: Seen[] = [];
const measured: [string, number, Attributes | undefined][] = [];
let last = 0;

trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan(name: string, options: SpanOptions = {}, parent = context.active()) {
      const above = trace.getSpanContext(parent);
      const spanId = (++last).toString(16).padStart(16, '0');
      const seen: Seen = {
        name,
        options,
        parent: above?.spanId ?? '',
        traceId: above?.traceId ?? 'a'.repeat(32),
        spanId,
        attributes: { ...options.attributes },
        ended: 0,
        renamed: '',
      };
      spans.push(seen);
      const span = {
        spanContext: () => ({ traceId: seen.traceId, spanId, traceFlags: 1 }),
        setAttribute(key: string, value: never) {
          seen.attributes[key] = value;
          return span;
        },
        setAttributes(more: Attributes) {
          Object.assign(seen.attributes, more);
          return span;
        },
        setStatus: () => span,
        updateName(renamed: string) {
          seen.renamed = renamed;
          return span;
        },
        isRecording: () => true,
        end: (time: number) => {
          seen.ended = time ?? 1;
        },
      } as unknown as Span;
      return span;
    },
    startActiveSpan: () => assert.fail('not used'),
  }),
} as never);
propagation.setGlobalPropagator({
  fields: () => ['traceparent'],
  inject(from, carrier, setter) {
    const span = trace.getSpanContext(from);
    if (span) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`);
  },
  extract(from, carrier, getter = defaultTextMapGetter) {
    const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
    return traceId === ''
      ? from
      : trace.setSpanContext(from, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
});
const instrument = (name: string) => ({
  record: (value: number, attributes?: Attributes) => measured.push([name, value, attributes]),
  add: (value: number) => measured.push([name, value, undefined]),
});
metrics.setGlobalMeterProvider({
  getMeter: () => ({
    createHistogram: instrument,
    createCounter: instrument,
    createUpDownCounter: instrument,
  }),
} as never);

describe('OpenTelemetry', () => {
  const sent: string[] = [];
  const client = new AsyncClient({
    transport: new MockTransport((request) => {
      sent.push(request.headers.get('traceparent') ?? '');
      return new Response('{}');
    }),
  });
  const app = xray(
    pagesApp({
      '/orders/': () =>
        view('orders', async () => {
          await database.query('select * from user where id = 7', [], [], 1);
          await client.get('http://supplier.test/price?key=secret');
        }),
    }),
    { openTelemetry: true },
  );
  after(() => app.stop());

  test('spans with their parents, semantic attributes, the trace of the caller in and out, metrics', async () => {
    await app.ready;
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    await call(
      app,
      httpScope('/orders/', {
        headers: [
          ['host', 'x'],
          ['traceparent', `00-${traceId}-00f067aa0ba902b7-01`],
        ],
      }),
    );
    assert.equal(spans[0]?.options.kind, 1, 'a server span');
    assert.equal(spans[0].traceId, traceId);
    assert.equal(spans[0].parent, '00f067aa0ba902b7');
    assert.equal(spans[0].renamed, 'GET /orders/');
    assert.equal(spans[0].attributes['http.response.status_code'], 200);
    const query = spans.find((span) => span.name === 'SELECT user');
    assert.equal(query?.attributes['db.query.text'], 'select * from user where id = ?');
    assert.equal(query.parent, spans.find((span) => span.name === 'orders')?.spanId, 'under the view');
    const outgoing = spans.find((span) => span.attributes['url.full'] !== undefined);
    assert.equal(outgoing?.attributes['url.full'], 'http://supplier.test/price', 'no query string');
    assert.deepEqual(sent, [`00-${traceId}-${outgoing.spanId}-01`]);
    assert.ok(spans.every((span) => span.ended > 0));
    assert.deepEqual(
      measured.map(([name]) => name),
      [
        'http.server.active_requests',
        'http.server.active_requests',
        'db.client.operation.duration',
        'http.server.request.duration',
      ],
    );
  });
});
