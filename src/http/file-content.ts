import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from './conditional.ts';

const chunkSize = 65_536;
const none: readonly Uint8Array[] = [];

/** Parts of an open file, with what stands between them, read piece by piece. */
export class FileContent implements AsyncIterable<Uint8Array> {
  readonly #handle: FileHandle;
  readonly #ranges: readonly ByteRange[];
  readonly #heads: readonly Uint8Array[];
  readonly #tail: Uint8Array | null;

  /** `heads`: what goes before each range; `tail`: what goes after the last. */
  constructor(
    handle: FileHandle,
    ranges: readonly ByteRange[],
    heads: readonly Uint8Array[] = none,
    tail: Uint8Array | null = null,
  ) {
    this.#handle = handle;
    this.#ranges = ranges;
    this.#heads = heads;
    this.#tail = tail;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#read(() => Buffer.allocUnsafeSlow(chunkSize));
  }

  /**
   * Every piece in the same memory, overwritten by the next: for whoever is done with one before asking for another. A
   * large file would otherwise leave as much garbage as it is long, of the kind that is collected late.
   */
  reusing(): AsyncGenerator<Uint8Array, void, undefined> {
    let buffer: Buffer | null = null;
    return this.#read(() => (buffer ??= Buffer.allocUnsafeSlow(chunkSize)));
  }

  async *#read(memory: () => Buffer): AsyncGenerator<Uint8Array, void, undefined> {
    for (const [index, { start, end }] of this.#ranges.entries()) {
      const head = this.#heads[index];
      if (head !== undefined) yield head;
      for (let at = start; at <= end; ) {
        const buffer = memory();
        const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(chunkSize, end - at + 1), at);
        // The file became shorter; the promised length cannot be kept, and the server breaks off.
        if (bytesRead === 0) return;
        at += bytesRead;
        yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
      }
    }
    if (this.#tail !== null) yield this.#tail;
  }
}
