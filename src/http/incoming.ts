import type { Receive, ReceiveEvent } from '../asgi/index.ts';

/**
 * The receiving side of one request. The body is pulled as it is read; beside that somebody may watch for the
 * client's leaving, which takes an event ahead but never more than one, so that back-pressure holds.
 */
export class Incoming {
  readonly #receive: Receive;
  #ahead: Promise<ReceiveEvent> | null = null;
  #onDisconnect: (() => void) | null = null;
  /** The whole body has come. */
  complete = false;
  disconnected = false;

  constructor(receive: Receive) {
    this.#receive = receive;
  }

  /** The next piece of the body; null at its end, undefined when the client has left. */
  async next(): Promise<Uint8Array | null | undefined> {
    while (!this.complete && !this.disconnected) {
      const ahead = (this.#ahead ??= this.#receive());
      const event = await ahead;
      if (this.#ahead === ahead) this.#ahead = null;
      if (event.type !== 'http.request') {
        this.#gone();
        return undefined;
      }
      if (!event.moreBody) {
        this.complete = true;
        if (this.#onDisconnect !== null) this.#wait();
      }
      if (event.body.length > 0) return event.body;
    }
    return this.disconnected && !this.complete ? undefined : null;
  }

  /** Calls back once when the client leaves. While a body waits to be read, leaving is noticed by reading it. */
  watch(onDisconnect: () => void): void {
    this.#onDisconnect = onDisconnect;
    if (this.#ahead === null && !this.disconnected) this.#wait();
  }

  /** The response is complete: a client that leaves now leaves nothing behind. */
  unwatch(): void {
    this.#onDisconnect = null;
  }

  #wait(): void {
    if (this.#ahead !== null) return;
    const ahead = this.#receive();
    this.#ahead = ahead;
    ahead.then(
      (event) => {
        if (event.type === 'http.disconnect') this.#gone();
        else if (
          event.type === 'http.request' &&
          !event.moreBody &&
          event.body.length === 0 &&
          this.#ahead === ahead
        ) {
          // An empty body, as every GET has: nothing to keep for a reader.
          this.#ahead = null;
          this.complete = true;
          this.#wait();
        }
      },
      () => this.#gone(),
    );
  }

  #gone(): void {
    if (this.disconnected) return;
    this.disconnected = true;
    this.#onDisconnect?.();
  }
}
