import { currentContext, sleep, tracePromise } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import type { BodyOptions } from './body.ts';
import { encodeBody } from './body.ts';
import { Call } from './call.ts';
import { type ClientRequestMessage, clientRequestChannel } from './channels.ts';
import { CookieJar } from './cookies.ts';
import { ACCEPT_ENCODING, contentCodings, decodeBytes } from './decode.ts';
import { failed } from './faults.ts';
import { HeaderList, type HeadersInput } from './headers.ts';
import { nextRequest } from './redirects.ts';
import { ClientResponse, type ResponseHead, StreamingResponse } from './response.ts';
import { RetryBudget, type RetryOptions, RetryPolicy } from './retries.ts';
import { defaultTimeouts, type EffectiveTimeouts, effectiveTimeouts, type Timeouts } from './timeouts.ts';
import type { Transport, TransportResponse } from './transport.ts';
import { HttpTransport, type HttpTransportOptions } from './transports/http.ts';
import { type Params, parseBaseUrl, resolveUrl, shownUrl } from './url.ts';

/** A request on its way out; hooks may change its headers. */
export interface ClientRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderList;
}

export interface ClientHooks {
  /** Before each request goes out, redirects and retries included. */
  readonly request?: (request: ClientRequest) => void | PromiseLike<void>;
  /** For each answer, redirects included, before its body is read. */
  readonly response?: (response: ResponseHead, request: ClientRequest) => void | PromiseLike<void>;
  /** When the call failed; the error is thrown afterwards all the same. */
  readonly error?: (error: unknown, request: ClientRequest) => void | PromiseLike<void>;
}

/** What one request can say for itself; it goes before what the client says. */
export interface RequestOptions extends BodyOptions {
  readonly params?: Params;
  readonly headers?: HeadersInput;
  /** Sent along; not kept. */
  readonly cookies?: Readonly<Record<string, string>>;
  /** User and password for the Authorization header. */
  readonly auth?: readonly [user: string, password: string];
  /** Milliseconds for the whole call, `{ read, total }`, or null for no limit. Default 10 s silence, 30 s in all. */
  readonly timeout?: number | null | Omit<Timeouts, 'connect'>;
  /** Default true, up to `maxRedirects`. */
  readonly followRedirects?: boolean;
  /** Default 10. */
  readonly maxRedirects?: number;
  /** Further attempts when it fails. Default 0. */
  readonly retries?: number | RetryOptions;
  /** The largest body read into memory. Default 100 MiB. */
  readonly maxBytes?: number;
  /** Ask for compressed answers, and undo the compression. Default true. */
  readonly decompress?: boolean;
  /** One more way to cancel, beside the scope. */
  readonly signal?: AbortSignal;
}

export interface ClientOptions
  extends Omit<RequestOptions, keyof BodyOptions | 'params' | 'cookies' | 'timeout' | 'signal'>,
    Omit<HttpTransportOptions, 'connectTimeout'> {
  /** What relative URLs are appended to: `https://host/api/`. */
  readonly baseUrl?: string | URL;
  /** Cookies sent with every request, or a jar that also keeps what answers set. Default none. */
  readonly cookies?: CookieJar | Readonly<Record<string, string>>;
  readonly timeout?: number | null | Timeouts;
  readonly hooks?: ClientHooks;
  /** Where requests go instead of the network: `AsgiTransport`, `MockTransport`, or your own. */
  readonly transport?: Transport;
}

type BodylessOptions = Omit<RequestOptions, keyof BodyOptions>;

const USER_AGENT = 'sobaya';
const MAX_BYTES = 100 * 2 ** 20;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const known = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']);
const EMPTY = new Uint8Array(0);

/** What never goes to another origin than it was meant for. */
const PRIVATE_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/** A request with everything decided but where redirects lead. */
interface Prepared {
  method: string;
  url: URL;
  headers: HeaderList;
  body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

/**
 * An HTTP client: connections are pooled and kept, so make one for the life of the program. Every call ends with
 * the scope it was made in, and has timeouts by default.
 *
 * Errors: `ClientTransportError`, `ClientTimeoutError`, `ClientProtocolError`; a status of 400 and above is no error
 * until `raiseForStatus()`.
 */
export class AsyncClient implements AsyncDisposable {
  readonly #base: URL | null;
  readonly #headers: HeaderList;
  readonly #private: HeaderList;
  readonly #cookies: string;
  readonly #jar: CookieJar | null;
  readonly #timeouts: EffectiveTimeouts;
  readonly #retries: RetryPolicy | null;
  readonly #budget: RetryBudget;
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #hooks: ClientHooks;
  #closed = false;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.#hooks = options.hooks ?? {};
    this.#base = options.baseUrl === undefined ? null : parseBaseUrl(options.baseUrl);
    const all = new HeaderList(options.headers);
    if (options.auth !== undefined) all.set('authorization', basic(...options.auth));
    this.#headers = new HeaderList([...all].filter(([name]) => !PRIVATE_HEADERS.includes(name)));
    this.#private = new HeaderList([...all].filter(([name]) => PRIVATE_HEADERS.includes(name)));
    this.#jar = options.cookies instanceof CookieJar ? options.cookies : null;
    this.#cookies =
      options.cookies === undefined || options.cookies instanceof CookieJar
        ? ''
        : cookieHeader(options.cookies);
    this.#timeouts = effectiveTimeouts(options.timeout, defaultTimeouts);
    this.#retries = retryPolicy(options.retries);
    this.#budget = new RetryBudget(typeof options.retries === 'object' ? options.retries.budget : undefined);
    this.#transport =
      options.transport ?? new HttpTransport({ ...options, connectTimeout: this.#timeouts.connect });
  }

  get(url: string | URL, options: BodylessOptions = {}): Promise<ClientResponse> {
    return this.request('GET', url, options);
  }

  head(url: string | URL, options: BodylessOptions = {}): Promise<ClientResponse> {
    return this.request('HEAD', url, options);
  }

  options(url: string | URL, options: BodylessOptions = {}): Promise<ClientResponse> {
    return this.request('OPTIONS', url, options);
  }

  post(url: string | URL, options: RequestOptions = {}): Promise<ClientResponse> {
    return this.request('POST', url, options);
  }

  put(url: string | URL, options: RequestOptions = {}): Promise<ClientResponse> {
    return this.request('PUT', url, options);
  }

  patch(url: string | URL, options: RequestOptions = {}): Promise<ClientResponse> {
    return this.request('PATCH', url, options);
  }

  delete(url: string | URL, options: RequestOptions = {}): Promise<ClientResponse> {
    return this.request('DELETE', url, options);
  }

  /** Sends a request and reads the answer with its body. */
  async request(method: string, url: string | URL, options: RequestOptions = {}): Promise<ClientResponse> {
    return this.#traced(this.#prepare(method, url, options), options, true) as Promise<ClientResponse>;
  }

  /**
   * Sends a request and gives the answer as soon as its head is there; the body is read as it is asked for.
   *
   *     await using response = await client.stream('GET', '/export.csv');
   *     for await (const line of response.lines()) …
   */
  async stream(method: string, url: string | URL, options: RequestOptions = {}): Promise<StreamingResponse> {
    return this.#traced(this.#prepare(method, url, options), options, false) as Promise<StreamingResponse>;
  }

  /** Closes all connections; calls under way fail. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #prepare(given: string, givenUrl: string | URL, options: RequestOptions): Prepared {
    const upper = String(given).toUpperCase();
    const method = known.has(upper) ? upper : given;
    if (!METHOD.test(method) || upper === 'CONNECT')
      throw fault('SBY_CLIENT_BAD_OPTION', {
        option: 'method',
        got: given,
        expected: 'a method such as GET or POST; CONNECT is what `proxy` is for',
      });
    const url = resolveUrl(this.#base, givenUrl, options.params);
    const headers = HeaderList.trusted(this.#headers.flat());
    // With a base URL, what proves who we are is for that origin alone, also when an absolute URL is asked for.
    if (this.#base === null || this.#base.origin === url.origin) {
      for (const [name, value] of this.#private) headers.append(name, value);
      if (this.#cookies !== '') addCookies(headers, this.#cookies);
    }
    if (options.headers !== undefined) headers.update(options.headers);
    if (options.cookies !== undefined) addCookies(headers, cookieHeader(options.cookies));
    if (options.auth !== undefined) headers.set('authorization', basic(...options.auth));
    if (url.username !== '' || url.password !== '') {
      if (!headers.has('authorization'))
        headers.set('authorization', basic(decodeUserinfo(url.username), decodeUserinfo(url.password)));
      url.username = '';
      url.password = '';
    }
    const body = encodeBody(options);
    if (body.contentType !== null && !headers.has('content-type'))
      headers.set('content-type', body.contentType);
    if (body.content !== null && body.length !== null) headers.set('content-length', body.length);
    if (!headers.has('accept')) headers.append('accept', '*/*');
    if (!headers.has('user-agent')) headers.append('user-agent', USER_AGENT);
    if ((options.decompress ?? this.#options.decompress ?? true) && !headers.has('accept-encoding'))
      headers.append('accept-encoding', ACCEPT_ENCODING);
    return { method, url, headers, body: body.content };
  }

  #traced(
    prepared: Prepared,
    options: RequestOptions,
    whole: boolean,
  ): Promise<ClientResponse | StreamingResponse> {
    if (!clientRequestChannel.start.hasSubscribers) return this.#call(prepared, options, whole, null);
    const { method, url, headers } = prepared;
    const message: ClientRequestMessage = { method, url: shownUrl(url), headers };
    return tracePromise(clientRequestChannel, () => this.#call(prepared, options, whole, message), message);
  }

  async #call(
    prepared: Prepared,
    options: RequestOptions,
    whole: boolean,
    message: ClientRequestMessage | null,
  ): Promise<ClientResponse | StreamingResponse> {
    const { scope } = currentContext();
    scope.throwIfCancelled();
    const request = { method: prepared.method, url: shownUrl(prepared.url) };
    if (this.#closed) throw failed('SBY_CLIENT_CLOSED', { request });
    const call = new Call(request, effectiveTimeouts(options.timeout, this.#timeouts));
    scope.link(call);
    if (options.signal !== undefined) call.follow(options.signal);
    let kept = false;
    try {
      const { head, response } = await this.#follow(call, prepared, options, message);
      if (message !== null) {
        message.status = head.status;
        if (call.waited !== null) message.waited = call.waited;
      }
      const source = new Source(call, response, {
        maxBytes: options.maxBytes ?? this.#options.maxBytes ?? MAX_BYTES,
        decompress: options.decompress ?? this.#options.decompress ?? true,
      });
      if (whole) return await source.readAll(head);
      call.dropTotal();
      call.pauseListening();
      kept = true;
      return new StreamingResponse(head, source, source.codings(head));
    } catch (error) {
      try {
        await this.#hooks.error?.(error, prepared);
      } catch (hookError) {
        // What the caller waits for is why the call failed.
        process.emitWarning(hookError instanceof Error ? hookError : String(hookError));
      }
      throw error;
    } finally {
      if (!kept) call.end();
    }
  }

  /** Sends, and sends again where redirects lead. */
  async #follow(
    call: Call,
    prepared: Prepared,
    options: RequestOptions,
    message: ClientRequestMessage | null,
  ): Promise<{ head: ResponseHead; response: TransportResponse }> {
    const follows = options.followRedirects ?? this.#options.followRedirects ?? true;
    const limit = options.maxRedirects ?? this.#options.maxRedirects ?? 10;
    const history: ClientResponse[] = [];
    for (;;) {
      const response = await this.#attempt(call, prepared, options, message);
      const headers = HeaderList.trusted(response.headers);
      const { url } = prepared;
      this.#jar?.store(url, headers.getSetCookie());
      const head: ResponseHead = {
        status: response.status,
        reason: response.reason,
        httpVersion: response.httpVersion,
        headers,
        url,
        request: call.request,
        history,
      };
      if (this.#hooks.response !== undefined) {
        try {
          await call.guard(Promise.resolve(this.#hooks.response(head, prepared)));
        } catch (error) {
          // Nobody will read the body: its connection must not wait for that.
          response.body.cancel();
          throw error;
        }
      }
      const location = headers.get('location');
      if (!follows || location === null || ![301, 302, 303, 307, 308].includes(response.status))
        return { head, response };
      response.body.cancel();
      if (history.length >= limit)
        throw failed('SBY_CLIENT_TOO_MANY_REDIRECTS', { request: call.request, limit });
      history.push(new ClientResponse({ ...head, history: [...history] }, EMPTY, call.elapsedMs));
      Object.assign(prepared, nextRequest(prepared, response.status, location, call.request));
      call.request = { method: prepared.method, url: shownUrl(prepared.url) };
    }
  }

  /** Sends, and sends again after failures that are worth it. */
  async #attempt(
    call: Call,
    prepared: Prepared,
    options: RequestOptions,
    message: ClientRequestMessage | null,
  ): Promise<TransportResponse> {
    const policy = options.retries === undefined ? this.#retries : retryPolicy(options.retries);
    const { method } = prepared;
    const replayable = prepared.body === null || prepared.body instanceof Uint8Array;
    if (policy !== null) this.#budget.earn();
    for (let attempt = 1; ; attempt++) {
      let retryAfter: string | null = null;
      try {
        if (message !== null) message.attempts = (message.attempts ?? 0) + 1;
        const response = await this.#send(call, prepared);
        if (
          policy === null ||
          !replayable ||
          attempt > policy.max ||
          !policy.forStatus(method, response.status) ||
          !this.#budget.spend()
        )
          return response;
        retryAfter = HeaderList.trusted(response.headers).get('retry-after');
        response.body.cancel();
      } catch (error) {
        // A call that ended early (scope, total) is over; what the transport reports can be tried again.
        if (
          policy === null ||
          !replayable ||
          call.failure !== null ||
          attempt > policy.max ||
          !policy.forError(method, error) ||
          !this.#budget.spend()
        )
          throw error;
      }
      call.pauseListening();
      call.phase = 'waiting to try again';
      // No longer than the call may last: a sleep of ours would stay behind when the total ends it.
      await call.guard(sleep(Math.min(policy.delay(attempt, retryAfter), call.remaining)));
      call.phase = 'connecting or waiting for a free connection';
    }
  }

  async #send(call: Call, prepared: Prepared): Promise<TransportResponse> {
    const { url, headers } = prepared;
    if (this.#hooks.request !== undefined) await call.guard(Promise.resolve(this.#hooks.request(prepared)));
    let sent = headers.flat();
    if (this.#jar !== null) {
      const cookies = this.#jar.header(url);
      if (cookies !== '') {
        const withJar = HeaderList.trusted(sent);
        addCookies(withJar, cookies);
        sent = withJar.flat();
      }
    }
    const { method, body } = prepared;
    return await call.guard(this.#transport.send({ method, url, headers: sent, body }, call));
  }
}

/** The body of one answer, and the call that ends with it. */
class Source {
  readonly #call: Call;
  readonly #response: TransportResponse;
  readonly #options: { readonly maxBytes: number; readonly decompress: boolean };

  constructor(call: Call, response: TransportResponse, options: { maxBytes: number; decompress: boolean }) {
    this.#call = call;
    this.#response = response;
    this.#options = options;
  }

  codings(head: ResponseHead): ReturnType<typeof contentCodings> {
    return this.#options.decompress ? contentCodings(head.headers) : null;
  }

  async next(): Promise<Uint8Array | null> {
    this.#call.resumeListening();
    const piece = await this.#call.guard(this.#response.body.next());
    if (piece === null) this.#call.end();
    else this.#call.pauseListening();
    return piece;
  }

  close(): void {
    this.#call.end();
    this.#response.body.cancel();
  }

  async readAll(head: ResponseHead): Promise<ClientResponse> {
    const { maxBytes } = this.#options;
    const { body } = this.#response;
    const { request } = this.#call;
    const tooLarge = (): Error => {
      body.cancel();
      return failed('SBY_CLIENT_TOO_LARGE', { request, limit: maxBytes });
    };
    try {
      if (request.method !== 'HEAD' && Number(head.headers.get('content-length') ?? 0) > maxBytes)
        throw tooLarge();
      const pieces: Uint8Array[] = [];
      let length = 0;
      for (;;) {
        const piece = await this.#call.guard(body.next());
        if (piece === null) break;
        length += piece.byteLength;
        if (length > maxBytes) throw tooLarge();
        pieces.push(piece);
      }
      let bytes: Uint8Array =
        pieces.length === 1
          ? (pieces[0] as Uint8Array)
          : pieces.length === 0
            ? EMPTY
            : Buffer.concat(pieces, length);
      const codings = this.codings(head);
      if (codings !== null) bytes = await this.#call.guard(decodeBytes(bytes, codings, maxBytes, request));
      return new ClientResponse(head, bytes, this.#call.elapsedMs);
    } finally {
      this.#call.end();
    }
  }
}

/** A "%" that encodes nothing stands for itself. */
function decodeUserinfo(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes;
    }
  });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function cookieHeader(cookies: Readonly<Record<string, string>>): string {
  return Object.entries(cookies)
    .map(([name, value]) => {
      // A semicolon would begin another cookie.
      if (/[;\s,="]/.test(name) || /[;\s]/.test(value))
        throw fault('SBY_CLIENT_BAD_OPTION', {
          option: `cookies.${name}`,
          got: value,
          expected: 'a value without spaces and semicolons; encodeURIComponent makes one',
        });
      return `${name}=${value}`;
    })
    .join('; ');
}

function addCookies(headers: HeaderList, cookies: string): void {
  const present = headers.get('cookie');
  if (cookies !== '') headers.set('cookie', present === null ? cookies : `${present}; ${cookies}`);
}

function retryPolicy(given: number | RetryOptions | undefined): RetryPolicy | null {
  if (given === undefined || given === 0) return null;
  return new RetryPolicy(typeof given === 'number' ? { max: given } : given);
}
