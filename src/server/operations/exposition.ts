import { buckets, type Gathered, type Snapshot } from './metrics.ts';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

function labelled(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Metrics in the text format of Prometheus, version 0.0.4. */
export function exposition({ counters, workers, ends }: Gathered): string {
  const lines: string[] = [];
  const family = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: readonly Sample[] | number,
  ): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of typeof samples === 'number' ? [[{}, samples] as const] : samples)
      lines.push(`${name}${labelled(labels)} ${value}`);
  };
  const total = (read: (worker: Snapshot) => number): number =>
    workers.reduce((sum, worker) => sum + read(worker), 0);
  const each = (read: (worker: Snapshot) => number): Sample[] =>
    workers.map((worker) => [{ worker: worker.pid }, read(worker)]);

  family(
    'sobaya_requests_total',
    'counter',
    'HTTP requests whose handling has ended. Status 499: the client left before there was one.',
    Object.entries(counters.requests)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, count]) => {
        const [method = '', status = ''] = key.split(' ');
        return [{ method, status }, count];
      }),
  );
  const name = 'sobaya_request_duration_seconds';
  lines.push(`# HELP ${name} Time from the head of a request to the end of its handling.`);
  lines.push(`# TYPE ${name} histogram`);
  let below = 0;
  for (const [index, limit] of [...buckets, '+Inf'].entries()) {
    below += counters.durations[index] ?? 0;
    lines.push(`${name}_bucket${labelled({ le: limit })} ${below}`);
  }
  lines.push(`${name}_sum ${counters.seconds}`, `${name}_count ${below}`);

  family(
    'sobaya_requests_running',
    'gauge',
    'HTTP requests that are being handled.',
    total((w) => w.running),
  );
  family(
    'sobaya_requests_queued',
    'gauge',
    'HTTP requests that wait for a place.',
    total((w) => w.queued),
  );
  family(
    'sobaya_requests_refused_total',
    'counter',
    'HTTP requests answered with 503, as too many were running and waiting.',
    counters.refused,
  );
  family(
    'sobaya_requests_failed_total',
    'counter',
    'HTTP requests whose application failed.',
    counters.failures,
  );
  family('sobaya_request_bytes_total', 'counter', 'Bytes of request bodies.', counters.requestBytes);
  family('sobaya_response_bytes_total', 'counter', 'Bytes of response bodies.', counters.responseBytes);
  family('sobaya_connections_total', 'counter', 'Connections accepted.', counters.connections);
  family(
    'sobaya_connections_open',
    'gauge',
    'Connections that are open.',
    total((w) => w.connectionsOpen),
  );
  family('sobaya_websockets_total', 'counter', 'WebSockets begun.', counters.webSockets);
  family(
    'sobaya_websockets_open',
    'gauge',
    'WebSockets that are open.',
    total((w) => w.webSocketsOpen),
  );
  family('sobaya_workers', 'gauge', 'Processes that serve.', workers.length);
  if (ends !== null)
    family(
      'sobaya_worker_ends_total',
      'counter',
      'Workers that have ended, by the reason.',
      Object.entries(ends).map(([reason, count]) => [{ reason }, count]),
    );
  family(
    'sobaya_worker_cpu_seconds_total',
    'counter',
    'Processor time of each worker.',
    each((w) => w.cpuSeconds),
  );
  family(
    'sobaya_worker_resident_memory_bytes',
    'gauge',
    'Resident memory of each worker.',
    each((w) => w.residentBytes),
  );
  family(
    'sobaya_worker_loop_utilization_ratio',
    'gauge',
    'Part of its life that the event loop of each worker was busy.',
    each((w) => w.loopUtilization),
  );
  return `${lines.join('\n')}\n`;
}
