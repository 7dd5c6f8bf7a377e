import { createRequire } from 'node:module';
import type { SecureContextOptions } from 'node:tls';
import type { buildConnector, Dispatcher } from 'undici';
import { fault } from '../../errors/index.ts';
import { failed } from '../faults.ts';
import { Inbox } from '../inbox.ts';
import type { Transport, TransportCall, TransportRequest, TransportResponse } from '../transport.ts';

/** Whom to trust, and how to prove who we are. */
export interface TlsOptions extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase'> {
  /** Only for tests: accepts any certificate. Default true. */
  readonly rejectUnauthorized?: boolean;
  readonly servername?: string;
}

export interface HttpTransportOptions {
  /** Connections per host at most; further requests wait. Default 100, with `http2` 4: there one carries many requests. */
  readonly connectionsPerHost?: number;
  /** Milliseconds until a connection stands; null for no limit. Default 5 s. */
  readonly connectTimeout?: number | null;
  /** Milliseconds an unused connection is kept. Default 4 s, below what most servers keep. */
  readonly keepAlive?: number;
  /** Speak HTTP/2 where the server offers it (over TLS), else HTTP/1.1. Default false. */
  readonly http2?: boolean;
  readonly tls?: TlsOptions;
  /** `http://user:password@proxy:3128`. */
  readonly proxy?: string;
  /** A unix socket to connect to instead of the URL's host. */
  readonly socketPath?: string;
}

const require = createRequire(import.meta.url);
/** At the first request: its hundred modules are a third of what an application with a client takes to start. */
const undici = (): typeof import('undici') => require('undici') as typeof import('undici');

/** Requests over the network: undici's pools underneath. */
export class HttpTransport implements Transport {
  readonly #connect: () => Dispatcher;
  #dispatcher: Dispatcher | null = null;
  #closed = false;
  readonly #connectTimeout: number;
  readonly #speaksHttp2 = new Set<string>();

  constructor(options: HttpTransportOptions = {}) {
    const { connectTimeout = 5000, keepAlive = 4000, http2 = false } = options;
    const { connectionsPerHost = http2 ? 4 : 100 } = options;
    this.#connectTimeout = connectTimeout ?? 0;
    const connect = {
      timeout: this.#connectTimeout,
      ...(options.tls as object | undefined),
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
    };
    if (options.proxy !== undefined && !/^https?:$/.test(URL.parse(options.proxy)?.protocol ?? ''))
      throw fault('SBY_CLIENT_BAD_OPTION', {
        option: 'proxy',
        got: options.proxy,
        expected: 'an address such as http://proxy:3128',
      });
    const pool = {
      connections: connectionsPerHost,
      pipelining: http2 ? 100 : 1,
      allowH2: http2,
      keepAliveTimeout: keepAlive,
      // Both are measured by Call: exactly, and with a message of ours.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect,
    };
    const { proxy } = options;
    this.#connect = () => {
      const { Agent, ProxyAgent } = undici();
      if (proxy !== undefined)
        return new ProxyAgent({ ...pool, uri: proxy, requestTls: connect, proxyTls: connect });
      return new Agent(http2 ? { ...pool, connect: this.#noticingHttp2(connect) } : pool);
    };
  }

  /** Connects as usual, and remembers which origins chose HTTP/2. */
  #noticingHttp2(options: object): buildConnector.connector {
    const connector = undici().buildConnector({ ...options, allowH2: true });
    return (target, callback) =>
      connector(target, (...result) => {
        const [, socket] = result;
        const protocol = (socket as { alpnProtocol?: unknown } | null)?.alpnProtocol;
        if (protocol === 'h2') this.#speaksHttp2.add(new URL(`${target.protocol}//${target.host}`).origin);
        callback(...result);
      });
  }

  send(request: TransportRequest, call: TransportCall): Promise<TransportResponse> {
    return new Promise((resolve, reject) => {
      const resolveWith = (response: Omit<TransportResponse, 'httpVersion'>): void =>
        resolve({ ...response, httpVersion: this.#speaksHttp2.has(request.url.origin) ? '2' : '1.1' });
      const exchange = new Exchange(call, request.headers, this.#connectTimeout, resolveWith, reject);
      call.onEarlyEnd((error) => exchange.abort(error));
      const { url, body } = request;
      try {
        if (this.#closed) throw failed('SBY_CLIENT_CLOSED', { request: call.request });
        this.#dispatcher ??= this.#connect();
        this.#dispatcher.dispatch(
          {
            origin: url.origin,
            path: url.pathname + url.search,
            method: request.method as Dispatcher.HttpMethod,
            headers: request.headers as string[],
            body: (body instanceof Uint8Array || body === null
              ? body
              : exchange.watch(body)) as unknown as Uint8Array,
            // Lets HTTP/2 have many requests under way; HTTP/1.1 never pipelines here. Nothing is sent twice by it.
            idempotent: true,
          },
          exchange,
        );
      } catch (error) {
        reject(error);
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#dispatcher?.destroy();
  }
}

type Controller = Dispatcher.DispatchController;

/** One request and its answer, as undici tells of them. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #call: TransportCall;
  readonly #headers: readonly string[];
  readonly #connectTimeout: number;
  readonly #resolve: (response: Omit<TransportResponse, 'httpVersion'>) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Controller | null = null;
  #inbox: Inbox | null = null;
  #aborted: { readonly error: unknown } | null = null;
  #sending = false;
  readonly #began = performance.now();

  constructor(
    call: TransportCall,
    headers: readonly string[],
    connectTimeout: number,
    resolve: (response: Omit<TransportResponse, 'httpVersion'>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#call = call;
    this.#headers = headers;
    this.#connectTimeout = connectTimeout;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Passes a body on, and knows when it has gone out: until then the other side's silence is no fault. */
  async *watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#sending = true;
    yield* body;
    this.#sending = false;
    if (this.#controller !== null && this.#inbox === null) this.#call.listen('waiting for the answer');
  }

  abort(error: unknown): void {
    if (this.#aborted !== null) return;
    this.#aborted = { error };
    this.#inbox?.fail(error);
    this.#reject(error);
    // Before a connection is there, nothing can be aborted; onRequestStart will see it.
    this.#controller?.abort(error as Error);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    this.#call.waited = performance.now() - this.#began;
    if (this.#aborted !== null) controller.abort(this.#aborted.error as Error);
    else if (this.#sending) this.#call.phase = 'sending the request';
    else this.#call.listen('waiting for the answer');
  }

  onRequestUpgrade(_controller: Controller, status: number): void {
    this.#fail(new Error(`the other side switched protocols (${status}) without being asked`));
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    reason = '',
  ): void {
    this.#call.heard();
    if (status < 200) return; // 103 Early Hints and the like: the answer is still to come
    this.#inbox = new Inbox(
      () => {
        this.#call.resumeListening();
        controller.resume();
      },
      () => this.abort(new Error('the body was not wanted')),
    );
    this.#call.listen('reading the body');
    const flat: string[] = [];
    for (const name in headers) {
      const value = headers[name];
      if (typeof value === 'string') flat.push(name, value);
      else if (value !== undefined) for (const one of value) flat.push(name, one);
    }
    this.#resolve({ status, reason, headers: flat, body: this.#inbox });
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#call.heard();
    if (this.#inbox?.push(chunk) === false) {
      controller.pause();
      this.#call.pauseListening();
    }
  }

  onResponseEnd(): void {
    this.#inbox?.end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#aborted !== null) return;
    const ours = this.#translate(error as Error & { code?: string });
    this.#inbox?.fail(ours);
    this.#reject(ours);
  }

  #translate(error: Error & { code?: string }): Error {
    const { request } = this.#call;
    // Several addresses of one host failed: the first one says enough.
    const first = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
    const code = String(first.code ?? error.code ?? '');
    const detail = first.message || code || 'no details';
    if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
      const name = /([\w-]+) header/.exec(detail)?.[1] ?? '';
      const at = this.#headers.indexOf(name);
      return fault('SBY_CLIENT_BAD_OPTION', {
        option: at < 0 ? 'headers' : `headers.${name}`,
        got: at < 0 ? detail : this.#headers[at + 1],
        expected: 'only headers about the message; those about the connection are written by the transport',
      });
    }
    if (code === 'UND_ERR_CONNECT_TIMEOUT')
      return failed('SBY_CLIENT_CONNECT_TIMEOUT', { request, ms: this.#connectTimeout }, error);
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED')
      return failed('SBY_CLIENT_CLOSED', { request }, error);
    if (
      error.name === 'HTTPParserError' ||
      code === 'UND_ERR_HEADERS_OVERFLOW' ||
      code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
    )
      return failed('SBY_CLIENT_PROTOCOL', { request, detail }, error);
    if (this.#controller === null) return failed('SBY_CLIENT_CONNECT', { request, code, detail }, error);
    // The body given by the caller failed: that is no fault of the network.
    if (code === '' && !(error instanceof AggregateError)) return error;
    return failed('SBY_CLIENT_BROKEN', { request, code, detail, phase: this.#call.phase }, error);
  }
}
