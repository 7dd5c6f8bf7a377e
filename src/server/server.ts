import { unlinkSync } from 'node:fs';
import * as net from 'node:net';
import type * as tls from 'node:tls';
import type { Application, TlsExtension } from '../asgi/index.ts';
import { getRunningLoop, rootContext, Scope } from '../asyncio/index.ts';
import { Clock } from './clock.ts';
import { Http1Connection } from './http1/connection.ts';
import type { Http2Session } from './http2/session.ts';
import { Lifespan } from './lifespan.ts';
import { accepting, listen, urlOf } from './listening/listen.ts';
import { type ServerLog, silentLog, TextLog } from './log.ts';
import { type Gathered, Metrics, type Snapshot } from './operations/metrics.ts';
import { resolveOptions, type ServeOptions, type ServerOptions } from './options.ts';
import type { ProxiedConnection } from './proxies/proxy-protocol.ts';
import { TrustedAddresses } from './proxies/trusted-addresses.ts';
import { createServices, type Services } from './services.ts';
import { SocketTransport } from './socket-transport.ts';

/** How long a stop waits for connections that have not said what they speak; longer while another process takes over. */
const ARRIVAL = 500;
const ARRIVAL_DRAINING = 2000;

/** How the preface of HTTP/2 begins (RFC 9113 3.4). */
const PREFACE = 'PRI ';

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
  /** Connections whose protocol is not known yet: in a TLS handshake, or awaited to say what they speak. */
  readonly #arriving = new Set<net.Socket>();
  readonly #handshakes = new WeakMap<net.Socket, { proxied: ProxiedConnection | null; leave: () => void }>();
  /** Whose connections begin with a header of the PROXY protocol. */
  readonly #proxies: TrustedAddresses | null;
  readonly #clock: Clock;
  readonly #listener: net.Server;
  #tls: tls.Server | null = null;
  #tlsModule: typeof import('./listening/tls.ts') | null = null;
  #certificate = '';
  readonly #sessions = new Set<Http2Session>();
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
    this.#lifespan = new Lifespan(app, this.options.lifespan, this.log, this.#scope, {
      startup: this.options.timeoutStartup,
      shutdown: this.options.timeoutShutdown,
    });
    const services = createServices(app, this.options, this.log, this.#lifespan.state, this.#scope);
    this.#services = services;
    services.gatherMetrics = async () => {
      const snapshot = this.metrics();
      return { counters: snapshot, workers: [snapshot], ends: null };
    };
    const { timeoutHeader, timeoutBody, timeoutKeepAlive, timeoutWrite } = this.options;
    this.#clock = new Clock([timeoutHeader, timeoutBody, timeoutKeepAlive, timeoutWrite], (now) => {
      services.now = now;
      if (services.requests >= this.#requestLimit) {
        this.#requestLimit = Number.POSITIVE_INFINITY;
        this.#onRequestLimit();
      }
      for (const transport of this.#connections) transport.protocol?.tick(now);
      for (const session of this.#sessions) session.tick(now);
    });
    this.#proxies =
      this.options.proxyProtocol === 'off'
        ? null
        : new TrustedAddresses('proxyAllowIps', this.options.proxyAllowIps);
    this.#listener = net.createServer(accepting, (socket) => this.#accept(socket));
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
    return urlOf(this.address, this.options.certfile === null ? 'http' : 'https');
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size + this.#sessions.size;
  }

  /**
   * Lifespan start-up, then listening: no connection is accepted before the application is ready. A worker does not
   * listen, it is given connections.
   */
  async start(listening = true): Promise<void> {
    try {
      if (this.options.certfile !== null) this.#tls = await this.#createTls();
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
    // As the listener makes them: a client that has sent all may still want its response.
    socket.allowHalfOpen = true;
    this.#accept(socket);
  }

  #accept(socket: net.Socket): void {
    const { remoteAddress } = socket;
    // A peer without an address, on a unix socket, is a proxy of this machine.
    if (this.#proxies !== null && (remoteAddress === undefined || this.#proxies.has(remoteAddress)))
      void this.#behindProxy(socket);
    else if (this.#tls === null && this.options.http2 !== 'prior-knowledge')
      this.#http1(socket, null, true, null, null);
    else this.#begin(socket, null);
  }

  async #behindProxy(socket: net.Socket): Promise<void> {
    const leave = this.#arrive(socket);
    try {
      const { readProxyHeader } = await import('./proxies/proxy-protocol.ts');
      const { proxyProtocol, timeoutHeader } = this.options;
      const versions = proxyProtocol as Exclude<typeof proxyProtocol, 'off'>;
      this.#begin(socket, await readProxyHeader(socket, versions, timeoutHeader));
    } catch (error) {
      this.log.warn(
        `${socket.remoteAddress ?? 'a proxy'}: no usable header of the PROXY protocol: ${(error as Error).message}`,
      );
    } finally {
      leave();
    }
  }

  #begin(socket: net.Socket, proxied: ProxiedConnection | null): void {
    if (this.#tls !== null) {
      // A slow handshake is ended by the handshake timeout.
      const leave = this.#arrive(socket);
      socket.once('close', leave);
      this.#handshakes.set(socket, { proxied, leave });
      this.#tls.emit('connection', socket);
    } else if (this.options.http2 === 'prior-knowledge') this.#peek(socket, proxied);
    else this.#http1(socket, null, false, null, proxied);
  }

  /** Keeps a stop waiting for the connection; call what it gives when its protocol has taken over. */
  #arrive(socket: net.Socket): () => void {
    this.#arriving.add(socket);
    return () => {
      if (this.#arriving.delete(socket)) this.#checkQuiet();
    };
  }

  #http1(
    socket: net.Socket,
    tls: TlsExtension | null,
    shared: boolean,
    first: Buffer | null,
    proxied: ProxiedConnection | null,
  ): void {
    const transport = new SocketTransport(
      socket,
      this.#localAddress(socket),
      tls,
      shared,
      (closed) => {
        this.#connections.delete(closed);
        this.#checkQuiet();
      },
      proxied,
    );
    this.#connections.add(transport);
    const protocol = new Http1Connection(transport, this.#services);
    transport.start(protocol);
    if (first !== null) protocol.feed(first, 0, first.length);
    const { stopping, draining } = this.#services;
    if (stopping) protocol.shutdown(draining);
  }

  /** HTTP/2 by prior knowledge begins with a preface of its own (RFC 9113 3.4); anything else is HTTP/1.1. */
  #peek(socket: net.Socket, proxied: ProxiedConnection | null): void {
    const leave = this.#arrive(socket);
    const timer = setTimeout(() => socket.destroy(), this.options.timeoutHeader);
    const drop = (): void => {
      clearTimeout(timer);
      leave();
    };
    socket.on('close', drop).on('error', drop);
    let begun: Buffer = Buffer.alloc(0);
    socket.on('data', function peek(piece: Buffer) {
      const chunk = Buffer.concat([begun, piece]);
      // The preface may come in pieces, like anything.
      if (chunk.length < PREFACE.length && PREFACE.startsWith(chunk.toString('latin1'))) {
        begun = chunk;
        return;
      }
      socket.off('data', peek);
      decide(chunk);
    });
    const decide = (chunk: Buffer): void => {
      drop();
      socket.off('close', drop).off('error', drop).pause();
      if (chunk.toString('latin1', 0, PREFACE.length) === PREFACE) {
        socket.unshift(chunk);
        void this.#http2(socket, null, proxied);
      } else this.#http1(socket, null, false, chunk, proxied);
    };
    socket.resume();
  }

  async #http2(
    socket: net.Socket,
    tls: TlsExtension | null,
    proxied: ProxiedConnection | null,
  ): Promise<void> {
    const { remoteAddress, remotePort } = socket;
    // Loaded with the first such connection: a server without any starts faster.
    const leave = this.#arrive(socket);
    const { Http2Session } = await import('./http2/session.ts');
    leave();
    if (socket.destroyed) return;
    const session = new Http2Session(
      socket,
      this.#services,
      {
        client: proxied?.client ?? (remoteAddress === undefined ? null : [remoteAddress, remotePort ?? 0]),
        server: proxied?.server ?? this.#localAddress(socket),
        encrypted: tls !== null || proxied?.encrypted === true,
        tls,
      },
      () => {
        this.#sessions.delete(session);
        this.#checkQuiet();
      },
    );
    this.#sessions.add(session);
    if (this.#services.stopping) session.shutdown();
  }

  async #createTls(): Promise<tls.Server> {
    const { certReqs, http2, timeoutHeader } = this.options;
    // Loaded when needed: a server without TLS starts faster.
    const { createServer } = await import('node:tls');
    const module = await import('./listening/tls.ts');
    this.#tlsModule = module;
    const context = module.secureContext(this.options);
    this.#certificate = context.cert.toString('latin1');
    this.#warnOfTime(context.cert);
    const server = createServer({
      ...context,
      ALPNProtocols: http2 === 'off' ? ['http/1.1'] : ['h2', 'http/1.1'],
      requestCert: certReqs !== 'none',
      rejectUnauthorized: certReqs === 'required',
      handshakeTimeout: timeoutHeader,
      allowHalfOpen: true,
      pauseOnConnect: true,
    } as tls.TlsOptions);
    server.on('secureConnection', (socket) => {
      const extension = module.tlsExtension(socket, this.#certificate);
      const { proxied, leave } = this.#handshakes.get(module.underneath(socket)) ?? {};
      if (socket.alpnProtocol === 'h2') void this.#http2(socket, extension, proxied ?? null);
      else this.#http1(socket, extension, false, null, proxied ?? null);
      leave?.();
    });
    server.on('tlsClientError', (error, socket) => {
      this.log.warn(`${socket.remoteAddress ?? 'a client'}: the TLS handshake failed: ${error.message}`);
    });
    return server;
  }

  /** Reads certificate and key again; connections that are open keep theirs. Throws, and changes nothing, when they do not fit. */
  reloadCertificates(): void {
    if (this.#tls === null || this.#tlsModule === null) return;
    const context = this.#tlsModule.secureContext(this.options);
    this.#tls.setSecureContext(context);
    this.#certificate = context.cert.toString('latin1');
    this.#warnOfTime(context.cert);
  }

  #warnOfTime(cert: Buffer): void {
    const why = this.#tlsModule?.outOfTime(cert) ?? null;
    if (why !== null) this.log.warn(`${this.options.certfile}: ${why}`);
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

  /** The numbers of this process for a scrape; zeros without `metricsPath`. */
  metrics(): Snapshot {
    return (this.#services.metrics ?? new Metrics()).snapshot(this.#services.connections, this.connections);
  }

  /** A scrape shows what this gives in place of this process alone. */
  gatherMetricsWith(gather: () => Promise<Gathered>): void {
    this.#services.gatherMetrics = gather;
  }

  /** Unhealthy from now on, for balancers to look elsewhere; serves as before. */
  leave(): void {
    this.#services.leaving = true;
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

  /** After `closed`: the application failed in lifespan shutdown. */
  get shutdownFailed(): boolean {
    return this.#lifespan.shutdownFailed;
  }

  /** Writes what runs now to the log. */
  dump(): void {
    const lines = this.running();
    const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
    this.log.info(`${plural(lines.length, 'request')} running, ${plural(this.connections, 'connection')}`);
    for (const line of lines) this.log.info(`  ${line}`);
  }

  /** Cancels what still runs and drops its connections. For an operator who has waited long enough. */
  closeNow(): void {
    this.#services.context.scope.cancel();
    this.#lifespan.giveUp();
    for (const transport of this.#connections) transport.destroy();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#arriving) socket.destroy();
    // What waits for something foreign cannot be ended, and is not waited for.
    this.#onQuiet?.();
  }

  async #close(drain: boolean): Promise<void> {
    const services = this.#services;
    services.stopping = true;
    services.draining = drain;
    if (this.#listener.listening) this.#listener.close();
    for (const transport of [...this.#connections]) transport.protocol?.shutdown(drain);
    for (const session of this.#sessions) session.shutdown();
    let timer: NodeJS.Timeout | undefined;
    const giveUp = setTimeout(
      () => {
        for (const socket of this.#arriving) socket.destroy();
      },
      drain ? ARRIVAL_DRAINING : ARRIVAL,
    );
    if (!this.#quiet) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        this.#checkQuiet();
        timer = setTimeout(() => {
          this.log.warn(`stopping: ${this.connections} connections did not end in time and are dropped`);
          services.context.scope.cancel();
          // One turn for those whose requests end now and answer.
          timer = setTimeout(() => {
            for (const transport of this.#connections) transport.destroy();
            for (const session of this.#sessions) session.destroy();
            for (const socket of this.#arriving) socket.destroy();
            resolve();
          }, 100);
        }, this.options.timeoutGraceful);
      });
      clearTimeout(timer);
    }
    clearTimeout(giveUp);
    this.#clock.stop();
    await this.#lifespan.shutdown();
    this.#scope.cancel();
    // A worker listens nowhere: the socket is its supervisor's.
    if (this.options.uds !== null && this.#address !== null) {
      try {
        unlinkSync(this.options.uds);
      } catch {
        // libuv has removed it already.
      }
    }
    this.#onClosed();
  }

  get #quiet(): boolean {
    return this.connections === 0 && this.#arriving.size === 0 && this.#services.context.scope.kids === null;
  }

  #checkQuiet(): void {
    if (this.#onQuiet === null) return;
    // The last task leaves its scope just after its connection has closed.
    setImmediate(() => {
      if (this.#quiet) this.#onQuiet?.();
      // Work that goes on after its connection: its end is what is waited for.
      else if (this.connections === 0 && this.#services.context.scope.kids !== null)
        this.#services.context.scope.whenEmpty(() => this.#checkQuiet());
    });
  }
}

/** Throws what is wrong with the options, files of TLS included; opens nothing. */
export async function checkServeOptions(options: ServeOptions): Promise<void> {
  const resolved = resolveOptions(options);
  createServices(async () => {}, resolved, silentLog, {}, new Scope(rootContext.scope));
  if (resolved.proxyProtocol !== 'off') new TrustedAddresses('proxyAllowIps', resolved.proxyAllowIps);
  if (resolved.certfile !== null) (await import('./listening/tls.ts')).secureContext(resolved);
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
