import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTask } from 'sobaya/asyncio';
import { AsyncClient } from 'sobaya/client';
import { startUpstream } from './upstream.ts';

test('a stream is read piece by piece, and holds back a fast sender', async () => {
  let sent = 0;
  const head = Promise.withResolvers<void>();
  await using upstream = await startUpstream({
    '/firehose': (_request, response) => {
      const piece = Buffer.alloc(65_536);
      const more = (): void => {
        while (sent < 50_000_000) {
          sent += piece.length;
          if (!response.write(piece)) {
            head.resolve();
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    },
  });
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const response = await client.stream('GET', '/firehose');
  await head.promise;
  // Nobody reads: the sender gets no further than the buffers between us.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent < 20_000_000, `${sent} bytes were taken without a reader`);
  let read = 0;
  for await (const piece of response) read += piece.length;
  assert.equal(read, sent);
});

test('both bodies at once: what is sent comes back while more is sent', async () => {
  await using upstream = await startUpstream({ '/pipe': (request, response) => void request.pipe(response) });
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const heard = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  async function* questions(): AsyncGenerator<string> {
    yield 'one';
    await heard[0].promise;
    yield 'two';
    await heard[1].promise;
  }
  const response = await client.stream('POST', '/pipe', { body: questions() });
  const got: string[] = [];
  for await (const piece of response) {
    got.push(Buffer.from(piece).toString());
    heard[got.length - 1]?.resolve();
  }
  assert.deepEqual(got, ['one', 'two']);
});

test('lines() joins what pieces cut', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const response = await client.stream('GET', '/lines');
  assert.deepEqual(await Array.fromAsync(response.lines()), ['one', 'two', 'three']);
});

test('leaving the loop early, close() and await using let go of the connection', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const first = await client.stream('GET', '/head-only');
  for await (const piece of first) {
    assert.equal(Buffer.from(piece).toString(), '12345');
    break;
  }
  await upstream.closed();
  {
    await using second = await client.stream('GET', '/head-only');
    assert.equal(second.status, 200);
  }
  await upstream.closed();
  await assert.rejects(Array.fromAsync(first), {
    code: 'SBY_CLIENT_BODY_USED',
    message: /The body of this answer was read already, or closed/,
  });
});

test('a stream nobody closed is closed at the end of the task that asked for it', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, timeout: null });
  const task = createTask(async () => {
    await client.stream('GET', '/head-only');
  });
  await task;
  await upstream.closed();
});

test('silence is measured while a reader waits, not while nobody reads', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, timeout: { read: 40, total: 60 } });
  const response = await client.stream('GET', '/head-only');
  const began = performance.now();
  while (performance.now() - began < 90) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(Array.fromAsync(response), { message: /^Nothing was heard for 40 ms while reading/ });
});

test('read() takes the rest; raiseForStatus() reads the body of the error', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const good = await client.stream('GET', '/compressed');
  assert.equal((await good.read()).text(), 'そば '.repeat(1000));
  const bad = await client.stream('GET', '/status?code=404');
  await assert.rejects(bad.raiseForStatus(), {
    message: /Status 404 Not Found, body begins with "about it"/,
  });
});

test('events() reads server-sent events, however they are cut', async () => {
  const text =
    '\ufeff: hello\n\nevent: price\ndata: {"a":1}\ndata:two\nid: 7\nretry: 50\n\ndata\r\n\r\nid\rdata: x\r\rdata: lost';
  for (const size of [1, 3, 1000]) {
    await using upstream = await startUpstream({
      '/events': async (_request, response) => {
        const bytes = Buffer.from(text);
        for (let at = 0; at < bytes.length; at += size) {
          response.write(bytes.subarray(at, at + size));
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end();
      },
    });
    await using client = new AsyncClient({ baseUrl: upstream.url });
    const response = await client.stream('GET', '/events');
    assert.deepEqual(await Array.fromAsync(response.events()), [
      { event: 'price', data: '{"a":1}\ntwo', id: '7', retry: 50 },
      { event: 'message', data: '', id: '7', retry: null },
      { event: 'message', data: 'x', id: '', retry: null },
    ]);
  }
});
