import type { Header } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';
import { type CookieOptions, formatCookie } from './cookies.ts';
import { type HeaderValues, headerValue, ResponseHeaders } from './headers.ts';

export interface ResponseOptions {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: HeaderValues;
  /** The Content-Type. Default `text/html; charset=utf-8`. */
  readonly contentType?: string;
}

export type Content = string | Uint8Array;
export type Chunks = Iterable<Content> | AsyncIterable<Content>;

/** Pairs that never change are shared by all responses. */
const htmlType: Header = ['content-type', 'text/html; charset=utf-8'];
const jsonType: Header = ['content-type', 'application/json'];
const none = Buffer.alloc(0);

/** What every response has: a status, headers, cookies, and things to release when it is over. */
export abstract class BaseResponse {
  status: number;
  readonly headers: ResponseHeaders;
  #closers: (() => unknown)[] | null = null;
  #closed = false;
  /** For builders: the request that closes it at the latest. */
  heldBy: object | null = null;

  constructor(options: ResponseOptions | undefined, type: Header | null) {
    this.headers = new ResponseHeaders();
    if (options === undefined) {
      this.status = 200;
      if (type !== null) this.headers.list.push(type);
      return;
    }
    const status = options.status ?? 200;
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw fault('SBY_HTTP_BAD_STATUS', { got: status });
    this.status = status;
    if (options.contentType !== undefined)
      this.headers.list.push(['content-type', headerValue('content-type', options.contentType)]);
    else if (type !== null) this.headers.list.push(type);
    if (options.headers !== undefined) this.headers.update(options.headers);
  }

  /** True when the content comes piece by piece. */
  abstract readonly streaming: boolean;

  setCookie(name: string, value: string, options?: CookieOptions): this {
    const line = formatCookie(name, value, options);
    const { list } = this.headers;
    for (let index = list.length - 1; index >= 0; index--) {
      const header = list[index]!;
      if (header[0] === 'set-cookie' && header[1].startsWith(`${name}=`)) list.splice(index, 1);
    }
    list.push(['set-cookie', line]);
    return this;
  }

  /** Tells the browser to forget a cookie; path and domain must be those it was set with. */
  deleteCookie(
    name: string,
    options: Pick<CookieOptions, 'path' | 'domain' | 'secure' | 'sameSite'> = {},
  ): this {
    return this.setCookie(name, '', { ...options, maxAge: 0, expires: new Date(0) });
  }

  /** `fn` runs once, after the response was sent, refused or dropped. */
  onClose(fn: () => unknown): this {
    (this.#closers ??= []).push(fn);
    return this;
  }

  /** For builders: releases what the response holds. Never throws; every closer runs, last added first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closers = this.#closers;
    this.#closers = null;
    if (closers === null) return;
    for (let index = closers.length - 1; index >= 0; index--) {
      try {
        await closers[index]!();
      } catch (error) {
        console.error('An onClose() of a response failed:', error);
      }
    }
  }

  /** For builders: whether `close` has anything to do. */
  get holds(): boolean {
    return this.#closers !== null;
  }
}

/** A response whose content is there: text or bytes. */
export class HttpResponse extends BaseResponse {
  #content: Content;
  readonly streaming: boolean = false;

  constructor(content: Content = '', options?: ResponseOptions, type: Header = htmlType) {
    super(options, type);
    if (typeof content !== 'string' && !(content instanceof Uint8Array))
      throw fault('SBY_HTTP_BAD_CONTENT', { callee: new.target.name, got: content });
    this.#content = content;
  }

  get content(): Content {
    return this.#content;
  }
  set content(content: Content) {
    if (typeof content !== 'string' && !(content instanceof Uint8Array))
      throw fault('SBY_HTTP_BAD_CONTENT', { callee: 'response.content', got: content });
    this.#content = content;
  }

  bytes(): Uint8Array {
    const content = this.#content;
    if (typeof content !== 'string') return content;
    return content === '' ? none : Buffer.from(content);
  }

  text(): string {
    const content = this.#content;
    return typeof content === 'string'
      ? content
      : Buffer.from(content.buffer, content.byteOffset, content.length).toString();
  }
}

/** Plain data as `application/json`. */
export class JsonResponse extends HttpResponse {
  constructor(data: unknown, options?: ResponseOptions) {
    let text: string | undefined;
    try {
      text = JSON.stringify(data);
    } catch (cause) {
      throw fault('SBY_HTTP_NOT_JSON', { got: data, why: (cause as Error).message }, { cause });
    }
    if (text === undefined)
      throw fault('SBY_HTTP_NOT_JSON', {
        got: data,
        why: data === undefined ? 'it is undefined' : 'JSON has no such value',
      });
    super(text, options, jsonType);
  }
}

/** Content that is made while it is sent: an iterable, async iterable or ReadableStream of text or bytes. */
export class StreamingHttpResponse extends BaseResponse {
  readonly streaming: boolean = true;
  #content: Chunks | null;

  constructor(content: Chunks, options?: ResponseOptions, type: Header | null = htmlType) {
    super(options, type);
    const iterable = content as Partial<AsyncIterable<Content> & Iterable<Content>> | null;
    if (
      typeof content === 'string' ||
      content instanceof Uint8Array ||
      (typeof iterable?.[Symbol.asyncIterator] !== 'function' &&
        typeof iterable?.[Symbol.iterator] !== 'function')
    )
      throw fault('SBY_HTTP_BAD_CONTENT', { callee: new.target.name, got: content });
    this.#content = content;
    // A generator that was never started runs no finally; one that is a stream must still be cancelled.
    this.onClose(() => this.#release());
  }

  async #release(): Promise<void> {
    const content = this.#content as
      | (Chunks & {
          return?: () => unknown;
          cancel?: () => unknown;
          destroy?: () => unknown;
          locked?: boolean;
        })
      | null;
    this.#content = null;
    if (content === null) return;
    if (typeof content.destroy === 'function') content.destroy();
    else if (typeof content.cancel === 'function' && !content.locked) await content.cancel();
    else if (typeof content.return === 'function') await content.return();
  }

  /** For middleware: replaces the content by what `wrap` makes of it. */
  transform(wrap: (chunks: Chunks) => Chunks): this {
    const before = this.take();
    this.#content = wrap(before);
    // The new content may never be started, and then never ends the one it wraps.
    const inner = before as Chunks & { return?: () => unknown; destroy?: () => unknown };
    this.onClose(() => (typeof inner.destroy === 'function' ? inner.destroy() : inner.return?.()));
    return this;
  }

  /** For builders: the content, once. */
  take(): Chunks {
    const content = this.#content;
    if (content === null) throw fault('SBY_HTTP_RESPONSE_USED', {});
    this.#content = null;
    return content;
  }
}

/** Browsers drop tabs and line ends, and read backslashes as slashes: what is left could be another address. */
const unsafeTarget = /^\s|[\x00-\x1f\x7f\\]|^(?!https?:)[a-z][a-z0-9+.-]*:/i;

/** 302: look there instead. */
export class HttpResponseRedirect extends HttpResponse {
  /** `preserve` keeps method and body: 307 and 308 instead of 302 and 301. */
  constructor(to: string | URL, options: ResponseOptions = {}) {
    const url = String(to);
    if (unsafeTarget.test(url)) throw fault('SBY_HTTP_UNSAFE_REDIRECT', { to: url });
    super('', { status: 302, ...options });
    this.headers.set('location', encodeUrl(url));
  }

  get url(): string {
    return this.headers.get('location') ?? '';
  }
}

export class HttpResponsePermanentRedirect extends HttpResponseRedirect {
  constructor(to: string | URL, options: ResponseOptions = {}) {
    super(to, { status: 301, ...options });
  }
}

/** Percent-encodes what may not stand in a URL, and leaves alone what is encoded already. */
function encodeUrl(url: string): string {
  return encodeURI(url)
    .replace(/%25([0-9a-f]{2})/gi, '%$1')
    .replace(/%5B/gi, '[')
    .replace(/%5D/gi, ']');
}

export class HttpResponseBadRequest extends HttpResponse {
  constructor(content: Content = 'Bad Request', options?: ResponseOptions) {
    super(content, { ...options, status: 400 });
  }
}
export class HttpResponseForbidden extends HttpResponse {
  constructor(content: Content = 'Forbidden', options?: ResponseOptions) {
    super(content, { ...options, status: 403 });
  }
}
export class HttpResponseNotFound extends HttpResponse {
  constructor(content: Content = 'Not Found', options?: ResponseOptions) {
    super(content, { ...options, status: 404 });
  }
}
export class HttpResponseGone extends HttpResponse {
  constructor(content: Content = 'Gone', options?: ResponseOptions) {
    super(content, { ...options, status: 410 });
  }
}
export class HttpResponseServerError extends HttpResponse {
  constructor(content: Content = 'Internal Server Error', options?: ResponseOptions) {
    super(content, { ...options, status: 500 });
  }
}
export class HttpResponseNotAllowed extends HttpResponse {
  /** `allow`: the methods that are allowed, for the Allow header. */
  constructor(allow: readonly string[], content: Content = 'Method Not Allowed', options?: ResponseOptions) {
    super(content, { ...options, status: 405 });
    this.headers.set('allow', allow.join(', '));
  }
}
export class HttpResponseNotModified extends HttpResponse {
  constructor(options?: ResponseOptions) {
    super('', { ...options, status: 304 });
    this.headers.delete('content-type');
  }
}
/** 204: done, and there is nothing to say. */
export class HttpResponseNoContent extends HttpResponse {
  constructor(options?: ResponseOptions) {
    super('', { ...options, status: 204 });
    this.headers.delete('content-type');
  }
}

export type AnyResponse = HttpResponse | StreamingHttpResponse;

const brand: unique symbol = Symbol.for('sobaya.http.response') as never;
Object.defineProperties(BaseResponse.prototype, {
  [brand]: { value: true },
  // A promise that resolves to an object asks it for `then` first: here the search ends, before Object.prototype.
  // Responses pass through promises at every layer, so this is measurable.
  then: { value: undefined },
});

/** Whether it is one of ours, by brand: one property, where `instanceof` walks the prototypes. */
export function isResponse(value: unknown): value is AnyResponse {
  return (value as { [brand]?: true } | null | undefined)?.[brand] === true;
}

/** Makes one of ours from a web-standard `Response`. */
export function fromWebResponse(response: Response): AnyResponse {
  const headers: [string, string][] = [];
  for (const [name, value] of response.headers) if (name !== 'set-cookie') headers.push([name, value]);
  const body = response.body as unknown as AsyncIterable<Uint8Array> | null;
  const options: ResponseOptions = { status: response.status };
  const made = body === null ? new HttpResponse('', options) : new StreamingHttpResponse(body, options, null);
  made.headers.delete('content-type');
  for (const [name, value] of headers) made.headers.set(name, value);
  for (const cookie of response.headers.getSetCookie()) made.headers.append('set-cookie', cookie);
  return made;
}
