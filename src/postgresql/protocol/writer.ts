import type { Bytes } from './bytes.ts';

const chunkSize = 16 * 1024;

/**
 * What is to be sent in this loop turn, built in one piece of memory. A message is begun, filled and ended, which
 * writes its length; a message that cannot be finished is taken back with `rewind`.
 */
export class Writer {
  bytes: Bytes = Buffer.allocUnsafeSlow(chunkSize) as Bytes;
  at = 0;

  reserve(size: number): void {
    if (this.at + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + size)) as Bytes;
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  int8(value: number): void {
    this.bytes[this.at++] = value;
  }

  int16(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >>> 8;
    bytes[at + 1] = value;
    this.at = at + 2;
  }

  int32(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.at = at + 4;
  }

  /** Text with a NUL behind it. The caller has made sure that there is none inside. */
  cstring(text: string): void {
    this.reserve(text.length * 3 + 1);
    this.at += this.bytes.utf8Write(text, this.at);
    this.bytes[this.at++] = 0;
  }

  raw(data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.at);
    this.at += data.length;
  }

  /** A value of a Bind message as text: length, then UTF-8. */
  textValue(text: string): void {
    this.reserve(text.length * 3 + 4);
    const start = this.at;
    const length = this.bytes.utf8Write(text, start + 4);
    this.int32(length);
    this.at = start + 4 + length;
  }

  bytesValue(data: Uint8Array): void {
    this.reserve(data.length + 4);
    this.int32(data.length);
    this.bytes.set(data, this.at);
    this.at += data.length;
  }

  /** Begins a message; give what it returns to `end`. A type of 0 is a message without one (start-up). */
  begin(type: number): number {
    this.reserve(64);
    if (type !== 0) this.bytes[this.at++] = type;
    const start = this.at;
    this.at += 4;
    return start;
  }

  end(start: number): void {
    this.bytes.writeInt32BE(this.at - start, start);
  }

  /** Takes back what was written since `at` had this value. */
  rewind(at: number): void {
    this.at = at;
  }

  get empty(): boolean {
    return this.at === 0;
  }

  /** Hands over what is to be sent. The memory behind it is not used again, what is left of it is. */
  take(): Buffer {
    const { bytes, at } = this;
    const piece = bytes.subarray(0, at);
    this.bytes = (
      bytes.length - at >= 2048 ? bytes.subarray(at) : Buffer.allocUnsafeSlow(chunkSize)
    ) as Bytes;
    this.at = 0;
    return piece;
  }
}
