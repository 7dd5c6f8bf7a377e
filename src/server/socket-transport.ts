import type { Socket } from 'node:net';
import * as net from 'node:net';
import type { ProxiedConnection } from './proxies/proxy-protocol.ts';
import type { Protocol, Transport } from './transport.ts';

/** One buffer for all reads of the process: protocols copy what they keep, so idle connections cost no read buffer. */
const readBuffer: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A write in flight says nothing of how far it is. In pieces of this size a client that reads slowly is seen to read,
 * and is not taken for one that has stopped.
 */
const PIECE = 128 * 1024;

type Handle = { readStart(): void };
type Internals = Socket & {
  _handle: Handle | null;
  _server: unknown;
  _write(data: unknown, encoding: string, callback: (error?: Error | null) => void): void;
  _writev(data: { chunk: unknown; encoding: string }[], callback: (error?: Error | null) => void): void;
};

/**
 * Gives a socket fresh from a listener the shared read buffer (`onread`, which `net.createServer` has no option
 * for). The handle moves to a new socket; where that is not possible the socket stays as it is.
 */
export function withSharedReadBuffer(socket: Socket, onRead: (bytes: number) => void): Socket | null {
  const old = socket as Internals;
  const handle = old._handle;
  if (handle === null || handle === undefined || typeof handle.readStart !== 'function') return null;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: readBuffer,
      callback: (bytes: number): boolean => {
        onRead(bytes);
        return true;
      },
    },
  };
  const fresh = new net.Socket(options as unknown as net.SocketConstructorOpts) as Internals;
  if (fresh._handle !== handle) return null;
  // The listener counts its connections by the sockets it made.
  fresh._server = old._server;
  old._server = null;
  old._handle = null;
  return fresh;
}

/** Drives a protocol with a socket: nothing but bytes and events passes through. */
export class SocketTransport implements Transport {
  readonly socket: Socket;
  readonly client: Transport['client'];
  readonly server: Transport['server'];
  readonly encrypted: boolean;
  readonly tls: Transport['tls'];
  buffered = 0;
  #protocol: Protocol | null = null;
  #queue: (string | Uint8Array)[] = [];
  #text = '';
  #writing = false;
  #flushing = false;
  #inFlight = 0;
  /** The write in flight did not complete at once. */
  #slow = false;
  #soon = false;
  #ending = false;
  #paused = false;
  #gone = false;
  readonly #onWritten: (error?: Error | null) => void;

  constructor(
    socket: Socket,
    server: Transport['server'],
    tls: Transport['tls'],
    shared: boolean,
    onClose: (transport: SocketTransport) => void,
    proxied: ProxiedConnection | null = null,
  ) {
    const own = shared
      ? withSharedReadBuffer(socket, (bytes) => this.#protocol?.feed(readBuffer, 0, bytes))
      : null;
    this.socket = own ?? socket;
    this.tls = tls;
    this.encrypted = tls !== null || proxied?.encrypted === true;
    this.server = proxied?.server ?? server;
    const { remoteAddress, remotePort } = this.socket;
    this.client = proxied?.client ?? (remoteAddress === undefined ? null : [remoteAddress, remotePort ?? 0]);
    this.#onWritten = (error) => this.#written(error);
    let failure: Error | null = null;
    this.socket.on('error', (error) => {
      failure = error;
    });
    this.socket.on('end', () => this.#protocol?.eof());
    this.socket.on('close', () => {
      this.#gone = true;
      this.buffered = 0;
      this.#queue = [];
      this.#text = '';
      this.#protocol?.lost(failure);
      onClose(this);
    });
    if (own === null) this.socket.on('data', (chunk: Buffer) => this.#protocol?.feed(chunk, 0, chunk.length));
  }

  /** Begins to read. */
  start(protocol: Protocol): void {
    this.#protocol = protocol;
    this.socket.resume();
  }

  get protocol(): Protocol | null {
    return this.#protocol;
  }

  /** Another protocol takes over (an upgrade). */
  switchTo(protocol: Protocol): void {
    this.#protocol = protocol;
  }

  write(data: string | Uint8Array): void {
    if (this.#gone || this.#ending) return;
    this.buffered += data.length;
    if (typeof data === 'string') this.#text += data;
    else {
      if (this.#text !== '') {
        this.#queue.push(this.#text);
        this.#text = '';
      }
      this.#queue.push(data);
    }
  }

  flush(): void {
    if (this.#writing || this.buffered === 0 || this.#gone) return;
    this.#flushing = true;
    // A loop: writes that complete at once would otherwise go one deeper each.
    do {
      this.#writing = true;
      if (this.buffered > PIECE) this.#writePiece(this.socket as Internals);
      else {
        this.#inFlight = this.buffered;
        this.#writeQueue(this.socket as Internals);
      }
    } while (!this.#writing && this.buffered > 0 && !this.#gone);
    this.#flushing = false;
    if (this.#writing) this.#slow = true;
  }

  /** The first `PIECE` bytes of what waits. */
  #writePiece(socket: Internals): void {
    if (this.#text !== '') {
      this.#queue.push(this.#text);
      this.#text = '';
    }
    const queue = this.#queue;
    const piece: (string | Uint8Array)[] = [];
    let room = PIECE;
    while (room > 0 && queue.length > 0) {
      const data = queue.shift()!;
      if (data.length > room) {
        piece.push(typeof data === 'string' ? data.slice(0, room) : data.subarray(0, room));
        queue.unshift(typeof data === 'string' ? data.slice(room) : data.subarray(room));
        room = 0;
      } else {
        piece.push(data);
        room -= data.length;
      }
    }
    this.#inFlight = PIECE - room;
    socket._writev(
      piece.map((chunk) => ({ chunk, encoding: typeof chunk === 'string' ? 'latin1' : 'buffer' })),
      this.#onWritten,
    );
  }

  #writeQueue(socket: Internals): void {
    // The socket's own `_write`, one call at a time, as the stream would call it: same bytes, but without the
    // stream's queue in between, which costs as much as the system call.
    if (this.#queue.length === 0) {
      const text = this.#text;
      this.#text = '';
      socket._write(text, 'latin1', this.#onWritten);
      return;
    }
    if (this.#text !== '') {
      this.#queue.push(this.#text);
      this.#text = '';
    }
    const queue = this.#queue;
    this.#queue = [];
    if (queue.length === 1) {
      const data = queue[0]!;
      socket._write(data, typeof data === 'string' ? 'latin1' : 'buffer', this.#onWritten);
      return;
    }
    socket._writev(
      queue.map((chunk) => ({ chunk, encoding: typeof chunk === 'string' ? 'latin1' : 'buffer' })),
      this.#onWritten,
    );
  }

  #written(error?: Error | null): void {
    this.#writing = false;
    if (error) {
      this.#gone = true;
      this.buffered = 0;
      this.socket.destroy(error);
      return;
    }
    this.buffered -= this.#inFlight;
    if (this.buffered < 0) this.buffered = 0;
    this.#inFlight = 0;
    if (this.buffered > 0) {
      if (!this.#flushing) this.flush();
    } else {
      if (this.#ending) this.socket.end();
      if (this.#slow) {
        this.#slow = false;
        this.#protocol?.drained();
      }
    }
  }

  flushSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    process.nextTick(flushNow, this);
  }

  soonIsNow(): void {
    this.#soon = false;
    this.flush();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  end(): void {
    if (this.#ending || this.#gone) return;
    this.flush();
    this.#ending = true;
    if (this.buffered === 0) this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function flushNow(transport: SocketTransport): void {
  transport.soonIsNow();
}
