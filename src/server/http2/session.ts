import * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Header, HttpScope, TlsExtension } from '../../asgi/index.ts';
import { isSobayaError } from '../../errors/index.ts';
import { ASGI } from '../http1/connection.ts';
import { refuse } from '../http1/refusal.ts';
import { checkHost, parseTarget } from '../http1/target.ts';
import type { Services } from '../services.ts';
import { Http2Exchange } from './exchange.ts';

const ENHANCE_YOUR_CALM = 11;
/** Streams that a client may reset within a second beyond half of those it opened: more is rapid reset (CVE-2023-44487). */
const RESET_BURST = 100;

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
  readonly #extensions: HttpScope['extensions'];
  #open = 0;
  #idleSince: number;
  #windowStart = 0;
  #opened = 0;
  #resets = 0;
  #served = 0;
  readonly #number: number;
  readonly #exchanges = new Set<Http2Exchange>();

  constructor(socket: Socket, services: Services, connection: Http2Connection, onClose: () => void) {
    this.#services = services;
    this.#connection = connection;
    this.#idleSince = services.now;
    this.#number = ++services.connections;
    const { options } = services;
    this.#extensions = {
      'http.response.early_hint': {},
      'http.response.trailers': {},
      'http.response.pathsend': {},
      ...(connection.tls === null ? {} : { tls: connection.tls }),
    };
    this.#session = http2.performServerHandshake(socket as never, {
      settings: { maxConcurrentStreams: options.h2MaxStreams, maxHeaderListSize: options.limitRequestHead },
      maxHeaderListPairs: options.limitRequestFields,
      maxOutstandingPings: 10,
      maxSettings: 32,
      maxSessionMemory: 10,
    });
    this.#session.on('stream', (stream, _headers, _flags, rawHeaders) => this.#stream(stream, rawHeaders));
    this.#session.on('error', () => {});
    this.#session.on('close', onClose);
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
      stream.respond(
        { ':status': (error as { status?: number }).status ?? 400, 'content-length': 0 },
        { endStream: true },
      );
      stream.resume();
      return;
    }
    const started = exchange;
    this.#exchanges.add(started);
    stream.once('close', () => this.#exchanges.delete(started));
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
      ...(this.#extensions === undefined ? {} : { extensions: this.#extensions }),
    };
    this.#services.proxies?.apply(scope);
    return new Http2Exchange(this.#services, stream, scope, !stream.endAfterHeaders, trailers);
  }

  #reset(): void {
    const { now } = this.#services;
    if (now - this.#windowStart > 1000) {
      this.#windowStart = now;
      this.#opened = this.#open;
      this.#resets = 0;
    }
    if (++this.#resets <= RESET_BURST || this.#resets * 2 < this.#opened) return;
    this.#services.log.warn(
      `${this.#connection.client?.[0] ?? 'a client'}: resets streams faster than it lets them finish`,
    );
    this.#session.goaway(ENHANCE_YOUR_CALM);
    this.#session.destroy();
  }

  tick(now: number): void {
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
