import type { Extensions, HttpScope, WebSocketScope } from '../../asgi/index.ts';
import { isSobayaError } from '../../errors/index.ts';
import { BODY_HIGH_WATER, COMPLETE } from '../exchange.ts';
import type { Services } from '../services.ts';
import type { Protocol, Transport } from '../transport.ts';
import { WebSocketConnection } from '../websocket/connection.ts';
import { asksForWebSocket, readHandshake } from '../websocket/handshake.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { Http1Exchange } from './exchange.ts';
import { HeadParser, type RequestHead } from './head-parser.ts';
import { latin1 } from './latin1.ts';
import type { Refusal } from './refusal.ts';
import { refuse } from './refusal.ts';
import { reasonPhrase, statusLine } from './status-line.ts';

// What the next bytes are.
const HEAD = 0;
const LENGTH_BODY = 1;
const CHUNKED_BODY = 2;
const TRAILER_PART = 3;
/** The request is complete, its response is not: pipelined bytes wait. */
const WAIT = 4;
/** Nothing is read any more but thrown away, until the peer closes (RFC 9112 9.6). */
const CLOSING = 5;
const CLOSED = 6;
/** Another protocol has the connection. */
const SWITCHED = 7;

const FOREVER = Number.POSITIVE_INFINITY;
/** Bytes of pipelined requests that may wait before reading stops. */
const HOLD_HIGH_WATER = 64 * 1024;
/** Response bytes that may wait in memory before `send` waits. */
const WRITE_HIGH_WATER = 64 * 1024;
/** How much of a body that nobody wants is read and thrown away to keep a connection. */
const DRAIN_LIMIT = 64 * 1024;
/** How long a closing connection throws away what still comes. */
const LINGER = 2000;
/** How long a connection that has sent nothing yet is waited for when the server stops. */
const FIRST_REQUEST = 500;

export const ASGI = Object.freeze({ version: '3.0', specVersion: '2.5' } as const);
const EXTENSIONS = Object.freeze({
  'http.response.early_hint': {},
  'http.response.trailers': {},
  'http.response.pathsend': {},
} as const);
const EXTENSIONS_WEBSOCKET = Object.freeze({ 'websocket.http.response': {} } as const);
const EXTENSIONS_10 = Object.freeze({ 'http.response.pathsend': {} } as const);

/**
 * HTTP/1.1 on one connection: bytes in, bytes out, the application in between. Requests that are pipelined are
 * answered in order, one at a time.
 */
export class Http1Connection implements Protocol {
  readonly transport: Transport;
  readonly services: Services;
  readonly #parser: HeadParser;
  #phase = HEAD;
  #exchange: Http1Exchange | null = null;
  /** Bytes of the body that are still to come. */
  #remaining = 0;
  #bodyBytes = 0;
  #chunks: ChunkedDecoder | null = null;
  /** Bytes that were read and cannot be used yet: a part of a head, or pipelined requests. */
  #hold: Buffer | null = null;
  #holdStart = 0;
  #holdEnd = 0;
  #consuming = false;
  #served = 0;
  readonly #number: number;
  /** Inside `feed`, which nothing follows: what it leaves of the ambient context nobody sees. */
  #fed = false;
  #headBegan = false;
  #paused = false;
  #peerDone = false;
  #deadline = FOREVER;
  #writeMark = 0;
  #writeDeadline = FOREVER;
  /** A large piece of a body is being sent from the application's own memory. */
  borrowed = false;
  #successor: Protocol | null = null;

  constructor(transport: Transport, services: Services) {
    this.transport = transport;
    this.services = services;
    this.#number = ++services.connections;
    this.#parser = new HeadParser({
      requestLine: services.options.limitRequestLine,
      field: services.options.limitRequestField,
      fields: services.options.limitRequestFields,
      head: services.options.limitRequestHead,
    });
    this.#deadline = services.now + services.options.timeoutHeader;
  }

  /** True when no request is being read or answered. */
  get idle(): boolean {
    return this.#phase === HEAD && this.#hold === null;
  }

  // ---- what comes in

  feed(buffer: Buffer, start: number, end: number): void {
    if (this.#phase >= CLOSING) return;
    this.#fed = true;
    if (this.#hold === null) {
      const at = this.#consume(buffer, start, end);
      if (at < end && this.#phase < CLOSING) this.#keep(buffer, at, end);
    } else {
      this.#keep(buffer, start, end);
      if (!this.#consuming) this.#consumeHold();
    }
    this.#fed = false;
    this.transport.flush();
    this.#throttle();
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    const size = end - start;
    const held = this.#holdEnd - this.#holdStart;
    if (this.#hold === null || this.#hold.length - this.#holdEnd < size) {
      const grown = Buffer.allocUnsafeSlow(Math.max(512, (held + size) * 2));
      if (this.#hold !== null) this.#hold.copy(grown, 0, this.#holdStart, this.#holdEnd);
      this.#hold = grown;
      this.#holdStart = 0;
      this.#holdEnd = held;
    }
    buffer.copy(this.#hold, this.#holdEnd, start, end);
    this.#holdEnd += size;
  }

  #consumeHold(): void {
    if (this.#hold === null) return;
    this.#holdStart = this.#consume(this.#hold, this.#holdStart, this.#holdEnd);
    if (this.#phase < CLOSING && this.#holdStart < this.#holdEnd) return;
    this.#hold = null;
    this.#holdStart = this.#holdEnd = 0;
  }

  /** Uses what it can of the bytes and gives the position after them. */
  #consume(buffer: Buffer, start: number, end: number): number {
    let at = start;
    this.#consuming = true;
    try {
      while (at < end) {
        switch (this.#phase) {
          case HEAD: {
            const after = this.#parser.scan(buffer, at, end);
            if (after === -1) {
              if (!this.#headBegan) {
                this.#headBegan = true;
                this.#deadline = this.services.now + this.services.options.timeoutHeader;
              }
              return at;
            }
            const head = this.#parser.take(buffer, at, after);
            at = after;
            this.#headBegan = false;
            this.#request(head, at < end);
            break;
          }
          case LENGTH_BODY: {
            const take = Math.min(end - at, this.#remaining);
            this.#remaining -= take;
            this.#body(buffer, at, at + take);
            at += take;
            if (this.#remaining === 0) this.#bodyDone();
            break;
          }
          case CHUNKED_BODY: {
            const chunks = this.#chunks!;
            at = chunks.next(buffer, at, end);
            if (chunks.dataEnd > chunks.dataStart) this.#body(buffer, chunks.dataStart, chunks.dataEnd);
            if (chunks.done) {
              this.#chunks = null;
              this.#parser.startTrailers();
              this.#phase = TRAILER_PART;
            }
            break;
          }
          case TRAILER_PART: {
            const after = this.#parser.scan(buffer, at, end);
            if (after === -1) return at;
            this.#parser.takeTrailers(buffer, at, after);
            at = after;
            this.#bodyDone();
            break;
          }
          case WAIT:
            return at;
          case SWITCHED:
            this.#successor?.feed(buffer, at, end);
            return end;
          default:
            return end;
        }
      }
    } catch (error) {
      if (!isSobayaError(error) || error.code !== 'SBY_SERVER_BAD_REQUEST') throw error;
      // Nobody answers HEAD with a body, not even when refusing it (RFC 9110 9.3.2).
      this.#refuse(error as Refusal, this.#phase === HEAD && isHead(buffer, at, end));
      return end;
    } finally {
      this.#consuming = false;
    }
    return at;
  }

  #request(head: RequestHead, more: boolean): void {
    const { services } = this;
    const { options } = services;
    const limit = options.limitRequestBody;
    if (limit > 0 && head.contentLength > limit)
      throw refuse(413, `the body has ${head.contentLength} bytes, and at most ${limit} are accepted`);
    if (asksForWebSocket(head)) {
      this.#upgrade(head);
      return;
    }
    const scope: HttpScope = {
      type: 'http',
      asgi: ASGI,
      httpVersion: head.http11 ? '1.1' : '1.0',
      method: head.method,
      scheme: this.transport.encrypted ? 'https' : 'http',
      path: head.path,
      rawPath: head.rawPath,
      queryString: head.queryString,
      rootPath: options.rootPath,
      headers: head.headers,
      client: this.transport.client,
      server: this.transport.server,
      state: { ...services.state },
      extensions: this.#extensions(head.http11 ? EXTENSIONS : EXTENSIONS_10),
    };
    services.proxies?.apply(scope);
    const exchange = new Http1Exchange(this, head, scope);
    // A body that came along makes "100 Continue" superfluous (RFC 9110 10.1.1).
    if (more) exchange.awaitsContinue = false;
    exchange.startedAt = services.now;
    exchange.connectionNumber = this.#number;
    exchange.requestOnConnection = ++this.#served;
    services.requests++;
    this.#exchange = exchange;
    this.#bodyBytes = 0;
    this.#deadline = FOREVER;
    if (exchange.bodyEnded) this.#phase = WAIT;
    else {
      this.#remaining = head.contentLength;
      if (head.chunked) {
        this.#chunks = new ChunkedDecoder(options.limitRequestBody);
        this.#phase = CHUNKED_BODY;
      } else this.#phase = LENGTH_BODY;
      if (!exchange.awaitsContinue) this.#deadline = services.now + options.timeoutBody;
    }
    exchange.start(services.app, services.context, this.#fed);
  }

  #extensions(known: Extensions): Extensions {
    const { tls } = this.transport;
    return tls === null ? known : { ...known, tls };
  }

  #upgrade(head: RequestHead): void {
    const { transport, services } = this;
    const handshake = readHandshake(head);
    if (typeof handshake === 'number') {
      if (handshake === 400) throw refuse(400, 'the WebSocket handshake is malformed');
      this.respondAndClose(
        426,
        false,
        'upgrade: websocket\r\nsec-websocket-version: 13\r\n',
        'upgrade, close',
      );
      return;
    }
    const scope: WebSocketScope = {
      type: 'websocket',
      asgi: ASGI,
      httpVersion: '1.1',
      scheme: transport.encrypted ? 'wss' : 'ws',
      path: head.path,
      rawPath: head.rawPath,
      queryString: head.queryString,
      rootPath: services.options.rootPath,
      headers: head.headers,
      client: transport.client,
      server: transport.server,
      subprotocols: handshake.subprotocols,
      state: { ...services.state },
      extensions: this.#extensions(EXTENSIONS_WEBSOCKET),
    };
    services.proxies?.apply(scope);
    const connection = new WebSocketConnection(transport, services, scope, handshake);
    this.#phase = SWITCHED;
    this.#deadline = FOREVER;
    this.#successor = connection;
    transport.switchTo(connection);
    void connection.start();
  }

  #body(buffer: Buffer, start: number, end: number): void {
    const { options } = this.services;
    const exchange = this.#exchange!;
    this.#bodyBytes += end - start;
    this.#deadline = this.services.now + options.timeoutBody;
    exchange.awaitsContinue = false;
    if (exchange.phase >= COMPLETE) {
      if (this.#bodyBytes > DRAIN_LIMIT && this.#chunks !== null) this.#close();
      return;
    }
    const copy = Buffer.allocUnsafe(end - start);
    buffer.copy(copy, 0, start, end);
    exchange.pushBody(copy);
  }

  #bodyDone(): void {
    const exchange = this.#exchange!;
    this.#deadline = FOREVER;
    this.#phase = WAIT;
    exchange.endBody();
    if (exchange.phase === COMPLETE) this.#next();
  }

  /** A body of which this much is left can be thrown away to keep the connection. */
  canDrain(exchange: Http1Exchange): boolean {
    if (exchange.awaitsContinue) return false;
    return this.#phase === LENGTH_BODY ? this.#remaining <= DRAIN_LIMIT : true;
  }

  readOn(): void {
    if (this.#paused) this.#throttle();
    if (this.#phase === LENGTH_BODY || this.#phase === CHUNKED_BODY)
      this.#deadline = this.services.now + this.services.options.timeoutBody;
  }

  /** Stops reading while what was read waits in memory. */
  #throttle(): void {
    const full =
      (this.#phase === WAIT && this.#holdEnd - this.#holdStart > HOLD_HIGH_WATER) ||
      (this.#exchange !== null && this.#exchange.queued > BODY_HIGH_WATER);
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) {
      // The client waits for us now, so its clock stops.
      this.#deadline = FOREVER;
      this.transport.pause();
    } else this.transport.resume();
  }

  eof(): void {
    this.#peerDone = true;
    switch (this.#phase) {
      case HEAD:
        if (this.#hold !== null && this.#parser.started)
          this.#refuse(refuse(400, 'the connection ended within the head of a request'));
        else this.#end();
        return;
      case LENGTH_BODY:
      case CHUNKED_BODY:
      case TRAILER_PART:
        if (this.#exchange !== null && this.#exchange.phase < COMPLETE)
          this.#refuse(refuse(400, 'the connection ended within the body of a request'));
        else this.#end();
        return;
      case WAIT:
        if (this.#exchange !== null) {
          this.#exchange.keepAlive = this.#exchange.keepAlive && this.#hold !== null;
          this.#exchange.disconnect(false, 'the client closed its side');
        }
        return;
      case CLOSING:
        this.#phase = CLOSED;
        this.transport.end();
        return;
    }
  }

  lost(error: Error | null): void {
    if (this.#phase === CLOSED && this.#exchange === null) return;
    this.#phase = CLOSED;
    this.#deadline = FOREVER;
    this.#hold = null;
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.disconnect(true, error === null ? 'the client left' : `the client left: ${error.message}`);
  }

  // ---- what goes out

  write(data: string | Uint8Array): void {
    this.transport.write(data);
  }

  flush(): void {
    this.transport.flush();
  }

  /** The end of a response goes out at once, unless more responses may follow in this turn. */
  flushAfterSend(last: boolean): void {
    if (this.#consuming) {
      if (!last) this.transport.flushSoon();
      return;
    }
    if (last && this.#hold === null) this.transport.flush();
    else if (this.transport.buffered > WRITE_HIGH_WATER) this.transport.flush();
    else this.transport.flushSoon();
  }

  congested(): boolean {
    const { transport } = this;
    if (transport.buffered === 0) return false;
    if (this.borrowed || transport.buffered > WRITE_HIGH_WATER) {
      transport.flush();
      if (transport.buffered > 0) return true;
      this.borrowed = false;
    }
    return false;
  }

  drained(): void {
    this.borrowed = false;
    this.#writeDeadline = FOREVER;
    this.#exchange?.drained();
  }

  responseDone(exchange: Http1Exchange): void {
    if (!exchange.keepAlive || (this.#peerDone && this.#hold === null)) {
      this.#close();
      return;
    }
    if (this.#phase === WAIT) this.#next();
    else if (!this.canDrain(exchange)) this.#close();
    else if (this.#paused) this.#throttle();
  }

  /** The next request may begin. */
  #next(): void {
    this.#exchange = null;
    this.#phase = HEAD;
    this.#headBegan = false;
    this.#deadline = this.services.now + this.services.options.timeoutKeepAlive;
    if (this.#consuming) return;
    if (this.#hold !== null) {
      this.#consumeHold();
      if (this.#phase < CLOSING && this.#paused) this.#throttle();
      if (this.#phase === HEAD && this.#peerDone) this.eof();
    } else if (this.services.stopping && !this.services.draining) this.#end();
  }

  #refuse(refusal: Refusal, bodiless = false): void {
    const exchange = this.#exchange;
    this.services.log.warn(`${this.#peerName()}: ${refusal.message}`);
    if (exchange !== null && exchange.phase < COMPLETE) {
      this.#exchange = null;
      exchange.refused(refusal.status, refusal.message);
    } else if (exchange !== null) this.destroy();
    else this.respondAndClose(refusal.status, bodiless);
  }

  #peerName(): string {
    const { client } = this.transport;
    return client === null ? 'a client' : `${client[0]}:${client[1]}`;
  }

  /** A short answer of the server's own, the last on this connection. */
  respondAndClose(status: number, bodiless: boolean, fields = '', connection = 'close'): void {
    if (this.#phase >= CLOSING) return;
    const { options, date } = this.services;
    const body = `${status} ${reasonPhrase(status)}\n`;
    let head = `${statusLine(status)}content-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: ${connection}\r\n${fields}`;
    if (options.dateHeader) head += `date: ${date.get(this.services.now)}\r\n`;
    if (options.serverHeader) head += 'server: sobaya\r\n';
    this.transport.write(`${head}\r\n${bodiless ? '' : body}`);
    this.#close();
  }

  /**
   * Sends what is left and FIN, then throws away what still comes: closing at once would make the operating
   * system send a reset, which can destroy the response before the client has read it (RFC 9112 9.6).
   */
  #close(): void {
    if (this.#phase >= CLOSING) return;
    this.#phase = this.#peerDone ? CLOSED : CLOSING;
    this.#exchange = this.#exchange !== null && this.#exchange.phase < COMPLETE ? this.#exchange : null;
    this.#hold = null;
    this.#deadline = this.services.now + LINGER;
    this.transport.end();
    if (this.#paused) {
      this.#paused = false;
      this.transport.resume();
    }
  }

  /** Nothing is owed to anybody. */
  #end(): void {
    this.#phase = CLOSED;
    this.#deadline = this.services.now + LINGER;
    this.transport.end();
  }

  destroy(): void {
    this.#phase = CLOSED;
    this.transport.destroy();
  }

  // ---- time

  tick(now: number): void {
    const { transport } = this;
    if (transport.buffered > 0) {
      if (transport.buffered !== this.#writeMark) {
        this.#writeMark = transport.buffered;
        this.#writeDeadline = now + this.services.options.timeoutWrite;
      } else if (now > this.#writeDeadline) {
        this.services.log.warn(`${this.#peerName()}: took nothing of its response in time, dropped`);
        transport.destroy();
        return;
      }
    }
    // Reading has stopped, as so much is waiting to be answered: whether the client has left cannot be seen. Where the
    // application waits for that and nothing else, it would wait for ever.
    if (this.#paused && this.#phase === WAIT && this.#deadline === FOREVER && this.#exchange?.awaitsLeave)
      this.#deadline = now + this.services.options.timeoutBody;
    if (now <= this.#deadline) return;
    this.#deadline = FOREVER;
    switch (this.#phase) {
      case WAIT:
        if (this.#paused && this.#exchange?.awaitsLeave) transport.destroy();
        return;
      case HEAD:
        if (this.#parser.started) this.#refuse(refuse(408, 'the head of the request did not come in time'));
        else this.#end();
        return;
      case LENGTH_BODY:
      case CHUNKED_BODY:
      case TRAILER_PART:
        if (this.#exchange !== null && this.#exchange.phase < COMPLETE)
          this.#refuse(refuse(408, 'the body of the request did not come in time'));
        else this.destroy();
        return;
      case CLOSING:
      case CLOSED:
        if (transport.buffered === 0) transport.destroy();
        else this.#deadline = now + LINGER;
    }
  }

  shutdown(drain: boolean): void {
    this.#exchange?.shutdown();
    if (!this.idle || this.#parser.started) return;
    if (this.#served > 0) {
      if (!drain) this.#end();
    } else {
      // Just accepted: its first request is on the way, or it is of no use.
      this.#deadline = Math.min(this.#deadline, this.services.now + FIRST_REQUEST);
    }
  }
}

/** Whether the request that begins at `start` is a HEAD; one empty line may stand before it. */
function isHead(buffer: Buffer, start: number, end: number): boolean {
  return /^(?:\r\n)?HEAD /.test(latin1(buffer, start, Math.min(end, start + 7)));
}
