import type { Application, HttpScope, Receive, Send, SendEvent } from '../asgi/index.ts';
import { createTask } from '../asyncio/index.ts';
import {
  type AnyResponse,
  defaultSettings,
  type GetResponse,
  HttpRequest,
  type Middleware,
  type RequestSettings,
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
  const chain = middleware.reduceRight<GetResponse>((next, make) => make(next), inner);
  return async (scope, receive, send) => {
    if (scope.type !== 'http') return await app(scope, receive, send);
    const request = new HttpRequest(scope, receive, all);
    const response = await chain(request);
    await sendResponse(scope, response, send);
  };
}

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
  const task = createTask(() => app(scope, receive, send), {
    name: `inner ${request.method} ${request.path}`,
  });
  void task.ended.then(() => {
    if (task.state === 'done') {
      if (!started) begun.reject(new TypeError('The application ended without a response'));
      return;
    }
    const { error } = task;
    begun.reject(error);
    writer.abort(error).catch(() => {});
  });
  return await begun.promise;
}
