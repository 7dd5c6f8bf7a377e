import type { Application, Send } from '../../asgi/index.ts';
import type { ServerOptions } from '../options.ts';
import type { Services } from '../services.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function answer(
  send: Send,
  status: number,
  text: string,
  headers: [string, string][] = [],
): Promise<void> {
  await send({
    type: 'http.response.start',
    status,
    headers: [['content-type', 'text/plain; charset=utf-8'], ['cache-control', 'no-store'], ...headers],
  });
  await send({ type: 'http.response.body', body: bytes(text) });
}

/** The application with what the options ask for around it: health, metrics, a limit on running requests. */
export function withOperations(
  app: Application,
  options: ServerOptions,
  services: () => Services,
): Application {
  const { limitConcurrency, limitConcurrencyQueue, healthPath, metricsPath } = options;
  let inner = app;
  if (limitConcurrency > 0) inner = limited(inner, limitConcurrency, limitConcurrencyQueue);
  const metrics = metricsPath === null ? null : new Metrics();
  if (metrics !== null) inner = metrics.measured(inner);
  if (healthPath === null && metrics === null) return inner;
  return async (scope, receive, send) => {
    if (scope.type !== 'http') return await inner(scope, receive, send);
    if (scope.path === healthPath) {
      const stopping = services().stopping;
      return await answer(send, stopping ? 503 : 200, stopping ? 'stopping\n' : 'ok\n');
    }
    if (metrics !== null && scope.path === metricsPath)
      return await answer(send, 200, metrics.text(services()));
    await inner(scope, receive, send);
  };
}

/** At most `limit` requests run, `queue` more wait in order; who comes then is told to come back. */
function limited(app: Application, limit: number, queue: number): Application {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (scope, receive, send) => {
    if (scope.type !== 'http') return await app(scope, receive, send);
    if (running >= limit) {
      if (waiting.length >= queue)
        return await answer(send, 503, 'The server is busy\n', [['retry-after', '1']]);
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      await app(scope, receive, send);
    } finally {
      // The place goes to the next in line, or is free.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Counters in the text format of Prometheus. Each process has its own: `pid` tells them apart. */
class Metrics {
  readonly #answers = new Map<number, number>();
  readonly #durations = new Array<number>(buckets.length + 1).fill(0);
  #seconds = 0;
  #running = 0;

  measured(app: Application): Application {
    return async (scope, receive, send) => {
      if (scope.type !== 'http') return await app(scope, receive, send);
      const started = performance.now();
      let status = 500;
      this.#running++;
      try {
        await app(scope, receive, (event) => {
          if (event.type === 'http.response.start') status = event.status;
          return send(event);
        });
      } finally {
        this.#running--;
        this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1);
        const seconds = (performance.now() - started) / 1000;
        this.#seconds += seconds;
        const bucket = buckets.findIndex((limit) => seconds <= limit);
        const index = bucket === -1 ? buckets.length : bucket;
        this.#durations[index] = (this.#durations[index] ?? 0) + 1;
      }
    };
  }

  text(services: Services): string {
    const pid = `pid="${process.pid}"`;
    const lines = [
      '# HELP sobaya_requests_total Requests answered, by status.',
      '# TYPE sobaya_requests_total counter',
      ...[...this.#answers].map(
        ([status, count]) => `sobaya_requests_total{${pid},status="${status}"} ${count}`,
      ),
      '# HELP sobaya_requests_running Requests that run now.',
      '# TYPE sobaya_requests_running gauge',
      `sobaya_requests_running{${pid}} ${this.#running}`,
      '# HELP sobaya_connections_total Connections accepted.',
      '# TYPE sobaya_connections_total counter',
      `sobaya_connections_total{${pid}} ${services.connections}`,
      '# HELP sobaya_resident_memory_bytes Resident memory.',
      '# TYPE sobaya_resident_memory_bytes gauge',
      `sobaya_resident_memory_bytes{${pid}} ${process.memoryUsage.rss()}`,
      '# HELP sobaya_request_duration_seconds Time from the start of a request to the end of its call.',
      '# TYPE sobaya_request_duration_seconds histogram',
    ];
    let total = 0;
    for (const [index, limit] of [...buckets, '+Inf'].entries()) {
      total += this.#durations[index] ?? 0;
      lines.push(`sobaya_request_duration_seconds_bucket{${pid},le="${limit}"} ${total}`);
    }
    lines.push(`sobaya_request_duration_seconds_sum{${pid}} ${this.#seconds}`);
    lines.push(`sobaya_request_duration_seconds_count{${pid}} ${total}`);
    return `${lines.join('\n')}\n`;
  }
}
