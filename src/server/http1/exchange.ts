import type { DirectResponse, Headers } from '../../asgi/index.ts';
import { COMPLETE, Exchange, IDLE } from '../exchange.ts';
import {
  CONNECTION,
  CONTENT_LENGTH,
  DATE,
  DROPPED,
  knownName,
  PLAIN,
  SERVER,
  trails,
  validValue,
} from '../response-headers.ts';
import type { Http1Connection } from './connection.ts';
import type { RequestHead } from './head-parser.ts';
import { latin1 } from './latin1.ts';
import { statusLine } from './status-line.ts';

/** Bodies up to this size go out in the same string as the head; making one string of both is cheaper than two writes. */
const INLINE_BODY = 4 * 1024;
/** Pieces up to this size are copied, so that the application may use its buffer again at once. */
const COPIED_BODY = 16 * 1024;

interface Prepared {
  readonly status: number;
  readonly headers: Headers;
  readonly head: string;
}

/** The last head that was checked and written: a program sends the same few over and over. */
let lastPrepared: Prepared | null = null;

function sameHeaders(a: Headers, b: Headers): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    const one = a[index]!;
    const other = b[index]!;
    if (one[0] !== other[0] || one[1] !== other[1]) return false;
  }
  return true;
}

export class Http1Exchange extends Exchange implements DirectResponse {
  get borrows(): true {
    return true;
  }

  readonly connection: Http1Connection;
  readonly http11: boolean;
  readonly acceptsTrailers: boolean;
  /** The connection can be used again after this response. */
  keepAlive: boolean;
  /** The client waits for "100 Continue" before it sends its body. */
  awaitsContinue: boolean;
  #head = '';
  #chunked = false;
  #ownDate = false;
  #ownServer = false;

  constructor(connection: Http1Connection, head: RequestHead, scope: Exchange['scope']) {
    super(connection.services, scope, head.chunked || head.contentLength > 0);
    this.connection = connection;
    this.http11 = head.http11;
    this.acceptsTrailers = head.acceptsTrailers;
    this.keepAlive = head.keepAlive;
    this.awaitsContinue = head.expectsContinue && !this.bodyEnded;
    (this.send as { direct?: DirectResponse }).direct = this;
  }

  protected override prepareHead(status: number, headers: Headers): void {
    const last = lastPrepared;
    if (last !== null && last.status === status && sameHeaders(last.headers, headers)) {
      this.#head = last.head;
      return;
    }
    let head = statusLine(status);
    let plain = headers.length <= 16;
    this.#ownDate = this.#ownServer = false;
    for (const header of headers) {
      const name = knownName(header[0]);
      const value = header[1];
      if (name === null)
        throw this.badEvent(
          'http.response.start',
          `the header name ${JSON.stringify(header[0])} is no token`,
        );
      if (!validValue(value)) {
        throw this.badEvent(
          'http.response.start',
          `the value of ${name.name} is ${typeof value === 'string' ? `${JSON.stringify(value)}, which holds a control character or is not latin-1` : `no string but ${typeof value}`}`,
        );
      }
      if (name.kind !== PLAIN) {
        plain = false;
        if (name.kind === DROPPED) continue;
        if (name.kind === CONNECTION) {
          if (/(?:^|[\s,])close(?:$|[\s,])/i.test(value)) this.keepAlive = false;
          continue;
        }
        if (name.kind === CONTENT_LENGTH) {
          this.#announce(value);
          // The server writes it, once, or not at all where it has no place (RFC 9110 8.6).
          continue;
        }
        if (name.kind === DATE) this.#ownDate = true;
        if (name.kind === SERVER) this.#ownServer = true;
      }
      head += `${name.wire}${value}\r\n`;
    }
    this.#head = head;
    if (plain) lastPrepared = { status, headers: headers.map(([name, value]) => [name, value]), head };
  }

  #announce(value: string): void {
    if (this.declaredLength !== -1)
      throw this.badEvent('http.response.start', 'there is more than one content-length');
    const length = Number(value);
    if (!/^[0-9]+$/.test(value) || length > Number.MAX_SAFE_INTEGER)
      throw this.badEvent('http.response.start', `content-length is ${JSON.stringify(value)}`);
    this.declaredLength = length;
  }

  protected override writeText(text: string): void {
    this.#writeHead(text, true);
  }

  protected override writeHead(body: Uint8Array, last: boolean): void {
    this.#writeHead(body, last);
  }

  #writeHead(body: Uint8Array | string, last: boolean): void {
    const { connection, status } = this;
    const { options } = this.services;
    let head = this.#head;
    this.#head = '';
    // Framing (RFC 9112 6.3): the length where it is known, chunks where the client knows them, else the end of
    // the connection.
    if (status === 204) {
      // No Content-Length in a 204 (RFC 9110 8.6).
    } else if (status === 205) head += 'content-length: 0\r\n';
    else if (this.declaredLength !== -1) head += `content-length: ${this.declaredLength}\r\n`;
    else if (status === 304) {
      // A 304 without a length of its own says nothing about one.
    } else if (last && !this.trailersAnnounced) {
      // For HEAD, what a GET would have said.
      head += `content-length: ${this.bodiless ? this.sentLength : body.length}\r\n`;
    } else if (this.http11) {
      head += 'transfer-encoding: chunked\r\n';
      this.#chunked = !this.bodiless;
    } else this.keepAlive = false;

    if (!this.bodyEnded && !connection.canDrain(this)) this.keepAlive = false;
    if (this.services.stopping) this.keepAlive = false;
    if (!this.keepAlive) head += 'connection: close\r\n';
    else if (!this.http11) head += 'connection: keep-alive\r\n';
    if (options.dateHeader && !this.#ownDate)
      head += `date: ${this.services.date.get(this.services.now)}\r\n`;
    if (options.serverHeader && !this.#ownServer) head += 'server: sobaya\r\n';
    head += '\r\n';

    // Text is the whole body, so its length is known and nothing is chunked.
    if (typeof body === 'string') connection.write(head + body);
    else if (body.length === 0 && !this.#chunked) connection.write(head);
    else if (!this.#chunked && body.length <= INLINE_BODY)
      connection.write(head + latin1(body, 0, body.length));
    else {
      connection.write(head);
      this.#writePiece(body, last);
    }
    connection.flushAfterSend(last);
  }

  protected override writeBody(body: Uint8Array, last: boolean): void {
    if (!this.bodiless) this.#writePiece(body, last);
    this.connection.flushAfterSend(last);
  }

  #writePiece(body: Uint8Array, last: boolean): void {
    const { connection } = this;
    const length = body.length;
    if (!this.#chunked) {
      if (length > 0) connection.write(this.#keep(body));
      return;
    }
    const end = last ? (this.trailersAnnounced ? '0\r\n' : '0\r\n\r\n') : '';
    if (length === 0) {
      if (end !== '') connection.write(end);
    } else if (length <= INLINE_BODY) {
      connection.write(`${length.toString(16)}\r\n${latin1(body, 0, body.length)}\r\n${end}`);
    } else {
      connection.write(`${length.toString(16)}\r\n`);
      connection.write(this.#keep(body));
      connection.write(`\r\n${end}`);
    }
  }

  /** Small pieces are copied. A large one is sent from where it lies: `send` then waits until it is gone. */
  #keep(body: Uint8Array): Uint8Array | string {
    if (body.length <= INLINE_BODY) return latin1(body, 0, body.length);
    if (body.length > COPIED_BODY) {
      this.connection.borrowed = true;
      return body;
    }
    return Buffer.from(body);
  }

  protected override writeTrailers(headers: Headers): void {
    if (!this.#chunked) {
      this.connection.flushAfterSend(true);
      return;
    }
    let text = '';
    if (this.acceptsTrailers) {
      for (const [given, value] of headers) {
        const name = knownName(given);
        if (name === null || !validValue(value))
          throw this.badEvent('http.response.trailers', `the field ${JSON.stringify(given)} is invalid`);
        if (!trails(name))
          throw this.badEvent('http.response.trailers', `${name.name} may not stand in a trailer section`);
        text += `${name.wire}${value}\r\n`;
      }
    }
    this.connection.write(`${text}\r\n`);
    this.connection.flushAfterSend(true);
  }

  protected override writeEarlyHints(links: readonly string[]): void {
    if (!this.http11 || links.length === 0) return;
    let text = 'HTTP/1.1 103 Early Hints\r\n';
    for (const link of links) {
      if (!validValue(link))
        throw this.badEvent('http.response.early_hint', `the link ${JSON.stringify(link)} is invalid`);
      text += `link: ${link}\r\n`;
    }
    this.connection.write(`${text}\r\n`);
    this.connection.flushAfterSend(false);
  }

  protected override wantBody(): void {
    if (this.awaitsContinue && this.phase === IDLE) {
      this.awaitsContinue = false;
      this.connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      this.connection.flush();
    }
    this.connection.readOn();
  }

  protected override congested(): boolean {
    return this.connection.congested();
  }

  protected override finished(): void {
    this.connection.responseDone(this);
  }

  protected override abort(): void {
    this.connection.destroy();
  }

  protected override respondError(status: number): void {
    this.status = status;
    this.sentLength = 0;
    this.phase = COMPLETE;
    this.keepAlive = false;
    this.services.onResponse?.(this);
    this.connection.respondAndClose(status, this.scope.method === 'HEAD');
  }

  /** The rest of the body cannot be trusted: the request has failed. */
  refused(status: number, why: string): void {
    const unanswered = this.phase <= 1;
    if (unanswered) this.status = status;
    this.disconnect(true, why);
    if (unanswered) this.connection.respondAndClose(status, this.scope.method === 'HEAD');
    else this.connection.destroy();
  }
}
