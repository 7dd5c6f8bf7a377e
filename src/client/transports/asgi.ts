import type { Application, HttpScope, ReceiveEvent, SendEvent, State } from '../../asgi/index.ts';
import { background, type Task } from '../../asyncio/index.ts';
import { failed } from '../faults.ts';
import { Inbox } from '../inbox.ts';
import type { Transport, TransportCall, TransportRequest, TransportResponse } from '../transport.ts';

export interface AsgiTransportOptions {
  /** Run the application's lifespan: start-up before the first request, shutdown at close(). Default true. */
  readonly lifespan?: boolean;
  /** The address the application sees. Default `['127.0.0.1', 123]`. */
  readonly client?: readonly [host: string, port: number];
  readonly rootPath?: string;
  /** Throw what the application throws, instead of answering 500. Default true. */
  readonly raiseApplicationErrors?: boolean;
}

const asgi = { version: '3.0', specVersion: '2.5' } as const;

/** Calls an ASGI application in this process: no sockets, both bodies streamed. */
export class AsgiTransport implements Transport {
  readonly #application: Application;
  readonly #options: AsgiTransportOptions;
  #lifespan: Promise<Lifespan> | null = null;

  constructor(application: Application, options: AsgiTransportOptions = {}) {
    this.#application = application;
    this.#options = options;
  }

  async send(request: TransportRequest, call: TransportCall): Promise<TransportResponse> {
    call.listen('waiting for the answer');
    let state: State | null = null;
    if (this.#options.lifespan !== false) {
      this.#lifespan ??= Lifespan.start(this.#application);
      const lifespan = await this.#lifespan;
      if (lifespan.failure !== null)
        throw failed(
          'SBY_CLIENT_NO_ANSWER',
          { request: call.request, why: lifespan.failure.why },
          lifespan.failure.cause,
        );
      state = lifespan.supported ? { ...lifespan.state } : null;
    }
    const exchange = new AsgiExchange(request, call, this.#options.raiseApplicationErrors !== false);
    call.onEarlyEnd((error) => exchange.leave(error));
    return await exchange.run(this.#application, httpScope(request, state, this.#options));
  }

  async close(): Promise<void> {
    const lifespan = await this.#lifespan;
    this.#lifespan = null;
    await lifespan?.stop();
  }
}

/** Percent-decodes as UTF-8; bytes that are none become the replacement character. */
function decodePath(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    const bytes = raw.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
}

function httpScope(request: TransportRequest, state: State | null, options: AsgiTransportOptions): HttpScope {
  const { url } = request;
  const secure = url.protocol === 'https:';
  const headers: [string, string][] = [];
  for (let i = 0; i < request.headers.length; i += 2)
    headers.push([request.headers[i] as string, request.headers[i + 1] as string]);
  const has = (wanted: string): boolean => headers.some(([name]) => name === wanted);
  if (!has('host')) headers.unshift(['host', url.host]);
  if (request.body !== null && !has('content-length')) headers.push(['transfer-encoding', 'chunked']);
  return {
    type: 'http',
    asgi,
    httpVersion: '1.1',
    method: request.method,
    scheme: secure ? 'https' : 'http',
    path: decodePath(url.pathname),
    rawPath: url.pathname,
    queryString: url.search.slice(1),
    rootPath: options.rootPath ?? '',
    headers,
    client: options.client ?? ['127.0.0.1', 123],
    server: [url.hostname, Number(url.port) || (secure ? 443 : 80)],
    ...(state === null ? {} : { state }),
    extensions: {},
  };
}

/** One request to the application and its answer. */
class AsgiExchange {
  readonly #request: TransportRequest;
  readonly #call: TransportCall;
  readonly #raise: boolean;
  readonly #pieces: AsyncIterator<Uint8Array> | null;
  #bodySent = false;
  /** Resolves when the client is gone or the answer complete: what receive() then reports. */
  readonly #over = Promise.withResolvers<void>();
  #left = false;
  #task: Task<void> | null = null;
  #head: { readonly status: number; readonly headers: readonly string[] } | null = null;
  #started = false;
  #complete = false;
  #drained = Promise.withResolvers<void>();
  readonly #answer = Promise.withResolvers<TransportResponse>();
  readonly #inbox: Inbox;

  constructor(request: TransportRequest, call: TransportCall, raise: boolean) {
    this.#request = request;
    this.#call = call;
    this.#raise = raise;
    const { body } = request;
    this.#pieces = body === null || body instanceof Uint8Array ? null : body[Symbol.asyncIterator]();
    this.#inbox = new Inbox(
      () => this.#drained.resolve(),
      () => this.leave(null),
    );
  }

  run(application: Application, scope: HttpScope): Promise<TransportResponse> {
    // As under a server, the application is nobody's child: it may go on after its answer.
    this.#task = background(
      async () => {
        try {
          await application(
            scope,
            () => this.#receive(),
            (event) => this.#send(event),
          );
          this.#ended(null);
        } catch (error) {
          this.#ended({ error });
        }
      },
      { name: `${scope.method} ${scope.path}` },
    );
    return this.#answer.promise;
  }

  /** The client is gone: the application hears http.disconnect, and its waits end. */
  leave(error: unknown): void {
    if (this.#left) return;
    this.#left = true;
    this.#over.resolve();
    this.#drained.resolve();
    this.#inbox.fail(error);
    this.#answer.reject(error);
    this.#dropBody();
    if (!this.#complete) this.#task?.cancel('the client left');
  }

  /** A body that was not read to its end lets go of what it holds. */
  #dropBody(): void {
    if (this.#bodySent) return;
    this.#bodySent = true;
    this.#pieces?.return?.().then(null, () => {});
  }

  #ended(failure: { readonly error: unknown } | null): void {
    this.#over.resolve();
    this.#dropBody();
    if (this.#left || this.#complete) return;
    const { request } = this.#call;
    if (failure === null || this.#raise || this.#started) {
      const why = this.#started
        ? 'it returned before its body was complete'
        : 'it returned before http.response.start';
      const error = failure === null ? failed('SBY_CLIENT_NO_ANSWER', { request, why }) : failure.error;
      this.#answer.reject(error);
      this.#inbox.fail(error);
      return;
    }
    this.#complete = true;
    this.#answer.resolve({ status: 500, reason: '', httpVersion: '1.1', headers: [], body: this.#inbox });
    this.#inbox.end();
  }

  async #receive(): Promise<ReceiveEvent> {
    if (!this.#bodySent && !this.#left) {
      const { body } = this.#request;
      if (this.#pieces !== null) {
        let next: IteratorResult<Uint8Array>;
        try {
          next = await this.#pieces.next();
        } catch (error) {
          // As over a connection: the caller gets the error of its body, the application sees a client that left.
          this.#bodySent = true;
          this.leave(error);
          return { type: 'http.disconnect' };
        }
        if (!next.done) return { type: 'http.request', body: next.value, moreBody: true };
      }
      this.#bodySent = true;
      return {
        type: 'http.request',
        body: body instanceof Uint8Array ? body : new Uint8Array(0),
        moreBody: false,
      };
    }
    await this.#over.promise;
    return { type: 'http.disconnect' };
  }

  async #send(event: SendEvent): Promise<void> {
    // Nobody listens any more; as with a socket that is gone, what is sent is lost.
    if (this.#left) return;
    if (event.type === 'http.response.start') {
      const headers: string[] = [];
      for (const [name, value] of event.headers ?? []) headers.push(name.toLowerCase(), value);
      this.#head = { status: event.status, headers };
      return;
    }
    if (event.type !== 'http.response.body') return;
    if (this.#head === null)
      throw failed('SBY_CLIENT_NO_ANSWER', {
        request: this.#call.request,
        why: 'it sent http.response.body before http.response.start',
      });
    this.#call.heard();
    // The head waits for the first piece of the body, as in servers: an application that fails in between has not answered.
    if (!this.#started) {
      this.#started = true;
      this.#answer.resolve({ ...this.#head, reason: '', httpVersion: '1.1', body: this.#inbox });
    }
    const { body, moreBody = false } = event;
    let room = true;
    if (body !== undefined && this.#request.method !== 'HEAD') room = this.#inbox.push(body);
    if (!moreBody) {
      this.#complete = true;
      this.#inbox.end();
      this.#over.resolve();
      return;
    }
    if (!room) {
      this.#drained = Promise.withResolvers();
      await this.#drained.promise;
    } else {
      // Even with room, a sender in a loop must let the reader run.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

/** The application's lifespan, when it has one. */
class Lifespan {
  readonly state: State = {};
  supported = false;
  failure: { readonly why: string; readonly cause?: unknown } | null = null;
  readonly #stop = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();

  static async start(application: Application): Promise<Lifespan> {
    const lifespan = new Lifespan();
    const ready = Promise.withResolvers<void>();
    let received = 0;
    const receive = async (): Promise<ReceiveEvent> => {
      if (received++ === 0) return { type: 'lifespan.startup' };
      await lifespan.#stop.promise;
      return { type: 'lifespan.shutdown' };
    };
    const send = async (event: SendEvent): Promise<void> => {
      if (event.type === 'lifespan.startup.complete') {
        lifespan.supported = true;
        ready.resolve();
      } else if (event.type === 'lifespan.startup.failed') {
        lifespan.failure = { why: `its start-up failed: ${event.message ?? 'no message'}` };
        ready.resolve();
      } else if (event.type === 'lifespan.shutdown.complete' || event.type === 'lifespan.shutdown.failed') {
        lifespan.#stopped.resolve();
      }
    };
    background(
      async () => {
        try {
          await application({ type: 'lifespan', asgi, state: lifespan.state }, receive, send);
        } catch {
          // ASGI: an application that raises on the lifespan scope has none, and is served without.
        } finally {
          ready.resolve();
          lifespan.#stopped.resolve();
        }
      },
      { name: 'lifespan' },
    );
    await ready.promise;
    return lifespan;
  }

  async stop(): Promise<void> {
    this.#stop.resolve();
    if (this.supported) await this.#stopped.promise;
  }
}
