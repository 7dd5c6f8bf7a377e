import { fault } from '../errors/index.ts';
import {
  type AnyResponse,
  type HttpRequest,
  HttpResponseNoContent,
  type Middleware,
  splitList,
} from '../http/index.ts';
import { processing, stateless } from './protocol.ts';

export interface CorsOptions {
  /** Origins that may read: `https://app.example`, an expression, a function, or `*` for all (never with credentials). */
  readonly origins: '*' | readonly (string | RegExp)[] | ((origin: string, request: HttpRequest) => boolean);
  /** Default GET, HEAD, POST, PUT, PATCH, DELETE. */
  readonly methods?: readonly string[];
  /** Request headers that scripts may set. Default accept, authorization, content-type, x-csrftoken, x-requested-with. */
  readonly headers?: readonly string[];
  /** Response headers that scripts may read. */
  readonly exposeHeaders?: readonly string[];
  /** Send cookies. Default false. */
  readonly credentials?: boolean;
  /** How long browsers keep the answer to a preflight, seconds. Default 600. */
  readonly maxAge?: number;
  /** Only paths that match. Default all. */
  readonly paths?: RegExp;
}

/** Lets scripts of other origins read responses (Fetch, CORS protocol). An origin that is not allowed gets nothing. */
export function cors(options: CorsOptions): Middleware {
  const {
    origins,
    methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposeHeaders = [],
    credentials = false,
    maxAge = 600,
  } = options;
  const paths = options.paths && stateless(options.paths);
  const headers = (
    options.headers ?? ['accept', 'authorization', 'content-type', 'x-csrftoken', 'x-requested-with']
  ).map((name) => name.toLowerCase());
  if (origins === '*' && credentials)
    throw fault('SBY_MIDDLEWARE_BAD_OPTION', {
      middleware: 'cors',
      option: 'credentials',
      why: 'with origins "*" every site could read with the cookies of your users',
    });
  const list = Array.isArray(origins) ? (origins as readonly (string | RegExp)[]) : [];
  const exact = new Set(list.filter((one) => typeof one === 'string'));
  // Whole origins, each for itself: flags that keep state or read several lines would let others in.
  const expressions = list
    .filter((one) => typeof one !== 'string')
    .map((one) => new RegExp(`^(?:${one.source})$`, one.flags.replace(/[gmy]/g, '')));
  const allowed = (origin: string, request: HttpRequest): boolean => {
    if (origins === '*') return true;
    if (typeof origins === 'function') return origins(origin, request);
    return exact.has(origin) || expressions.some((one) => one.test(origin));
  };
  const addOrigin = (response: AnyResponse, origin: string): void => {
    response.headers.set('access-control-allow-origin', origins === '*' ? '*' : origin);
    if (credentials) response.headers.set('access-control-allow-credentials', 'true');
  };
  return processing('cors', {
    processRequest(request) {
      if (request.method !== 'OPTIONS') return;
      if (paths !== undefined && !paths.test(request.path)) return;
      const origin = request.header('origin');
      const wanted = request.header('access-control-request-method');
      if (wanted === null || origin === null) return;
      const response = new HttpResponseNoContent();
      response.headers.addToList(
        'vary',
        'Origin',
        'Access-Control-Request-Method',
        'Access-Control-Request-Headers',
      );
      if (!allowed(origin, request)) return response;
      const asked = splitList(request.header('access-control-request-headers') ?? '').map((name) =>
        name.toLowerCase(),
      );
      addOrigin(response, origin);
      if (methods.includes(wanted)) response.headers.set('access-control-allow-methods', methods.join(', '));
      if (asked.every((name) => headers.includes(name)))
        response.headers.set('access-control-allow-headers', headers.join(', '));
      response.headers.set('access-control-max-age', maxAge);
      return response;
    },
    processResponse(request, response) {
      if (paths !== undefined && !paths.test(request.path)) return response;
      // The response differs by origin, whoever asked: a cache must not give one's to another.
      if (origins !== '*') response.headers.addToList('vary', 'Origin');
      const origin = request.header('origin');
      if (origin === null || !allowed(origin, request)) return response;
      addOrigin(response, origin);
      if (exposeHeaders.length > 0)
        response.headers.set('access-control-expose-headers', exposeHeaders.join(', '));
      return response;
    },
  });
}
