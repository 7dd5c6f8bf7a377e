import { AsyncResource } from 'node:async_hooks';
import type { Application } from '../asgi/index.ts';
import { rootContext, Scope } from '../asyncio/index.ts';
import { Http1Connection } from './http1/connection.ts';
import { type ServerLog, silentLog } from './log.ts';
import { resolveOptions, type ServeOptions } from './options.ts';
import { createServices, type Services } from './services.ts';
import type { Protocol, Transport } from './transport.ts';

/**
 * A connection without a socket: raw bytes in, raw bytes out, time by hand. What a test of the server's
 * behaviour, or of an application's, needs to see the very bytes.
 *
 * ```ts
 * const connection = new RawConnection(application);
 * connection.feed('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n');
 * await connection.settle();
 * connection.output; // 'HTTP/1.1 200 OK\r\n…'
 * ```
 */
export class RawConnection implements Transport {
  readonly client: Transport['client'] = ['192.0.2.1', 50000];
  readonly server: Transport['server'] = ['192.0.2.2', 80];
  readonly encrypted: boolean;
  readonly tls: Transport['tls'] = null;
  buffered = 0;
  /** False while the server has stopped reading. */
  reading = true;
  /** The server sent FIN. */
  ended = false;
  /** The server dropped the connection. */
  destroyed = false;
  /** Set to false, the peer takes nothing: what is sent piles up in `buffered`. */
  peerReads = true;
  /** How often bytes were handed to the operating system. */
  writes = 0;
  #protocol: Protocol;
  readonly #services: Services;
  readonly #scope: Scope;
  readonly #output: Buffer[] = [];
  #waiting: Buffer[] = [];
  #unread: Buffer[] = [];

  constructor(app: Application, options: ServeOptions & { readonly encrypted?: boolean } = {}) {
    const { encrypted, ...rest } = options;
    this.encrypted = encrypted === true;
    const log: ServerLog = options.log ?? silentLog;
    this.#scope = new Scope(rootContext.scope);
    this.#services = createServices(app, resolveOptions(rest), log, {}, this.#scope);
    this.#services.now = 0;
    this.#services.address = this.server;
    this.#protocol = new Http1Connection(this, this.#services);
  }

  // ---- for the test

  /** Bytes arrive from the peer; strings are latin-1. While the server does not read, they wait. */
  feed(data: string | Uint8Array): void {
    const buffer = typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data);
    if (!this.reading) this.#unread.push(buffer);
    // In a scope of its own: a socket's callback would end here, and the ambient context with it.
    else if (!this.destroyed)
      new AsyncResource('RawConnection').runInAsyncScope(() => this.#protocol.feed(buffer, 0, buffer.length));
  }

  /** The peer sends FIN. */
  eof(): void {
    if (!this.destroyed) this.#protocol.eof();
  }

  /** The connection breaks. */
  reset(error: Error | null = new Error('read ECONNRESET')): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#protocol.lost(error);
  }

  /** Time passes: `ms` milliseconds, in steps of `step`. */
  advance(ms: number, step = 100): void {
    for (let left = ms; left > 0; left -= step) {
      this.#services.now += Math.min(step, left);
      if (!this.destroyed) this.#protocol.tick(this.#services.now);
    }
  }

  /** The server begins to stop. */
  shutdown(drain = false): void {
    this.#services.stopping = true;
    this.#services.draining = drain;
    this.#protocol.shutdown(drain);
  }

  /** The peer reads again what has piled up. */
  drain(): void {
    this.peerReads = true;
    this.#output.push(...this.#waiting);
    this.#waiting = [];
    if (this.buffered > 0) {
      this.buffered = 0;
      this.#protocol.drained();
    }
  }

  /** Waits until the application has done what it can without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** All that was sent, as latin-1 text. */
  get output(): string {
    return Buffer.concat(this.#output).toString('latin1');
  }

  /** What was sent since the last call. */
  takeOutput(): string {
    const text = this.output;
    this.#output.length = 0;
    return text;
  }

  // ---- for the protocol

  write(data: string | Uint8Array): void {
    if (this.destroyed || this.ended) return;
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data);
    this.#waiting.push(bytes);
    this.buffered += bytes.length;
  }

  flush(): void {
    if (this.#waiting.length === 0 || !this.peerReads) return;
    this.writes++;
    this.#output.push(...this.#waiting);
    this.#waiting = [];
    this.buffered = 0;
  }

  flushSoon(): void {
    process.nextTick(() => this.flush());
  }

  pause(): void {
    this.reading = false;
  }

  resume(): void {
    this.reading = true;
    const unread = this.#unread;
    this.#unread = [];
    for (const buffer of unread) this.feed(buffer);
  }

  switchTo(protocol: Protocol): void {
    this.#protocol = protocol;
  }

  end(): void {
    this.flush();
    this.ended = true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => this.#protocol.lost(null));
  }
}
