import type { Application, HttpScope, Send } from '../../asgi/index.ts';
import type { ServerOptions } from '../options.ts';
import { TrustedAddresses } from '../proxies/trusted-addresses.ts';
import type { Services } from '../services.ts';
import { answer } from './answer.ts';
import { exposition } from './exposition.ts';

interface Endpoint {
  readonly answer: (services: Services, send: Send) => Promise<void>;
  /** Whom it is for; null for everybody. */
  readonly allowed: TrustedAddresses | null;
}

/** The paths that the server answers itself, where the options name some. */
export function endpointsOf(options: ServerOptions): ReadonlyMap<string, Endpoint> {
  const { healthPath, livePath, metricsPath, metricsAllowIps } = options;
  const endpoints = new Map<string, Endpoint>();
  if (livePath !== null)
    endpoints.set(livePath, { answer: (_services, send) => answer(send, 200, 'alive\n'), allowed: null });
  if (healthPath !== null)
    endpoints.set(healthPath, {
      answer: ({ stopping, leaving }, send) =>
        stopping || leaving ? answer(send, 503, 'stopping\n') : answer(send, 200, 'ok\n'),
      allowed: null,
    });
  if (metricsPath !== null)
    endpoints.set(metricsPath, {
      answer: async (services, send) =>
        answer(send, 200, exposition(await services.gatherMetrics()), [
          ['content-type', 'text/plain; version=0.0.4; charset=utf-8'],
        ]),
      allowed: new TrustedAddresses('metricsAllowIps', metricsAllowIps),
    });
  return endpoints;
}

export function withEndpoints(
  app: Application,
  endpoints: ReadonlyMap<string, Endpoint>,
  services: () => Services,
): Application {
  return async (scope, receive, send) => {
    const endpoint = scope.type === 'http' ? endpoints.get(scope.path) : undefined;
    if (endpoint === undefined) return await app(scope, receive, send);
    const { method, client } = scope as HttpScope;
    if (client && endpoint.allowed?.has(client[0]) === false) return await app(scope, receive, send);
    if (method !== 'GET' && method !== 'HEAD')
      return await answer(send, 405, 'GET or HEAD\n', [['allow', 'GET, HEAD']]);
    await endpoint.answer(services(), send);
  };
}
