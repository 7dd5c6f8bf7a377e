import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Event, sleep } from 'sobaya/asyncio';
import { RawConnection, serve, silentLog, TextLog } from 'sobaya/server';
import { http, text } from './applications.ts';

test('a stop ends event streams whole and at once, and lets other streams finish', async () => {
  const gate = new Event();
  let told: unknown = null;
  let log = '';
  const app = http(async (scope, receive, send) => {
    const type = scope.path === '/events' ? 'Text/Event-Stream; charset=utf-8' : 'text/plain';
    await send({ type: 'http.response.start', status: 200, headers: [['Content-Type', type]] });
    await send({ type: 'http.response.body', body: text(': open\n\n'), moreBody: true });
    if (scope.path === '/events') {
      await receive();
      told = (await receive()).type;
      try {
        await sleep(60_000);
      } catch (error) {
        told = [told, (error as Error).name];
        throw error;
      }
    }
    await gate.wait();
    await send({ type: 'http.response.body', body: text('end') });
  });
  const server = await serve(app, { port: 0, log: new TextLog((line) => (log += line)) });
  const [events, file] = await Promise.all([fetch(`${server.url}/events`), fetch(`${server.url}/file`)]);
  const stopped = server.close();
  // Ends with its last chunk: a connection broken off would be an error here.
  assert.equal(await events.text(), ': open\n\n');
  assert.deepEqual(told, ['http.disconnect', 'AbortError']);
  gate.set();
  assert.equal(await file.text(), ': open\n\nend');
  await stopped;
  assert.equal(log, '');
});

test('an event stream that a stop has ended may go on sending, to nobody', async () => {
  const failures: unknown[] = [];
  const gate = new Event();
  const app = http(async (_scope, _receive, send) => {
    await send({
      type: 'http.response.start',
      status: 200,
      headers: [['content-type', 'text/event-stream']],
    });
    await send({ type: 'http.response.body', body: text('data: 1\n\n'), moreBody: true });
    try {
      await gate.wait();
    } catch {
      await send({ type: 'http.response.body', body: text('data: 2\n\n'), moreBody: true });
    }
  });
  const connection = new RawConnection(app, {
    log: { ...silentLog, failure: (_request, error) => void failures.push(error) },
  });
  connection.feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await connection.settle();
  connection.shutdown();
  await connection.settle();
  assert.match(connection.output, /\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n$/);
  assert.equal(connection.ended, true);
  assert.deepEqual(failures, []);
});
