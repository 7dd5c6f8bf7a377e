import type { Application, Headers, ReceiveEvent, SendEvent, WebSocketScope } from '../asgi/index.ts';
import { currentContext, Task } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';

/** A WebSocket connection to an application in this process, from the client's side. */
export class TestWebSocket implements AsyncDisposable {
  /** What the application chose; null when none. */
  subprotocol: string | null = null;
  headers: Headers = [];
  /** Set when the application closed the connection. */
  closeCode: number | null = null;
  closeReason = '';
  readonly #toApp: ReceiveEvent[] = [{ type: 'websocket.connect' }];
  readonly #fromApp: (string | Uint8Array)[] = [];
  #appWaits: ((event: ReceiveEvent) => void) | null = null;
  #wake: (() => void) | null = null;
  #task!: Task<void>;
  readonly #opened = Promise.withResolvers<void>();
  #ended = false;
  #failure: unknown = null;

  /** Connects; rejects with SBY_TEST_SOCKET_REFUSED when the application refuses. */
  static async connect(app: Application, scope: WebSocketScope): Promise<TestWebSocket> {
    const socket = new TestWebSocket();
    socket.#start(app, scope);
    await socket.#opened.promise;
    return socket;
  }

  #start(app: Application, scope: WebSocketScope): void {
    let refusal = 403;
    const refuse = (status: number): void =>
      this.#opened.reject(fault('SBY_TEST_SOCKET_REFUSED', { path: scope.path, status }));
    const receive = (): Promise<ReceiveEvent> => {
      const event = this.#toApp.shift();
      if (event !== undefined) return Promise.resolve(event);
      return new Promise((resolve) => (this.#appWaits = resolve));
    };
    let open = false;
    const send = async (event: SendEvent): Promise<void> => {
      switch (event.type) {
        case 'websocket.accept':
          open = true;
          this.subprotocol = event.subprotocol ?? null;
          this.headers = event.headers ?? [];
          this.#opened.resolve();
          return;
        case 'websocket.send':
          if (!open)
            throw fault('SBY_TEST_PROTOCOL', {
              request: scope.path,
              got: event.type,
              expected: 'websocket.accept',
            });
          this.#fromApp.push(event.text ?? event.bytes ?? '');
          this.#wake?.();
          return;
        case 'websocket.close':
          if (!open) refuse(403);
          this.#closed(event.code ?? 1000, event.reason ?? '');
          return;
        case 'websocket.http.response.start':
          refusal = event.status;
          return;
        case 'websocket.http.response.body':
          if (!event.moreBody) refuse(refusal);
          return;
        default:
          throw fault('SBY_TEST_PROTOCOL', {
            request: scope.path,
            got: event.type,
            expected: 'an event of a WebSocket',
          });
      }
    };
    this.#task = new Task<void>(
      () => app(scope, receive, send),
      currentContext(),
      `WebSocket ${scope.path}`,
      (task) => {
        this.#ended = true;
        if (task.state === 'failed') this.#failure = task.error;
        if (!open)
          this.#opened.reject(
            this.#failure ?? fault('SBY_TEST_SOCKET_REFUSED', { path: scope.path, status: 403 }),
          );
        this.#wake?.();
      },
    );
    this.#opened.promise.catch(() => {});
  }

  #closed(code: number, reason: string): void {
    this.closeCode = code;
    this.closeReason = reason;
    this.#wake?.();
  }

  #give(event: ReceiveEvent): void {
    const waits = this.#appWaits;
    this.#appWaits = null;
    if (waits !== null) waits(event);
    else this.#toApp.push(event);
  }

  send(message: string | Uint8Array): void {
    this.#give(
      typeof message === 'string'
        ? { type: 'websocket.receive', text: message }
        : { type: 'websocket.receive', bytes: message },
    );
  }
  sendJson(data: unknown): void {
    this.send(JSON.stringify(data));
  }

  /** The next message; null when the application has closed the connection. */
  async receive(): Promise<string | Uint8Array | null> {
    while (true) {
      const message = this.#fromApp.shift();
      if (message !== undefined) return message;
      if (this.#failure !== null) throw this.#failure;
      if (this.closeCode !== null || this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
  async receiveJson<T = unknown>(): Promise<T> {
    return JSON.parse(String(await this.receive())) as T;
  }

  /** Leaves, and waits until the application has ended. */
  async close(code = 1000, reason = ''): Promise<void> {
    if (!this.#ended) this.#give({ type: 'websocket.disconnect', code, reason });
    await this.#task.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
