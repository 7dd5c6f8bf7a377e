type Slice = (this: Uint8Array, start: number, end: number) => string;

// What `toString('latin1', …)` calls after having looked up the encoding; works on any Uint8Array.
const slice = (Buffer.prototype as unknown as { latin1Slice: Slice }).latin1Slice;

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return slice.call(bytes, start, end);
}
