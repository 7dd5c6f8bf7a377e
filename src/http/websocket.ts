import type { Headers, Receive, Send, WebSocketScope } from '../asgi/index.ts';
import { until } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { headerName, headerValue } from './headers.ts';
import { parseJson } from './json-body.ts';
import { HttpRequest } from './request.ts';
import type { RequestSettings } from './settings.ts';

export type Message = string | Uint8Array;

export interface AcceptOptions {
  /** One of those the client offers. */
  readonly subprotocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A view for WebSocket connections; when it returns, the connection is closed. */
export type WebSocketView<P = Record<never, never>> = (socket: WebSocketConnection, params: P) => unknown;

/** How many messages are taken from the peer ahead of the view; then it has to wait. */
const ahead = 16;

/** One WebSocket connection. It is accepted by `accept()`, or by the first message read or sent. */
export class WebSocketConnection implements AsyncIterable<Message> {
  readonly scope: WebSocketScope;
  /** The handshake: headers, cookies, query, client; without a body. */
  readonly request: HttpRequest;
  readonly #receive: Receive;
  readonly #send: Send;
  readonly #messages: Message[] = [];
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #reading = false;
  #wake: (() => void) | null = null;
  #onGone: (() => void) | null = null;
  /** The code the connection was closed with; null while it is open. */
  closeCode: number | null = null;
  closeReason = '';

  constructor(scope: WebSocketScope, receive: Receive, send: Send, settings: RequestSettings) {
    this.scope = scope;
    this.#receive = receive;
    this.#send = send;
    const handshake = {
      ...scope,
      type: 'http' as const,
      method: 'GET',
      scheme: scope.scheme === 'wss' ? ('https' as const) : ('http' as const),
    };
    this.request = new HttpRequest(
      handshake,
      async () => ({ type: 'http.request', body: new Uint8Array(), moreBody: false }),
      settings,
    );
  }

  /** What the client offers, in its order. */
  get subprotocols(): readonly string[] {
    return this.scope.subprotocols;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  async accept(options: AcceptOptions = {}): Promise<void> {
    if (this.#state !== 'connecting')
      throw fault('SBY_HTTP_SOCKET_STATE', { callee: 'accept', state: this.#state });
    const { subprotocol } = options;
    if (subprotocol !== undefined && !this.subprotocols.includes(subprotocol))
      throw fault('SBY_HTTP_SOCKET_PROTOCOL', { got: subprotocol, offered: this.subprotocols });
    const headers: Headers = Object.entries(options.headers ?? {}).map(
      ([name, value]) => [headerName(name), headerValue(name, value)] as const,
    );
    this.#state = 'open';
    await this.#send({ type: 'websocket.accept', subprotocol: subprotocol ?? null, headers });
    this.#read();
  }

  /** Refuses the connection with a status; 403 where the server cannot say another. */
  async reject(status = 403, content = ''): Promise<void> {
    if (this.#state !== 'connecting')
      throw fault('SBY_HTTP_SOCKET_STATE', { callee: 'reject', state: this.#state });
    this.#closed(1006, '');
    if (this.scope.extensions?.['websocket.http.response'] === undefined) {
      await this.#send({ type: 'websocket.close', code: 1000 });
      return;
    }
    await this.#send({
      type: 'websocket.http.response.start',
      status,
      headers: [['content-type', 'text/plain; charset=utf-8']],
    });
    await this.#send({ type: 'websocket.http.response.body', body: Buffer.from(content), moreBody: false });
  }

  /** The next message: text, or bytes; null when the connection is closed. */
  async receive(): Promise<Message | null> {
    if (this.#state === 'connecting') await this.accept();
    while (true) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#read();
        return message;
      }
      if (this.#state === 'closed') return null;
      this.#read();
      const next = Promise.withResolvers<void>();
      this.#wake = next.resolve;
      try {
        await until(next.promise, 'a WebSocket message');
      } finally {
        this.#wake = null;
      }
    }
  }

  /** The next message as JSON; null when the connection is closed. */
  async receiveJson(): Promise<unknown> {
    const message = await this.receive();
    if (message === null) return null;
    return parseJson(
      typeof message === 'string' ? message : new TextDecoder().decode(message),
      this.request.settings.limits.maxJsonDepth,
    );
  }

  /** Sends text or bytes; resolves when the peer can take more. Does nothing once the connection is closed. */
  async send(message: Message): Promise<void> {
    if (this.#state === 'connecting') await this.accept();
    if (this.#state === 'closed') return;
    await this.#send(
      typeof message === 'string'
        ? { type: 'websocket.send', text: message }
        : { type: 'websocket.send', bytes: message },
    );
  }

  async sendJson(data: unknown): Promise<void> {
    await this.send(JSON.stringify(data));
  }

  /** Closes the connection. 1000 and 3000 to 4999 are codes for applications. */
  async close(code = 1000, reason = ''): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting') {
      await this.reject(403);
      return;
    }
    this.#closed(code, reason);
    await this.#send({ type: 'websocket.close', code, reason });
  }

  /** The messages until the connection is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    for (let message = await this.receive(); message !== null; message = await this.receive()) yield message;
  }

  /** For builders: called when the peer leaves while the view does not wait for messages. */
  onGone(callback: () => void): void {
    this.#onGone = callback;
  }

  #closed(code: number, reason: string): void {
    this.#state = 'closed';
    this.closeCode = code;
    this.closeReason = reason;
    this.#wake?.();
  }

  /** Takes messages ahead, so that a leaving peer is noticed while the view does something else. */
  #read(): void {
    if (this.#reading || this.#state !== 'open' || this.#messages.length >= ahead) return;
    this.#reading = true;
    this.#receive().then(
      (event) => {
        this.#reading = false;
        if (event.type === 'websocket.receive') {
          this.#messages.push(event.text ?? event.bytes ?? '');
          this.#wake?.();
          this.#read();
        } else if (event.type === 'websocket.disconnect') this.#gone(event.code, event.reason);
        else this.#read();
      },
      () => this.#gone(1006, ''),
    );
  }

  #gone(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    const waited = this.#wake !== null;
    this.#closed(code, reason);
    if (!waited) this.#onGone?.();
  }
}
