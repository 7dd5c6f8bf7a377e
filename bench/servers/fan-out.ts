/** A view that asks ten times at once and answers with the sum: ours, and what one writes by hand on node:http. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gather } from '../../src/asyncio/index.ts';
import { AsyncClient } from '../../src/client/index.ts';
import { createApp, JsonResponse, path } from '../../src/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import type { Served } from '../harness.ts';

interface Options {
  readonly kind: 'sobaya' | 'node:http' | 'fetch';
  /** The slowest of the ten takes this long. */
  readonly ms: number;
}

const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

async function startUpstream(): Promise<string> {
  const child = fork(fileURLToPath(import.meta.resolve('./upstream.ts')), { stdio: 'ignore' });
  child.unref();
  const [port] = (await once(child, 'message')) as [number];
  child.channel?.unref();
  return `http://127.0.0.1:${port}`;
}

const delay = (id: number, ms: number): number => (ms === 0 ? 0 : Math.round((ms * (id + 10)) / 20));

async function sobaya(upstream: string, ms: number): Promise<Served> {
  const client = new AsyncClient({ baseUrl: upstream });
  async function view(): Promise<JsonResponse> {
    const prices = await gather(
      ...ids.map((id) => async () => {
        const response = await client.get('', { params: { id, ms: delay(id, ms) } });
        return response.json<{ price: number }>().price;
      }),
    );
    return new JsonResponse({ sum: prices.reduce((sum, price) => sum + price, 0) });
  }
  const application = createApp({ urls: [path('', view)], debug: false });
  const server = await serve(application, { port: 0, log: silentLog });
  return { port: server.port };
}

function byHand(upstream: string, ms: number): Promise<Served> {
  const agent = new http.Agent({ keepAlive: true });
  const ask = (id: number): Promise<number> =>
    new Promise((resolve, reject) => {
      http
        .get(`${upstream}/?id=${id}&ms=${delay(id, ms)}`, { agent }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve((JSON.parse(text) as { price: number }).price));
          response.on('error', reject);
        })
        .on('error', reject);
    });
  return listen((response) => Promise.all(ids.map(ask)).then((prices) => answer(response, prices)));
}

function withFetch(upstream: string, ms: number): Promise<Served> {
  const ask = async (id: number): Promise<number> => {
    const response = await fetch(`${upstream}/?id=${id}&ms=${delay(id, ms)}`);
    return ((await response.json()) as { price: number }).price;
  };
  return listen((response) => Promise.all(ids.map(ask)).then((prices) => answer(response, prices)));
}

function answer(response: http.ServerResponse, prices: readonly number[]): void {
  const body = JSON.stringify({ sum: prices.reduce((sum, price) => sum + price, 0) });
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

async function listen(view: (response: http.ServerResponse) => Promise<void>): Promise<Served> {
  const server = http.createServer((_request, response) => {
    view(response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
}

export async function start({ kind, ms }: Options): Promise<Served> {
  const upstream = await startUpstream();
  if (kind === 'sobaya') return sobaya(upstream, ms);
  return kind === 'fetch' ? withFetch(upstream, ms) : byHand(upstream, ms);
}
