/** Each middleware by itself, around an ASGI application that knows nothing of Sobaya. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Application } from 'sobaya/asgi';
import { sleep } from 'sobaya/asyncio';
import type { Middleware, RequestSettings } from 'sobaya/http';
import {
  asAsgi,
  compression,
  conditionalGet,
  cors,
  csrf,
  hostCheck,
  httpsRedirect,
  logging,
  processing,
  rateLimit,
  requestId,
  requestTimeout,
  securityHeaders,
  staticFiles,
} from 'sobaya/middleware';
import { serve, silentLog } from 'sobaya/server';
import { Client, virtualClock } from 'sobaya/test';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-alone-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'a.css'), 'a{}');

const text = 'soba '.repeat(1000);
const bare: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') return;
  let length = 0;
  for (let more = true; more; ) {
    const event = await receive();
    if (event.type !== 'http.request') return;
    length += event.body.length;
    more = event.moreBody === true;
  }
  const headers: [string, string][] = [
    ['content-type', 'text/plain'],
    ['etag', '"soba"'],
    ['x-body', String(length)],
  ];
  await send({ type: 'http.response.start', status: 200, headers });
  for (let at = 0; at < text.length; at += 1000)
    await send({ type: 'http.response.body', body: Buffer.from(text.slice(at, at + 1000)), moreBody: true });
  await send({ type: 'http.response.body', body: new Uint8Array(), moreBody: false });
};

function around(middleware: Middleware, settings: Partial<RequestSettings> = {}): Client {
  return new Client(asAsgi(bare, [middleware], settings), { raiseErrors: false, enforceCsrfChecks: true });
}
const records: unknown[] = [];
const log = (record: unknown): void => void records.push(record);

const each: Record<string, () => Promise<void>> = {
  requestId: async () =>
    assert.match((await around(requestId()).get('/')).headers.get('x-request-id')!, /^[\w-]{19}$/),
  securityHeaders: async () =>
    assert.match(
      (await around(securityHeaders()).get('/')).headers.get('content-security-policy')!,
      /default-src 'self'/,
    ),
  hostCheck: async () => {
    const app = around(hostCheck(), { allowedHosts: ['soba.example'] });
    assert.equal((await app.get('/', { headers: { host: 'soba.example' } })).status, 200);
    assert.equal((await app.get('/', { headers: { host: 'evil.example' } })).status, 400);
  },
  httpsRedirect: async () => {
    const response = await around(httpsRedirect()).get('/a?b=c');
    assert.deepEqual([response.status, response.headers.get('location')], [301, 'https://testserver/a?b=c']);
  },
  cors: async () => {
    const response = await around(cors({ origins: ['https://a.example'] })).get('/', {
      headers: { origin: 'https://a.example' },
    });
    assert.equal(response.headers.get('access-control-allow-origin'), 'https://a.example');
  },
  compression: async () => {
    const response = await around(compression()).get('/', { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(response.headers.get('content-encoding'), 'gzip');
    assert.equal(response.headers.get('etag'), 'W/"soba"');
    assert.equal(gunzipSync(response.body).toString(), text);
  },
  conditionalGet: async () =>
    assert.equal(
      (await around(conditionalGet()).get('/', { headers: { 'if-none-match': '"soba"' } })).status,
      304,
    ),
  csrf: async () => {
    assert.equal((await around(csrf()).get('/')).status, 200);
    assert.equal((await around(csrf()).post('/')).status, 403);
  },
  rateLimit: async () => {
    const app = around(rateLimit({ limit: 1, seconds: 60 }));
    assert.deepEqual([(await app.get('/')).status, (await app.get('/')).status], [200, 429]);
  },
  requestTimeout: async () => assert.equal((await around(requestTimeout(10_000)).get('/')).text, text),
  staticFiles: async () => {
    const app = around(staticFiles({ root: folder }));
    assert.equal((await app.get('/static/a.css')).text, 'a{}');
    assert.equal((await app.get('/')).text, text);
  },
  logging: async () => {
    await around(logging({ logger: { info: log, warn: log, error: log } })).get('/?secret=1');
    assert.match(JSON.stringify(records), /"path":"\/","route":null,"status":200/);
  },
  processing: async () => {
    const app = around(
      processing('x', {
        processResponse: (_, response) => {
          response.headers.set('x-a', 1);
          return response;
        },
      }),
    );
    assert.equal((await app.get('/')).headers.get('x-a'), '1');
  },
};
for (const [name, check] of Object.entries(each)) test(`${name}, alone around an ASGI application`, check);

test('an application that is too slow is cancelled, and one that has begun goes on', async () => {
  using _clock = virtualClock();
  let cancelled = false;
  const slow: Application = async (scope, _receive, send) => {
    if (scope.type !== 'http') return;
    try {
      if (scope.path === '/begun/') {
        await send({ type: 'http.response.start', status: 200, headers: [] });
        await send({ type: 'http.response.body', body: Buffer.from('soba'), moreBody: true });
      }
      await sleep(scope.path === '/begun/' ? 120_000 : 60_000);
      await send({ type: 'http.response.body', body: Buffer.from(' udon'), moreBody: false });
    } catch (error) {
      cancelled = true;
      throw error;
    }
  };
  const app = new Client(asAsgi(slow, [requestTimeout(30_000)]), { raiseErrors: false });
  assert.equal((await app.get('/begun/')).text, 'soba udon');
  assert.equal((await app.get('/')).status, 503);
  assert.equal(cancelled, true);
});

test('a body of a request passes through to the application, over a socket', async () => {
  const server = await serve(asAsgi(bare, [requestId(), compression()]), { port: 0, log: silentLog });
  const response = await fetch(server.url, { method: 'POST', body: 'x'.repeat(100_000) });
  assert.equal(response.headers.get('x-body'), '100000');
  assert.equal(await response.text(), text);
  await server.close();
});
