/** A JSON body of 1 KB posted, parsed, and sent back as JSON of its own making: the same work on each side. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from '../../src/asgi/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import type { Served } from '../harness.ts';

const echo: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('only http');
  let event = await receive();
  let whole: Buffer | null = null;
  while (event.type === 'http.request') {
    const { body, moreBody } = event;
    const piece = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    whole = whole === null ? piece : Buffer.concat([whole, piece]);
    if (!moreBody) break;
    event = await receive();
  }
  const data: unknown = JSON.parse(whole?.toString('utf8') ?? '');
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/json']] });
  await send({ type: 'http.response.body', body: Buffer.from(JSON.stringify(data)) });
};

async function sobaya(): Promise<Served> {
  const server = await serve(echo, { port: 0, log: silentLog });
  return { port: server.port };
}

async function nodeHttp(): Promise<Served> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      const body = Buffer.from(JSON.stringify(JSON.parse(whole.toString('utf8'))));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
}

const kinds = { sobaya, 'node:http': nodeHttp };
export function start(kind: keyof typeof kinds): Promise<Served> {
  return kinds[kind]();
}
