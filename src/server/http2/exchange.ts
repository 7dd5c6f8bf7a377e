import type * as http2 from 'node:http2';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Header, Headers, HttpScope } from '../../asgi/index.ts';
import { BODY_HIGH_WATER, COMPLETE, Exchange, HEAD_READY } from '../exchange.ts';
import { reasonPhrase } from '../http1/status-line.ts';
import {
  CONNECTION,
  CONTENT_LENGTH,
  DROPPED,
  knownName,
  PLAIN,
  trails,
  validValue,
} from '../response-headers.ts';
import type { Services } from '../services.ts';

/** Bytes that may wait on one stream before `send` waits. */
const WRITE_HIGH_WATER = 64 * 1024;
/**
 * Pieces in which a body is handed on. What waits is known by whole pieces only, and a client that reads slowly must be
 * told from one that has stopped.
 */
const PIECE = 32 * 1024;
/** RST_STREAM codes (RFC 9113 7). */
const INTERNAL_ERROR = 2;
const CANCEL = 8;

/** Makes the promised stream and has the application answer on it. */
export type Pushed = (
  stream: ServerHttp2Stream,
  scope: HttpScope,
  path: string,
  headers: readonly Header[],
) => void;

/** A request on a stream of HTTP/2 (RFC 9113). */
export class Http2Exchange extends Exchange {
  readonly #stream: ServerHttp2Stream;
  readonly #acceptsTrailers: boolean;
  #head: OutgoingHttpHeaders = {};
  #bodyBytes = 0;
  #trailers: OutgoingHttpHeaders | null = null;
  readonly #onPush: Pushed;
  #bodyDeadline: number;
  #writeMark = 0;
  #writeDeadline = Number.POSITIVE_INFINITY;

  constructor(
    services: Services,
    stream: ServerHttp2Stream,
    scope: HttpScope,
    hasBody: boolean,
    trailers: boolean,
    onPush: Pushed,
  ) {
    super(services, scope, hasBody);
    this.#onPush = onPush;
    this.#bodyDeadline = services.now + services.options.timeoutBody;
    this.#stream = stream;
    this.#acceptsTrailers = trailers;
    stream.on('drain', () => this.drained());
    stream.on('error', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers(this.#trailers ?? {}));
    stream.on('close', () => this.disconnect(true, 'the client left'));
    if (!hasBody) {
      stream.resume();
      return;
    }
    const limit = services.options.limitRequestBody;
    stream.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length;
      this.#bodyDeadline = services.now + services.options.timeoutBody;
      if (limit > 0 && this.#bodyBytes > limit) {
        this.#refuse(413, `the body has more than ${limit} bytes`);
        return;
      }
      this.pushBody(chunk);
      if (this.queued > BODY_HIGH_WATER) stream.pause();
    });
    stream.on('end', () => this.endBody());
  }

  protected override prepareHead(status: number, headers: Headers): void {
    const head: OutgoingHttpHeaders = { ':status': status };
    for (const [given, value] of headers) {
      const name = knownName(given);
      if (name === null)
        throw this.badEvent('http.response.start', `the header name ${JSON.stringify(given)} is no token`);
      if (!validValue(value))
        throw this.badEvent(
          'http.response.start',
          `the value of ${name.name} is no latin-1 text without controls`,
        );
      // Fields of a connection have no place here (RFC 9113 8.2.2).
      if (name.kind === DROPPED || name.kind === CONNECTION) continue;
      if (name.kind === CONTENT_LENGTH) {
        if (this.declaredLength !== -1)
          throw this.badEvent('http.response.start', 'there is more than one content-length');
        if (!/^[0-9]+$/.test(value) || Number(value) > Number.MAX_SAFE_INTEGER)
          throw this.badEvent('http.response.start', `content-length is ${JSON.stringify(value)}`);
        this.declaredLength = Number(value);
        continue;
      }
      const before = head[name.name];
      if (before === undefined) head[name.name] = value;
      else head[name.name] = [...(Array.isArray(before) ? before : [String(before)]), value];
    }
    this.#head = head;
  }

  protected override writeHead(body: Uint8Array, last: boolean): void {
    if (this.#stream.destroyed) throw this.goneError();
    const { options, date, now } = this.services;
    const head = this.#head;
    if (this.status !== 204) {
      if (this.declaredLength !== -1) head['content-length'] = this.declaredLength;
      else if (last && this.status !== 304 && !this.trailersAnnounced)
        head['content-length'] = this.bodiless ? this.sentLength : body.length;
    }
    if (options.dateHeader) head['date'] ??= date.get(now);
    if (options.serverHeader) head['server'] ??= 'sobaya';
    const ends = this.bodiless || (last && body.length === 0 && !this.trailersAnnounced);
    this.#stream.respond(head, {
      sendDate: false,
      endStream: ends,
      waitForTrailers: this.trailersAnnounced && !ends,
    } as http2.ServerStreamResponseOptions);
    if (!ends) this.#piece(body, last);
  }

  protected override writeBody(body: Uint8Array, last: boolean): void {
    if (!this.bodiless) this.#piece(body, last);
  }

  #piece(body: Uint8Array, last: boolean): void {
    // Copied: the application may use its buffer again, the stream keeps what the window does not take.
    const bytes = Buffer.from(body);
    for (let at = 0; at < bytes.length; at += PIECE) this.#stream.write(bytes.subarray(at, at + PIECE));
    if (last && !this.trailersAnnounced) this.#stream.end();
  }

  protected override writeTrailers(headers: Headers): void {
    if (this.bodiless) return;
    if (this.#acceptsTrailers) {
      this.#trailers = {};
      for (const [given, value] of headers) {
        const name = knownName(given);
        if (name === null || !validValue(value))
          throw this.badEvent('http.response.trailers', `the field ${JSON.stringify(given)} is invalid`);
        if (!trails(name))
          throw this.badEvent('http.response.trailers', `${name.name} may not stand in a trailer section`);
        this.#trailers[name.name] = value;
      }
    }
    this.#stream.end();
  }

  protected override writeEarlyHints(links: readonly string[]): void {
    if (links.length === 0) return;
    for (const link of links)
      if (!validValue(link))
        throw this.badEvent('http.response.early_hint', `the link ${JSON.stringify(link)} is invalid`);
    this.#stream.additionalHeaders({ ':status': 103, link: [...links] });
  }

  protected override push(path: string, headers: Headers): void {
    if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#'))
      throw this.badEvent(
        'http.response.push',
        `the path ${JSON.stringify(path)} is no path as a request has it`,
      );
    const fields: Header[] = [];
    for (const [given, value] of headers) {
      const name = knownName(given);
      if (name === null || !validValue(value))
        throw this.badEvent('http.response.push', `the field ${JSON.stringify(given)} is invalid`);
      if (name.kind === PLAIN && name.name !== 'host') fields.push([name.name, value]);
    }
    // The client may have turned pushing off since the request began.
    if (this.#stream.pushAllowed) this.#onPush(this.#stream, this.scope, path, fields);
  }

  /** Called about once per clock interval, until the stream is closed. */
  tick(now: number): void {
    const stream = this.#stream;
    const { timeoutWrite, timeoutBody } = this.services.options;
    const left = stream.writableLength;
    if (left !== this.#writeMark || left === 0) {
      this.#writeMark = left;
      this.#writeDeadline = now + timeoutWrite;
    } else if (now > this.#writeDeadline) {
      this.services.log.warn(`${this.describe()}: the client took nothing of its response in time, dropped`);
      stream.close(CANCEL);
      return;
    }
    if (this.bodyEnded || this.phase >= COMPLETE) return;
    // The application is the slow one while reading is stopped.
    if (stream.isPaused()) this.#bodyDeadline = now + timeoutBody;
    else if (now > this.#bodyDeadline) {
      this.#refuse(408, 'the body of the request did not come in time');
    }
  }

  /** The rest of the body cannot be had: the request has failed. */
  #refuse(status: number, why: string): void {
    this.services.log.warn(`${this.describe()}: ${why}`);
    const unanswered = this.phase <= HEAD_READY;
    this.disconnect(true, why);
    if (unanswered) this.respondError(status);
    else this.#stream.close(CANCEL);
  }

  protected override wantBody(): void {
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  protected override congested(): boolean {
    return this.#stream.writableLength > WRITE_HIGH_WATER;
  }

  protected override finished(): void {
    // A body that nobody wants is not read on (RFC 9113 8.1: NO_ERROR after the response).
    if (!this.bodyEnded) this.#stream.once('finish', () => this.#stream.close(0));
    this.#stream.resume();
  }

  protected override abort(): void {
    this.#stream.close(INTERNAL_ERROR);
  }

  /** The stream is given up: the session is over its limits, or the server stops. */
  cancel(): void {
    this.#stream.close(CANCEL);
  }

  override respondError(status: number): void {
    this.status = status;
    this.phase = COMPLETE;
    this.services.onResponse?.(this);
    if (this.#stream.headersSent || this.#stream.destroyed) {
      this.abort();
      return;
    }
    const body = `${status} ${reasonPhrase(status)}\n`;
    this.#stream.respond({
      ':status': status,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': body.length,
    });
    this.#stream.end(this.scope.method === 'HEAD' ? undefined : body);
    this.finished();
  }
}
