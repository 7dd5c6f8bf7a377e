import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Attributes, metrics, propagation, trace } from '@opentelemetry/api';
import { gather } from 'sobaya/asyncio';
import { AsyncClient, MockTransport } from 'sobaya/client';
import { span, xray } from 'sobaya/xray';
import { call, httpScope, pagesApp } from './applications.ts';
import { database, view } from './programs.ts';

/** What is used of the SDK's packages: they are for development only, and not everybody has them installed. */
interface Finished {
  readonly name: string;
  readonly kind: number;
  readonly attributes: Attributes;
  readonly status: { readonly code: number; readonly message?: string };
  readonly parentSpanContext?: { readonly spanId: string };
  readonly startTime: [number, number];
  readonly endTime: [number, number];
  spanContext(): {
    readonly spanId: string;
    readonly traceId: string;
    readonly traceState?: { serialize(): string };
  };
}
interface Sdk {
  BasicTracerProvider: new (options: object) => never;
  InMemorySpanExporter: new () => { getFinishedSpans(): Finished[]; reset(): void };
  SimpleSpanProcessor: new (exporter: object) => object;
  MeterProvider: new (options: object) => { forceFlush(): Promise<void>; shutdown(): Promise<void> };
  InMemoryMetricExporter: new (
    temporality: number,
  ) => { getMetrics(): { scopeMetrics: { metrics: Metric[] }[] }[] };
  PeriodicExportingMetricReader: new (options: object) => object;
  W3CTraceContextPropagator: new () => never;
}
interface Metric {
  readonly descriptor: { readonly name: string; readonly unit: string };
  readonly dataPoints: readonly { readonly attributes: Attributes; readonly value: unknown }[];
}
const sdk = (await Promise.all(
  ['trace-base', 'metrics']
    .map((name) => import(`@opentelemetry/sdk-${name}` as string))
    .concat(import('@opentelemetry/core' as string)),
).then(
  (parts: object[]) => Object.assign({}, ...parts) as Sdk,
  () => null,
)) as Sdk | null;

describe('OpenTelemetry, with its own SDK', {
  skip: sdk === null ? 'the packages @opentelemetry/sdk-* are not installed (npm install)' : false,
}, () => {
  if (sdk === null) return;
  const exporter = new sdk.InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new sdk.BasicTracerProvider({ spanProcessors: [new sdk.SimpleSpanProcessor(exporter)] }),
  );
  propagation.setGlobalPropagator(new sdk.W3CTraceContextPropagator());
  const metricExporter = new sdk.InMemoryMetricExporter(1);
  const meters = new sdk.MeterProvider({
    readers: [
      new sdk.PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 }),
    ],
  });
  metrics.setGlobalMeterProvider(meters as never);

  const sent: Record<string, string | null>[] = [];
  const client = new AsyncClient({
    transport: new MockTransport((request) => {
      sent.push({
        traceparent: request.headers.get('traceparent'),
        tracestate: request.headers.get('tracestate'),
      });
      return new Response('{}', { status: request.url.includes('missing') ? 404 : 200 });
    }),
  });
  const app = xray(
    pagesApp({
      '/orders/': () =>
        view('orders', async () => {
          await database.query('select * from dish where name = ?', ['soba'], [], 1);
          await gather(
            async function price() {
              await client.get('https://supplier.test/price?key=secret');
            },
            async function stock() {
              await span('look', () => client.get('http://supplier.test:8080/missing').catch(() => null));
            },
          );
        }),
      '/broken/': () => Promise.reject(new RangeError('no pot of ann@example.com')),
    }),
    { openTelemetry: true },
  );
  after(async () => {
    await app.stop();
    await meters.shutdown();
  });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const ask = async (
    path: string,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<Finished[]> => {
    await app.ready;
    exporter.reset();
    sent.length = 0;
    await call(app, httpScope(path, { headers: [['host', 'localhost'], ...headers] })).catch(() => {});
    return exporter.getFinishedSpans();
  };

  test('parents: task, section and outgoing request hang together, and the caller above them', async () => {
    const spans = await ask('/orders/', [
      ['traceparent', `00-${traceId}-00f067aa0ba902b7-01`],
      ['tracestate', 'vendor=a,other=b'],
    ]);
    const id = (name: string): string | undefined =>
      spans.find((one) => one.name === name)?.spanContext().spanId;
    const up = (find: (one: Finished) => boolean): string | undefined =>
      spans.find(find)?.parentSpanContext?.spanId;
    const root = spans.find(({ kind }) => kind === 1);
    assert.equal(root?.parentSpanContext?.spanId, '00f067aa0ba902b7');
    assert.ok(spans.every((one) => one.spanContext().traceId === traceId));
    assert.equal(
      up(({ name }) => name === 'orders'),
      root.spanContext().spanId,
    );
    assert.equal(
      up(({ name }) => name === 'SELECT dish'),
      id('orders'),
    );
    assert.equal(
      up(({ name }) => name === 'price'),
      id('orders'),
    );
    assert.equal(
      up(({ attributes }) => attributes['url.full'] === 'https://supplier.test/price'),
      id('price'),
    );
    assert.equal(
      up(({ name }) => name === 'look'),
      id('stock'),
    );
    assert.equal(
      up(({ attributes }) => attributes['url.full'] === 'http://supplier.test:8080/missing'),
      id('look'),
    );
    const outgoing = spans.filter(({ attributes }) => attributes['url.full'] !== undefined);
    assert.deepEqual(
      sent.map(({ traceparent }) => traceparent).sort(),
      outgoing.map((one) => `00-${traceId}-${one.spanContext().spanId}-01`).sort(),
    );
    assert.ok(sent.every(({ tracestate }) => tracestate === 'vendor=a,other=b'));
    for (const one of spans)
      assert.ok(one.endTime[0] + one.endTime[1] / 1e9 >= one.startTime[0] + one.startTime[1] / 1e9, one.name);
  });

  test('kinds, attributes and status by the semantic conventions', async () => {
    const spans = await ask('/orders/');
    const root = spans.find(({ kind }) => kind === 1);
    assert.deepEqual(
      { ...root?.attributes },
      {
        'http.request.method': 'GET',
        'url.scheme': 'http',
        'http.route': '/orders/',
        'http.response.status_code': 200,
        'url.path': '/orders/',
      },
    );
    assert.equal(root?.status.code, 0);
    const query = spans.find(({ name }) => name === 'SELECT dish');
    assert.equal(query?.kind, 2);
    assert.equal(query.attributes['db.operation.name'], 'SELECT');
    assert.equal(query.attributes['db.query.text'], 'select * from dish where name = ?');
    const price = spans.find(
      ({ attributes }) =>
        attributes['server.address'] === 'supplier.test' && attributes['server.port'] === 443,
    );
    assert.equal(price?.kind, 2);
    const missing = spans.find(({ attributes }) => attributes['http.response.status_code'] === 404);
    assert.equal(missing?.attributes['server.port'], 8080);
    assert.equal(missing.attributes['error.type'], '404');
    assert.equal(missing.status.code, 2);
  });

  test('a failure: status, class, no personal data; a malformed traceparent starts a trace of its own', async () => {
    for (const bad of [
      '00-xyz',
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `ff-${traceId}-00f067aa0ba902b7-01`,
      '',
    ]) {
      const [root] = await ask('/broken/', [['traceparent', bad]]);
      assert.equal(root?.status.code, 2);
      assert.equal(root.attributes['error.type'], 'RangeError');
      assert.doesNotMatch(root.status.message ?? '', /ann@/);
      assert.notEqual(root.spanContext().traceId, traceId);
      assert.equal(root.parentSpanContext, undefined);
    }
  });

  test('metrics, with attributes of few values', async () => {
    await call(app, httpScope('/orders/', { method: 'BREW-SOBA' }));
    await meters.forceFlush();
    const seen = metricExporter
      .getMetrics()
      .flatMap((one) => one.scopeMetrics.flatMap((scope) => scope.metrics));
    const of = (name: string): Metric | undefined => seen.find(({ descriptor }) => descriptor.name === name);
    assert.equal(of('http.server.request.duration')?.descriptor.unit, 's');
    const points = of('http.server.request.duration')?.dataPoints ?? [];
    assert.ok(points.every(({ attributes }) => attributes['url.scheme'] === 'http'));
    assert.ok(points.some(({ attributes }) => attributes['http.request.method'] === '_OTHER'));
    assert.ok(points.some(({ attributes }) => attributes['error.type'] === 'RangeError'));
    assert.ok(of('http.server.active_requests')?.dataPoints.every(({ value }) => value === 0));
    assert.equal(
      of('db.client.operation.duration')?.dataPoints[0]?.attributes['db.operation.name'],
      'SELECT',
    );
  });
});
