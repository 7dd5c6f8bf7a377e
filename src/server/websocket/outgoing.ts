import { unobserved } from '../event-waiter.ts';
import type { Transport } from '../transport.ts';
import type { Framing, PerMessageDeflate, Receiver, Sender } from './framing.ts';

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const EMPTY = Buffer.alloc(0);

/**
 * The frames that a WebSocket sends, in the order in which they were asked for: without compression at once, with it behind
 * the messages that are still being compressed.
 */
export class Outgoing {
  readonly #framing: Framing;
  readonly #transport: Transport;
  readonly #sender: Sender | null;
  #deflate: PerMessageDeflate | null;
  #pending = 0;
  #whenSent: (() => void) | null = null;
  /** The connection is lost. */
  #lost = false;

  constructor(framing: Framing, transport: Transport, deflate: PerMessageDeflate | null) {
    this.#framing = framing;
    this.#transport = transport;
    this.#deflate = deflate;
    const lost = (): boolean => this.#lost;
    this.#sender =
      deflate === null
        ? null
        : new framing.Sender(
            {
              get destroyed(): boolean {
                return lost();
              },
              cork() {},
              uncork() {},
              write(data, callback) {
                // Text would be taken for latin-1.
                transport.write(typeof data === 'string' ? Buffer.from(data) : data);
                transport.flushSoon();
                callback?.();
              },
            },
            { 'permessage-deflate': deflate },
          );
  }

  /** Null when the message is with the transport already; what it gives fails with `gone()` when the connection is lost. */
  message(data: Buffer, binary: boolean, gone: () => Error): Promise<void> | null {
    const sender = this.#sender;
    if (sender === null) {
      this.#frame(binary ? BINARY : TEXT, data);
      return null;
    }
    this.#pending++;
    return unobserved(
      new Promise((resolve, reject) => {
        sender.send(data, { binary, compress: true, fin: true, mask: false }, (error) => {
          this.#sent();
          if (error === undefined || error === null) resolve();
          else reject(gone());
        });
      }),
    );
  }

  ping(): void {
    if (this.#sender !== null) this.#sender.ping(EMPTY, false);
    else this.#frame(PING, EMPTY);
  }

  pong(data: Buffer): void {
    if (this.#sender !== null) this.#sender.pong(data, false);
    else this.#frame(PONG, data);
  }

  /** `code` null: a close frame that says nothing. */
  close(code: number | null, reason: string): void {
    if (this.#sender !== null) {
      this.#pending++;
      this.#sender.close(code ?? undefined, reason, false, () => this.#sent());
      return;
    }
    let payload = EMPTY;
    if (code !== null) {
      payload = Buffer.alloc(2 + Math.min(123, Buffer.byteLength(reason)));
      payload.writeUInt16BE(code, 0);
      payload.write(reason, 2);
    }
    this.#frame(CLOSE, payload);
  }

  #frame(opcode: number, data: Buffer): void {
    const options = { fin: true, rsv1: false, opcode, mask: false, readOnly: false };
    for (const part of this.#framing.Sender.frame(data, options))
      if (part.length > 0) this.#transport.write(part);
  }

  #sent(): void {
    if (--this.#pending > 0) return;
    const whenSent = this.#whenSent;
    this.#whenSent = null;
    whenSent?.();
  }

  /** Calls `then` when everything asked for is with the transport. */
  finish(then: () => void): void {
    if (this.#pending === 0) then();
    else this.#whenSent = then;
  }

  lost(): void {
    this.#lost = true;
  }

  /** Gives back what zlib holds: some hundred kilobytes for each connection that compresses. */
  free(receiver: Receiver | null): void {
    const deflate = this.#deflate;
    if (deflate === null) return;
    this.#deflate = null;
    // Closed in the middle of a message, an inflater would never give back its place in the queue for zlib's threads.
    if (receiver === null || receiver.writableLength === 0) deflate.cleanup();
    else {
      receiver.on('finish', () => deflate.cleanup());
      receiver.on('error', () => deflate.cleanup());
      receiver.end();
    }
  }
}
