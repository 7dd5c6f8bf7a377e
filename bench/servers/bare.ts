/** The smallest servers: the same 13 bytes from each. The yardstick of every other case is `node:http`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Served } from '../harness.ts';

const body = Buffer.from('Hello, World!');

async function nodeHttp(): Promise<Served> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
}

async function fastify(): Promise<Served> {
  const { fastify } = await import('fastify');
  const app = fastify();
  app.get('/', (_request, reply) => reply.type('text/plain').send('Hello, World!'));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
}

const kinds = { 'node:http': nodeHttp, fastify };

export function start(kind: keyof typeof kinds): Promise<Served> {
  return kinds[kind]();
}
