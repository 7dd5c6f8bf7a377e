import type { Application, Headers, HttpScope, ReceiveEvent, SendEvent } from '../asgi/index.ts';
import { currentContext, Task } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';

export type BodySource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** One request to an application in this process: a server's side of ASGI, without sockets. */
export class Exchange {
  readonly scope: HttpScope;
  /** Resolves with the start of the response; rejects with the application's error. */
  readonly head: Promise<{ status: number; headers: Headers }>;
  info: Readonly<Record<string, unknown>> = {};
  readonly #task: Task<void>;
  readonly #chunks: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #ended = false;
  #error: unknown;
  #failed = false;
  #left = Promise.withResolvers<void>();
  #drained: (() => void) | null = null;
  #queued = 0;

  constructor(app: Application, scope: HttpScope, body: BodySource) {
    this.scope = scope;
    const head = Promise.withResolvers<{ status: number; headers: Headers }>();
    this.head = head.promise;
    head.promise.catch(() => {});
    const parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array> =
      body instanceof Uint8Array ? [body] : body;
    const source = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
    let bodyDone = false;
    const receive = async (): Promise<ReceiveEvent> => {
      if (!bodyDone) {
        const next = await source.next();
        if (next.done) bodyDone = true;
        const chunk = next.done ? new Uint8Array() : next.value;
        return { type: 'http.request', body: chunk, moreBody: !bodyDone };
      }
      await this.#left.promise;
      return { type: 'http.disconnect' };
    };
    const wrong = (got: string, expected: string): Error =>
      fault('SBY_TEST_PROTOCOL', { request: this.describe(), got, expected });
    let state: 'start' | 'body' | 'done' = 'start';
    const send = async (event: SendEvent): Promise<void> => {
      switch (event.type) {
        case 'http.response.debug':
          if (state !== 'start') throw wrong(event.type, 'a body');
          this.info = event.info;
          return;
        case 'http.response.start':
          if (state !== 'start')
            throw wrong(event.type, state === 'done' ? 'nothing more' : 'http.response.body');
          checkHeaders(event.headers ?? [], wrong);
          state = 'body';
          head.resolve({ status: event.status, headers: event.headers ?? [] });
          return;
        case 'http.response.body': {
          if (state !== 'body')
            throw wrong(event.type, state === 'start' ? 'http.response.start' : 'nothing more');
          const { body: chunk } = event;
          if (chunk !== undefined && !(chunk instanceof Uint8Array))
            throw wrong(`a body of ${typeof chunk}`, 'a Uint8Array');
          if (!event.moreBody) state = 'done';
          if (chunk !== undefined && chunk.length > 0) await this.#push(chunk);
          if (!event.moreBody) this.#end();
          return;
        }
        default:
          throw wrong(event.type, 'an event of a response');
      }
    };
    this.#task = new Task<void>(
      () => app(scope, receive, send),
      currentContext(),
      this.describe(),
      (task) => {
        this.#left.resolve();
        if (task.state === 'failed' || task.state === 'cancelled') this.#fail(task.error);
        else if (state !== 'done')
          this.#fail(
            fault('SBY_TEST_NO_RESPONSE', {
              request: this.describe(),
              sent: state === 'start' ? 'nothing' : 'no end',
            }),
          );
        if (this.#failed) head.reject(this.#error);
      },
    );
  }

  describe(): string {
    return `${this.scope.method} ${this.scope.path}`;
  }

  async #push(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
    this.#wake?.();
    // A reader that is slow slows the application, as a socket does.
    if (this.#queued > 65_536) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#failed = true;
    this.#error = error;
    this.#end();
  }

  /** The body, piece by piece. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    while (true) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#queued -= chunk.length;
        if (this.#queued <= 65_536) {
          this.#drained?.();
          this.#drained = null;
        }
        yield chunk;
      } else if (this.#failed) throw this.#error;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Waits for the application to end. */
  async ended(): Promise<void> {
    await this.#task.ended;
  }

  /** Leaves, as a client that closes its connection; waits until the application has noticed. */
  async leave(): Promise<void> {
    this.#left.resolve();
    this.#drained?.();
    this.#queued = Number.NEGATIVE_INFINITY;
    await this.#task.ended;
  }
}

function checkHeaders(headers: Headers, wrong: (got: string, expected: string) => Error): void {
  for (const [name, value] of headers) {
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name))
      throw wrong(`the header name ${name}`, 'a lower-case token');
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw wrong(`the value ${value} of ${name}`, 'latin-1 text without line ends');
  }
}
