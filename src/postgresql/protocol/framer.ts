import type { Bytes } from './bytes.ts';

/** Longest message taken before the session has begun: nobody has proved anything yet (libpq's limit). */
export const startupLimit = 30_000;
/** The server's own limit is 1 GiB for a value. */
export const messageLimit = 2 ** 31 - 1;

/** A message of the server: its type as a character code, and the place of its body, without the length. */
export type OnMessage = (type: number, bytes: Bytes, start: number, end: number) => void;
/** Called when the stream cannot be one of messages. Nothing after it is looked at. */
export type OnBadFrame = (problem: string) => void;

/**
 * Cuts the byte stream into messages. Where the stream was split in transit makes no difference to what comes out.
 * A message that arrives in many pieces is gathered once, in memory of its size.
 */
export class Framer {
  limit = startupLimit;
  readonly #onMessage: OnMessage;
  readonly #onBadFrame: OnBadFrame;
  #held: Bytes | null = null;
  #length = 0;
  #stopped = false;

  constructor(onMessage: OnMessage, onBadFrame: OnBadFrame) {
    this.#onMessage = onMessage;
    this.#onBadFrame = onBadFrame;
  }

  /** Bytes that wait for the rest of their message. */
  get pending(): number {
    return this.#held === null ? 0 : this.#length;
  }

  stop(): void {
    this.#stopped = true;
    this.#held = null;
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    if (this.#held === null) {
      this.#keep(chunk as Bytes, this.#cut(chunk as Bytes, chunk.length));
      return;
    }
    this.#append(chunk);
    const bytes = this.#held as Bytes;
    const length = this.#length;
    if (length < 5 || length < need(bytes, 0)) {
      if (length >= 5) this.#check(bytes, 0);
      return;
    }
    // What is in `held` is handed out; messages may still be looked at by reference, so it is not used again.
    this.#held = null;
    this.#length = 0;
    this.#keep(bytes, this.#cut(bytes, length), length);
  }

  #append(chunk: Buffer): void {
    let held = this.#held as Bytes;
    const length = this.#length + chunk.length;
    if (length > held.length) {
      const wanted = this.#length >= 5 ? need(held, 0) : 0;
      // A length that was only announced is not believed at once: memory grows with what really came.
      const grown = Buffer.allocUnsafe(Math.max(length, Math.min(wanted, held.length * 2))) as Bytes;
      held.copy(grown, 0, 0, this.#length);
      this.#held = held = grown;
    }
    chunk.copy(held, this.#length);
    this.#length = length;
  }

  #check(bytes: Bytes, at: number): boolean {
    const size = need(bytes, at) - 1;
    if (size >= 4 && size <= this.limit) return true;
    this.stop();
    const type = bytes[at] as number;
    const shown = type > 32 && type < 127 ? `"${String.fromCharCode(type)}"` : `0x${type.toString(16)}`;
    this.#onBadFrame(`a message of type ${shown} with length ${size}`);
    return false;
  }

  #cut(bytes: Bytes, end: number): number {
    const onMessage = this.#onMessage;
    let at = 0;
    while (at + 5 <= end) {
      const size =
        (bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | (bytes[at + 4] as number);
      if (size < 4 || size > this.limit) {
        this.#check(bytes, at);
        return end;
      }
      const next = at + 1 + size;
      if (next > end) break;
      onMessage(bytes[at] as number, bytes, at + 5, next);
      if (this.#stopped) return end;
      at = next;
    }
    return at;
  }

  #keep(bytes: Bytes, from: number, end: number = bytes.length): void {
    if (from >= end || this.#stopped) return;
    const size = end - from;
    const held = Buffer.allocUnsafe(Math.max(size, 64)) as Bytes;
    bytes.copy(held, 0, from, end);
    this.#held = held;
    this.#length = size;
  }
}

/** Bytes of the message at `at`, its type included. */
function need(bytes: Bytes, at: number): number {
  return 1 + bytes.readInt32BE(at + 1);
}
