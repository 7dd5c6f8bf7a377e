import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { FailedRequest } from '../errors/index.ts';
import { decodeStream } from './decode.ts';
import { failed } from './faults.ts';
import type { HeaderList } from './headers.ts';

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly httpVersion: string;
  readonly headers: HeaderList;
  /** The URL that answered: after redirects the last one. */
  readonly url: URL;
  readonly request: FailedRequest;
  readonly history: readonly ClientResponse[];
}

abstract class Head {
  readonly status: number;
  readonly reason: string;
  readonly httpVersion: string;
  readonly headers: HeaderList;
  readonly url: string;
  /** Method and URL asked, as in messages. */
  readonly request: FailedRequest;
  /** The redirects that led here, oldest first. */
  readonly history: readonly ClientResponse[];

  constructor(head: ResponseHead) {
    this.status = head.status;
    this.reason = head.reason;
    this.httpVersion = head.httpVersion;
    this.headers = head.headers;
    this.url = head.url.href;
    this.request = head.request;
    this.history = head.history;
  }

  /** Status 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get isRedirect(): boolean {
    return this.status >= 300 && this.status < 400 && this.headers.has('location');
  }

  get contentType(): string {
    return (this.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
  }

  /** The charset of the Content-Type; UTF-8 when it names none that is known. */
  get charset(): string {
    const named = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(this.headers.get('content-type') ?? '')?.[1];
    if (named === undefined) return 'utf-8';
    try {
      return new TextDecoder(named).encoding;
    } catch {
      return 'utf-8';
    }
  }
}

/** An answer with its body. */
export class ClientResponse extends Head {
  /** The body, decompressed. */
  readonly bytes: Uint8Array;
  /** From the call to the last byte, in milliseconds. */
  readonly elapsedMs: number;

  constructor(head: ResponseHead, bytes: Uint8Array, elapsedMs: number) {
    super(head);
    this.bytes = bytes;
    this.elapsedMs = elapsedMs;
  }

  text(): string {
    const { charset, bytes } = this;
    if (charset === 'utf-8')
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        .toString('utf8')
        .replace(/^\ufeff/, '');
    return new TextDecoder(charset).decode(bytes);
  }

  /** The body as JSON. What it is, only the other side knows: name a type, or let `parse(schema)` check it. */
  json<T = unknown>(): T {
    const text = this.text();
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const { request, status, contentType } = this;
      throw failed('SBY_CLIENT_NOT_JSON', { request, status, contentType, start: text.slice(0, 60) }, error);
    }
  }

  /** The body as JSON, checked by any Standard Schema (zod, valibot, arktype …) and typed by it. */
  async parse<S extends StandardSchemaV1>(schema: S): Promise<StandardSchemaV1.InferOutput<S>> {
    const result = await schema['~standard'].validate(this.json());
    if (result.issues === undefined) return result.value as StandardSchemaV1.InferOutput<S>;
    const issues = result.issues.map(({ message, path }) => {
      const where = (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
      return where ? `${where}: ${message}` : message;
    });
    throw failed('SBY_CLIENT_INVALID', { request: this.request, issues });
  }

  /** Throws a `ClientStatusError` when the status is 400 or above; gives the response back otherwise. */
  raiseForStatus(): this {
    if (this.status < 400) return this;
    const { request, status, reason } = this;
    const start = /^(?:text\/|application\/(?:.*\+)?json)/.test(this.contentType)
      ? this.text().slice(0, 120)
      : '';
    const error = failed('SBY_CLIENT_STATUS', { request, status, reason, start });
    error.status = status;
    error.response = this;
    throw error;
  }
}

export interface ServerSentEvent {
  /** Default `message`. */
  readonly event: string;
  readonly data: string;
  /** The last id that was sent; what `last-event-id` takes up from. */
  readonly id: string;
  /** Milliseconds to wait before connecting again, when this event says so. */
  readonly retry: number | null;
}

/** Where the body of a streamed answer comes from, and what ends with it. */
export interface ResponseSource {
  next(): Promise<Uint8Array | null>;
  /** Lets go of the connection. */
  close(): void;
  readAll(head: ResponseHead): Promise<ClientResponse>;
}

/**
 * An answer whose body has not been read: iterate it, `read()` it whole, or `close()` it. It is closed by itself at
 * the end of the scope it was asked for in; `await using` closes it earlier.
 */
export class StreamingResponse extends Head implements AsyncDisposable {
  readonly #source: ResponseSource;
  readonly #head: ResponseHead;
  readonly #codings: Parameters<typeof decodeStream>[1] | null;
  #used = false;

  constructor(
    head: ResponseHead,
    source: ResponseSource,
    codings: Parameters<typeof decodeStream>[1] | null,
  ) {
    super(head);
    this.#head = head;
    this.#source = source;
    this.#codings = codings;
  }

  #use(): void {
    if (this.#used) throw failed('SBY_CLIENT_BODY_USED', { request: this.request });
    this.#used = true;
  }

  /** The body as it comes, without undoing its Content-Encoding. */
  async *raw(): AsyncGenerator<Uint8Array> {
    this.#use();
    try {
      for (let piece = await this.#source.next(); piece !== null; piece = await this.#source.next())
        yield piece;
    } finally {
      this.#source.close();
    }
  }

  /** The body piece by piece, decompressed. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const raw = this.raw();
    return this.#codings === null ? raw : decodeStream(raw, this.#codings, this.request);
  }

  /** The body line by line, line ends taken off. A line longer than 1 MiB is given in parts. */
  async *lines(): AsyncGenerator<string> {
    const decoder = new TextDecoder(this.charset);
    let rest = '';
    for await (const piece of this) {
      rest += decoder.decode(piece, { stream: true });
      // A CR at the very end may be the first half of CR LF.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length > 1_048_576) {
        yield rest;
        rest = '';
      }
    }
    rest += decoder.decode();
    if (rest !== '') yield rest.replace(/\r$/, '');
  }

  /** The body as server-sent events (WHATWG HTML 9.2.6). Comments are left out. */
  async *events(): AsyncGenerator<ServerSentEvent> {
    let event = '';
    let data: string[] = [];
    let id = '';
    let retry: number | null = null;
    let first = true;
    for await (const text of this.lines()) {
      const line = first ? text.replace(/^\ufeff/, '') : text;
      first = false;
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id, retry };
        event = '';
        data = [];
        retry = null;
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
      else if (field === 'retry' && /^\d+$/.test(value)) retry = Number(value);
    }
  }

  /** Reads the body to its end, up to `maxBytes`. */
  read(): Promise<ClientResponse> {
    this.#use();
    return this.#source.readAll(this.#head);
  }

  /** As `ClientResponse.raiseForStatus`, after reading the body of the error. */
  async raiseForStatus(): Promise<this> {
    if (this.status >= 400) (await this.read()).raiseForStatus();
    return this;
  }

  /** Lets go of the connection; what was not read is lost. */
  close(): void {
    this.#used = true;
    this.#source.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
