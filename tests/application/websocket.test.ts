import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, HttpResponse, path, sleep, websocket } from 'sobaya';
import type { WebSocketConnection } from 'sobaya/http';
import { Client } from 'sobaya/test';

const errors: unknown[] = [];
let outcome = '';
const started = Promise.withResolvers<void>();
const app = createApp({
  debug: false,
  onError: (error) => errors.push(error),
  urls: [
    websocket('echo/<int:times>/', async (socket, { times }) => {
      for await (const message of socket)
        for (let count = 0; count < times; count++) await socket.send(message);
      outcome = `left with ${socket.closeCode}`;
    }),
    websocket('protocol/', async (socket: WebSocketConnection) => {
      await socket.accept({ subprotocol: 'soba.v1', headers: { 'x-kitchen': 'open' } });
      await socket.sendJson({ hello: socket.request.cookies.get('user') ?? 'nobody' });
      await socket.close(4001, 'closed for today');
    }),
    websocket('refused/', (socket) => socket.reject(401)),
    websocket('broken/', async (socket) => {
      await socket.accept();
      throw new Error('pot');
    }),
    websocket('busy/', async (socket) => {
      await socket.accept();
      started.resolve();
      try {
        await sleep(60_000);
      } catch (error) {
        outcome = (error as Error).name;
        throw error;
      }
    }),
    websocket('open/', (socket) => socket.send('hi'), { origins: '*' }),
    path('echo/1/', () => new HttpResponse('http')),
  ],
});
const client = new Client(app);

test('messages go both ways, text and bytes; leaving ends the loop', async () => {
  const socket = await client.websocket('/echo/2/');
  socket.send('soba');
  assert.equal(await socket.receive(), 'soba');
  assert.equal(await socket.receive(), 'soba');
  socket.send(new Uint8Array([1, 2]));
  assert.deepEqual(await socket.receive(), new Uint8Array([1, 2]));
  await socket.close(1001);
  assert.equal(outcome, 'left with 1001');
  assert.equal((await client.get('/echo/1/')).text, 'http', 'the same path, another kind of connection');
});

test('subprotocol, headers, cookies, codes', async () => {
  client.cookies.set('user', 'aki');
  const socket = await client.websocket('/protocol/', { subprotocols: ['soba.v2', 'soba.v1'] });
  assert.equal(socket.subprotocol, 'soba.v1');
  assert.deepEqual(socket.headers, [['x-kitchen', 'open']]);
  assert.deepEqual(await socket.receiveJson(), { hello: 'aki' });
  assert.equal(await socket.receive(), null);
  assert.deepEqual([socket.closeCode, socket.closeReason], [4001, 'closed for today']);
  await assert.rejects(client.websocket('/protocol/'), {
    code: 'SBY_TEST_SOCKET_REFUSED',
    message: /refused with 500/,
  });
  assert.match(String(errors.pop()), /does not offer the subprotocol "soba\.v1"/);
});

test('refused: by the view, without a route, from another host', async () => {
  await assert.rejects(client.websocket('/refused/'), { message: /refused with 401/ });
  await assert.rejects(client.websocket('/nope/'), { message: /refused with 404/ });
  await assert.rejects(client.websocket('/echo/1/', { headers: { host: 'evil.example' } }), {
    message: /refused with 400/,
  });
});

test('cross-site WebSocket hijacking: pages of other sites cannot connect', async () => {
  for (const origin of [
    'https://evil.example',
    'http://testserver.evil.example',
    'null',
    'https://testserver',
  ])
    await assert.rejects(
      client.websocket('/echo/1/', { headers: { origin } }),
      { message: /refused with 403/ },
      origin,
    );
  await (await client.websocket('/echo/1/', { headers: { origin: 'http://testserver' } })).close();
  await (await client.websocket('/open/', { headers: { origin: 'https://partner.example' } })).close();
});

test('an error closes with 1011 and is reported', async () => {
  const socket = await client.websocket('/broken/');
  assert.equal(await socket.receive(), null);
  assert.equal(socket.closeCode, 1011);
  assert.equal((errors.pop() as Error).message, 'pot');
});

test('a view that waits for something else is cancelled when the peer leaves', async () => {
  const socket = await client.websocket('/busy/');
  await started.promise;
  await socket.close();
  assert.equal(outcome, 'AbortError');
});
