import { unlinkSync } from 'node:fs';
import * as net from 'node:net';
import type { Application } from '../asgi/index.ts';
import { getRunningLoop, rootContext, Scope } from '../asyncio/index.ts';
import { Clock } from './clock.ts';
import { Http1Connection } from './http1/connection.ts';
import { Lifespan } from './lifespan.ts';
import { listen, urlOf } from './listen.ts';
import { type ServerLog, TextLog } from './log.ts';
import { resolveOptions, type ServeOptions, type ServerOptions } from './options.ts';
import { createServices, type Services } from './services.ts';
import { SocketTransport } from './socket-transport.ts';

/** A server that listens. Made by `serve`. */
export class Server {
  readonly options: ServerOptions;
  readonly log: ServerLog;
  /** Resolves when the server has stopped, whoever stopped it. */
  readonly closed: Promise<void>;
  readonly #services: Services;
  readonly #scope: Scope;
  readonly #lifespan: Lifespan;
  readonly #connections = new Set<SocketTransport>();
  readonly #clock: Clock;
  readonly #listener: net.Server;
  #address: Services['address'] = null;
  #closing: Promise<void> | null = null;
  #onClosed: () => void = () => {};
  #onQuiet: (() => void) | null = null;
  #requestLimit = Number.POSITIVE_INFINITY;
  #onRequestLimit: () => void = () => {};

  constructor(app: Application, options: ServeOptions) {
    this.options = resolveOptions(options);
    this.log = options.log ?? new TextLog();
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#scope = new Scope(rootContext.scope);
    this.#lifespan = new Lifespan(app, this.options.lifespan, this.log, this.#scope);
    const services = createServices(app, this.options, this.log, this.#lifespan.state, this.#scope);
    this.#services = services;
    const { timeoutHeader, timeoutBody, timeoutKeepAlive, timeoutWrite } = this.options;
    this.#clock = new Clock([timeoutHeader, timeoutBody, timeoutKeepAlive, timeoutWrite], (now) => {
      services.now = now;
      if (services.requests >= this.#requestLimit) {
        this.#requestLimit = Number.POSITIVE_INFINITY;
        this.#onRequestLimit();
      }
      for (const transport of this.#connections) transport.protocol?.tick(now);
    });
    this.#listener = net.createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
      (socket) => this.#accept(socket),
    );
  }

  /** Where it listens: `[host, port]`, or `[path, null]` for a unix socket. */
  get address(): readonly [host: string, port: number | null] {
    return this.#address ?? ['', null];
  }

  get port(): number {
    return this.#address?.[1] ?? 0;
  }

  /** `http://127.0.0.1:8000`, for people and for clients on this machine. */
  get url(): string {
    return urlOf(this.address);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Lifespan start-up, then listening: no connection is accepted before the application is ready. A worker does not
   * listen, it is given connections.
   */
  async start(listening = true): Promise<void> {
    try {
      await this.#lifespan.startup();
      if (listening) await this.#listen();
    } catch (error) {
      await this.#lifespan.shutdown();
      this.#scope.cancel();
      this.#onClosed();
      throw error;
    }
    this.#clock.start();
  }

  async #listen(): Promise<void> {
    const { address } = await listen(this.#listener, this.options, this.log);
    this.#address = address;
    this.#services.address = address;
  }

  /** Serves a connection that somebody else has accepted. */
  accept(socket: net.Socket): void {
    this.#accept(socket);
  }

  #accept(socket: net.Socket): void {
    const transport = new SocketTransport(socket, this.#localAddress(socket), false, true, (closed) => {
      this.#connections.delete(closed);
      this.#checkQuiet();
    });
    this.#connections.add(transport);
    transport.start(new Http1Connection(transport, this.#services));
  }

  #localAddress(socket: net.Socket): Services['address'] {
    // Listening on all addresses, only the connection knows which one was meant.
    const host = this.#address?.[0];
    if (host === undefined || host === '0.0.0.0' || host === '::')
      return [socket.localAddress ?? host ?? '', socket.localPort ?? 0];
    return this.#address;
  }

  /**
   * Graceful stop: accepts nothing more, closes idle connections, lets running requests finish (for at most
   * `timeoutGraceful`, then cancels them), then lifespan shutdown. Calling it again hurries nothing. With `drain`
   * idle connections are kept for one more request or until their time is over: for a server that another one
   * replaces, so that no client meets a closed connection.
   */
  close(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain === true);
    return this.#closing;
  }

  /** Calls `reached` once when `limit` requests have begun, soon after. */
  onRequestCount(limit: number, reached: () => void): void {
    this.#requestLimit = limit;
    this.#onRequestLimit = reached;
  }

  /** What runs now, one line per request: its name, for how long, and what it waits for. */
  running(): string[] {
    const now = getRunningLoop().time();
    const lines: string[] = [];
    for (let scope = this.#services.context.scope.kids; scope !== null; scope = scope.next as Scope | null) {
      const { task } = scope;
      if (task === null) continue;
      const waits = scope.head === null ? '' : `, waits for ${scope.head.describe()}`;
      lines.push(`${task.name}: ${Math.round(now - task.startedAt)} ms${waits}`);
    }
    return lines;
  }

  /** Writes what runs now to the log. */
  dump(): void {
    const lines = this.running();
    this.log.info(`${lines.length} requests running, ${this.#connections.size} connections`);
    for (const line of lines) this.log.info(`  ${line}`);
  }

  /** Cancels what still runs and drops its connections. For an operator who has waited long enough. */
  closeNow(): void {
    this.#services.context.scope.cancel();
    for (const transport of this.#connections) transport.destroy();
  }

  async #close(drain: boolean): Promise<void> {
    const services = this.#services;
    services.stopping = true;
    services.draining = drain;
    if (this.#listener.listening) this.#listener.close();
    for (const transport of [...this.#connections]) transport.protocol?.shutdown(drain);
    let timer: NodeJS.Timeout | undefined;
    if (!this.#quiet) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        timer = setTimeout(() => {
          this.log.warn(
            `stopping: ${this.#connections.size} connections did not end in time and are dropped`,
          );
          services.context.scope.cancel();
          // One turn for those whose requests end now and answer.
          timer = setTimeout(() => {
            for (const transport of this.#connections) transport.destroy();
            resolve();
          }, 100);
        }, this.options.timeoutGraceful);
      });
      clearTimeout(timer);
    }
    this.#clock.stop();
    await this.#lifespan.shutdown();
    this.#scope.cancel();
    if (this.options.uds !== null) {
      try {
        unlinkSync(this.options.uds);
      } catch {
        // libuv has removed it already.
      }
    }
    this.#onClosed();
  }

  get #quiet(): boolean {
    return this.#connections.size === 0 && this.#services.context.scope.kids === null;
  }

  #checkQuiet(): void {
    if (this.#onQuiet === null) return;
    // The last task leaves its scope just after its connection has closed.
    setImmediate(() => {
      if (this.#quiet) this.#onQuiet?.();
    });
  }
}

/**
 * Serves an ASGI application. Resolves when it is ready and listening.
 *
 * ```ts
 * const server = await serve(application, { port: 8000 });
 * await server.close();
 * ```
 */
export async function serve(app: Application, options: ServeOptions = {}): Promise<Server> {
  const server = new Server(app, options);
  await server.start();
  return server;
}
