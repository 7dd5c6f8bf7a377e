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
  readonly Sender: { frame(data: Uint8Array, options: FrameOptions): Buffer[] };
}

let loading: Promise<Framing> | null = null;

/** Loaded with the first WebSocket: a server without any starts faster. */
export function loadFraming(): Promise<Framing> {
  loading ??= import('ws').then((ws) => ws as unknown as Framing);
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
