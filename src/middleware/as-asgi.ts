import type { Application, HttpScope, Receive, Send, SendEvent } from '../asgi/index.ts';
import { STATUS_CODES } from '../asgi/status/index.ts';
import { type Context, createTask, currentContext, runInContext, until } from '../asyncio/index.ts';
import { isSobayaError } from '../errors/index.ts';
import {
  type AnyResponse,
  defaultSettings,
  type GetResponse,
  HttpRequest,
  HttpResponse,
  type Middleware,
  type RequestSettings,
  RequestVar,
  StreamingHttpResponse,
  sendResponse,
} from '../http/index.ts';

/**
 * Middleware around any ASGI application, outermost first: `asAsgi(app, [compression(), securityHeaders()])`.
 * Other connections than http pass through.
 */
export function asAsgi(
  app: Application,
  middleware: readonly Middleware[],
  settings: Partial<RequestSettings> = {},
): Application {
  const all: RequestSettings = { ...defaultSettings, ...settings };
  const inner: GetResponse = (request) => respond(app, request);
  const chain = middleware.reduceRight<GetResponse>((next, make) => refusing(make(next)), inner);
  return async (scope, receive, send) => {
    if (scope.type !== 'http') return await app(scope, receive, send);
    const request = new HttpRequest(scope, receive, all);
    contexts.set(request, currentContext());
    try {
      const response = await chain(request);
      await sendResponse(scope, response, send);
    } finally {
      await request.close();
    }
  };
}

/** What a middleware refuses is its answer, with the status of the error, and seen as one by those further out. */
function refusing(layer: GetResponse): GetResponse {
  return async (request) => {
    try {
      return await layer(request);
    } catch (error) {
      const status = isSobayaError(error) ? (error as { status?: unknown }).status : undefined;
      if (typeof status !== 'number' || status < 400 || status > 499) throw error;
      return new HttpResponse(`${STATUS_CODES[status] ?? 'Error'}\n`, {
        status,
        contentType: 'text/plain; charset=utf-8',
      });
    }
  };
}

/** Where the request began: the application goes on there, also when a middleware's own scope has ended. */
const contexts: RequestVar<Context> = new RequestVar<Context>('context of asAsgi');

/** Runs an application and gives its response as soon as it has begun; the body follows as a stream. */
async function respond(app: Application, request: HttpRequest): Promise<AnyResponse> {
  const scope: HttpScope = request.scope;
  const begun = Promise.withResolvers<AnyResponse>();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  let started = false;
  const send: Send = async (event: SendEvent) => {
    if (event.type === 'http.response.start') {
      started = true;
      const response = new StreamingHttpResponse(
        readable as unknown as AsyncIterable<Uint8Array>,
        { status: event.status },
        null,
      );
      for (const [name, value] of event.headers ?? []) response.headers.append(name, value);
      begun.resolve(response);
    } else if (event.type === 'http.response.body') {
      if (event.body !== undefined && event.body.length > 0) await writer.write(event.body);
      if (!event.moreBody) await writer.close();
    }
  };
  const incoming = request.incoming;
  const left = Promise.withResolvers<void>();
  let ended = false;
  const receive: Receive = async () => {
    if (ended) {
      incoming.watch(() => left.resolve());
      await left.promise;
      return { type: 'http.disconnect' };
    }
    const chunk = await incoming.next();
    if (chunk === undefined) return { type: 'http.disconnect' };
    if (chunk !== null) return { type: 'http.request', body: chunk, moreBody: true };
    ended = true;
    return { type: 'http.request', body: new Uint8Array(), moreBody: false };
  };
  const task = runInContext(contexts.get(request)!, () =>
    createTask(() => app(scope, receive, send), { name: `inner ${request.method} ${request.path}` }),
  );
  void task.ended.then(() => {
    if (task.state === 'done') {
      if (!started) begun.reject(new TypeError('The application ended without a response'));
      return;
    }
    const { error } = task;
    begun.reject(error);
    writer.abort(error).catch(() => {});
  });
  try {
    return await until(begun.promise, 'the application to begin its response');
  } catch (error) {
    task.cancel();
    throw error;
  }
}
