import type { Application, HttpScope, Send } from '../../asgi/index.ts';
import type { ServerOptions } from '../options.ts';
import type { Services } from '../services.ts';
import { answer } from './answer.ts';
import { exposition } from './exposition.ts';

type Endpoint = (services: Services, send: Send) => Promise<void>;

/** The paths that the server answers itself, where the options name some. */
export function endpointsOf(options: ServerOptions): ReadonlyMap<string, Endpoint> {
  const { healthPath, livePath, metricsPath } = options;
  const endpoints = new Map<string, Endpoint>();
  if (livePath !== null) endpoints.set(livePath, (_services, send) => answer(send, 200, 'alive\n'));
  if (healthPath !== null)
    endpoints.set(healthPath, ({ stopping, leaving }, send) =>
      stopping || leaving ? answer(send, 503, 'stopping\n') : answer(send, 200, 'ok\n'),
    );
  if (metricsPath !== null)
    endpoints.set(metricsPath, async (services, send) =>
      answer(send, 200, exposition(await services.gatherMetrics()), [
        ['content-type', 'text/plain; version=0.0.4; charset=utf-8'],
      ]),
    );
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
    const { method } = scope as HttpScope;
    if (method !== 'GET' && method !== 'HEAD')
      return await answer(send, 405, 'GET or HEAD\n', [['allow', 'GET, HEAD']]);
    await endpoint(services(), send);
  };
}
