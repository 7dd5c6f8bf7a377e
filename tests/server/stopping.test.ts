import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from 'sobaya/asgi';
import { Event, sleep } from 'sobaya/asyncio';
import { RawConnection, serve, silentLog, TextLog } from 'sobaya/server';
import { hello, http, text } from './applications.ts';

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

const lifespan = (
  work: (receive: Parameters<Application>[1], send: Parameters<Application>[2]) => Promise<void>,
): Application => {
  return async (scope, receive, send) => {
    if (scope.type === 'lifespan') return await work(receive, send);
    await hello(scope, receive, send);
  };
};

test('lifespan: start-up that is not answered in time, or answered with something else', async () => {
  await assert.rejects(
    serve(
      lifespan(async () => await sleep(60_000)),
      { port: 0, log: silentLog, timeoutStartup: 40 },
    ),
    { message: /The application did not start: it did not answer lifespan\.startup within 0\.04 s/ },
  );
  // Refuses the lifespan scope by failing in it, as an application for WebSockets alone would.
  const refusing = lifespan(async (receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
  });
  const server = await serve(refusing, { port: 0, log: silentLog });
  await server.close();
  await assert.rejects(serve(refusing, { port: 0, log: silentLog, lifespan: 'on' }), {
    code: 'SBY_SERVER_LIFESPAN_UNSUPPORTED',
    message: /websocket\.accept/,
  });
  const early = lifespan(async (receive, send) => {
    await receive();
    await send({ type: 'lifespan.shutdown.complete' });
  });
  await assert.rejects(serve(early, { port: 0, log: silentLog, lifespan: 'on' }), {
    message:
      /sent lifespan\.shutdown\.complete where the server expected lifespan\.startup\.complete or \.failed/,
  });
});

test('lifespan: a shutdown that fails, throws, or never ends is logged and ends the stop', async () => {
  const cases: [why: RegExp, work: (send: Parameters<Application>[2]) => Promise<void>][] = [
    [
      /failed to shut down: no water/,
      (send) => send({ type: 'lifespan.shutdown.failed', message: 'no water' }),
    ],
    [
      /failed to shut down: Error: burnt/,
      async () => {
        throw new Error('burnt');
      },
    ],
    [/failed to shut down: it did not answer lifespan\.shutdown within 0\.05 s/, () => new Promise(() => {})],
  ];
  for (const [message, work] of cases) {
    let log = '';
    const app = lifespan(async (receive, send) => {
      await receive();
      await send({ type: 'lifespan.startup.complete' });
      await receive();
      await work(send);
    });
    const options = { port: 0, log: new TextLog((line) => (log += line)), timeoutShutdown: 50 };
    const server = await serve(app, options);
    await server.close();
    assert.match(log, message);
    assert.equal(server.shutdownFailed, true);
  }
});

test('lifespan: whoever stops by force does not wait for the application', async () => {
  const stopping = new Event();
  const app = lifespan(async (receive, send) => {
    await receive();
    await send({ type: 'lifespan.startup.complete' });
    await receive();
    stopping.set();
    await new Promise(() => {});
  });
  const server = await serve(app, { port: 0, log: silentLog, timeoutShutdown: 0 });
  const closed = server.close();
  await stopping.wait();
  server.closeNow();
  await closed;
});
