/** What passes between the application and a server of ours beside ASGI must be seen by nobody, and change nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createApp, HttpResponse, path } from 'sobaya';
import type { Application, SendEvent } from 'sobaya/asgi';
import { fileResponse } from 'sobaya/http';
import { asAsgi } from 'sobaya/middleware';
import { serve, silentLog } from 'sobaya/server';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-direct-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
writeFileSync(join(folder, 'large'), large);

const texts = ['', 'soba', 'x'.repeat(5000), 'x'.repeat(70_000), 'そば', 'é', '\0\x7f'];
const application = createApp({
  debug: false,
  urls: [
    path(
      'text/<int:index>/',
      (_, { index }) => new HttpResponse(texts[index], { contentType: 'text/plain; charset=utf-8' }),
    ),
    path('length/', () => new HttpResponse('soba', { headers: { 'content-length': 4 } })),
    path('status/<int:status>/', (_, { status }) => new HttpResponse('soba', { status })),
    path('file/', (request) => fileResponse(request, join(folder, 'large'))),
  ],
});

async function withServer(app: Application, ask: (url: string) => Promise<void>): Promise<void> {
  const server = await serve(app, { port: 0, log: silentLog });
  try {
    await ask(server.url.replace(/\/$/, ''));
  } finally {
    await server.close();
  }
}

async function check(url: string): Promise<void> {
  for (const [index, text] of texts.entries()) {
    const response = await fetch(`${url}/text/${index}/`);
    assert.equal(response.headers.get('content-length'), String(Buffer.byteLength(text)));
    assert.equal(await response.text(), text);
    const head = await fetch(`${url}/text/${index}/`, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(text)));
    assert.equal(await head.text(), '');
  }
  assert.equal((await fetch(`${url}/length/`)).headers.get('content-length'), '4');
  for (const status of [200, 201, 404, 500]) {
    const response = await fetch(`${url}/status/${status}/`);
    assert.deepEqual([response.status, await response.text()], [status, 'soba']);
  }
  for (const status of [204, 205, 304]) {
    const response = await fetch(`${url}/status/${status}/`);
    assert.deepEqual([response.status, await response.text()], [status, '']);
  }
  assert.ok(Buffer.from(await (await fetch(`${url}/file/`)).arrayBuffer()).equals(large));
}

test('text and files arrive as they are', () => withServer(application, check));

test('whoever wraps send gets the events of ASGI, and may keep what is in them', async () => {
  const types = new Set<string>();
  const kept: Uint8Array[] = [];
  const wrapped: Application = (scope, receive, send) =>
    application(scope, receive, async (event: SendEvent) => {
      if (scope.type === 'http') types.add(event.type);
      if (event.type === 'http.response.body' && scope.type === 'http' && scope.path === '/file/')
        kept.push(event.body ?? new Uint8Array());
      await send(event);
    });
  await withServer(wrapped, check);
  assert.deepEqual([...types], ['http.response.start', 'http.response.body']);
  assert.ok(Buffer.concat(kept).equals(large), 'no piece was overwritten by the next');
});

test('middleware around an application as ASGI keeps every piece of a file', () =>
  withServer(asAsgi(application, []), async (url) => {
    assert.ok(Buffer.from(await (await fetch(`${url}/file/`)).arrayBuffer()).equals(large));
  }));
