import type { TransportBody } from './transport.ts';

const HIGH_WATER = 128 * 1024;

/** A body in transit: one side puts pieces in and learns when to pause, the other takes them out. */
export class Inbox implements TransportBody {
  readonly #pieces: Uint8Array[] = [];
  #buffered = 0;
  #state: 'open' | 'ended' | 'failed' | 'cancelled' = 'open';
  #error: unknown;
  #take: { resolve: (piece: Uint8Array | null) => void; reject: (error: unknown) => void } | null = null;
  #paused = false;
  readonly #onDrain: () => void;
  readonly #onCancel: () => void;

  constructor(onDrain: () => void, onCancel: () => void) {
    this.#onDrain = onDrain;
    this.#onCancel = onCancel;
  }

  /** False when the other side should pause until `onDrain`. */
  push(piece: Uint8Array): boolean {
    if (this.#state !== 'open' || piece.byteLength === 0) return true;
    if (this.#take !== null) {
      const { resolve } = this.#take;
      this.#take = null;
      resolve(piece);
      return true;
    }
    this.#pieces.push(piece);
    this.#buffered += piece.byteLength;
    this.#paused = this.#buffered >= HIGH_WATER;
    return !this.#paused;
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#take?.resolve(null);
    this.#take = null;
  }

  fail(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#error = error;
    this.#take?.reject(error);
    this.#take = null;
  }

  get ended(): boolean {
    return this.#state !== 'open';
  }

  next(): Promise<Uint8Array | null> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#buffered -= piece.byteLength;
      if (this.#paused && this.#buffered < HIGH_WATER / 2) {
        this.#paused = false;
        this.#onDrain();
      }
      return Promise.resolve(piece);
    }
    if (this.#state === 'failed') return Promise.reject(this.#error);
    if (this.#state !== 'open') return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#take = { resolve, reject };
    });
  }

  cancel(): void {
    const open = this.#state === 'open';
    if (open) {
      this.#state = 'cancelled';
      this.#take?.resolve(null);
      this.#take = null;
    }
    this.#pieces.length = 0;
    this.#buffered = 0;
    if (open) this.#onCancel();
  }
}
