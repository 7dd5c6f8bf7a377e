import { isAbsolute } from 'node:path';
import type {
  Application,
  Headers,
  HttpReceiveEvent,
  HttpResponseBodyEvent,
  HttpResponseStartEvent,
  HttpScope,
  HttpSendEvent,
  ReceiveEvent,
  SendEvent,
} from '../asgi/index.ts';
import { type Context, Task } from '../asyncio/index.ts';
import { fault, isSobayaError } from '../errors/index.ts';
import { type ServerRequestMessage, serverRequestChannel } from './channels.ts';
import { type EventWaiter, handled, unobserved, wait } from './event-waiter.ts';
import type { Services } from './services.ts';

const EMPTY = new Uint8Array(0);
const DISCONNECT: HttpReceiveEvent = Object.freeze({ type: 'http.disconnect' });
const EMPTY_REQUEST: HttpReceiveEvent = Object.freeze({ type: 'http.request', body: EMPTY, moreBody: false });
const resolved: Promise<void> = Promise.resolve();
const emptyRequest: Promise<HttpReceiveEvent> = Promise.resolve(EMPTY_REQUEST);

/** How often `http.disconnect` is given at once before each further one takes a turn of the loop. */
export const FAREWELLS = 16;

/** Request body bytes that may wait for the application before reading stops. */
export const BODY_HIGH_WATER = 64 * 1024;

// How far the response is.
export const IDLE = 0;
/** The application sent the start; the head is held back until the first body, so that both go out at once. */
export const HEAD_READY = 1;
export const STREAMING = 2;
/** The body is complete, trailers are awaited. */
export const TRAILERS = 3;
export const COMPLETE = 4;
/** Broken off: nothing more may be sent. */
export const ABORTED = 5;

/**
 * One request and its response, whatever protocol carries them: the application's `receive` and `send`, the
 * order of events, the length that was promised, waiting for the peer. What bytes look like is the subclass's.
 */
export abstract class Exchange {
  readonly services: Services;
  readonly scope: HttpScope;
  readonly receive: () => Promise<ReceiveEvent>;
  readonly send: (event: SendEvent) => Promise<void>;
  task: Task<void> | null = null;

  /** Coarse clock, set by the connection: when the request began. */
  startedAt = 0;
  /** For tracing: the number of the connection in this process, and of the request on it. */
  connectionNumber = 0;
  requestOnConnection = 0;
  bytesIn = 0;
  phase: number = IDLE;
  /** What the application sent with the start; for the access log, and to know event streams. */
  responseHeaders: Headers | null = null;
  status = 0;
  /** What the application announced; -1 when nothing. */
  declaredLength = -1;
  sentLength = 0;
  trailersAnnounced = false;
  /** No body goes out: HEAD, 204, 205, 304. */
  bodiless = false;
  /** The peer is gone, or will send nothing more. */
  disconnected = false;

  #chunks: Uint8Array[] | null = null;
  /** Body bytes that wait for the application. */
  queued = 0;
  /** All of the body has come in. */
  bodyEnded: boolean;
  #endDelivered = false;
  #farewells = 0;
  #receivers: EventWaiter<ReceiveEvent>[] | null = null;
  #senders: EventWaiter<void>[] | null = null;

  constructor(services: Services, scope: HttpScope, hasBody: boolean) {
    this.services = services;
    this.scope = scope;
    this.bodyEnded = !hasBody;
    this.receive = () => this.#receive();
    this.send = (event) => this.#send(event as HttpSendEvent);
  }

  // ---- what the protocol does

  /** Checks the head and keeps it; throws when something in it must not be sent. Sets `declaredLength`. */
  protected abstract prepareHead(status: number, headers: Headers): void;
  /** Sends the head (prepared before), and the first piece of the body. */
  protected abstract writeHead(body: Uint8Array, last: boolean): void;
  /** Sends the head and a body of ASCII, which is all of it. */
  protected writeText(text: string): void {
    this.writeHead(Buffer.from(text, 'latin1'), true);
  }
  protected abstract writeBody(body: Uint8Array, last: boolean): void;
  protected abstract writeTrailers(headers: Headers): void;
  protected abstract writeEarlyHints(links: readonly string[]): void;
  /** Promises the client a response to a request that it did not make; where that cannot be, it is no event of the protocol. */
  protected push(_path: string, _headers: Headers): void {
    throw this.badEvent('http.response.push', 'nothing can be pushed on this connection');
  }
  /** The application wants body bytes: say "100 Continue" if that is awaited, read on if reading stopped. */
  protected abstract wantBody(): void;
  /** True when the peer is slow and what was sent waits in memory. */
  protected abstract congested(): boolean;
  /** The response is complete: the connection can go on. */
  protected abstract finished(): void;
  /** The response cannot be completed: break off in a way that the peer notices. */
  protected abstract abort(): void;
  /** Answers in place of the application, which failed before it started its response. */
  protected abstract respondError(status: number): void;

  // ---- life

  /** `entered`: whoever calls does nothing more in this turn, so the ambient context need not be put back. */
  start(app: Application, context: Context, entered = false): void {
    const { scope, receive, send } = this;
    // Before the call: an application may answer before it waits for anything.
    this.services.onRequest?.(this);
    const traced = serverRequestChannel.start.hasSubscribers;
    this.task = new Task<void>(
      traced ? () => this.#traced(app) : () => app(scope, receive, send),
      context,
      `${scope.method} ${scope.path}`,
      (task) => this.#ended(task),
      entered,
    );
  }

  #traced(app: Application): Promise<void> {
    const { method, path, httpVersion, client } = this.scope;
    const message: ServerRequestMessage = {
      method,
      path,
      httpVersion,
      client,
      connection: this.connectionNumber,
      requestOnConnection: this.requestOnConnection,
    };
    return serverRequestChannel.tracePromise(async () => {
      try {
        await app(this.scope, this.receive, this.send);
      } finally {
        message.status = this.status;
        message.bytesIn = this.bytesIn;
        message.bytesOut = this.sentLength;
        message.aborted = this.phase === ABORTED;
      }
    }, message);
  }

  #ended(task: Task<unknown>): void {
    const state = task.state;
    if (state === 'failed') this.#failed(task.error);
    else if (this.phase < COMPLETE) {
      if (state === 'cancelled') this.#failed(task.error);
      else if (this.disconnected) {
        // Told that the client leaves, the application gave up: there is nothing to report.
        this.phase = ABORTED;
        this.abort();
      } else
        this.#failed(
          fault('SBY_SERVER_NO_RESPONSE', { request: this.describe(), started: this.phase !== IDLE }),
        );
    }
    this.services.onEnd?.(this);
  }

  #failed(error: unknown): void {
    const gone = isSobayaError(error) && error.code === 'SBY_SERVER_DISCONNECTED';
    if (!gone && !(this.disconnected && this.task?.state === 'cancelled'))
      this.services.log.failure(this.describe(), error);
    if (this.phase >= COMPLETE) return;
    if (this.phase === IDLE || this.phase === HEAD_READY) {
      this.phase = IDLE;
      this.respondError(this.task?.state === 'cancelled' && this.services.stopping ? 503 : 500);
    } else {
      this.phase = ABORTED;
      this.abort();
    }
  }

  describe(): string {
    return `${this.scope.method} ${this.scope.path}`;
  }

  // ---- the request's side

  /** A piece of the body; must not change any more. */
  pushBody(chunk: Uint8Array): void {
    if (this.phase >= COMPLETE) return;
    this.bytesIn += chunk.length;
    const receiver = this.#nextReceiver();
    if (receiver !== null) {
      receiver.settle({ type: 'http.request', body: chunk, moreBody: true });
      return;
    }
    (this.#chunks ??= []).push(chunk);
    this.queued += chunk.length;
  }

  endBody(): void {
    this.bodyEnded = true;
    if (this.#endDelivered || this.#chunks !== null) return;
    const receiver = this.#nextReceiver();
    if (receiver === null) return;
    this.#endDelivered = true;
    receiver.settle(EMPTY_REQUEST);
  }

  /**
   * The peer will send nothing more, or is gone (`gone`). It is told to the application; only a peer that is
   * gone ends the request's scope, since one that closed its sending side may well wait for the response.
   */
  disconnect(gone: boolean, why: string): void {
    this.disconnected = true;
    const receivers = this.#receivers;
    this.#receivers = null;
    if (receivers !== null)
      for (const receiver of receivers) if (!receiver.settled) receiver.settle(DISCONNECT);
    if (!gone) return;
    const complete = this.phase === COMPLETE;
    if (!complete) this.phase = ABORTED;
    const senders = this.#senders;
    this.#senders = null;
    if (senders !== null) {
      const error = this.goneError();
      for (const sender of senders) if (!sender.settled) sender.fail(error);
    }
    if (!complete) this.task?.cancel(why);
  }

  /**
   * The server stops. A response that ends by itself may end; an event stream would not, and its client connects again
   * by itself (HTML 9.2.3), so it is completed here and its application told that the client is gone.
   */
  shutdown(): void {
    if (this.phase !== STREAMING || this.trailersAnnounced || !isEventStream(this.responseHeaders)) return;
    this.disconnected = true;
    this.#deliver(STREAMING, EMPTY, true);
    const senders = this.#senders;
    this.#senders = null;
    if (senders !== null) for (const sender of senders) if (!sender.settled) sender.fail(this.goneError());
    this.task?.cancel('the server stops');
  }

  /** The application waits for the client to leave, and for nothing else of it. */
  get awaitsLeave(): boolean {
    return this.bodyEnded && this.#receivers?.some((receiver) => !receiver.settled) === true;
  }

  #nextReceiver(): EventWaiter<ReceiveEvent> | null {
    const receivers = this.#receivers;
    if (receivers === null) return null;
    for (let receiver = receivers.shift(); receiver !== undefined; receiver = receivers.shift())
      if (!receiver.settled) return receiver;
    return null;
  }

  #receive(): Promise<ReceiveEvent> {
    if (this.#chunks !== null) {
      const body = this.#takeChunks();
      this.#endDelivered = this.bodyEnded;
      this.wantBody();
      return Promise.resolve({ type: 'http.request', body, moreBody: !this.bodyEnded });
    }
    if (this.bodyEnded && !this.#endDelivered) {
      this.#endDelivered = true;
      return emptyRequest;
    }
    if (this.disconnected || this.phase >= COMPLETE) {
      // One that asks on and on, deaf to the answer, would never let anybody else run.
      if (++this.#farewells > FAREWELLS) return new Promise((resolve) => setImmediate(resolve, DISCONNECT));
      return Promise.resolve(DISCONNECT);
    }
    if (!this.bodyEnded) this.wantBody();
    // wantBody may have read on at once.
    if (this.#chunks !== null) return this.#receive();
    return wait((this.#receivers ??= []), this.bodyEnded ? 'the client to leave' : 'the body of the request');
  }

  #takeChunks(): Uint8Array {
    const chunks = this.#chunks!;
    this.#chunks = null;
    const total = this.queued;
    this.queued = 0;
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total);
  }

  // ---- the response's side

  #send(event: HttpSendEvent): Promise<void> {
    try {
      const type = event.type;
      if (type === 'http.response.start') return this.#start(event);
      if (type === 'http.response.body') return this.#body(event);
      return this.#other(event);
    } catch (error) {
      return handled(error);
    }
  }

  #start(event: HttpResponseStartEvent): Promise<void> {
    if (this.phase !== IDLE) throw this.#wrongOrder('http.response.start');
    const status = event.status;
    if (!Number.isInteger(status) || status < 200 || status > 999)
      throw this.badEvent(
        'http.response.start',
        `status is ${String(status)}, and must be an integer from 200 to 999`,
      );
    this.status = status;
    this.bodiless = this.scope.method === 'HEAD' || status === 204 || status === 205 || status === 304;
    this.declaredLength = -1;
    const headers = event.headers ?? [];
    if (!Array.isArray(headers))
      throw this.badEvent('http.response.start', 'headers is no array of [name, value]');
    this.prepareHead(status, headers);
    this.responseHeaders = headers;
    this.trailersAnnounced = event.trailers === true;
    this.phase = HEAD_READY;
    return resolved;
  }

  /** For `DirectSend`: start and body in one, without events. */
  respond(status: number, headers: Headers, text: string): Promise<void> {
    try {
      void this.#start({ type: 'http.response.start', status, headers });
      const declared = this.declaredLength;
      if (declared !== -1 && declared !== text.length)
        throw fault('SBY_SERVER_CONTENT_LENGTH', { request: this.describe(), declared, got: text.length });
      this.sentLength = text.length;
      this.phase = COMPLETE;
      this.writeText(text);
      this.#complete();
      return resolved;
    } catch (error) {
      return handled(error);
    }
  }

  #body(event: HttpResponseBodyEvent): Promise<void> {
    const phase = this.phase;
    if (phase !== HEAD_READY && phase !== STREAMING) throw this.#wrongOrder('http.response.body');
    const body = event.body ?? EMPTY;
    if (!(body instanceof Uint8Array))
      throw this.badEvent('http.response.body', `body is no Uint8Array but ${typeof body}`);
    const last = event.moreBody !== true;
    const sent = (this.sentLength += body.length);
    const declared = this.declaredLength;
    if (declared !== -1 && (sent > declared || (last && sent < declared)) && !(this.bodiless && sent === 0)) {
      this.sentLength -= body.length;
      throw fault('SBY_SERVER_CONTENT_LENGTH', { request: this.describe(), declared, got: sent });
    }
    this.#deliver(phase, this.bodiless ? EMPTY : body, last);
    return last || !this.congested() ? resolved : this.#untilDrained();
  }

  #deliver(phase: number, body: Uint8Array, last: boolean): void {
    const ends = last && !this.trailersAnnounced;
    if (last) this.phase = ends ? COMPLETE : TRAILERS;
    else this.phase = STREAMING;
    if (phase === HEAD_READY) this.writeHead(body, last);
    else if (last || body.length > 0) this.writeBody(body, last);
    if (ends) this.#complete();
  }

  #other(event: HttpSendEvent): Promise<void> {
    switch (event.type) {
      case 'http.response.trailers': {
        if (this.phase !== TRAILERS) throw this.#wrongOrder(event.type);
        if (event.moreTrailers === true)
          throw this.badEvent(event.type, 'moreTrailers is not supported, send them at once');
        this.writeTrailers(event.headers);
        this.phase = COMPLETE;
        this.#complete();
        return resolved;
      }
      case 'http.response.early_hint':
        if (this.phase !== IDLE && this.phase !== HEAD_READY) throw this.#wrongOrder(event.type);
        this.writeEarlyHints(event.links);
        return resolved;
      case 'http.response.push':
        if (this.phase !== HEAD_READY && this.phase !== STREAMING) throw this.#wrongOrder(event.type);
        this.push(event.path, event.headers);
        return resolved;
      case 'http.response.pathsend':
        if (this.phase !== HEAD_READY) throw this.#wrongOrder(event.type);
        return unobserved(this.#sendPath(event.path));
      default: {
        const type = (event as { type?: unknown } | null)?.type;
        throw this.badEvent(String(type), 'the server knows no event of this type here');
      }
    }
  }

  async #sendPath(path: string): Promise<void> {
    if (typeof path !== 'string' || !isAbsolute(path))
      throw this.badEvent('http.response.pathsend', `the path ${JSON.stringify(path)} is not absolute`);
    const { sendFile } = await import('./send-file.ts');
    await sendFile(path, {
      begin: (size) => {
        if (this.declaredLength === -1) this.declaredLength = size;
        return !this.bodiless;
      },
      write: (body, last) => this.#body({ type: 'http.response.body', body, moreBody: !last }),
    });
  }

  #complete(): void {
    const receivers = this.#receivers;
    this.#receivers = null;
    this.#chunks = null;
    this.queued = 0;
    if (receivers !== null)
      for (const receiver of receivers) if (!receiver.settled) receiver.settle(DISCONNECT);
    this.services.onResponse?.(this);
    this.finished();
  }

  /** What was sent has reached the operating system. */
  drained(): void {
    const senders = this.#senders;
    if (senders === null) return;
    this.#senders = null;
    for (const sender of senders) if (!sender.settled) sender.settle();
  }

  #untilDrained(): Promise<void> {
    return wait((this.#senders ??= []), 'the client to read the response');
  }

  #wrongOrder(got: string): Error {
    if (this.phase === ABORTED) return this.goneError();
    if (this.phase === COMPLETE && this.disconnected) return this.goneError();
    const expected =
      this.phase === IDLE
        ? 'http.response.start'
        : this.phase === COMPLETE
          ? 'nothing more, because the response is complete'
          : this.phase === TRAILERS
            ? 'http.response.trailers'
            : 'http.response.body, because the response has started';
    return fault('SBY_SERVER_EVENT_ORDER', { request: this.describe(), got, expected });
  }

  protected goneError(): Error {
    return fault('SBY_SERVER_DISCONNECTED', { request: this.describe() });
  }

  protected badEvent(event: string, why: string): Error {
    return fault('SBY_SERVER_BAD_EVENT', { request: this.describe(), event, why });
  }
}

function isEventStream(headers: Headers | null): boolean {
  const type = headers?.find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  return type !== undefined && /^text\/event-stream\b/i.test(type);
}
