import type { Application, State } from '../asgi/index.ts';
import { Context, Scope } from '../asyncio/index.ts';
import type { Exchange } from './exchange.ts';
import { HttpDate } from './http-date.ts';
import type { ServerLog } from './log.ts';
import { accessLine } from './operations/access-log.ts';
import { withOperations } from './operations/operations.ts';
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
}

export function createServices(
  app: Application,
  options: ServerOptions,
  log: ServerLog,
  state: State,
  parent: Scope,
): Services {
  const services: Services = {
    app: withOperations(app, options, () => services),
    options,
    log,
    date: new HttpDate(),
    context: new Context(new Scope(parent), null, contextVarsOf(app), null, -1),
    state,
    address: null,
    now: performance.now(),
    stopping: false,
    draining: false,
    proxies:
      options.forwardedAllowIps === ''
        ? null
        : new TrustedProxies(options.forwardedAllowIps, options.forwardedHeader, options.forwardedParts),
    connections: 0,
    requests: 0,
    onRequest: null,
    onResponse: null,
    onEnd: null,
  };
  if (options.accessLog !== null) {
    const line = accessLine(options.accessLog);
    services.onRequest = (exchange) => {
      exchange.startedAt = performance.now();
    };
    services.onResponse = (exchange) => void process.stdout.write(`${line(exchange)}\n`);
  }
  return services;
}

/** What an application wants ambient in each of its requests: entered once, with the request's task. */
function contextVarsOf(app: Application): Context['vars'] {
  return (app as { contextVars?: Context['vars'] }).contextVars ?? null;
}
