import type { Application, Header, HttpScope, State } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';
import { CookieStore } from './cookie-store.ts';
import { Exchange } from './exchange.ts';
import { Lifespan } from './lifespan.ts';
import { encodePayload, type Payload } from './payload.ts';
import { StreamedResponse, TestResponse } from './response.ts';
import { TestWebSocket } from './websocket.ts';

export interface ClientOptions {
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `testserver`, which an application without `allowedHosts` answers to. */
  readonly host?: string;
  /** Over https. Default false. */
  readonly secure?: boolean;
  /** An error in a view is thrown by the call, as it was thrown there. Default true; false gives the 500. */
  readonly raiseErrors?: boolean;
  /** Let `csrf()` refuse forms without a token, as from a browser. Default false, as in Django: tests are about your code. */
  readonly enforceCsrfChecks?: boolean;
  /** Follow redirects. Default false. */
  readonly follow?: boolean;
  /** The address requests come from. Default 127.0.0.1. */
  readonly clientAddress?: string;
}

export interface TestRequestOptions extends Payload {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly follow?: boolean;
  readonly secure?: boolean;
  /** Where the application is mounted. */
  readonly rootPath?: string;
}

/**
 * Calls an application in this process, through ASGI, without sockets: with cookies, redirects, uploads, streams and
 * lifespan. The application starts with the first request; `close()` stops it (`await using client = new Client(app)`).
 */
export class Client {
  readonly app: Application;
  readonly cookies: CookieStore = new CookieStore();
  readonly #options: ClientOptions;
  readonly #lifespan: Lifespan;

  constructor(app: Application, options: ClientOptions = {}) {
    this.app = app;
    this.#options = options;
    this.#lifespan = new Lifespan(app);
  }

  /** Starts the application, as the first request would. */
  async start(): Promise<this> {
    await this.#lifespan.start();
    return this;
  }

  /** Stops the application. */
  async close(): Promise<void> {
    await this.#lifespan.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What lifespan start-up left. */
  get state(): State {
    return this.#lifespan.state;
  }

  get(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('GET', path, options);
  }
  head(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('HEAD', path, options);
  }
  options(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('OPTIONS', path, options);
  }
  post(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('POST', path, options);
  }
  put(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('PUT', path, options);
  }
  patch(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('PATCH', path, options);
  }
  delete(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('DELETE', path, options);
  }

  /** Any method; the whole response. */
  async request(method: string, path: string, options: TestRequestOptions = {}): Promise<TestResponse> {
    const redirects: { url: string; status: number }[] = [];
    let step = { method, path, options };
    while (true) {
      const exchange = await this.#start(step.method, step.path, step.options);
      const head = await exchange.head;
      const parts: Uint8Array[] = [];
      for await (const chunk of exchange.chunks()) parts.push(chunk);
      await exchange.ended();
      this.#keepCookies(head.headers);
      this.#raise(exchange);
      const url =
        exchange.scope.queryString === ''
          ? exchange.scope.rawPath
          : `${exchange.scope.rawPath}?${exchange.scope.queryString}`;
      const location = head.headers.find((header) => header[0] === 'location')?.[1];
      const follow = options.follow ?? this.#options.follow ?? false;
      if (!follow || location === undefined || ![301, 302, 303, 307, 308].includes(head.status))
        return new TestResponse(exchange, head, Buffer.concat(parts), url, redirects);
      redirects.push({ url, status: head.status });
      if (redirects.length > 20)
        throw fault('SBY_TEST_TOO_MANY_REDIRECTS', { chain: redirects.map((one) => one.url) });
      const host = exchange.scope.headers.find((header) => header[0] === 'host')?.[1] ?? 'testserver';
      const target = new URL(location, `${exchange.scope.scheme}://${host}${url}`);
      target.hash = '';
      const keep = head.status === 307 || head.status === 308;
      const { headers, secure: _, rootPath, ...payload } = options;
      const common = {
        // A host that was asked for by header is not the host that the redirect leads to.
        ...(headers
          ? {
              headers: Object.fromEntries(
                Object.entries(headers).filter(([n]) => n.toLowerCase() !== 'host'),
              ),
            }
          : {}),
        ...(rootPath ? { rootPath } : {}),
        secure: target.protocol === 'https:',
      };
      step = {
        method: keep || step.method === 'HEAD' ? step.method : 'GET',
        path: target.href,
        options: keep ? { ...payload, ...common, query: {} } : common,
      };
    }
  }

  /** The start of a response; its body is read piece by piece, and the connection can be left. */
  async stream(method: string, path: string, options: TestRequestOptions = {}): Promise<StreamedResponse> {
    const exchange = await this.#start(method, path, options);
    const head = await exchange.head;
    this.#keepCookies(head.headers);
    this.#raise(exchange);
    return new StreamedResponse(exchange, head, exchange.scope.rawPath, []);
  }

  /** Opens a WebSocket connection. */
  async websocket(
    path: string,
    options: TestRequestOptions & { readonly subprotocols?: readonly string[] } = {},
  ): Promise<TestWebSocket> {
    await this.#lifespan.start();
    const { method: _, ...scope } = requestScope('GET', path, {
      host: this.#options.host,
      secure: options.secure ?? this.#options.secure,
      clientAddress: this.#options.clientAddress,
      query: options.query,
      rootPath: options.rootPath,
      state: { ...this.#lifespan.state },
      headers: Object.entries({ ...this.#options.headers, ...options.headers }),
      cookies: this.cookies,
      enforceCsrfChecks: this.#options.enforceCsrfChecks ?? false,
    });
    return await TestWebSocket.connect(this.app, {
      ...scope,
      type: 'websocket',
      scheme: scope.scheme === 'https' ? 'wss' : 'ws',
      subprotocols: options.subprotocols ?? [],
      extensions: { 'websocket.http.response': {} },
    });
  }

  #raise(exchange: Exchange): void {
    const { error } = exchange.info;
    if (error !== undefined && (this.#options.raiseErrors ?? true)) throw error;
  }

  #keepCookies(headers: readonly Header[]): void {
    for (const [name, value] of headers) if (name === 'set-cookie') this.cookies.take(value);
  }

  async #start(method: string, path: string, options: TestRequestOptions): Promise<Exchange> {
    await this.#lifespan.start();
    const { body, type, length } = encodePayload(options);
    const scope = requestScope(method, path, {
      host: this.#options.host,
      secure: options.secure ?? this.#options.secure,
      clientAddress: this.#options.clientAddress,
      query: options.query,
      rootPath: options.rootPath,
      state: { ...this.#lifespan.state },
      headers: [
        ...(type === null ? [] : [['content-type', type] as const]),
        ...(length === null
          ? type === null
            ? []
            : [['transfer-encoding', 'chunked'] as const]
          : [['content-length', String(length)] as const]),
        ...Object.entries({ ...this.#options.headers, ...options.headers }),
      ],
      cookies: this.cookies,
      enforceCsrfChecks: this.#options.enforceCsrfChecks ?? false,
    });
    return new Exchange(this.app, scope, body);
  }
}

export interface ScopeOptions {
  readonly host?: string | undefined;
  readonly secure?: boolean | undefined;
  readonly clientAddress?: string | undefined;
  readonly query?: TestRequestOptions['query'] | undefined;
  readonly rootPath?: string | undefined;
  readonly state?: State;
  readonly headers?: readonly (readonly [string, string])[];
  readonly cookies?: CookieStore;
  readonly enforceCsrfChecks?: boolean;
}

/** The ASGI scope of a request, as a server would make it. */
export function requestScope(method: string, path: string, options: ScopeOptions = {}): HttpScope {
  if (typeof path !== 'string' || !(path.startsWith('/') || /^https?:\/\//.test(path)))
    throw fault('SBY_TEST_BAD_URL', { got: path });
  const whole = /^https?:\/\//.test(path) ? new URL(path) : null;
  const secure = options.secure ?? whole?.protocol === 'https:';
  const target = whole === null ? path : whole.pathname + whole.search;
  const at = target.indexOf('?');
  const bare = (at === -1 ? target : target.slice(0, at)).replace(/#.*$/, '');
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {}))
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value])
      query.append(name, String(one));
  const own = at === -1 ? '' : target.slice(at + 1).replace(/#.*$/, '');
  const added = query.toString();
  // Text as people write it in tests is encoded as a browser would.
  const rawPath = encodeURI(bare).replace(/%25/g, '%');
  const headers: Header[] = [['host', whole?.host ?? options.host ?? 'testserver']];
  for (const [name, value] of options.headers ?? []) {
    const lower = name.toLowerCase();
    const before = headers.findIndex((header) => header[0] === lower);
    if (before === -1) headers.push([lower, value]);
    else headers[before] = [lower, value];
  }
  const cookie = options.cookies?.header(bare, secure) ?? null;
  if (cookie !== null && !headers.some((header) => header[0] === 'cookie')) headers.push(['cookie', cookie]);
  return {
    type: 'http',
    asgi: { version: '3.0', specVersion: '2.5' },
    httpVersion: '1.1',
    method: method.toUpperCase(),
    scheme: secure ? 'https' : 'http',
    path: decodePath(rawPath),
    rawPath,
    queryString: own && added ? `${own}&${added}` : own || added,
    rootPath: options.rootPath ?? '',
    headers,
    client: [options.clientAddress ?? '127.0.0.1', 54_321],
    server: ['testserver', secure ? 443 : 80],
    state: options.state ?? {},
    extensions: {
      'http.response.debug': {},
      ...(options.enforceCsrfChecks === undefined
        ? {}
        : { 'sobaya.test': { enforceCsrfChecks: options.enforceCsrfChecks } }),
    },
  };
}

function decodePath(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
