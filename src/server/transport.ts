import type { TlsExtension } from '../asgi/index.ts';

/**
 * What stands between a protocol and the world: protocols are fed bytes and hand bytes out, and never see a
 * socket. Tests give them a transport that records; `socket-transport.ts` gives them a real one.
 */
export interface Transport {
  readonly client: readonly [host: string, port: number] | null;
  readonly server: readonly [host: string, port: number | null] | null;
  readonly encrypted: boolean;
  /** What is known of TLS on this connection; null without. */
  readonly tls: TlsExtension | null;
  /** Bytes taken from the protocol and not yet taken by the operating system. */
  readonly buffered: number;
  /** Takes bytes for sending; strings are latin-1. The bytes must stay as they are until `buffered` is 0. */
  write(data: string | Uint8Array): void;
  /** Sends what was written, now. */
  flush(): void;
  /** Sends what was written when the current turn ends, so that several writes become one. */
  flushSoon(): void;
  /** No more `feed` until `resume`. */
  pause(): void;
  resume(): void;
  /** Another protocol takes over. */
  switchTo(protocol: Protocol): void;
  /** Sends what was written, then FIN. */
  end(): void;
  /** Drops the connection and what was not sent yet. */
  destroy(): void;
}

/** What a transport drives. */
export interface Protocol {
  /** Bytes `start` to `end` of `buffer` arrived. They are the transport's: what is kept must be copied. */
  feed(buffer: Buffer, start: number, end: number): void;
  /** The peer sent FIN: no more bytes will come. It may still read. */
  eof(): void;
  /** The connection is gone. */
  lost(error: Error | null): void;
  /** `buffered` fell to zero after having been above it. */
  drained(): void;
  /** Called about once per clock interval with the coarse time. */
  tick(now: number): void;
  /**
   * The server stops: finish what runs. With `drain` an idle connection is kept for one more request, as a client
   * may be sending it just now.
   */
  shutdown(drain: boolean): void;
}
