/** A routed view behind three middleware, or the nearest a peer has: a parameter, a header from each, JSON. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Middleware } from '../../src/index.ts';
import type { Served } from '../harness.ts';

async function sobaya({ routes = 10, middleware = 3, sync = false }: Options): Promise<Served> {
  const { createApp, JsonResponse, path } = await import('../../src/index.ts');
  const { serve, silentLog } = await import('../../src/server/index.ts');
  const order = (_request: unknown, { id }: { id: number }) => new JsonResponse({ id, name: 'kake soba' });
  const orderLater = async (_request: unknown, { id }: { id: number }) =>
    new JsonResponse({ id, name: 'kake soba' });
  const others = Array.from({ length: routes - 1 }, (_, index) =>
    path(`place${index}/<slug:name>/menu/` as string, () => new JsonResponse({})),
  );
  const app = createApp({
    debug: false,
    urls: [...others, path('orders/<int:id>/', sync ? order : orderLater)],
    middleware: Array.from({ length: middleware }, (_, index) => (getResponse) => async (request) => {
      const response = await getResponse(request);
      response.headers.set(`x-layer-${index}`, '1');
      return response;
    }),
  });
  const server = await serve(app, { port: 0, log: silentLog } as never);
  return { port: Number(new URL(server.url).port), close: () => server.close() };
}

async function nodeHttp(): Promise<Served> {
  const server = createServer((request, response) => {
    const id = Number(/^\/orders\/(\d+)\/$/.exec(request.url ?? '')?.[1]);
    const body = Buffer.from(JSON.stringify({ id, name: 'kake soba' }));
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': body.length,
      'x-layer-0': '1',
      'x-layer-1': '1',
      'x-layer-2': '1',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
}

async function fastify(): Promise<Served> {
  const { fastify } = await import('fastify');
  const app = fastify();
  for (let index = 0; index < 3; index++)
    app.addHook('onRequest', async (_request, reply) => {
      reply.header(`x-layer-${index}`, '1');
    });
  for (let index = 0; index < 9; index++) app.get(`/place${index}/:name/menu/`, async () => ({}));
  app.get('/orders/:id/', async (request) => ({
    id: Number((request.params as { id: string }).id),
    name: 'kake soba',
  }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
}

/** Layers that do nothing for this request (but the last two kinds, which write what they write by default). */
async function layered(kind: Options['layers']): Promise<Served> {
  const { createApp, HttpResponse, path } = await import('../../src/index.ts');
  const ours = await import('../../src/middleware/index.ts');
  const { serve, silentLog } = await import('../../src/server/index.ts');
  const ten = (make: (index: number) => Middleware): Middleware[] =>
    Array.from({ length: 10 }, (_, index) => make(index));
  const middleware: Middleware[] =
    kind === 'functions'
      ? ten(() => (getResponse) => async (request) => await getResponse(request))
      : kind === 'halves'
        ? ten(() =>
            ours.processing('idle', { processRequest: () => {}, processResponse: (_, response) => response }),
          )
        : kind === 'headers'
          ? ten((index) => (getResponse) => async (request) => {
              const response = await getResponse(request);
              response.headers.set(`x-layer-${index}`, '1');
              return response;
            })
          : kind === 'ours'
            ? [
                ours.requestId(),
                ours.securityHeaders(),
                ours.hostCheck(),
                ours.httpsRedirect({ exempt: [/^/] }),
                ours.cors({ origins: ['https://a.example'] }),
                ours.compression(),
                ours.conditionalGet(),
                ours.csrf(),
                ours.rateLimit({ limit: 1_000_000_000, seconds: 1 }),
                ours.staticFiles({ root: import.meta.dirname }),
              ]
            : [];
  const app = createApp({
    debug: false,
    urls: [path('', async () => new HttpResponse('hello'))],
    middleware,
  });
  const server = await serve(app, { port: 0, log: silentLog });
  return { port: server.port, close: () => server.close() };
}

interface Options {
  readonly kind?: 'sobaya' | 'node:http' | 'fastify' | 'layers';
  readonly layers?: 'none' | 'functions' | 'halves' | 'headers' | 'ours';
  readonly routes?: number;
  readonly middleware?: number;
  readonly sync?: boolean;
}

export function start(options: Options): Promise<Served> {
  if (options.kind === 'layers') return layered(options.layers);
  if (options.kind === 'node:http') return nodeHttp();
  return options.kind === 'fastify' ? fastify() : sobaya(options);
}
