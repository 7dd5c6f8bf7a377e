import type { Exchange } from '../exchange.ts';
import type { Places } from './concurrency.ts';

/** Upper ends of the buckets of request durations, in seconds. */
export const buckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY']);

/** What only grows. */
export interface Counters {
  /** `GET 200` and how many. */
  readonly requests: Readonly<Record<string, number>>;
  /** Durations that fell into each bucket alone, the last beyond all. */
  readonly durations: readonly number[];
  readonly seconds: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly failures: number;
  readonly refused: number;
  readonly connections: number;
  readonly webSockets: number;
}

/** What one process says of itself; plain JSON. */
export interface Snapshot extends Counters {
  readonly running: number;
  readonly queued: number;
  readonly connectionsOpen: number;
  readonly webSocketsOpen: number;
  readonly pid: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Part of the time that the event loop was busy since the process began. */
  readonly loopUtilization: number;
}

/** What is shown: the counters of all workers, those that have ended included, and the workers that serve now. */
export interface Gathered {
  readonly counters: Counters;
  readonly workers: readonly Snapshot[];
  /** How workers ended, and how many; null in a process without a supervisor. */
  readonly ends: Readonly<Record<string, number>> | null;
}

export const noCounters: Counters = {
  requests: {},
  durations: new Array<number>(buckets.length + 1).fill(0),
  seconds: 0,
  requestBytes: 0,
  responseBytes: 0,
  failures: 0,
  refused: 0,
  connections: 0,
  webSockets: 0,
};

export function sumCounters(all: readonly Counters[]): Counters {
  const requests: Record<string, number> = {};
  const durations = [...noCounters.durations];
  const sum = (read: (counters: Counters) => number): number =>
    all.reduce((total, counters) => total + read(counters), 0);
  for (const counters of all) {
    for (const [key, count] of Object.entries(counters.requests))
      requests[key] = (requests[key] ?? 0) + count;
    for (const [index, count] of counters.durations.entries())
      durations[index] = (durations[index] ?? 0) + count;
  }
  return {
    requests,
    durations,
    seconds: sum((counters) => counters.seconds),
    requestBytes: sum((counters) => counters.requestBytes),
    responseBytes: sum((counters) => counters.responseBytes),
    failures: sum((counters) => counters.failures),
    refused: sum((counters) => counters.refused),
    connections: sum((counters) => counters.connections),
    webSockets: sum((counters) => counters.webSockets),
  };
}

/** Counts in one process. */
export class Metrics {
  readonly places: Places = { queued: 0, refused: 0 };
  readonly #requests = new Map<string, number>();
  readonly #durations = [...noCounters.durations];
  #seconds = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #failures = 0;
  #running = 0;
  #webSockets = 0;
  webSocketsOpen = 0;

  began(): void {
    this.#running++;
  }

  ended(exchange: Exchange): void {
    this.#running--;
    const { method } = exchange.scope;
    // 499, as nginx counts it: the client left before there was a status. Methods are anybody's invention.
    const key = `${methods.has(method) ? method : 'other'} ${exchange.status || 499}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    const seconds = Math.max(0, performance.now() - exchange.startedAt) / 1000;
    const bucket = buckets.findIndex((limit) => seconds <= limit);
    this.#durations[bucket === -1 ? buckets.length : bucket]!++;
    this.#seconds += seconds;
    this.#requestBytes += exchange.bytesIn;
    this.#responseBytes += exchange.sentLength;
    if (exchange.task?.state === 'failed' && !exchange.disconnected) this.#failures++;
  }

  webSocket(): void {
    this.#webSockets++;
    this.webSocketsOpen++;
  }

  snapshot(connections: number, connectionsOpen: number): Snapshot {
    const { user, system } = process.cpuUsage();
    return {
      requests: Object.fromEntries(this.#requests),
      durations: [...this.#durations],
      seconds: this.#seconds,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      failures: this.#failures,
      refused: this.places.refused,
      connections,
      webSockets: this.#webSockets,
      running: this.#running,
      queued: this.places.queued,
      connectionsOpen,
      webSocketsOpen: this.webSocketsOpen,
      pid: process.pid,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      loopUtilization: performance.eventLoopUtilization().utilization,
    };
  }
}
