import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { fault } from '../errors/index.ts';
import { idleLifespan, startLifespan } from './fetch.ts';
import { decodePath } from './text.ts';
import type { Application, HttpScope, Receive, ReceiveEvent, Send, SendEvent, State } from './types.ts';

/** A listener of `node:http`: what Express is, and what Fastify's `routing` is. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Makes an ASGI application of a Node listener: `fromNode(express())`. The listener gets a real `IncomingMessage`
 * and `ServerResponse`, on a socket that leads to `receive` and `send`.
 */
export function fromNode(listener: NodeListener): Application {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') return await idleLifespan(receive, send);
    if (scope.type !== 'http')
      throw fault('SBY_ASGI_UNKNOWN_SCOPE', { type: scope.type, application: 'A Node listener' });
    const http = await import('node:http');
    const socket = new GatewaySocket(scope, send);
    const request = new http.IncomingMessage(socket as unknown as Socket);
    request.method = scope.method;
    request.url = scope.rawPath + (scope.queryString === '' ? '' : `?${scope.queryString}`);
    request.httpVersion = scope.httpVersion === '1.0' ? '1.0' : '1.1';
    request.httpVersionMajor = 1;
    request.httpVersionMinor = scope.httpVersion === '1.0' ? 0 : 1;
    request.rawHeaders = scope.headers.flat();
    request.headers = headersObject(scope);
    let ended = false;
    // After the body the next event is that the client leaves, which listeners hear of as 'close'.
    const watch = (): void => {
      receive().then(
        (event) => {
          if (event.type === 'http.request') watch();
          else if (!socket.destroyed && !response.writableEnded) leave();
        },
        () => leave(),
      );
    };
    const leave = (): void => {
      request.destroy();
      socket.destroy();
    };
    request._read = () => {
      if (ended) return;
      receive().then(
        (event) => {
          if (event.type !== 'http.request') {
            ended = true;
            leave();
            return;
          }
          if (!event.moreBody) {
            ended = true;
            request.complete = true;
          }
          if (event.body.length > 0) request.push(event.body);
          if (ended) {
            request.push(null);
            watch();
          } else if (event.body.length === 0) request._read(0);
          // An IncomingMessage does not read on by itself: its parser would push.
          else queueMicrotask(() => request.read(0));
        },
        (error) => request.destroy(error as Error),
      );
    };
    const response: ServerResponse = new http.ServerResponse(request);
    // Bytes of the body as they are: chunks, if any, are the server's.
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
    response.assignSocket(socket as unknown as Socket);
    await new Promise<void>((resolve, reject) => {
      response.on('finish', () => socket.end());
      response.on('error', reject);
      socket.on('finish', resolve);
      socket.on('error', reject);
      socket.on('close', resolve);
      listener(request, response);
      // Nobody may ever read a body that is empty, and the news that the client leaves stands behind it.
      request.read(0);
    });
  };
}

/** Fields by name, as `node:http` gives them: repeated ones joined. */
function headersObject(scope: HttpScope): IncomingMessage['headers'] {
  const headers: Record<string, string> = {};
  for (const [name, value] of scope.headers) {
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

/** The socket under a ServerResponse: reads the head it writes, and passes the body on. */
class GatewaySocket extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly encrypted: boolean;
  readonly #send: Send;
  #head: Buffer = Buffer.alloc(0);
  #started = false;

  constructor(scope: HttpScope, send: Send) {
    super();
    this.#send = send;
    this.remoteAddress = scope.client?.[0];
    this.remotePort = scope.client?.[1];
    this.encrypted = scope.scheme === 'https';
  }

  // What frameworks call on a socket, and what has no meaning here.
  setTimeout(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  destroySoon(): void {
    this.end();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#take(chunk).then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (!this.#started) {
      callback();
      return;
    }
    this.#send({ type: 'http.response.body' }).then(() => callback(), callback);
  }

  async #take(chunk: Buffer): Promise<void> {
    let body = chunk;
    if (!this.#started) {
      this.#head = Buffer.concat([this.#head, chunk]);
      for (;;) {
        const end = this.#head.indexOf('\r\n\r\n');
        if (end === -1) return;
        const [line = '', ...fields] = this.#head.toString('latin1', 0, end).split('\r\n');
        this.#head = body = this.#head.subarray(end + 4);
        const status = Number(line.split(' ')[1]);
        // Informational answers are the server's affair.
        if (status < 200) continue;
        const headers = fields.map((field): [string, string] => {
          const colon = field.indexOf(':');
          return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
        });
        this.#started = true;
        await this.#send({
          type: 'http.response.start',
          status,
          headers: headers.filter(([name]) => name !== 'connection' && name !== 'keep-alive'),
        });
        break;
      }
    }
    if (body.length > 0) await this.#send({ type: 'http.response.body', body, moreBody: true });
  }
}

export interface ToNodeOptions {
  /** Hears of what the application fails with. Default: written to standard error. */
  readonly onError?: (error: unknown, request: IncomingMessage) => void;
}

/**
 * Makes a Node listener of an ASGI application: `http.createServer(toNode(app))`, or mounted in Express. An application that
 * fails before its response is answered for with 500; after that the connection is broken off.
 */
export function toNode(
  app: Application,
  options: ToNodeOptions = {},
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let started: Promise<State> | null = null;
  return async (request, response) => {
    started ??= startLifespan(app);
    const state = { ...(await started) };
    const { socket } = request;
    // Express moves what it has matched from `url` to `baseUrl`.
    const baseUrl = (request as { baseUrl?: string }).baseUrl ?? '';
    const [rawPath = '/', ...rest] = (request.url ?? '/').split('?');
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
      const name = request.rawHeaders[index]!.toLowerCase();
      // Pseudo fields of HTTP/2 are none of ASGI's; what :authority says comes first, as host.
      if (!name.startsWith(':')) headers.push([name, request.rawHeaders[index + 1]!]);
      else if (name === ':authority' && request.headers.host === undefined)
        headers.unshift(['host', request.rawHeaders[index + 1]!]);
    }
    const scope: HttpScope = {
      type: 'http',
      asgi: { version: '3.0', specVersion: '2.5' },
      httpVersion: request.httpVersionMajor === 2 ? '2' : request.httpVersion === '1.0' ? '1.0' : '1.1',
      method: request.method ?? 'GET',
      scheme: 'encrypted' in socket && socket.encrypted ? 'https' : 'http',
      path: baseUrl + decodePath(rawPath),
      rawPath: baseUrl + rawPath,
      queryString: rest.join('?'),
      rootPath: baseUrl,
      headers,
      client: socket.remoteAddress === undefined ? null : [socket.remoteAddress, socket.remotePort ?? 0],
      server: socket.localAddress === undefined ? null : [socket.localAddress, socket.localPort ?? 0],
      state,
      extensions: {},
    };
    const pieces = request[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let bodyDone = false;
    const closed = new Promise<ReceiveEvent>((resolve) => {
      response.once('close', () => resolve({ type: 'http.disconnect' }));
    });
    const receive: Receive = async () => {
      if (bodyDone) return await closed;
      const piece = await pieces.next().catch(() => null);
      if (piece === null) {
        bodyDone = true;
        return { type: 'http.disconnect' };
      }
      bodyDone = piece.done === true;
      return { type: 'http.request', body: piece.value ?? Buffer.alloc(0), moreBody: !bodyDone };
    };
    const send: Send = async (event: SendEvent) => {
      if (event.type === 'http.response.start') {
        // Pairs, so that fields of the same name stay apart.
        response.writeHead(event.status, (event.headers ?? []).flat());
      } else if (event.type === 'http.response.body') {
        if (!response.headersSent)
          throw fault('SBY_ASGI_EVENT_ORDER', {
            side: 'application',
            got: event.type,
            expected: 'http.response.start',
          });
        const body = event.body ?? Buffer.alloc(0);
        if (response.destroyed || response.closed)
          throw fault('SBY_SERVER_DISCONNECTED', { request: `${scope.method} ${scope.path}` });
        if (event.moreBody !== true) response.end(body);
        else if (!response.write(body))
          await new Promise<void>((resolve) => {
            const go = (): void => {
              response.off('drain', go).off('close', go);
              resolve();
            };
            response.once('drain', go).once('close', go);
          });
      } else
        throw fault('SBY_ASGI_EVENT_ORDER', {
          side: 'application',
          got: event.type,
          expected: 'http.response.body',
        });
    };
    try {
      await app(scope, receive, send);
      if (!response.writableEnded)
        throw fault('SBY_ASGI_NO_RESPONSE', { request: `${scope.method} ${scope.path}` });
    } catch (error) {
      const gone = response.destroyed && (error as { code?: unknown }).code === 'SBY_SERVER_DISCONNECTED';
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-type': 'text/plain' }).end('500 Internal Server Error\n');
      if (gone) return;
      if (options.onError !== undefined) options.onError(error, request);
      else console.error(`${scope.method} ${scope.path} failed:`, error);
    }
  };
}
