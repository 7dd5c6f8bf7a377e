import { fault } from '../errors/index.ts';
import { decodePath, pairsOf, urlOf } from './text.ts';
import type { Application, HttpScope, Receive, ReceiveEvent, Send, SendEvent, State } from './types.ts';

/** A handler of the fetch standard: what Hono, Bun, Deno and the edge call an application. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/**
 * Makes an ASGI application of a fetch handler: `fromFetch(hono.fetch)`. Bodies stream both ways; the request's
 * `signal` aborts when the client leaves. Lifespan is accepted and does nothing.
 */
export function fromFetch(handler: FetchHandler): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') return await idleLifespan(receive, send);
    if (scope.type !== 'http')
      throw fault('SBY_ASGI_UNKNOWN_SCOPE', { type: scope.type, application: 'A fetch handler' });
    const left = new AbortController();
    const ends: Ends = { complete: false };
    let request: Request;
    try {
      request = requestOf(scope, receive, left, ends);
    } catch (error) {
      // A method that fetch knows and forbids, or a Host that is none for a URL: legal in HTTP, and impossible here.
      const status = /^(?:CONNECT|TRACE|TRACK)$/i.test(scope.method) ? 501 : 400;
      if (!(error instanceof TypeError)) throw error;
      await send({ type: 'http.response.start', status, headers: [['content-type', 'text/plain']] });
      await send({ type: 'http.response.body', body: new TextEncoder().encode(`${status}\n`) });
      return;
    }
    const response = await handler(request);
    await sendResponse(response, scope, send, left.signal, ends);
  };
}

/** Whether the response is complete: then the last event is no sign that the client left. */
interface Ends {
  complete: boolean;
}

export async function idleLifespan(receive: Receive, send: Send): Promise<void> {
  for (;;) {
    const event = await receive();
    if (event.type === 'lifespan.startup') await send({ type: 'lifespan.startup.complete' });
    else if (event.type === 'lifespan.shutdown') {
      await send({ type: 'lifespan.shutdown.complete' });
      return;
    }
  }
}

function requestOf(scope: HttpScope, receive: Receive, left: AbortController, ends: Ends): Request {
  const bodiless = scope.method === 'GET' || scope.method === 'HEAD';
  const watch = (): void => {
    // After the body, the next event is that the client leaves (or that the response is complete).
    receive().then(
      (event) => {
        if (event.type !== 'http.disconnect') watch();
        else if (!ends.complete) left.abort();
      },
      () => left.abort(),
    );
  };
  const body = bodiless
    ? null
    : new ReadableStream<Uint8Array>({
        async pull(controller): Promise<void> {
          let event = await receive();
          while (event.type === 'http.request' && event.moreBody && event.body.length === 0)
            event = await receive();
          if (event.type !== 'http.request') {
            left.abort();
            controller.error(new DOMException('The client left before the body was complete', 'AbortError'));
            return;
          }
          if (event.body.length > 0) controller.enqueue(new Uint8Array(event.body));
          if (event.moreBody) return;
          controller.close();
          watch();
        },
      });
  const request = new Request(urlOf(scope), {
    method: scope.method,
    headers: scope.headers as [string, string][],
    body,
    signal: left.signal,
    ...(body === null ? {} : { duplex: 'half' }),
  } as RequestInit);
  if (bodiless) watch();
  return request;
}

async function sendResponse(
  response: Response,
  scope: HttpScope,
  send: Send,
  left: AbortSignal,
  ends: Ends,
): Promise<void> {
  await send({ type: 'http.response.start', status: response.status, headers: pairsOf(response.headers) });
  if (response.body === null || scope.method === 'HEAD') {
    await response.body?.cancel();
    ends.complete = true;
    await send({ type: 'http.response.body' });
    return;
  }
  const reader = response.body.getReader();
  // A stream that has nothing to say would otherwise be waited for long after the client is gone.
  left.addEventListener('abort', () => void reader.cancel(left.reason).catch(() => {}), { once: true });
  try {
    // A body that is there at once goes out in one piece, with its length; what streams is sent as it comes.
    let piece = await reader.read();
    while (!piece.done) {
      const next = reader.read();
      const known = await Promise.race([next, turn()]);
      const moreBody = known === null || !known.done;
      ends.complete = !moreBody;
      await send({ type: 'http.response.body', body: piece.value, moreBody });
      piece = known ?? (await next);
      if (piece.done && known !== null) return;
    }
    ends.complete = true;
    await send({ type: 'http.response.body' });
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** Resolves to null after what is ready now has been handled. */
function turn(): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, 0, null));
}

/**
 * Makes a fetch handler of an ASGI application, for Bun, Deno and the edge: `Bun.serve({ fetch: toFetch(app) })`.
 * Lifespan start-up runs before the first request.
 */
export function toFetch(app: Application): (request: Request) => Promise<Response> {
  let started: Promise<State> | null = null;
  return async (request) => {
    started ??= startLifespan(app);
    const state = await started;
    return await runRequest(app, request, { ...state });
  };
}

/** Start-up of lifespan for hosts that have none; an application that refuses the scope has no state. */
export async function startLifespan(app: Application): Promise<State> {
  const state: State = {};
  await new Promise<void>((resolve, reject) => {
    let first = true;
    app(
      { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state },
      () => {
        if (!first) return new Promise<ReceiveEvent>(() => {});
        first = false;
        return Promise.resolve({ type: 'lifespan.startup' });
      },
      async (event) => {
        if (event.type === 'lifespan.startup.complete') resolve();
        if (event.type === 'lifespan.startup.failed')
          reject(fault('SBY_ASGI_STARTUP_FAILED', { why: event.message || 'it gave no reason' }));
      },
    ).then(resolve, () => resolve());
  });
  return state;
}

function runRequest(app: Application, request: Request, state: State): Promise<Response> {
  const url = new URL(request.url);
  const headers = pairsOf(request.headers).map((pair) => [...pair] as [string, string]);
  if (!request.headers.has('host')) headers.unshift(['host', url.host]);
  const scope: HttpScope = {
    type: 'http',
    asgi: { version: '3.0', specVersion: '2.5' },
    httpVersion: '1.1',
    method: request.method,
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    path: decodePath(url.pathname),
    rawPath: url.pathname,
    queryString: url.search.slice(1),
    rootPath: '',
    headers,
    client: null,
    server: [url.hostname, url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)],
    state,
    extensions: {},
  };
  const reader = request.body?.getReader() ?? null;
  let bodyDone = false;
  let leave: () => void = () => {};
  const left = new Promise<ReceiveEvent>((resolve) => {
    leave = () => resolve({ type: 'http.disconnect' });
  });
  if (request.signal.aborted) leave();
  else request.signal.addEventListener('abort', () => leave(), { once: true });
  const receive: Receive = async () => {
    if (bodyDone) return await left;
    const piece = reader === null ? { done: true as const, value: undefined } : await reader.read();
    if (piece.done) bodyDone = true;
    return { type: 'http.request', body: piece.value ?? new Uint8Array(0), moreBody: !piece.done };
  };
  return new Promise<Response>((resolve, reject) => {
    let start: (SendEvent & { type: 'http.response.start' }) | null = null;
    let sink: WritableStreamDefaultWriter<Uint8Array> | null = null;
    let complete = false;
    let bodiless = false;
    const respond = (body: ReadableStream<Uint8Array> | Uint8Array | null): void => {
      const { status, headers: pairs } = start!;
      bodiless = status === 204 || status === 205 || status === 304 || request.method === 'HEAD';
      resolve(
        new Response(bodiless ? null : (body as ReadableStream<Uint8Array<ArrayBuffer>> | null), {
          status,
          headers: [...(pairs ?? [])] as [string, string][],
        }),
      );
    };
    const send: Send = async (event) => {
      if (event.type === 'http.response.start') {
        if (start !== null) throw outOfOrder(event.type, 'http.response.body');
        start = event;
      } else if (event.type === 'http.response.body') {
        if (start === null) throw outOfOrder(event.type, 'http.response.start');
        if (complete) throw outOfOrder(event.type, 'nothing more');
        const body = event.body ?? new Uint8Array(0);
        complete = event.moreBody !== true;
        if (sink === null && complete && !bodiless) {
          respond(body);
        } else if (!bodiless) {
          if (sink === null) {
            const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
            sink = writable.getWriter();
            sink.closed.catch(() => leave());
            respond(readable);
          }
          // Of a response without a body nobody reads the stream: there would be no end of waiting.
          if (!bodiless && body.length > 0) await sink.write(new Uint8Array(body));
          if (!bodiless && complete) await sink.close();
        }
        if (complete) leave();
      } else throw outOfOrder(event.type, start === null ? 'http.response.start' : 'http.response.body');
    };
    app(scope, receive, send).then(
      () => {
        if (complete) return;
        const error = fault('SBY_ASGI_NO_RESPONSE', { request: `${scope.method} ${scope.path}` });
        reject(error);
        sink?.abort(error).catch(() => {});
      },
      (error) => {
        reject(error);
        sink?.abort(error).catch(() => {});
      },
    );
  });
}

function outOfOrder(got: string, expected: string): Error {
  return fault('SBY_ASGI_EVENT_ORDER', { side: 'application', got, expected });
}
