import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as nodeHttp from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Application } from 'sobaya/asgi';
import { Event, sleep } from 'sobaya/asyncio';
import { type ServeOptions, type Server, serve, silentLog, TextLog } from 'sobaya/server';
import { echo, hello, http, text } from './applications.ts';

const servers: Server[] = [];
after(async () => {
  for (const server of servers) {
    server.closeNow();
    await server.close();
  }
});

async function start(app: Application, options: ServeOptions = {}): Promise<Server> {
  const server = await serve(app, { port: 0, log: silentLog, ...options });
  servers.push(server);
  return server;
}

/** Sends raw bytes and gives all that came until the server closed. */
async function raw(server: Server, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = net.connect(server.port, '127.0.0.1');
  let output = '';
  socket.setEncoding('latin1').on('data', (chunk) => (output += chunk));
  for (const piece of pieces) socket.write(piece, 'latin1');
  await once(socket, 'close');
  return output;
}

test('fetch: get, post, a stream both ways', async () => {
  const server = await start(echo);
  const response = await fetch(`${server.url}/soba?x=1`);
  assert.equal(await response.text(), 'GET /soba ');
  const posted = await fetch(`${server.url}/`, { method: 'POST', body: 'x'.repeat(1_000_000) });
  assert.equal((await posted.text()).length, 1_000_007);
  const streamed = await fetch(`${server.url}/`, {
    method: 'POST',
    duplex: 'half',
    body: new ReadableStream({
      async start(controller) {
        for (let index = 0; index < 100; index++) controller.enqueue(text(`${index},`));
        controller.close();
      },
    }),
  } as RequestInit);
  assert.match(await streamed.text(), /^POST \/ 0,1,2,.*,99,$/);
});

test('node:http as the client: keep-alive uses one connection', async () => {
  const server = await start(hello);
  const agent = new nodeHttp.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  for (let index = 0; index < 5; index++) {
    const request = nodeHttp.get({ port: server.port, path: `/${index}`, agent });
    const [response] = (await once(request, 'response')) as [nodeHttp.IncomingMessage];
    ports.add(response.socket.localPort ?? 0);
    assert.equal((await response.toArray()).join(''), `GET /${index}`);
  }
  assert.equal(ports.size, 1);
  agent.destroy();
});

test('a pipelined burst over a real socket', async () => {
  const server = await start(hello);
  const burst = Array.from({ length: 500 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`).join(
    '',
  );
  const output = await raw(server, `${burst}GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  assert.equal(output.match(/GET \/(\d+|end)/g)?.length, 501);
});

test('a large response to a slow reader keeps memory flat, and arrives whole', async () => {
  const piece = Buffer.alloc(256 * 1024, 'x');
  let sent = 0;
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 });
    for (let index = 0; index < 800; index++) {
      await send({ type: 'http.response.body', body: piece, moreBody: true });
      sent++;
    }
    await send({ type: 'http.response.body' });
  });
  const server = await start(app);
  const socket = net.connect(server.port, '127.0.0.1');
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  // Nothing is read: what the kernel does not take waits in the application.
  for (let before = -1; before !== sent || sent === 0; ) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(sent < 60, `${sent} pieces of 256 kB were taken while nobody read`);
  let size = 0;
  socket.on('data', (chunk) => (size += chunk.length)).resume();
  await once(socket, 'close');
  assert.ok(size > 800 * 256 * 1024);
  assert.equal(sent, 800);
});

test('a client that reads slowly is not one that has stopped reading', async () => {
  const whole = Buffer.alloc(24 * 1024 * 1024, 'x');
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body', body: whole });
  });
  const server = await start(app, { timeoutWrite: 1000 });
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let size = 0;
  // A fifth of a megabyte at a time: more than twice the time-out for all of it, never near to it for one.
  socket.on('data', (chunk) => {
    if (size >> 18 !== (size + chunk.length) >> 18) {
      socket.pause();
      setTimeout(() => socket.resume(), 25);
    }
    size += chunk.length;
  });
  await once(socket, 'close');
  assert.ok(size > whole.length, `${size} bytes arrived`);
});

test('the buffer of a large piece may be used again once send has returned', async () => {
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 });
    const piece = Buffer.alloc(300_000);
    for (let index = 0; index < 20; index++) {
      piece.fill(97 + index);
      await send({ type: 'http.response.body', body: piece, moreBody: true });
    }
    await send({ type: 'http.response.body' });
  });
  const server = await start(app);
  const body = await (await fetch(server.url)).text();
  for (let index = 0; index < 20; index++)
    assert.equal(
      body.slice(index * 300_000, (index + 1) * 300_000),
      String.fromCharCode(97 + index).repeat(300_000),
    );
});

test('an upload nobody reads stops at the kernel; once read, it arrives whole', async () => {
  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    await gate.wait();
    await echo(scope, receive, send);
  });
  const server = await start(app);
  const socket = net.connect(server.port, '127.0.0.1');
  const size = 20_000_000;
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`);
  socket.write(Buffer.alloc(size, 'x'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(socket.writableLength > 0, 'the client is held back');
  gate.set();
  let got = 0;
  socket.on('data', (chunk) => (got += chunk.length));
  await once(socket, 'close');
  assert.ok(got > size);
});

test('a client that drops its connection ends the scope of its request', async () => {
  const started = new Event();
  const ended = new Event();
  const app = http(async (_scope, _receive, send) => {
    try {
      await send({ type: 'http.response.start', status: 200 });
      started.set();
      for (;;) {
        await send({ type: 'http.response.body', body: text('tick\n'), moreBody: true });
        await sleep(5);
      }
    } finally {
      ended.set();
    }
  });
  const server = await start(app);
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await started.wait();
  socket.resetAndDestroy();
  await ended.wait();
});

test('a flood of connections that say nothing, or half of something, is dropped in time, and others are served meanwhile', async () => {
  const server = await start(hello, { timeoutHeader: 1000 });
  const sockets = Array.from({ length: 600 }, (_, index) => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    if (index % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: ');
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  assert.equal(await (await fetch(server.url)).text(), 'GET /');
  await closed;
  assert.equal(await (await fetch(server.url)).text(), 'GET /');
});

test('connections are probed: a client that vanishes without a word is found out', {
  skip: hasSs(),
}, async () => {
  const server = await start(hello);
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  const { stdout } = spawnSync('ss', ['-tnoH', 'sport', '=', `:${server.port}`], { encoding: 'utf8' });
  assert.match(stdout, /timer:\(keepalive,(?:59|60|1min)/);
  socket.destroy();
});

function hasSs(): string | false {
  return spawnSync('ss', ['-V']).status === 0
    ? false
    : 'ss, which shows the timers of sockets, is not installed';
}

test('a half-closed client gets its whole response', async () => {
  const app = http(async (scope, receive, send) => {
    await sleep(20);
    await hello(scope, receive, send);
  });
  const server = await start(app);
  const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('GET /half HTTP/1.1\r\nHost: a\r\n\r\n');
  let output = '';
  socket.setEncoding('latin1').on('data', (chunk) => (output += chunk));
  await once(socket, 'close');
  assert.ok(output.endsWith('GET /half'));
});

test('a refused request is answered even when much more was sent', async () => {
  const server = await start(hello);
  const output = await raw(server, 'nonsense\r\n\r\n', Buffer.alloc(500_000, 'x'));
  assert.match(output, /^HTTP\/1\.1 400 /);
});

test('time-outs over real time: header and keep-alive', async () => {
  const server = await start(hello, { timeoutHeader: 80, timeoutKeepAlive: 80 });
  assert.match(await raw(server, 'GET / HTTP/1.1\r\nHo'), /^HTTP\/1\.1 408 /);
  assert.match(await raw(server, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 [\s\S]*GET \/$/);
  assert.equal(await raw(server), '');
});

test('lifespan: start before the first connection, state in every scope, stop after the last request', async () => {
  const events: string[] = [];
  const gate = new Event();
  const running = new Event();
  const app: Application = async (scope, receive, send) => {
    if (scope.type === 'lifespan') {
      events.push((await receive()).type);
      scope.state!['menu'] = ['zaru'];
      await send({ type: 'lifespan.startup.complete' });
      events.push((await receive()).type);
      await send({ type: 'lifespan.shutdown.complete' });
      return;
    }
    assert.equal(scope.type, 'http');
    assert.deepEqual(scope.state, { menu: ['zaru'] });
    (scope.state as Record<string, unknown>)['mine'] = true;
    running.set();
    await gate.wait();
    events.push('request');
    await hello(scope, receive, send);
  };
  const server = await start(app);
  assert.deepEqual(events, ['lifespan.startup']);
  const answer = fetch(server.url);
  await running.wait();
  const stopped = server.close();
  await assert.rejects(fetch(server.url), 'no new connection is accepted');
  gate.set();
  assert.equal(await (await answer).text(), 'GET /');
  await stopped;
  assert.deepEqual(events, ['lifespan.startup', 'request', 'lifespan.shutdown']);
});

test('lifespan: a start-up that fails is the error of serve, by name', async () => {
  const app: Application = async (scope, receive, send) => {
    assert.equal(scope.type, 'lifespan');
    await receive();
    await send({ type: 'lifespan.startup.failed', message: 'the database cannot be opened' });
  };
  await assert.rejects(start(app), {
    code: 'SBY_SERVER_STARTUP_FAILED',
    message: /did not start: the database cannot be opened/,
  });
  await assert.rejects(start(hello, { lifespan: 'on' }), { code: 'SBY_SERVER_LIFESPAN_UNSUPPORTED' });
  const without = await start(hello);
  assert.equal(await (await fetch(without.url)).text(), 'GET /');
});

test('a stop that takes too long cancels what runs, and says so', async () => {
  let cancelled = false;
  let log = '';
  const running = new Event();
  const app = http(async () => {
    running.set();
    try {
      await sleep(60_000);
    } catch (error) {
      cancelled = true;
      throw error;
    }
  });
  const server = await start(app, { timeoutGraceful: 50, log: new TextLog((line) => (log += line)) });
  const answer = fetch(server.url);
  await running.wait();
  await server.close();
  assert.equal(cancelled, true);
  assert.equal((await answer).status, 503);
  assert.match(log, /did not end in time/);
});

test('a port in use, an address that is none, options that make no sense: one message each', async () => {
  const server = await start(hello);
  await assert.rejects(serve(hello, { port: server.port, log: silentLog }), {
    code: 'SBY_SERVER_ADDRESS_IN_USE',
    message: new RegExp(`Another process already listens on 127\\.0\\.0\\.1:${server.port}`),
  });
  await assert.rejects(serve(hello, { host: '192.0.2.77', port: 0, log: silentLog }), {
    code: 'SBY_SERVER_CANNOT_LISTEN',
  });
  await assert.rejects(serve(hello, { port: 70000 }), {
    code: 'SBY_SERVER_BAD_OPTION',
    message: /The option port is 70000/,
  });
  await assert.rejects(serve(hello, { prot: 1 } as ServeOptions), {
    message: /The option prot is 1. Give one of the known/,
  });
  await assert.rejects(serve(hello, { rootPath: 'x' }), { message: /The option rootPath is "x"/ });
});

test('a unix socket', async () => {
  const uds = join(tmpdir(), `sobaya-test-${process.pid}.sock`);
  const server = await start(hello, { uds });
  assert.deepEqual(server.address, [uds, null]);
  const request = nodeHttp.get({ socketPath: uds, path: '/x' });
  const [response] = (await once(request, 'response')) as [nodeHttp.IncomingMessage];
  assert.equal((await response.toArray()).join(''), 'GET /x');
  await server.close();
  const again = await start(hello, { uds });
  await again.close();
});
