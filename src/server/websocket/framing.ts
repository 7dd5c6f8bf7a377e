/** The parts of `ws` that are used: reading and writing frames (RFC 6455 5). Its sockets and servers are not. */
export interface Receiver {
  readonly writableLength: number;
  write(data: Buffer): boolean;
  end(): void;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: 'drain' | 'finish', listener: () => void): this;
  on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this;
  on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
}

interface FrameOptions {
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly opcode: number;
  readonly mask: boolean;
  readonly readOnly: boolean;
}

/** The extension of RFC 7692 on one connection. */
export interface PerMessageDeflate {
  /** Throws when none of the offers can be met. */
  accept(offers: Offer[]): object;
  /** Frees what zlib holds. */
  cleanup(): void;
}
export type Offer = Readonly<Record<string, readonly (string | true)[]>>;

/** What a sender that compresses writes to, in place of a socket. */
export interface Sink {
  readonly destroyed: boolean;
  cork(): void;
  uncork(): void;
  write(data: Buffer | string, callback?: () => void): void;
}

/** Sends frames in order while messages before them are still being compressed. */
export interface Sender {
  send(
    data: Buffer,
    options: { binary: boolean; compress: boolean; fin: boolean; mask: boolean },
    callback: (error?: Error) => void,
  ): void;
  ping(data: Buffer, mask: boolean): void;
  pong(data: Buffer, mask: boolean): void;
  close(code: number | undefined, reason: string, mask: boolean, callback: (error?: Error) => void): void;
}

export interface Framing {
  readonly Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
    allowSynchronousEvents: boolean;
    binaryType: 'nodebuffer';
    extensions: object;
    skipUTF8Validation: boolean;
    maxFragments: number;
    maxBufferedChunks: number;
  }) => Receiver;
  /** What Sec-WebSocket-Accept says to a key (RFC 6455 4.2.2). */
  readonly acceptFor: (key: string) => string;
  readonly Sender: {
    new (socket: Sink, extensions: object): Sender;
    frame(data: Uint8Array, options: FrameOptions): Buffer[];
  };
  readonly PerMessageDeflate: new (options: {
    isServer: boolean;
    maxPayload: number;
    threshold: number;
  }) => PerMessageDeflate;
  readonly extension: {
    parse(field: string): Readonly<Record<string, Offer[]>>;
    format(extensions: Readonly<Record<string, object>>): string;
  };
}

let loading: Promise<Framing> | null = null;

/** Loaded with the first WebSocket: a server without any starts faster. */
export function loadFraming(): Promise<Framing> {
  loading ??= Promise.all([import('ws'), import('node:crypto')]).then(([ws, { createHash }]) => ({
    ...(ws as unknown as Pick<Framing, 'Receiver' | 'Sender' | 'PerMessageDeflate' | 'extension'>),
    acceptFor: (key) =>
      createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64'),
  }));
  return loading;
}

/** The close code that an error of the receiver stands for (RFC 6455 7.4.1). */
export function closeCodeOf(error: Error): number {
  for (const symbol of Object.getOwnPropertySymbols(error)) {
    if (symbol.description === 'status-code')
      return (error as unknown as Record<symbol, number>)[symbol] ?? 1002;
  }
  return 1002;
}
