/** The parts of `ws` that are used: reading and writing frames (RFC 6455 5). Its sockets and servers are not. */
export interface Receiver {
  write(data: Buffer): boolean;
  end(): void;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
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

export interface Framing {
  readonly Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
    allowSynchronousEvents: boolean;
    binaryType: 'nodebuffer';
    extensions: object;
    skipUTF8Validation: boolean;
  }) => Receiver;
  /** What Sec-WebSocket-Accept says to a key (RFC 6455 4.2.2). */
  readonly acceptFor: (key: string) => string;
  readonly Sender: { frame(data: Uint8Array, options: FrameOptions): Buffer[] };
}

let loading: Promise<Framing> | null = null;

/** Loaded with the first WebSocket: a server without any starts faster. */
export function loadFraming(): Promise<Framing> {
  loading ??= Promise.all([import('ws'), import('node:crypto')]).then(([ws, { createHash }]) => ({
    ...(ws as unknown as Pick<Framing, 'Receiver' | 'Sender'>),
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
