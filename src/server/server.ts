import { unlinkSync } from 'node:fs';
import * as net from 'node:net';
import type { Application } from '../asgi/index.ts';
import { rootContext, Scope } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { Clock } from './clock.ts';
import { Http1Connection } from './http1/connection.ts';
import { Lifespan } from './lifespan.ts';
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
    const [host, port] = this.address;
    if (port === null) return `unix:${host}`;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Lifespan start-up, then listening: no connection is accepted before the application is ready. */
  async start(): Promise<void> {
    try {
      await this.#lifespan.startup();
      await this.#listen();
    } catch (error) {
      await this.#lifespan.shutdown();
      this.#scope.cancel();
      this.#onClosed();
      throw error;
    }
    this.#clock.start();
  }

  #listen(): Promise<void> {
    const { host, port, uds, fd, backlog } = this.options;
    const listener = this.#listener;
    return new Promise((resolve, reject) => {
      const name = uds ?? (fd === null ? `${host}:${port}` : `file descriptor ${fd}`);
      listener.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          cause.code === 'EADDRINUSE'
            ? fault('SBY_SERVER_ADDRESS_IN_USE', { address: name }, { cause })
            : fault('SBY_SERVER_CANNOT_LISTEN', { address: name, why: cause.message }, { cause }),
        );
      });
      listener.listen(
        uds !== null ? { path: uds, backlog } : fd !== null ? { fd } : { host, port, backlog },
        () => {
          listener.removeAllListeners('error');
          // A single accept can fail (too many open files); the next may work.
          listener.on('error', (error) => this.log.error(`accepting a connection failed: ${error.message}`));
          const address = listener.address();
          if (typeof address === 'string') this.#address = [address, null];
          else if (address !== null) this.#address = [address.address, address.port];
          this.#services.address = this.#address;
          resolve();
        },
      );
    });
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
    if (host === '0.0.0.0' || host === '::') return [socket.localAddress ?? host, socket.localPort ?? 0];
    return this.#address;
  }

  /**
   * Graceful stop: accepts nothing more, closes idle connections, lets running requests finish (for at most
   * `timeoutGraceful`, then cancels them), then lifespan shutdown. Calling it again hurries nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Cancels what still runs and drops its connections. For an operator who has waited long enough. */
  closeNow(): void {
    this.#services.context.scope.cancel();
    for (const transport of this.#connections) transport.destroy();
  }

  async #close(): Promise<void> {
    const services = this.#services;
    services.stopping = true;
    this.#listener.close();
    for (const transport of [...this.#connections]) transport.protocol?.shutdown();
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
