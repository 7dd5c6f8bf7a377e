/** Streams release what they hold, however the request ends: sent, replaced, refused, dropped, never begun. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createApp, HttpResponse, type Middleware, path, StreamingHttpResponse } from 'sobaya';
import { Event, sleep } from 'sobaya/asyncio';
import { EventStreamResponse, fileResponse } from 'sobaya/http';
import { compression, conditionalGet, processing, requestTimeout } from 'sobaya/middleware';
import { serve, silentLog } from 'sobaya/server';
import { Client } from 'sobaya/test';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-release-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'file.txt'), 'soba '.repeat(10_000));

/** A response that says when what it holds is released. */
function holding(released: string[], name: string): StreamingHttpResponse {
  async function* content() {
    yield 'a';
    yield 'b';
  }
  return new StreamingHttpResponse(content(), { headers: { etag: '"a"' } }).onClose(
    () => void released.push(name),
  );
}

const other = (): HttpResponse => new HttpResponse('other', { status: 503 });
const outer: Record<string, Middleware> = {
  'sent as it is': (getResponse) => (request) => getResponse(request),
  'replaced by a function': (getResponse) => async (request) => {
    await getResponse(request);
    return other();
  },
  'replaced by half a middleware': processing('replaces', { processResponse: () => other() }),
  'followed by an error': (getResponse) => async (request) => {
    await getResponse(request);
    throw new Error('after the view');
  },
  'followed by an error in half a middleware': processing('fails', {
    processResponse: () => {
      throw new Error('after the view');
    },
  }),
  compressed: compression({ minimum: 0 }),
  'not modified': conditionalGet(),
};

for (const [name, middleware] of Object.entries(outer))
  for (const method of ['GET', 'HEAD'] as const)
    test(`a stream is released: ${name}, ${method}`, async () => {
      const released: string[] = [];
      const client = new Client(
        createApp({
          debug: false,
          onError: () => {},
          middleware: [middleware],
          urls: [path('', () => holding(released, 'view'))],
        }),
        { raiseErrors: false },
      );
      await client.request(method, '/', { headers: { 'if-none-match': '"a"', 'accept-encoding': 'gzip' } });
      assert.deepEqual(released, ['view']);
    });

test('a stream of a view that goes on after its time is sent, and released once', async () => {
  const released: string[] = [];
  const client = new Client(
    createApp({
      debug: false,
      middleware: [requestTimeout(20)],
      urls: [
        path('', async () => {
          // Swallows its cancellation, and answers all the same.
          await sleep(10_000).catch(() => {});
          return holding(released, 'late');
        }),
      ],
    }),
    { raiseErrors: false },
  );
  const response = await client.get('/');
  assert.deepEqual([response.status, response.text], [200, 'ab']);
  assert.deepEqual(released, ['late']);
});

test('files are closed, whoever stands in front of them', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  for (const middleware of Object.values(outer)) {
    const client = new Client(
      createApp({
        debug: false,
        onError: () => {},
        middleware: [middleware],
        urls: [path('', (request) => fileResponse(request, join(folder, 'file.txt')))],
      }),
      { raiseErrors: false },
    );
    const etag = (await client.get('/')).headers.get('etag') ?? '"none"';
    const before = process.platform === 'linux' ? open() : 0;
    for (let round = 0; round < 10; round++)
      for (const headers of [
        {},
        { range: 'bytes=0-9' },
        { range: 'bytes=99999999-' },
        { 'if-none-match': etag },
        { 'if-match': '"x"' },
      ]) {
        await client.get('/', { headers });
        await client.head('/', { headers });
      }
    if (process.platform === 'linux') assert.ok(open() <= before, `${before} open files became ${open()}`);
  }
});

test('a client that leaves releases streams that are under way, over a socket', async () => {
  const left = { events: new Event(), stream: new Event() };
  async function* forever(event: Event) {
    try {
      while (true) {
        yield 'x'.repeat(1000);
        await sleep(5);
      }
    } finally {
      event.set();
    }
  }
  const server = await serve(
    createApp({
      debug: false,
      urls: [
        path('events/', () => new EventStreamResponse(forever(left.events))),
        path('stream/', () => new StreamingHttpResponse(forever(left.stream))),
      ],
    }),
    { port: 0, log: silentLog },
  );
  for (const which of ['events', 'stream'] as const) {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /${which}/ HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await left[which].wait();
  }
  await server.close();
});
