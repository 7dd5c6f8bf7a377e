import * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Extensions, Header, HttpScope, TlsExtension } from '../../asgi/index.ts';
import { isSobayaError } from '../../errors/index.ts';
import { ASGI } from '../http1/connection.ts';
import { refuse } from '../http1/refusal.ts';
import { checkHost, parseTarget } from '../http1/target.ts';
import type { Services } from '../services.ts';
import { Http2Exchange } from './exchange.ts';

const ENHANCE_YOUR_CALM = 11;
/** Streams that a client may reset within a second beyond half of those it opened: more is rapid reset (CVE-2023-44487). */
const RESET_BURST = 100;
/** How long a session that is closed, and has no streams, is waited for. */
const LINGER = 2000;
/** Pings and changes of settings within a second: each has to be answered, and nobody needs so many. */
const CONTROL_BURST = 1000;

export interface Http2Connection {
  readonly client: HttpScope['client'];
  readonly server: HttpScope['server'];
  readonly encrypted: boolean;
  readonly tls: TlsExtension | null;
}

/** Serves one connection of HTTP/2, by the session of `node:http2`. */
export class Http2Session {
  readonly #session: http2.ServerHttp2Session;
  readonly #services: Services;
  readonly #connection: Http2Connection;
  readonly #extensions: Extensions;
  readonly #extensionsWithPush: Extensions;
  #open = 0;
  #idleSince: number;
  #windowStart = 0;
  #opened = 0;
  #resets = 0;
  #controls = 0;
  /** The client has sent its settings, with which it has to begin. */
  #greeted = false;
  readonly #since: number;
  #closedSince: number;
  #served = 0;
  readonly #number: number;
  readonly #exchanges = new Set<Http2Exchange>();

  constructor(socket: Socket, services: Services, connection: Http2Connection, onClose: () => void) {
    this.#services = services;
    this.#connection = connection;
    this.#idleSince = this.#since = this.#closedSince = services.now;
    this.#number = ++services.connections;
    const { options } = services;
    this.#extensions = {
      'http.response.early_hint': {},
      'http.response.trailers': {},
      'http.response.pathsend': {},
      ...(connection.tls === null ? {} : { tls: connection.tls }),
    };
    this.#extensionsWithPush = { ...this.#extensions, 'http.response.push': {} };
    this.#session = http2.performServerHandshake(socket as never, {
      settings: { maxConcurrentStreams: options.h2MaxStreams, maxHeaderListSize: options.limitRequestHead },
      maxHeaderListPairs: options.limitRequestFields,
      maxOutstandingPings: 10,
      maxSettings: 32,
      maxSessionMemory: 10,
    });
    this.#session.on('stream', (stream, _headers, _flags, rawHeaders) => this.#stream(stream, rawHeaders));
    this.#session.on('ping', () => this.#control());
    this.#session.on('remoteSettings', () => {
      this.#greeted = true;
      this.#control();
    });
    this.#session.on('error', () => {});
    this.#session.on('close', onClose);
    // A FIN: the client asks for nothing more, and what it has asked for is told, and finished.
    socket.once('end', () => {
      for (const exchange of this.#exchanges) exchange.disconnect(false, 'the client closed its side');
      this.#session.close();
    });
  }

  #stream(stream: http2.ServerHttp2Stream, raw: string[]): void {
    this.#open++;
    this.#opened++;
    stream.once('close', () => {
      this.#open--;
      this.#idleSince = this.#services.now;
    });
    stream.once('aborted', () => this.#reset());
    stream.on('error', () => {});
    let exchange: Http2Exchange;
    try {
      exchange = this.#exchange(stream, raw);
    } catch (error) {
      if (!isSobayaError(error) || error.code !== 'SBY_SERVER_BAD_REQUEST') throw error;
      this.#services.log.warn(`${this.#connection.client?.[0] ?? 'a client'}: ${error.message}`);
      // The client may have given it up in the same breath.
      if (stream.destroyed || stream.closed) return;
      stream.respond(
        { ':status': (error as { status?: number }).status ?? 400, 'content-length': 0 },
        { endStream: true },
      );
      stream.resume();
      return;
    }
    this.#run(stream, exchange);
  }

  #run(stream: http2.ServerHttp2Stream, exchange: Http2Exchange): void {
    this.#exchanges.add(exchange);
    stream.once('close', () => this.#exchanges.delete(exchange));
    exchange.startedAt = this.#services.now;
    exchange.connectionNumber = this.#number;
    exchange.requestOnConnection = ++this.#served;
    this.#services.requests++;
    exchange.start(this.#services.app, this.#services.context);
  }

  #exchange(stream: http2.ServerHttp2Stream, raw: string[]): Http2Exchange {
    const { options, state } = this.#services;
    const headers: Header[] = [];
    const pseudo: Record<string, string> = {};
    let length = -1;
    let trailers = false;
    const cookies: string[] = [];
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index]!;
      const value = raw[index + 1]!;
      if (name.startsWith(':')) pseudo[name] = value;
      else if (name === 'cookie') cookies.push(value);
      else {
        if (name === 'content-length') length = Number(value);
        if (name === 'te') trailers = value.includes('trailers');
        headers.push([name, value]);
      }
    }
    // Crumbs of one field (RFC 9113 8.2.3).
    if (cookies.length > 0) headers.push(['cookie', cookies.join('; ')]);
    const method = pseudo[':method'] ?? '';
    const host = headers.find(([name]) => name === 'host')?.[1];
    const authority = pseudo[':authority'] ?? host;
    if (authority === undefined) throw refuse(400, 'there is neither :authority nor host');
    if (host !== undefined && host !== authority) throw refuse(400, 'host differs from :authority');
    checkHost(authority);
    if (host === undefined) headers.unshift(['host', authority]);
    if (method !== method.toUpperCase())
      throw refuse(501, 'methods are case-sensitive, and this one is in lower case');
    if (/[^\x21-\x7e]|#/.test(pseudo[':path'] ?? ''))
      throw refuse(400, ':path holds a byte that no target may hold');
    const target = parseTarget(method, pseudo[':path'] ?? '');
    if (target.authority !== null) throw refuse(400, ':path is no path');
    if (options.limitRequestBody > 0 && length > options.limitRequestBody)
      throw refuse(413, `the body has ${length} bytes, and at most ${options.limitRequestBody} are accepted`);
    const { client, server, encrypted } = this.#connection;
    const scope: HttpScope = {
      type: 'http',
      asgi: ASGI,
      httpVersion: '2',
      method,
      scheme: encrypted ? 'https' : 'http',
      path: target.path,
      rawPath: target.rawPath,
      queryString: target.queryString,
      rootPath: options.rootPath,
      headers,
      client,
      server,
      state: { ...state },
      extensions:
        stream.pushAllowed && Number(stream.id) % 2 === 1 ? this.#extensionsWithPush : this.#extensions,
    };
    this.#services.proxies?.apply(scope);
    // Streams of even numbers are the server's own: pushed, and without a body.
    const hasBody = !stream.endAfterHeaders && Number(stream.id) % 2 === 1;
    return new Http2Exchange(this.#services, stream, scope, hasBody, trailers, (...promise) =>
      this.#push(...promise),
    );
  }

  /** A promised request goes to the application like any other, on the stream that was promised for its response. */
  #push(parent: http2.ServerHttp2Stream, scope: HttpScope, path: string, headers: readonly Header[]): void {
    const host = scope.headers.find(([name]) => name === 'host')?.[1] ?? '';
    const request: Header[] = [
      [':method', 'GET'],
      [':path', path],
      [':scheme', scope.scheme],
      [':authority', host],
      ...headers,
    ];
    parent.pushStream(Object.fromEntries(request), (error, stream) => {
      // The client has as many streams as it takes, or is gone: a push is an offer, and may come to nothing.
      if (error !== null) return;
      this.#open++;
      stream.once('close', () => {
        this.#open--;
        this.#idleSince = this.#services.now;
      });
      this.#run(stream, this.#exchange(stream, request.flat()));
    });
  }

  #window(): void {
    const { now } = this.#services;
    if (now - this.#windowStart <= 1000) return;
    this.#windowStart = now;
    this.#opened = this.#open;
    this.#resets = this.#controls = 0;
  }

  #reset(): void {
    this.#window();
    if (++this.#resets > RESET_BURST && this.#resets * 2 >= this.#opened)
      this.#calm('resets streams faster than it lets them finish');
  }

  #control(): void {
    this.#window();
    if (++this.#controls > CONTROL_BURST) this.#calm('sends more pings and settings than anybody needs');
  }

  #calm(why: string): void {
    if (this.#session.destroyed) return;
    this.#services.log.warn(`${this.#connection.client?.[0] ?? 'a client'}: ${why}, disconnected`);
    this.#session.goaway(ENHANCE_YOUR_CALM);
    this.#session.destroy();
  }

  tick(now: number): void {
    if (!this.#greeted && now - this.#since > this.#services.options.timeoutHeader) {
      this.#session.destroy();
      return;
    }
    for (const exchange of this.#exchanges) exchange.tick(now);
    // A session that is closed waits for streams that a broken client has left in between, and for its FIN.
    if (!this.#session.closed || this.#open > 0) this.#closedSince = now;
    else if (now - this.#closedSince > LINGER) this.#session.destroy();
    if (this.#open === 0 && now - this.#idleSince > this.#services.options.timeoutKeepAlive * 12)
      this.#session.close();
  }

  shutdown(): void {
    for (const exchange of this.#exchanges) exchange.shutdown();
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }
}
