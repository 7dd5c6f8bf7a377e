import type { Application, State } from '../asgi/index.ts';
import { Context, Scope } from '../asyncio/index.ts';
import type { Exchange } from './exchange.ts';
import { HttpDate } from './http-date.ts';
import type { ServerLog } from './log.ts';
import { accessLine, writeAccessLine } from './operations/access-log.ts';
import { limited } from './operations/concurrency.ts';
import { endpointsOf, withEndpoints } from './operations/endpoints.ts';
import { type Gathered, Metrics } from './operations/metrics.ts';
import { observed } from './operations/websockets.ts';
import type { ServerOptions } from './options.ts';
import { TrustedProxies } from './proxies/forwarded.ts';

/** What connections share: one object per server. */
export interface Services {
  readonly app: Application;
  readonly options: ServerOptions;
  readonly log: ServerLog;
  readonly date: HttpDate;
  /** The context in which requests begin; its scope is the parent of theirs. */
  readonly context: Context;
  /** What lifespan start-up left. */
  state: State;
  /** Where the server listens. */
  address: readonly [host: string, port: number | null] | null;
  /** Coarse time in milliseconds, advanced by the server's clock. */
  now: number;
  /** The server will stop soon: it is no longer healthy, and accepts as before. */
  leaving: boolean;
  /** True once the server stops: responses close their connections. */
  stopping: boolean;
  /** While stopping: another process takes over, so connections may end with their next request. */
  draining: boolean;
  /** Whom to believe about the client; null for nobody. */
  readonly proxies: TrustedProxies | null;
  /** Connections accepted so far. */
  connections: number;
  /** Requests begun so far. */
  requests: number;
  /** Hooks for logs and metrics; null costs nothing. */
  onRequest: ((exchange: Exchange) => void) | null;
  onResponse: ((exchange: Exchange) => void) | null;
  onEnd: ((exchange: Exchange) => void) | null;
  /** Null when nobody asks for metrics. */
  readonly metrics: Metrics | null;
  /** All that a scrape shows: of this process, or of all workers. */
  gatherMetrics: () => Promise<Gathered>;
}

export function createServices(
  app: Application,
  options: ServerOptions,
  log: ServerLog,
  state: State,
  parent: Scope,
): Services {
  const { forwardedAllowIps, forwardedHeader, forwardedParts, metricsPath } = options;
  const metrics = metricsPath === null ? null : new Metrics();
  const endpoints = endpointsOf(options);
  const services: Services = {
    app,
    options,
    log,
    date: new HttpDate(),
    context: new Context(new Scope(parent), null, contextVarsOf(app), null, -1),
    state,
    address: null,
    now: performance.now(),
    leaving: false,
    stopping: false,
    draining: false,
    proxies:
      forwardedAllowIps === ''
        ? null
        : new TrustedProxies(forwardedAllowIps, forwardedHeader, forwardedParts),
    connections: 0,
    requests: 0,
    onRequest: null,
    onResponse: null,
    onEnd: null,
    metrics,
    gatherMetrics: async () => {
      const snapshot = (metrics ?? new Metrics()).snapshot(services.connections, 0);
      return { counters: snapshot, workers: [snapshot], ends: null };
    },
  };
  observe(services, new Set(endpoints.keys()));
  let inner = services.app;
  if (options.limitConcurrency > 0)
    inner = limited(
      inner,
      options.limitConcurrency,
      options.limitConcurrencyQueue,
      metrics?.places ?? { queued: 0, refused: 0 },
    );
  if (endpoints.size > 0) inner = withEndpoints(inner, endpoints, () => services);
  return Object.assign(services, { app: inner });
}

/** Hangs access log and metrics into the hooks. What asks for the server's own paths is in neither. */
function observe(services: Services, ownPaths: ReadonlySet<string>): void {
  const { options, metrics } = services;
  const line = options.accessLog === null ? null : accessLine(options.accessLog);
  if (line === null && metrics === null) return;
  const counts = (exchange: Exchange): boolean => !ownPaths.has(exchange.scope.path);
  services.onRequest = (exchange) => {
    exchange.startedAt = performance.now();
    if (metrics !== null && counts(exchange)) metrics.began();
  };
  const logged = new WeakSet<Exchange>();
  if (line !== null)
    services.onResponse = (exchange) => {
      logged.add(exchange);
      if (counts(exchange)) writeAccessLine(line(exchange));
    };
  services.onEnd = (exchange) => {
    if (!counts(exchange)) return;
    metrics?.ended(exchange);
    // Broken off, by the client or by the application.
    if (line !== null && !logged.has(exchange)) writeAccessLine(line(exchange));
  };
  const app = observed(services.app, {
    began: () => metrics?.webSocket(),
    ended: (entry) => {
      if (metrics !== null) metrics.webSocketsOpen--;
      if (line !== null) writeAccessLine(line(entry));
    },
  });
  Object.assign(services, { app });
}

/** What an application wants ambient in each of its requests: entered once, with the request's task. */
function contextVarsOf(app: Application): Context['vars'] {
  return (app as { contextVars?: Context['vars'] }).contextVars ?? null;
}
