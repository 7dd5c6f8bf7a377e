import type { Headers } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';
import { type BaseResponse, type HttpRequest, RequestHeaders, type RouteMatch } from '../http/index.ts';
import type { Exchange } from './exchange.ts';

abstract class ReceivedResponse {
  readonly status: number;
  readonly headers: RequestHeaders;
  /** Path and query that were asked for; after redirects, the last one. */
  readonly url: string;
  /** The paths of the redirects that were followed, with their status. */
  readonly redirects: readonly { readonly url: string; readonly status: number }[];
  protected readonly exchange: Exchange;

  constructor(
    exchange: Exchange,
    head: { status: number; headers: Headers },
    url: string,
    redirects: ReceivedResponse['redirects'],
  ) {
    this.exchange = exchange;
    this.status = head.status;
    this.headers = new RequestHeaders(head.headers);
    this.url = url;
    this.redirects = redirects;
  }

  /** 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }
  /** The request as the application saw it; null for applications that are not ours. */
  get request(): HttpRequest | null {
    return (this.exchange.info['request'] as HttpRequest | undefined) ?? null;
  }
  /** The response object the application made. */
  get made(): BaseResponse | null {
    return (this.exchange.info['response'] as BaseResponse | undefined) ?? null;
  }
  /** The route that matched. */
  get match(): RouteMatch | null {
    return this.request?.match ?? null;
  }
  /** The error behind a 500. */
  get error(): unknown {
    return this.exchange.info['error'];
  }
  /** The Set-Cookie lines. */
  get setCookies(): string[] {
    return this.headers.getAll('set-cookie');
  }
}

/** A response with its whole body. */
export class TestResponse extends ReceivedResponse {
  readonly body: Uint8Array;

  constructor(
    exchange: Exchange,
    head: { status: number; headers: Headers },
    body: Uint8Array,
    url: string,
    redirects: ReceivedResponse['redirects'],
  ) {
    super(exchange, head, url, redirects);
    this.body = body;
  }

  get text(): string {
    return new TextDecoder().decode(this.body);
  }

  json<T = unknown>(): T {
    const type = this.headers.get('content-type');
    const { text } = this;
    try {
      if (!/json/i.test(type ?? '')) throw new Error('no JSON');
      return JSON.parse(text) as T;
    } catch (cause) {
      throw fault(
        'SBY_TEST_NO_JSON',
        { request: this.exchange.describe(), type, begin: text.slice(0, 60) },
        { cause },
      );
    }
  }
}

/** A response whose body is read piece by piece; `leave()` closes the connection. */
export class StreamedResponse extends ReceivedResponse {
  #chunks: AsyncGenerator<Uint8Array, void, undefined> | null = null;

  get chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    return (this.#chunks ??= this.exchange.chunks());
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.chunks;
  }

  /** The next piece as text; null at the end. */
  async next(): Promise<string | null> {
    const { value, done } = await this.chunks.next();
    return done ? null : Buffer.from(value).toString();
  }

  /** The rest of the body. */
  async text(): Promise<string> {
    const parts: Uint8Array[] = [];
    for (let next = await this.chunks.next(); !next.done; next = await this.chunks.next())
      parts.push(next.value);
    return Buffer.concat(parts).toString();
  }

  async leave(): Promise<void> {
    await this.exchange.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}
