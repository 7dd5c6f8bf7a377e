import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import type { Application, Receive, Send, WebSocketScope } from 'sobaya/asgi';
import { Event } from 'sobaya/asyncio';
import { RawConnection, type ServeOptions, type Server, serve, silentLog, TextLog } from 'sobaya/server';
import WebSocket from 'ws';
import { text } from './applications.ts';

const servers: Server[] = [];
after(async () => {
  for (const server of servers) {
    server.closeNow();
    await server.close();
  }
});

function websocket(
  handler: (scope: WebSocketScope, receive: Receive, send: Send) => Promise<void>,
): Application {
  return async (scope, receive, send) => {
    if (scope.type !== 'websocket') throw new Error('only websockets');
    assert.equal((await receive()).type, 'websocket.connect');
    await handler(scope, receive, send);
  };
}

const codes: [number, string][] = [];
const echo = websocket(async (scope, receive, send) => {
  await send({
    type: 'websocket.accept',
    subprotocol: scope.subprotocols[0] ?? null,
    headers: [['x-soba', 'ya']],
  });
  for (;;) {
    const event = await receive();
    if (event.type === 'websocket.disconnect') {
      codes.push([event.code, event.reason]);
      return;
    }
    if (event.type !== 'websocket.receive') continue;
    if (event.text === 'close me') await send({ type: 'websocket.close', code: 4001, reason: 'as you wish' });
    else if (event.text === 'fail') throw new Error('no soba left');
    else await send({ type: 'websocket.send', bytes: event.bytes ?? null, text: event.text ?? null });
  }
});

async function start(app: Application, options: ServeOptions = {}): Promise<Server> {
  const server = await serve(app, { port: 0, log: silentLog, ...options });
  servers.push(server);
  return server;
}

const connect = (server: Server, path = '/', protocols: string[] = []): WebSocket =>
  new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols);

test('messages both ways, in order, text and bytes, small and large', async () => {
  const server = await start(echo);
  const socket = connect(server, '/chat?x=1', ['soba', 'udon']);
  const opened = once(socket, 'open');
  const [response] = await once(socket, 'upgrade');
  assert.equal(response.headers['x-soba'], 'ya');
  await opened;
  assert.equal(socket.protocol, 'soba');
  const got: (string | number)[] = [];
  const all = new Event();
  socket.on('message', (data: Buffer, isBinary) => {
    got.push(isBinary ? data.length : data.toString().slice(0, 10));
    if (got.length === 103) all.set();
  });
  for (let index = 0; index < 100; index++) socket.send(`${index}`);
  socket.send('そば');
  socket.send(Buffer.alloc(100_000));
  socket.send(Buffer.alloc(8_000_000));
  await all.wait();
  assert.deepEqual(got, [
    ...Array.from({ length: 100 }, (_, index) => `${index}`),
    'そば',
    100_000,
    8_000_000,
  ]);
  socket.close(4000, 'done');
  const [code] = await once(socket, 'close');
  assert.equal(code, 4000);
  assert.deepEqual(codes.pop(), [4000, 'done']);
});

test('the application closes: code and reason reach the client', async () => {
  const server = await start(echo);
  const socket = connect(server);
  await once(socket, 'open');
  socket.send('close me');
  const [code, reason] = await once(socket, 'close');
  assert.deepEqual([code, reason.toString()], [4001, 'as you wish']);
});

test('an application that fails closes with 1011', async () => {
  const server = await start(echo);
  const socket = connect(server);
  await once(socket, 'open');
  socket.send('fail');
  const [code] = await once(socket, 'close');
  assert.equal(code, 1011);
});

test('a client that vanishes is 1006', async () => {
  const server = await start(echo);
  const socket = connect(server);
  await once(socket, 'open');
  codes.length = 0;
  socket.terminate();
  while (codes.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(codes, [[1006, '']]);
});

test('denial: 403, or a response of the application’s own', async () => {
  const denied = await start(
    websocket(async (_scope, _receive, send) => void (await send({ type: 'websocket.close' }))),
  );
  const [, forbidden] = await once(connect(denied), 'unexpected-response');
  assert.equal(forbidden.statusCode, 403);
  const custom = await start(
    websocket(async (scope, _receive, send) => {
      assert.ok(scope.extensions?.['websocket.http.response']);
      await send({ type: 'websocket.http.response.start', status: 401, headers: [['x-why', 'token']] });
      await send({ type: 'websocket.http.response.body', body: text('no '), moreBody: true });
      await send({ type: 'websocket.http.response.body', body: text('soba') });
    }),
  );
  const [, response] = await once(connect(custom), 'unexpected-response');
  assert.equal(response.statusCode, 401);
  assert.equal(response.headers['x-why'], 'token');
  assert.equal((await response.toArray()).join(''), 'no soba');
});

test('an application that never answers the handshake, or fails in it, is a 500', async () => {
  for (const app of [
    websocket(async () => {}),
    websocket(async () => {
      throw new Error('no');
    }),
    websocket(async (_scope, _receive, send) => void (await send({ type: 'websocket.send', text: 'early' }))),
    websocket(
      async (_scope, _receive, send) =>
        void (await send({ type: 'websocket.accept', subprotocol: 'never offered' })),
    ),
    websocket(
      async (_scope, _receive, send) =>
        void (await send({ type: 'websocket.accept', headers: [['x', 'a\r\nb']] })),
    ),
  ]) {
    const [, response] = await once(connect(await start(app)), 'unexpected-response');
    assert.equal(response.statusCode, 500);
  }
});

test('a message over the limit is 1009, garbage is 1002, text that is no UTF-8 is 1007', async () => {
  const server = await start(echo, { wsMaxSize: 1000 });
  const large = connect(server);
  await once(large, 'open');
  large.send(Buffer.alloc(2000));
  assert.equal((await once(large, 'close'))[0], 1009);
  for (const [bytes, code] of [
    [[0xf1, 0x80, 0, 0, 0, 0], 1002],
    [[0x81, 0x01, 0x41], 1002],
    [[0x83, 0x80, 0, 0, 0, 0], 1002],
    [[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007],
  ] as const) {
    const raw = connect(server);
    await once(raw, 'open');
    (raw as unknown as { _socket: { write(data: Buffer): void } })._socket.write(Buffer.from(bytes));
    assert.equal((await once(raw, 'close'))[0], code);
  }
});

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const upgrade = (fields: string, method = 'GET'): string =>
  `${method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${fields}\r\n`;
/** Until the framing is loaded and the application has run. */
async function answered(connection: RawConnection): Promise<string> {
  for (let turn = 0; turn < 200 && connection.output === ''; turn++) await connection.settle();
  return connection.output;
}

test('the handshake of RFC 6455, byte by byte', async () => {
  const connection = new RawConnection(echo);
  connection.feed(upgrade(`Sec-WebSocket-Version: 13\r\n${KEY}`));
  assert.match(
    await answered(connection),
    /^HTTP\/1\.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nx-soba: ya\r\n/,
  );
});

test('malformed handshakes', async () => {
  for (const [fields, status] of [
    [KEY, 426],
    [`Sec-WebSocket-Version: 8\r\n${KEY}`, 426],
    ['Sec-WebSocket-Version: 13\r\n', 400],
    ['Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n', 400],
    [`Sec-WebSocket-Version: 13\r\n${KEY}${KEY}`, 400],
    [`Sec-WebSocket-Version: 13\r\n${KEY}Content-Length: 3\r\n`, 400],
  ] as const) {
    const connection = new RawConnection(echo);
    connection.feed(upgrade(fields));
    const output = await answered(connection);
    assert.ok(output.startsWith(`HTTP/1.1 ${status} `), output);
    if (status === 426) assert.match(output, /\r\nsec-websocket-version: 13\r\n/);
  }
});

test('a client that answers no ping is dropped', async () => {
  const connection = new RawConnection(echo, { wsPingInterval: 1000, wsPingTimeout: 500 });
  connection.feed(upgrade(`Sec-WebSocket-Version: 13\r\n${KEY}`));
  await answered(connection);
  connection.takeOutput();
  codes.length = 0;
  connection.advance(1200);
  assert.equal(connection.takeOutput(), '\x89\x00');
  connection.feed(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
  connection.advance(1100);
  assert.equal(connection.takeOutput(), '\x89\x00', 'a pong was enough');
  connection.advance(600);
  assert.ok(connection.output.startsWith('\x88'));
  assert.ok(connection.ended);
  await connection.settle();
  assert.deepEqual(codes, [[1006, '']]);
});

test('reading stops while the application does not take messages', async () => {
  const gate = new Event();
  let got = 0;
  const app = websocket(async (_scope, receive, send) => {
    await send({ type: 'websocket.accept' });
    await gate.wait();
    for (;;) {
      const event = await receive();
      if (event.type === 'websocket.disconnect') return;
      got++;
    }
  });
  const server = await start(app);
  const socket = connect(server);
  await once(socket, 'open');
  for (let index = 0; index < 300; index++) socket.send(Buffer.alloc(100_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(socket.bufferedAmount > 1_000_000, 'the client is held back');
  gate.set();
  while (got < 300) await new Promise((resolve) => setImmediate(resolve));
  socket.close();
  await once(socket, 'close');
});

test('a stop tells WebSockets with 1012', async () => {
  let log = '';
  const server = await serve(echo, { port: 0, log: new TextLog((line) => (log += line)) });
  const socket = connect(server);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await server.close();
  assert.equal((await closed)[0], 1012);
  assert.equal(log, '');
});
