/**
 * Clients that send anything, cut anywhere and leave at any time, to an application that sends anything in any order and waits
 * for nothing: nothing may be thrown past the server, nothing may stay behind, and the next client is served.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import type { Application, SendEvent } from 'sobaya/asgi';
import { Event, sleep } from 'sobaya/asyncio';
import { RawConnection, serve, silentLog } from 'sobaya/server';
import { http } from './applications.ts';

/** Small and the same each time (mulberry32), unless SOBAYA_SEED says otherwise. */
let state =
  process.env['SOBAYA_SEED'] === 'random' ? Date.now() | 0 : Number(process.env['SOBAYA_SEED'] ?? 4711);
function below(limit: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % limit;
}
const one = <T>(...choices: readonly T[]): T => choices[below(choices.length)]!;

const events: (() => unknown)[] = [
  () => ({
    type: 'http.response.start',
    status: one<unknown>(200, 204, 205, 304, 101, 999, '200', 404),
    headers: one<unknown>(
      [],
      [['a', 'b']],
      [['content-length', '5']],
      [['x', 'a\r\nb']],
      [['content-length', 'x']],
      5,
    ),
    trailers: one(true, false, false),
  }),
  () => ({
    type: 'http.response.body',
    body: one<unknown>(
      undefined,
      Buffer.alloc(below(100)),
      Buffer.alloc(below(300_000)),
      'x',
      Buffer.from('hello'),
    ),
    moreBody: one(true, false),
  }),
  () => ({ type: 'http.response.trailers', headers: [['x', 'y']] }),
  () => ({ type: 'http.response.early_hint', links: ['<a>'] }),
  () => ({ type: 'http.response.pathsend', path: import.meta.filename }),
  () => ({ type: 'http.response.push', path: '/x', headers: [] }),
  () => ({ type: 'websocket.accept' }),
  () => ({ type: 'websocket.send', text: 'x'.repeat(below(100_000)) }),
  () => ({ type: 'websocket.close', code: one(1000, 1005, 3000, 99) }),
  () => ({ type: 'websocket.http.response.start', status: 401, headers: [] }),
  () => ({ type: 'websocket.http.response.body', body: Buffer.from('x') }),
  () => one<unknown>(undefined, null, {}, { type: 5 }, 'text'),
];

const application: Application = async (scope, receive, send) => {
  if (scope.type === 'lifespan') throw new Error('none');
  if (scope.type === 'http' && scope.path === '/well')
    return void (await send({ type: 'http.response.start', status: 200 }).then(() =>
      send({ type: 'http.response.body' }),
    ));
  for (let step = below(8); step >= 0; step--) {
    const event = one(...events)() as SendEvent;
    switch (below(8)) {
      case 0:
        await receive();
        break;
      case 1:
        void receive();
        break;
      case 2:
        await sleep(below(5));
        break;
      case 3:
        throw one<unknown>(new Error('no soba'), undefined, null, 'text', 5);
      case 4:
        void send(event);
        break;
      case 5:
        await send(event);
        break;
      default:
        await send(event).catch(() => {});
    }
  }
};

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const seeds = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
  'GET / HTTP/1.0\r\n\r\n',
  `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`,
  `GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n\x81\x85\0\0\0\0hello\x89\x80\0\0\0\0\x88\x80\0\0\0\0`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x0c\x01\x05\0\0\0\x01\x82\x86\x84\x41\x07a.b.c.d\0\0\x04\x08\0\0\0\0\0\0\0\0\x10',
].map((text) => Buffer.from(text, 'latin1'));

function mutated(seed: Buffer): Buffer {
  let bytes = Buffer.from(seed);
  for (let times = below(4); times > 0; times--) {
    const at = below(bytes.length);
    const how = below(4);
    if (how === 0) bytes[at] = below(256);
    else if (how === 1) bytes = bytes.subarray(0, at + 1);
    else if (how === 2)
      bytes = Buffer.concat([bytes.subarray(0, at + 1), bytes.subarray(below(bytes.length))]);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([one(13, 10, 0, 32, 58)]),
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

test('anything from clients, anything from the application', async () => {
  const server = await serve(application, {
    port: 0,
    log: silentLog,
    http2: 'prior-knowledge',
    timeoutHeader: 300,
    timeoutBody: 300,
    timeoutWrite: 300,
    timeoutKeepAlive: 100,
    wsPingInterval: 100,
    wsPingTimeout: 100,
    wsPerMessageDeflate: true,
    wsMaxSize: 100_000,
  });
  const thrown: unknown[] = [];
  const keep = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', keep).on('unhandledRejection', keep);
  try {
    const client = async (): Promise<void> => {
      const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: one(true, false) });
      socket.on('error', () => {});
      const closed = once(socket, 'close').catch(() => {});
      if (below(4) > 0) socket.resume();
      for (let times = below(4); times >= 0; times--) {
        const data = one(true, true, false) ? mutated(one(...seeds)) : one(...seeds);
        const cut = below(data.length);
        socket.write(data.subarray(0, cut));
        if (one(true, false)) await new Promise((resolve) => setImmediate(resolve));
        if (!socket.destroyed) socket.write(data.subarray(cut));
      }
      const how = below(4);
      if (how === 0) socket.end();
      else if (how === 1) socket.resetAndDestroy();
      else await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, below(60)))]);
      socket.destroy();
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 40 }, client));
    while (server.connections > 0 || server.running().length > 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal((await fetch(`${server.url}/well`)).status, 200);
    await server.close();
    assert.deepEqual(thrown, []);
  } finally {
    process.off('uncaughtException', keep).off('unhandledRejection', keep);
  }
});

// ---- what it has found

test('a client that leaves behind a heap of pipelined requests is missed in the end, where the application waits for that', async () => {
  const told = new Event();
  const connection = new RawConnection(
    http(async (_scope, receive) => {
      await receive();
      await receive();
      told.set();
    }),
    { timeoutBody: 1000 },
  );
  connection.feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  connection.feed(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`);
  await connection.settle();
  assert.equal(connection.reading, false);
  connection.advance(900);
  assert.equal(connection.destroyed, false);
  connection.advance(400);
  assert.equal(connection.destroyed, true);
  await told.wait();
});

test('an application that asks on and on, deaf to http.disconnect, lets others run', async () => {
  let deaf = true;
  let asked = 0;
  const connection = new RawConnection(
    http(async (_scope, receive, send) => {
      await send({ type: 'http.response.start', status: 200 });
      await send({ type: 'http.response.body' });
      while (deaf) {
        await receive();
        asked++;
      }
    }),
  );
  connection.feed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await connection.settle();
  assert.ok(asked > 1);
  deaf = false;
});

test('an HTTP/2 client that closes its side, or the connection, is missed by the application', async () => {
  const started = new Event();
  const seen: string[] = [];
  const ended = new Event();
  const server = await serve(
    http(async (_scope, receive) => {
      await receive();
      started.set();
      seen.push((await receive()).type);
      ended.set();
    }),
    { port: 0, log: silentLog, http2: 'prior-knowledge' },
  );
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    started.clear();
    ended.clear();
    const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(seeds.at(-1)!.subarray(0, -13));
    await started.wait();
    socket[leave]();
    await ended.wait();
    socket.destroy();
  }
  assert.deepEqual(seen, Array(3).fill('http.disconnect'));
  await server.close();
});
