/**
 * Buffers with the methods behind `toString` and `write`, which skip the choice of the encoding: they are in every
 * Node, but not in its types.
 */
export interface Bytes extends Buffer<ArrayBufferLike> {
  utf8Slice(start: number, end: number): string;
  hexSlice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  utf8Write(text: string, at: number, length?: number): number;
  latin1Write(text: string, at: number, length?: number): number;
}

export function int16(b: Buffer, p: number): number {
  return ((b[p]! << 24) >> 16) | b[p + 1]!;
}

export function int32(b: Buffer, p: number): number {
  return (b[p]! << 24) | (b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!;
}

/** A NUL-terminated string at `p`, and where it ends. */
export function cstring(b: Buffer, p: number, end: number): { text: string; next: number } {
  const stop = b.indexOf(0, p);
  if (stop < 0 || stop >= end) throw new RangeError('a string without its end');
  return { text: (b as Bytes).utf8Slice(p, stop), next: stop + 1 };
}
