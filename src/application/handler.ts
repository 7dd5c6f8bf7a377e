import type { HttpScope, Receive, Send } from '../asgi/index.ts';
import { tracePromise } from '../asyncio/index.ts';
import { Http404 } from '../errors/index.ts';
import {
  type AnyResponse,
  type GetResponse,
  HttpRequest,
  HttpResponseRedirect,
  type Middleware,
  type RequestMessage,
  type RequestSettings,
  type RouteMatch,
  requestChannel,
  sendResponse,
  type ViewMessage,
  viewChannel,
} from '../http/index.ts';
import type { Match, Resolver } from '../urls/index.ts';
import { composeChain, isThenable } from './chain.ts';
import { type ErrorResponder, failure, respondTo } from './error-responses.ts';
import { Watch } from './watch.ts';

export type Handler = (scope: HttpScope, receive: Receive, send: Send) => Promise<void>;

export interface HandlerParts {
  readonly resolver: Resolver;
  readonly middleware: readonly Middleware[];
  readonly settings: RequestSettings;
  readonly errors: ErrorResponder;
  readonly trailingSlash: 'append' | 'strip' | 'exact';
}

/** The path inside the application: without the prefix it is mounted under. */
export function pathInfo(scope: { readonly path: string; readonly rootPath: string }): string {
  const { path, rootPath } = scope;
  if (rootPath === '' || !path.startsWith(rootPath)) return path;
  const rest = path.slice(rootPath.length);
  return rest === '' ? '/' : rest.startsWith('/') ? rest : path;
}

/** Finds the route, before any middleware runs: they may ask which view it will be. */
function route(request: HttpRequest, resolver: Resolver): void {
  const match = resolver.resolve(pathInfo(request.scope));
  if (match === null) return;
  request.match = matchOf(match);
  if (traces.size !== 0) noteRoute(request, match);
}

/** Calls the view. */
function dispatcher({ resolver, trailingSlash }: HandlerParts): (request: HttpRequest) => unknown {
  return (request) => {
    const { match } = request;
    if (match === null) return withOtherSlash(request, pathInfo(request.scope), resolver, trailingSlash);
    const view = match.view as (request: HttpRequest, params: unknown) => unknown;
    if (viewChannel.start.hasSubscribers) return tracedView(request, match, view);
    return view(request, match.params);
  };
}

function matchOf({ leaf, params }: Match): NonNullable<HttpRequest['match']> {
  return {
    route: leaf.route,
    name: leaf.name,
    namespaces: leaf.namespaces,
    viewName: leaf.viewName,
    params,
    view: leaf.view,
  };
}

/** Messages of the requests under way while somebody listens; empty, and free, when nobody does. */
const traces = new Map<HttpRequest, RequestMessage>();

function noteRoute(request: HttpRequest, { leaf }: Match): void {
  const message = traces.get(request);
  if (message === undefined) return;
  message.route = leaf.route;
  message.view = leaf.viewName;
  if (leaf.name !== null) message.routeName = [...leaf.namespaces, leaf.name].join(':');
}

const AsyncFunction = (async () => {}).constructor;

function tracedView(
  request: HttpRequest,
  { viewName, route, params }: RouteMatch,
  view: (request: HttpRequest, params: unknown) => unknown,
): unknown {
  const message: ViewMessage = {
    name: viewName,
    route,
    sync: !(view instanceof AsyncFunction),
  };
  return tracePromise(viewChannel, async () => await view(request, params), message);
}

/** The trailing-slash policy; the answer to a path without route. */
function withOtherSlash(
  request: HttpRequest,
  path: string,
  resolver: Resolver,
  policy: HandlerParts['trailingSlash'],
): AnyResponse {
  const other =
    policy === 'append' && !path.endsWith('/')
      ? `${path}/`
      : policy === 'strip' && path.length > 1 && path.endsWith('/')
        ? path.slice(0, -1)
        : null;
  if (other !== null && resolver.resolve(other) !== null) {
    const { rawPath, queryString } = request.scope;
    const raw = policy === 'append' ? `${rawPath}/` : rawPath.slice(0, -1);
    // "//host/" would lead to another site.
    const target = raw.replace(/^\/{2,}/, '/%2F') + (queryString === '' ? '' : `?${queryString}`);
    // 308 keeps method and body, so that a form is not lost.
    const status = request.method === 'GET' || request.method === 'HEAD' ? 301 : 308;
    return new HttpResponseRedirect(target, { status });
  }
  throw new Http404();
}

/** The whole way of a request: composed once, called for each. */
export function createHandler(parts: HandlerParts): Handler {
  const { settings, errors, resolver } = parts;
  const viewName = (request: HttpRequest): string => `The view ${request.match?.viewName ?? '(unknown)'}`;
  const chain = composeChain(parts.middleware, dispatcher(parts), viewName, (request, error) =>
    respondTo(errors, request, error),
  );
  const call: GetResponse = (request) => {
    try {
      route(request, resolver);
    } catch (error) {
      // A converter failed.
      return respondTo(errors, request, error);
    }
    return chain(request);
  };
  return (scope, receive, send) => {
    const request = new HttpRequest(scope, receive, settings);
    if (requestChannel.start.hasSubscribers) return traced(request, call, send);
    const response = call(request);
    if (isThenable(response)) return finishLater(request, response, send);
    return finish(request, response, send);
  };
}

async function finishLater(request: HttpRequest, promise: Promise<AnyResponse>, send: Send): Promise<void> {
  const watch = new Watch(request);
  try {
    const response = await promise;
    if (request.scope.extensions?.['http.response.debug'] !== undefined)
      await sendDebug(request, response, send);
    await sendResponse(request.scope, response, send, () => watch.end());
  } finally {
    watch.end();
    const held = request.holds;
    const closing = request.close();
    if (held) await closing;
  }
}

function finish(request: HttpRequest, response: AnyResponse, send: Send): Promise<void> {
  if (response.streaming || request.holds || request.scope.extensions?.['http.response.debug'] !== undefined)
    return finishLater(request, Promise.resolve(response), send);
  return sendResponse(request.scope, response, send);
}

/** What the test client shows beside the bytes: ASGI's extension `http.response.debug`. */
async function sendDebug(request: HttpRequest, response: AnyResponse, send: Send): Promise<void> {
  await send({ type: 'http.response.debug', info: { request, response, error: failure.get(request) } });
}

async function traced(request: HttpRequest, call: GetResponse, send: Send): Promise<void> {
  const message: RequestMessage = { request, method: request.method, path: request.path };
  traces.set(request, message);
  try {
    await tracePromise(
      requestChannel,
      async () => {
        const watch = new Watch(request);
        try {
          const response = await call(request);
          message.status = response.status;
          if (request.scope.extensions?.['http.response.debug'] !== undefined)
            await sendDebug(request, response, send);
          await sendResponse(request.scope, response, send, () => watch.end());
        } finally {
          watch.end();
          if (request.holds) await request.close();
        }
      },
      message,
    );
  } finally {
    traces.delete(request);
  }
}
