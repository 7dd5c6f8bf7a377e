/** A real server for the tests of the client: its routes are named after what they do wrong. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  readonly seen: string[];
  /** Resolves when a connection that was waiting is closed by the client. */
  closed(): Promise<void>;
}

type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

async function body(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function startUpstream(routes: Record<string, Route> = {}): Promise<Upstream> {
  const seen: string[] = [];
  let onClosed = Promise.withResolvers<void>();
  const failures = new Map<string, number>();
  const all: Record<string, Route> = {
    '/echo': async (request, response, url) => {
      const content = await body(request);
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          method: request.method,
          path: url.pathname,
          query: [...url.searchParams],
          headers: request.headers,
          raw: request.rawHeaders,
          body: content.toString('latin1'),
        }),
      );
    },
    '/never': (_request, response) => void response.on('close', () => onClosed.resolve()),
    '/head-only': (_request, response) => {
      response.on('close', () => onClosed.resolve());
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345');
    },
    '/hang-up': (request) => request.socket.destroy(),
    '/cut': (request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345', () => request.socket.destroy());
    },
    '/status': (_request, response, url) => {
      response.writeHead(Number(url.searchParams.get('code')), { 'content-type': 'text/plain' });
      response.end('about it');
    },
    '/redirect': (_request, response, url) => {
      response.writeHead(Number(url.searchParams.get('code') ?? 302), {
        location: url.searchParams.get('to') ?? '/echo',
      });
      response.end('moved');
    },
    '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
    '/flaky': (_request, response, url) => {
      const key = url.search;
      const left = failures.get(key) ?? Number(url.searchParams.get('times') ?? 1);
      failures.set(key, left - 1);
      if (left > 0) response.writeHead(503, { 'retry-after': '0' }).end();
      else response.end('at last');
    },
    '/compressed': (_request, response, url) => {
      const coding = url.searchParams.get('coding') ?? 'gzip';
      const text = Buffer.from('そば '.repeat(1000));
      const encode = {
        gzip: gzipSync,
        deflate: deflateSync,
        'raw-deflate': deflateRawSync,
        br: brotliCompressSync,
        zstd: zstdCompressSync,
        broken: (bytes: Buffer) => bytes,
      }[coding] as (bytes: Buffer) => Buffer;
      const name = coding === 'broken' ? 'gzip' : coding.replace('raw-', '');
      response.writeHead(200, { 'content-encoding': name, 'content-type': 'text/plain; charset=utf-8' });
      response.end(encode(text));
    },
    '/bomb': (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(20_000_000)));
    },
    '/big': (_request, response, url) => {
      let left = Number(url.searchParams.get('bytes'));
      const piece = Buffer.alloc(65_536, 'x');
      const more = (): void => {
        while (left > 0) {
          const size = Math.min(left, piece.length);
          left -= size;
          if (!response.write(piece.subarray(0, size))) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    },
    '/lines': (_request, response) => {
      response.write('one\r\ntw');
      response.write('o\n');
      response.end('three');
    },
    '/cookies': (_request, response, url) => {
      response.setHeader('set-cookie', url.searchParams.getAll('set'));
      response.end();
    },
    '/early-hints': (_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.end('after the hint');
    },
    ...routes,
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://upstream');
    seen.push(`${request.method} ${request.url}`);
    const route = all[url.pathname];
    if (route === undefined) response.writeHead(404).end('nothing here');
    else route(request, response, url);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    seen,
    closed: async () => {
      await onClosed.promise;
      onClosed = Promise.withResolvers();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
