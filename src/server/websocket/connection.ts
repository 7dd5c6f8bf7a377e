import type {
  Headers,
  ReceiveEvent,
  SendEvent,
  WebSocketScope,
  WebSocketSendEvents,
} from '../../asgi/index.ts';
import { Task } from '../../asyncio/index.ts';
import { fault, isSobayaError } from '../../errors/index.ts';
import { type EventWaiter, unobserved, wait } from '../event-waiter.ts';
import { FAREWELLS } from '../exchange.ts';
import { reasonPhrase, statusLine } from '../http1/status-line.ts';
import { DROPPED, knownName, validValue } from '../response-headers.ts';
import type { Services } from '../services.ts';
import type { Protocol, Transport } from '../transport.ts';
import { type Negotiated, negotiate } from './deflate.ts';
import { closeCodeOf, type Framing, loadFraming, type Receiver } from './framing.ts';
import type { Handshake } from './handshake.ts';
import { Outgoing } from './outgoing.ts';

// How far the connection is.
const CONNECTING = 0;
const OPEN = 1;
/** A close frame was sent, the peer's is awaited. */
const CLOSING = 2;
const CLOSED = 3;
/** The handshake is answered with an HTTP response of the application's. */
const DENYING = 4;
/** The peer's close frame came, and is answered once the application has taken what came before it. */
const ANSWERING = 5;

const HIGH_WATER = 64 * 1024;
/** How long an application may take to come to the end of what the peer sent before its close frame. */
const ANSWER_TIMEOUT = 1000;
/** Pieces that one message, or what is not yet a message, may come in: each costs memory, however small it is. */
const MAX_PIECES = 128 * 1024;
/** An application that does not take the news of the client's leave in this time is cancelled. */
const LEAVE_TIMEOUT = 5000;
/** How long the peer's close frame, or its FIN, is waited for. */
const CLOSE_TIMEOUT = 5000;
const FOREVER = Number.POSITIVE_INFINITY;
const EMPTY = Buffer.alloc(0);

/** A WebSocket on a connection that came as HTTP/1.1 (RFC 6455), as ASGI sees it. */
export class WebSocketConnection implements Protocol {
  readonly transport: Transport;
  readonly services: Services;
  readonly scope: WebSocketScope;
  readonly #handshake: Handshake;
  #phase = CONNECTING;
  #framing: Framing | null = null;
  #receiver: Receiver | null = null;
  /** What was agreed on compression; null without. */
  #negotiated: Negotiated | null = null;
  /** Null until the handshake is accepted. */
  #outgoing: Outgoing | null = null;
  /** The code in the peer's close frame, while it is not answered. */
  #peerCode = 1005;
  #task: Task<void> | null = null;
  #leaving: NodeJS.Timeout | undefined;
  /** Bytes that came before the handshake was answered. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  readonly #events: ReceiveEvent[] = [{ type: 'websocket.connect' }];
  #queued = 0;
  #receivers: EventWaiter<ReceiveEvent>[] = [];
  #senders: EventWaiter<void>[] = [];
  #disconnected = false;
  #paused = false;
  #peerDone = false;
  #farewells = 0;
  /** The response that refuses the handshake; its fields as they are sent. */
  #denial: { status: number; fields: string; started: boolean } | null = null;
  #deadline = FOREVER;
  #nextPing = FOREVER;
  #pongDue = FOREVER;
  #writeMark = 0;
  #writeDeadline = FOREVER;

  constructor(transport: Transport, services: Services, scope: WebSocketScope, handshake: Handshake) {
    this.transport = transport;
    this.services = services;
    this.scope = scope;
    this.#handshake = handshake;
  }

  /** Loads the framing and calls the application. */
  async start(): Promise<void> {
    try {
      this.#framing = await loadFraming();
    } catch (error) {
      this.services.log.failure(this.#describe(), error);
      this.#respond(500);
      return;
    }
    if (this.#phase === CLOSED) return;
    const { app, context, options } = this.services;
    const { extensions } = this.#handshake;
    if (extensions !== null) {
      try {
        const negotiated = negotiate(this.#framing, extensions, options.wsMaxSize);
        if (options.wsPerMessageDeflate) this.#negotiated = negotiated;
      } catch {
        this.services.log.warn(`${this.#describe()}: Sec-WebSocket-Extensions breaks its grammar`);
        this.#respond(400);
        return;
      }
    }
    this.services.requests++;
    this.#task = new Task<void>(
      () =>
        app(
          this.scope,
          () => this.#receive(),
          // A failure that nobody awaits is in no way to end the process.
          (event) => unobserved(this.#send(event as WebSocketSendEvents)),
        ),
      context,
      this.#describe(),
      (task) => this.#ended(task),
    );
  }

  #describe(): string {
    return `WebSocket ${this.scope.path}`;
  }

  #ended(task: Task<unknown>): void {
    clearTimeout(this.#leaving);
    if (task.state === 'failed') {
      const { error } = task;
      if (!isSobayaError(error) || error.code !== 'SBY_SERVER_DISCONNECTED')
        this.services.log.failure(this.#describe(), error);
    }
    const failed = task.state !== 'done';
    if (this.#phase === CONNECTING) {
      if (!failed)
        this.services.log.error(
          `${this.#describe()}: the application returned without having answered the handshake`,
        );
      this.#respond(500);
    } else if (this.#phase === DENYING && this.#denial?.started !== true) this.#respond(500);
    else if (this.#phase === DENYING) {
      this.transport.destroy();
      this.#phase = CLOSED;
    } else if (this.#phase === OPEN) this.#close(failed ? (this.services.stopping ? 1012 : 1011) : 1000, '');
    else if (this.#phase === ANSWERING) this.#answer();
  }

  // ---- what the application does

  #receive(): Promise<ReceiveEvent> {
    const event = this.#events.shift();
    if (event === undefined) {
      if (this.#disconnected) return this.#farewell();
      return wait(this.#receivers, 'a message of the WebSocket');
    }
    if (event.type === 'websocket.disconnect') {
      clearTimeout(this.#leaving);
      if (this.#phase === ANSWERING) this.#answer();
    }
    if (event.type === 'websocket.receive') {
      this.#queued -= sizeOf(event);
      this.#throttle();
    }
    return Promise.resolve(event);
  }

  #farewell(): Promise<ReceiveEvent> {
    const event: ReceiveEvent = { type: 'websocket.disconnect', code: 1006, reason: '' };
    if (++this.#farewells <= FAREWELLS) return Promise.resolve(event);
    return new Promise((resolve) => setImmediate(resolve, event));
  }

  async #send(event: WebSocketSendEvents): Promise<void> {
    switch (event?.type) {
      case 'websocket.accept':
        if (this.#phase !== CONNECTING) throw this.#wrong(event.type);
        this.#accept(event.subprotocol ?? null, event.headers ?? []);
        return;
      case 'websocket.close':
        if (this.#phase === CONNECTING) this.#respond(403);
        else if (this.#phase === OPEN || this.#phase === ANSWERING)
          this.#close(event.code ?? 1000, event.reason ?? '');
        else if (this.#phase !== CLOSING && this.#phase !== CLOSED) throw this.#wrong(event.type);
        return;
      case 'websocket.send': {
        if (this.#phase !== OPEN && this.#phase !== ANSWERING) throw this.#wrong(event.type);
        const { bytes, text } = event;
        const hasText = text !== undefined && text !== null;
        if (hasText === (bytes !== undefined && bytes !== null))
          throw this.#bad(event.type, 'exactly one of bytes and text must be given');
        if (hasText && typeof text !== 'string') throw this.#bad(event.type, 'text is no string');
        if (!hasText && !(bytes instanceof Uint8Array)) throw this.#bad(event.type, 'bytes is no Uint8Array');
        // Copied: the application may use its buffer again.
        const data = hasText ? Buffer.from(text) : Buffer.from(bytes!);
        const sent = this.#outgoing!.message(data, !hasText, () => this.#gone());
        if (sent !== null) await sent;
        this.transport.flushSoon();
        if (this.transport.buffered > HIGH_WATER) {
          this.transport.flush();
          if (this.transport.buffered > HIGH_WATER) await wait(this.#senders, 'the client to read');
        }
        return;
      }
      case 'websocket.http.response.start':
        if (this.#phase !== CONNECTING) throw this.#wrong(event.type);
        if (!Number.isInteger(event.status) || event.status < 200 || event.status > 999)
          throw this.#bad(event.type, `status is ${String(event.status)}`);
        this.#denial = {
          status: event.status,
          fields: this.#denialFields(event.headers ?? []),
          started: false,
        };
        this.#phase = DENYING;
        return;
      case 'websocket.http.response.body':
        if (this.#phase !== DENYING || this.#denial === null) throw this.#wrong(event.type);
        if (event.body !== undefined && !(event.body instanceof Uint8Array))
          throw this.#bad(event.type, 'body is no Uint8Array');
        this.#deny(event.body ?? EMPTY, event.moreBody !== true);
        if (this.transport.buffered > HIGH_WATER) {
          this.transport.flush();
          if (this.transport.buffered > HIGH_WATER) await wait(this.#senders, 'the client to read');
        }
        return;
      default:
        throw this.#bad(
          String((event as SendEvent | undefined)?.type),
          'the server knows no event of this type here',
        );
    }
  }

  #accept(subprotocol: string | null, headers: Headers): void {
    if (subprotocol !== null && !this.scope.subprotocols.includes(subprotocol))
      throw this.#bad(
        'websocket.accept',
        `the subprotocol ${JSON.stringify(subprotocol)} was not offered by the client`,
      );
    let head = `${statusLine(101)}upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${this.#framing!.acceptFor(this.#handshake.key)}\r\n`;
    if (subprotocol !== null) head += `sec-websocket-protocol: ${subprotocol}\r\n`;
    if (this.#negotiated !== null) head += `sec-websocket-extensions: ${this.#negotiated.answer}\r\n`;
    head += this.#fields('websocket.accept', headers, /^sec-websocket-|^content-length$/);
    this.transport.write(`${head}\r\n`);
    this.#phase = OPEN;
    const { now, options } = this.services;
    if (options.wsPingInterval > 0) this.#nextPing = now + options.wsPingInterval;
    this.#listen();
    this.transport.flush();
    const early = this.#early;
    this.#early = [];
    for (const piece of early) this.#receiver?.write(piece);
    this.#throttle();
  }

  #fields(event: string, headers: Headers, refused: RegExp): string {
    let text = '';
    let server = false;
    let date = false;
    for (const [given, value] of headers) {
      const name = knownName(given);
      if (name === null) throw this.#bad(event, `the header name ${JSON.stringify(given)} is no token`);
      if (!validValue(value)) throw this.#bad(event, `the value of ${name.name} is invalid`);
      if (name.kind === DROPPED || name.name === 'connection') continue;
      if (refused.test(name.name)) throw this.#bad(event, `${name.name} is the server's to send`);
      if (name.name === 'server') server = true;
      if (name.name === 'date') date = true;
      text += `${name.wire}${value}\r\n`;
    }
    const { options } = this.services;
    if (options.dateHeader && !date) text += `date: ${this.services.date.get(this.services.now)}\r\n`;
    if (options.serverHeader && !server) text += 'server: sobaya\r\n';
    return text;
  }

  /** Checked before anything is sent. The length is the server's to say: what the first piece has, else the end of the connection. */
  #denialFields(given: Headers): string {
    const headers = given.filter((header) => String(header?.[0]).toLowerCase() !== 'content-length');
    return this.#fields('websocket.http.response.start', headers, /^$/);
  }

  #deny(body: Uint8Array, last: boolean): void {
    const denial = this.#denial!;
    const bodiless = denial.status === 204 || denial.status === 205 || denial.status === 304;
    if (!denial.started) {
      denial.started = true;
      const length = last && !bodiless ? `content-length: ${body.length}\r\n` : '';
      const { status, fields } = denial;
      this.transport.write(`${statusLine(status)}${fields}${length}connection: close\r\n\r\n`);
    }
    if (body.length > 0 && !bodiless) this.transport.write(Buffer.from(body));
    if (last) this.#finish();
    else this.transport.flushSoon();
  }

  /** Answers the handshake with a short response of the server's own. */
  #respond(status: number): void {
    const body = `${status} ${reasonPhrase(status)}\n`;
    const fields = this.#fields('response', [['content-type', 'text/plain; charset=utf-8']], /^$/);
    this.transport.write(
      `${statusLine(status)}${fields}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    );
    this.#finish();
    this.#disconnect(1006, '');
  }

  #finish(): void {
    this.#phase = CLOSED;
    this.#deadline = this.services.now + CLOSE_TIMEOUT;
    if (this.#outgoing === null) this.transport.end();
    else this.#outgoing.finish(() => this.#end());
  }

  #end(): void {
    this.transport.end();
    this.#outgoing?.free(this.#receiver);
  }

  // ---- frames

  #listen(): void {
    const { options } = this.services;
    const deflate = this.#negotiated?.deflate ?? null;
    this.#outgoing = new Outgoing(this.#framing!, this.transport, deflate);
    const receiver = new this.#framing!.Receiver({
      isServer: true,
      maxPayload: options.wsMaxSize,
      allowSynchronousEvents: true,
      binaryType: 'nodebuffer',
      extensions: deflate === null ? {} : { 'permessage-deflate': deflate },
      skipUTF8Validation: false,
      maxFragments: MAX_PIECES,
      maxBufferedChunks: MAX_PIECES,
    });
    this.#receiver = receiver;
    receiver.on('message', (data, isBinary) => {
      if (this.#phase !== OPEN) return;
      const event: ReceiveEvent = isBinary
        ? { type: 'websocket.receive', bytes: data, text: null }
        : { type: 'websocket.receive', bytes: null, text: data.toString('utf8') };
      this.#deliver(event, data.length);
    });
    receiver.on('ping', (data) => {
      if (this.#phase !== OPEN) return;
      this.#outgoing?.pong(data);
      this.transport.flushSoon();
      // A flood of pings that takes no pongs must not fill the memory.
      if (this.transport.buffered > 16 * HIGH_WATER) this.transport.destroy();
    });
    receiver.on('drain', () => this.#throttle());
    receiver.on('pong', () => {
      this.#pongDue = FOREVER;
    });
    receiver.on('conclude', (code, reason) => {
      const text = reason.toString('utf8');
      if (this.#phase === OPEN) {
        // What came before it is answered first: closing at once would cut the echo of the last message off.
        this.#phase = ANSWERING;
        this.#peerCode = code;
        this.#deadline = this.services.now + ANSWER_TIMEOUT;
        if (this.#tell(code, text)) this.#answer();
      } else {
        this.#disconnect(code, text);
        this.#finish();
      }
    });
    receiver.on('error', (error) => {
      const code = closeCodeOf(error);
      this.services.log.warn(`${this.#describe()}: closed with ${code}: ${error.message}`);
      if (this.#phase === OPEN) this.#sendClose(code, '');
      this.#disconnect(code, error.message);
      this.#finish();
    });
  }

  #deliver(event: ReceiveEvent, size: number): void {
    for (let receiver = this.#receivers.shift(); receiver !== undefined; receiver = this.#receivers.shift()) {
      if (receiver.settled) continue;
      receiver.settle(event);
      return;
    }
    this.#events.push(event);
    this.#queued += size;
    this.#throttle();
  }

  #throttle(): void {
    const full =
      this.#queued > HIGH_WATER ||
      this.#events.length > 1000 ||
      // Messages that are being inflated.
      (this.#receiver !== null && this.#receiver.writableLength > HIGH_WATER) ||
      (this.#phase === CONNECTING && this.#earlyBytes > HIGH_WATER);
    if (full === this.#paused || this.#phase === CLOSED) return;
    this.#paused = full;
    if (full) this.transport.pause();
    else this.transport.resume();
  }

  #sendClose(code: number | null, reason: string): void {
    this.#outgoing?.close(code, reason);
    this.transport.flush();
  }

  #close(code: number, reason: string): void {
    const valid =
      (code >= 3000 && code <= 4999) ||
      (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006);
    if (!valid) throw this.#bad('websocket.close', `the code ${code} may not be sent`);
    if (Buffer.byteLength(reason) > 123)
      throw this.#bad('websocket.close', 'the reason is longer than 123 bytes');
    this.#sendClose(code, reason);
    if (this.#phase === ANSWERING) {
      this.#disconnect(code, reason);
      this.#finish();
      return;
    }
    this.#phase = CLOSING;
    this.#deadline = this.services.now + CLOSE_TIMEOUT;
    this.#disconnect(code, reason);
  }

  #answer(): void {
    this.#sendClose(this.#peerCode === 1005 ? null : this.#peerCode, '');
    this.#failSenders();
    this.#finish();
  }

  #disconnect(code: number, reason: string): void {
    this.#tell(code, reason);
    this.#failSenders();
  }

  /** Tells the application, once, that the connection is over; true if it was waiting for that. */
  #tell(code: number, reason: string): boolean {
    if (this.#disconnected) return false;
    this.#disconnected = true;
    const event: ReceiveEvent = { type: 'websocket.disconnect', code, reason };
    const receivers = this.#receivers;
    this.#receivers = [];
    let told = false;
    for (const receiver of receivers) {
      if (receiver.settled) continue;
      receiver.settle(event);
      told = true;
    }
    if (!told) {
      this.#events.push(event);
      // One that waits for something else than the next event would never hear of it.
      const task = this.#task;
      if (task !== null && !task.done) {
        this.#leaving = setTimeout(() => task.cancel('the client left'), LEAVE_TIMEOUT);
        this.#leaving.unref();
      }
    }
    return told;
  }

  #failSenders(): void {
    const senders = this.#senders;
    this.#senders = [];
    for (const sender of senders) if (!sender.settled) sender.fail(this.#gone());
  }

  #gone(): Error {
    return fault('SBY_SERVER_DISCONNECTED', { request: this.#describe() });
  }

  #wrong(got: string): Error {
    if (this.#disconnected) return this.#gone();
    const expected =
      this.#phase === CONNECTING
        ? 'websocket.accept or websocket.close'
        : this.#phase === DENYING
          ? 'websocket.http.response.body'
          : 'websocket.send or websocket.close';
    return fault('SBY_SERVER_EVENT_ORDER', { request: this.#describe(), got, expected });
  }

  #bad(event: string, why: string): Error {
    return fault('SBY_SERVER_BAD_EVENT', { request: this.#describe(), event, why });
  }

  // ---- what the transport does

  feed(buffer: Buffer, start: number, end: number): void {
    if (this.#phase === CLOSED || this.#phase === DENYING) return;
    const copy = Buffer.allocUnsafe(end - start);
    buffer.copy(copy, 0, start, end);
    if (this.#receiver === null) {
      this.#early.push(copy);
      this.#earlyBytes += copy.length;
      this.#throttle();
    } else {
      this.#receiver.write(copy);
      this.#throttle();
    }
  }

  eof(): void {
    this.#peerDone = true;
    // It has said that it closes, and may still read what it is owed.
    if (this.#phase === ANSWERING) return;
    this.#disconnect(1006, '');
    if (this.#phase !== DENYING) this.#finish();
  }

  lost(): void {
    this.#phase = CLOSED;
    this.#outgoing?.lost();
    this.#outgoing?.free(this.#receiver);
    this.#disconnect(1006, '');
    this.#receiver = null;
  }

  drained(): void {
    this.#writeDeadline = FOREVER;
    const senders = this.#senders;
    this.#senders = [];
    for (const sender of senders) if (!sender.settled) sender.settle();
  }

  tick(now: number): void {
    const { transport } = this;
    const { options } = this.services;
    if (transport.buffered > 0) {
      if (transport.buffered !== this.#writeMark) {
        this.#writeMark = transport.buffered;
        this.#writeDeadline = now + options.timeoutWrite;
      } else if (now > this.#writeDeadline) transport.destroy();
    }
    if (now > this.#deadline) {
      if (this.#phase === ANSWERING) this.#answer();
      else transport.destroy();
      return;
    }
    if (this.#phase !== OPEN) return;
    if (now > this.#pongDue) {
      this.services.log.warn(`${this.#describe()}: the client did not answer a ping in time`);
      this.#sendClose(1011, 'ping timeout');
      this.#disconnect(1006, '');
      this.#finish();
    } else if (now > this.#nextPing) {
      this.#nextPing = now + options.wsPingInterval;
      if (options.wsPingTimeout > 0 && this.#pongDue === FOREVER) this.#pongDue = now + options.wsPingTimeout;
      this.#outgoing?.ping();
      transport.flush();
    }
  }

  shutdown(): void {
    // 1012: the service restarts. The client may come back at once.
    if (this.#phase === OPEN) this.#close(1012, '');
    else if (this.#peerDone) this.transport.destroy();
  }
}

function sizeOf(event: ReceiveEvent): number {
  if (event.type !== 'websocket.receive') return 0;
  return (
    event.bytes?.length ??
    (event.text === null || event.text === undefined ? 0 : Buffer.byteLength(event.text))
  );
}
