import type { HttpScope, Receive, State } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';
import { parseCookies } from './cookies.ts';
import { type Form, readForm } from './form.ts';
import { RequestHeaders } from './headers.ts';
import { checkHost, clientAddress, isTrusted } from './host.ts';
import { Incoming } from './incoming.ts';
import { parseJson } from './json-body.ts';
import { acceptsAny, bestOf } from './negotiation.ts';
import { QueryDict } from './query.ts';
import { defaultSettings, type RequestSettings } from './settings.ts';
import { Signer, type UnsignOptions } from './signing.ts';
import type { UploadedFiles } from './uploads.ts';

/** The route that matched; `request.match`. */
export interface RouteMatch {
  /** As written: `orders/<int:id>/`, with what the includes around it put in front. */
  readonly route: string;
  readonly name: string | null;
  /** Of the includes around it, outermost first. */
  readonly namespaces: readonly string[];
  /** `namespace:name`, or the view's name where the route has none. */
  readonly viewName: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly view: unknown;
}

/** A typed place for something that middleware puts on a request and views read. */
export class RequestVar<T> {
  readonly name: string;
  /** Its place in each request: reading it is one look into an array. */
  readonly #slot: number;
  constructor(name: string) {
    this.name = name;
    this.#slot = slots++;
  }
  get(request: HttpRequest): T | undefined {
    return request.slots?.[this.#slot] as T | undefined;
  }
  set(request: HttpRequest, value: T): void {
    (request.slots ??= [])[this.#slot] = value;
  }
}

let slots = 0;

const noState: State = Object.freeze({});
const noMatch: RouteMatch | null = null;

/** One request. Nothing is parsed before somebody asks for it. */
export class HttpRequest {
  readonly method: string;
  /** Decoded, with its leading slash. */
  readonly path: string;
  /** The ASGI scope. */
  readonly scope: HttpScope;
  /** The application's, shared by all requests. */
  readonly settings: RequestSettings;
  /** The route that matched, known to middleware already; null when none did. */
  match: RouteMatch | null = noMatch;
  /** For builders: what `RequestVar`s keep. */
  slots: unknown[] | null = null;
  readonly #receive: Receive;
  #incoming: Incoming | null = null;
  #headers: RequestHeaders | null = null;
  #query: QueryDict | null = null;
  #cookies: Map<string, string> | null = null;
  #body: Promise<Uint8Array> | null = null;
  #form: Promise<Form> | null = null;
  #used: string | null = null;
  #closers: (() => unknown)[] | null = null;
  #closed = false;

  constructor(scope: HttpScope, receive: Receive, settings: RequestSettings = defaultSettings) {
    this.scope = scope;
    this.method = scope.method;
    this.path = scope.path;
    this.settings = settings;
    this.#receive = receive;
  }

  get headers(): RequestHeaders {
    return (this.#headers ??= new RequestHeaders(this.scope.headers));
  }

  /** One header, lower-case name, without building the map: for code that asks for one. */
  header(name: string): string | null {
    if (this.#headers !== null) return this.#headers.get(name);
    const { headers } = this.scope;
    let value: string | null = null;
    for (const header of headers) {
      if (header[0] !== name) continue;
      value = value === null ? header[1] : `${value}${name === 'cookie' ? '; ' : ', '}${header[1]}`;
    }
    return value;
  }

  /** The parameters after the question mark. */
  get query(): QueryDict {
    return (this.#query ??= QueryDict.parse(this.scope.queryString, this.settings.limits.maxFields));
  }

  get cookies(): ReadonlyMap<string, string> {
    return (this.#cookies ??= parseCookies(this.header('cookie')));
  }

  /** What lifespan start-up left. */
  get state(): State {
    return this.scope.state ?? noState;
  }

  /** The media type of the body, lower-case, without parameters; null when none is given. */
  get contentType(): string | null {
    const value = this.header('content-type');
    if (value === null) return null;
    const at = value.indexOf(';');
    return (at === -1 ? value : value.slice(0, at)).trim().toLowerCase();
  }

  /** The length the client gave; null for chunked bodies and none. */
  get contentLength(): number | null {
    const value = this.header('content-length');
    return value === null ? null : Number(value);
  }

  // ---- where from and where to

  /** `http` or `https`, as the client sees it; behind a trusted proxy what X-Forwarded-Proto says. */
  get scheme(): 'http' | 'https' {
    const { scope, settings } = this;
    if (isTrusted(scope.client?.[0], settings.trustedProxies)) {
      const forwarded = this.header('x-forwarded-proto')?.split(',').pop()?.trim().toLowerCase();
      if (forwarded === 'https' || forwarded === 'http') return forwarded;
    }
    return scope.scheme;
  }

  get isSecure(): boolean {
    return this.scheme === 'https';
  }

  /** Host and port as the client wrote them, checked against the allowed hosts (SBY_HTTP_BAD_HOST, status 400). */
  get host(): string {
    const { scope, settings } = this;
    let host: string | null = null;
    if (isTrusted(scope.client?.[0], settings.trustedProxies))
      host = this.header('x-forwarded-host')?.split(',').pop()?.trim() ?? null;
    host ??= this.header('host');
    if (host === null) {
      const server = scope.server;
      const usual = this.scheme === 'https' ? 443 : 80;
      const name = server?.[0] ?? '';
      const shown = name.includes(':') ? `[${name}]` : name;
      host = server?.[1] && server[1] !== usual ? `${shown}:${server[1]}` : shown;
    }
    checkHost(host, settings.allowedHosts);
    return host;
  }

  /** The address of the client; past the proxies that are trusted, and only those. */
  get clientAddress(): string | null {
    return clientAddress(
      this.scope.client?.[0],
      this.header('x-forwarded-for'),
      this.settings.trustedProxies,
    );
  }

  /** Path and query, encoded as they came. */
  get fullPath(): string {
    const { rawPath, queryString } = this.scope;
    return queryString === '' ? rawPath : `${rawPath}?${queryString}`;
  }

  /** `https://host/path`; of this request, or of `location` seen from it. */
  buildAbsoluteUri(location: string = this.fullPath): string {
    const { host } = this;
    // A path that begins with two slashes would be read as a host.
    const safe = location.startsWith('//') ? `/%2F${location.slice(2)}` : location;
    return new URL(safe, `${this.scheme}://${host}${this.scope.rawPath || '/'}`).href;
  }

  // ---- content negotiation

  /** Whether the client takes this media type. */
  accepts(mediaType: string): boolean {
    return acceptsAny(this.header('accept'), mediaType);
  }

  /** The one of `mediaTypes` that the client likes best; null when it takes none. */
  preferredType<T extends string>(mediaTypes: readonly T[]): T | null {
    return bestOf(this.header('accept'), mediaTypes, 'media');
  }

  /** The one of `languages` (`ja`, `en-GB`) that the client likes best; null when it takes none. */
  preferredLanguage<T extends string>(languages: readonly T[]): T | null {
    return bestOf(this.header('accept-language'), languages, 'language');
  }

  // ---- the body

  /** The whole body; read once, kept. */
  body(): Promise<Uint8Array> {
    return (this.#body ??= this.#readBody());
  }

  /** The body as text: UTF-8, or what the charset of its Content-Type names. */
  async text(): Promise<string> {
    const charset = this.#charset();
    if (charset === null) return decoder.decode(await this.body());
    let other: TextDecoder;
    try {
      other = new TextDecoder(charset);
    } catch {
      throw fault('SBY_HTTP_WRONG_TYPE', { expected: 'UTF-8', got: `charset=${charset}` });
    }
    return other.decode(await this.body());
  }

  /** Null for UTF-8, named or not. */
  #charset(): string | null {
    const found = /;\s*charset\s*=\s*"?([^\s;"]{1,40})/i.exec(this.header('content-type') ?? '')?.[1];
    return found === undefined || /^(?:utf-?8|us-ascii|ascii)$/i.test(found) ? null : found;
  }

  /** The body as JSON: of a key that is there twice, the last value. Whoever knows its shape validates it: see `endpoint`. */
  async json(): Promise<unknown> {
    const type = this.contentType;
    if (type === null || !(type === 'application/json' || type.endsWith('+json')))
      throw fault('SBY_HTTP_WRONG_TYPE', { expected: 'application/json', got: type });
    // JSON is UTF-8 (RFC 8259, 8.1): in another charset its quotes could stand elsewhere.
    const charset = this.#charset();
    if (charset !== null)
      throw fault('SBY_HTTP_WRONG_TYPE', { expected: 'JSON in UTF-8', got: `charset=${charset}` });
    const bytes = await this.body();
    let text: string;
    try {
      text = strictDecoder.decode(bytes);
    } catch (cause) {
      throw fault('SBY_HTTP_BAD_BODY', { kind: 'JSON', why: 'it is not UTF-8' }, { cause });
    }
    return parseJson(text, this.settings.limits.maxJsonDepth);
  }

  /** The fields of a form, urlencoded or multipart; empty when the body is none. */
  async form(): Promise<QueryDict> {
    return (await this.#readForm()).fields;
  }

  /** The files of a multipart form. They are deleted when the request ends: move those that shall stay. */
  async files(): Promise<UploadedFiles> {
    return (await this.#readForm()).files;
  }

  /** The body piece by piece, without limit and without keeping it. */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#body !== null) {
      const bytes = await this.#body;
      if (bytes.length > 0) yield bytes;
      return;
    }
    this.#use('request.stream()');
    const { incoming } = this;
    while (true) {
      const chunk = await incoming.next();
      if (chunk === undefined) throw fault('SBY_HTTP_DISCONNECTED', { path: this.path });
      if (chunk === null) return;
      yield chunk;
    }
  }

  #use(how: string): void {
    if (this.#used !== null) throw fault('SBY_HTTP_BODY_USED', { callee: how, used: this.#used });
    this.#used = how;
  }

  async #readBody(): Promise<Uint8Array> {
    this.#use('request.body()');
    const { maxBodySize } = this.settings.limits;
    const tooLarge = (): Error =>
      fault('SBY_HTTP_TOO_LARGE', {
        what: 'The body',
        limit: maxBodySize,
        unit: 'bytes',
        option: 'maxBodySize',
      });
    const announced = this.contentLength;
    if (announced !== null && announced > maxBodySize) throw tooLarge();
    const { incoming } = this;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let chunk = await incoming.next(); chunk !== null; chunk = await incoming.next()) {
      if (chunk === undefined) throw fault('SBY_HTTP_DISCONNECTED', { path: this.path });
      size += chunk.length;
      if (size > maxBodySize) throw tooLarge();
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
  }

  #readForm(): Promise<Form> {
    return (this.#form ??= readForm(this));
  }

  // ---- signing

  signer(salt: string): Signer {
    return new Signer(this.settings.secretKeys, salt);
  }

  /** A cookie set with `setSignedCookie`; null when it is not there, SBY_HTTP_BAD_SIGNATURE when it was changed. */
  signedCookie(name: string, options: UnsignOptions = {}): string | null {
    const signed = this.cookies.get(name);
    if (signed === undefined) return null;
    return this.signer(`cookie.${name}`).unsign(signed, { what: `cookie "${name}"`, ...options });
  }

  // ---- life

  /** For builders: the receiving side. */
  get incoming(): Incoming {
    return (this.#incoming ??= new Incoming(this.#receive));
  }

  /** `fn` runs when the request is over, whichever way it ended; at once when it is over already. */
  onClose(fn: () => unknown): void {
    if (this.#closed) void runCloser(fn);
    else (this.#closers ??= []).push(fn);
  }

  /** For builders: whether `close` has anything to do. */
  get holds(): boolean {
    return this.#closers !== null;
  }

  /** For builders: runs what `onClose` was given, last first. Never throws. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#closers === null ? nothing : this.#runClosers(this.#closers);
  }

  async #runClosers(closers: readonly (() => unknown)[]): Promise<void> {
    this.#closers = null;
    for (let index = closers.length - 1; index >= 0; index--) await runCloser(closers[index]!);
  }
}

const nothing = Promise.resolve();

async function runCloser(fn: () => unknown): Promise<void> {
  try {
    await fn();
  } catch (error) {
    console.error('An onClose() of a request failed:', error);
  }
}

const decoder = new TextDecoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true });
