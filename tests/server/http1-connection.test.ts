import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application, ReceiveEvent } from 'sobaya/asgi';
import { currentContext, Event, sleep } from 'sobaya/asyncio';
import { RawConnection, TextLog } from 'sobaya/server';
import { echo, hello, http, text } from './applications.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const count = (output: string, what: RegExp): number => output.match(what)?.length ?? 0;

test('keep-alive: one request after the other on one connection', async () => {
  const connection = new RawConnection(hello);
  for (const path of ['/a', '/b', '/c']) {
    connection.feed(get(path));
    await connection.settle();
    assert.ok(connection.takeOutput().endsWith(`GET ${path}`));
  }
  assert.equal(connection.ended, false);
});

test('pipelined requests are answered in order, in one write', async () => {
  const connection = new RawConnection(hello);
  connection.feed(get('/a') + get('/b') + get('/c'));
  await connection.settle();
  assert.deepEqual(connection.output.match(/GET \/\w/g), ['GET /a', 'GET /b', 'GET /c']);
  assert.equal(connection.writes, 1);
});

test('a slow request holds up those behind it, and they come in order', async () => {
  const gates = new Map([
    ['/slow', new Event()],
    ['/fast', new Event()],
  ]);
  gates.get('/fast')!.set();
  const seen: string[] = [];
  const app = http(async (scope, receive, send) => {
    seen.push(scope.path);
    await gates.get(scope.path)!.wait();
    await hello(scope, receive, send);
  });
  const connection = new RawConnection(app);
  connection.feed(get('/slow') + get('/fast'));
  await connection.settle();
  assert.deepEqual(seen, ['/slow']);
  gates.get('/slow')!.set();
  await connection.settle();
  assert.deepEqual(connection.output.match(/GET \/\w+$|GET \/\w+(?=HTTP)/g), ['GET /slow', 'GET /fast']);
});

test('a pipelined error is answered after the requests before it', async () => {
  const connection = new RawConnection(hello);
  connection.feed(`${get('/a')}nonsense\r\n\r\n${get('/b')}`);
  await connection.settle();
  assert.deepEqual(connection.output.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 400']);
});

test('a flood of pipelined bytes stops the reading, not the memory', async () => {
  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    await gate.wait();
    await hello(scope, receive, send);
  });
  const connection = new RawConnection(app);
  const batch = GET.repeat(1000);
  for (let round = 0; round < 10; round++) connection.feed(batch);
  assert.equal(connection.reading, false);
  gate.set();
  for (let round = 0; round < 20; round++) await connection.settle();
  assert.equal(count(connection.output, /HTTP\/1\.1 200/g), 10_000);
});

test('100 Continue is said when the application first reads, and only then', async () => {
  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    await gate.wait();
    await echo(scope, receive, send);
  });
  const connection = new RawConnection(app);
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  await connection.settle();
  assert.equal(connection.output, '');
  gate.set();
  await connection.settle();
  assert.equal(connection.takeOutput(), 'HTTP/1.1 100 Continue\r\n\r\n');
  connection.feed('soba');
  await connection.settle();
  assert.ok(connection.output.endsWith('POST / soba'));
});

test('without reading the body, an awaited 100 Continue is answered finally and the connection closed', async () => {
  const connection = new RawConnection(hello);
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  await connection.settle();
  assert.match(connection.output, /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close/);
  assert.ok(connection.ended);
});

test('a body that came along makes 100 Continue superfluous', async () => {
  const connection = new RawConnection(echo);
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\nsoba');
  await connection.settle();
  assert.match(connection.output, /^HTTP\/1\.1 200 OK/);
});

test('a body nobody reads is thrown away and the connection kept; a long one closes it', async () => {
  const short = new RawConnection(hello);
  short.feed(`POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(400)}`);
  await short.settle();
  short.feed(`${'x'.repeat(600)}${get('/b')}`);
  await short.settle();
  assert.deepEqual(short.output.match(/(GET|POST) \/\w/g), ['POST /a', 'GET /b']);

  const long = new RawConnection(hello);
  long.feed('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n');
  await long.settle();
  assert.match(long.output, /connection: close/);
  assert.ok(long.ended);
});

test('reading stops while the application does not take the body, and goes on when it does', async () => {
  const gate = new Event();
  let size = 0;
  const app = http(async (_scope, receive, send) => {
    await gate.wait();
    for (;;) {
      const event = await receive();
      assert.equal(event.type, 'http.request');
      if (event.type !== 'http.request') return;
      size += event.body.length;
      if (!event.moreBody) break;
    }
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body' });
  });
  const connection = new RawConnection(app);
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  let sent = 0;
  for (; connection.reading; sent += 10_000) connection.feed('x'.repeat(10_000));
  assert.ok(sent < 150_000, `${sent} bytes were taken before reading stopped`);
  // The client's clock does not run while the server does not read.
  connection.advance(120_000, 1000);
  gate.set();
  await connection.settle();
  for (; sent < 1_000_000; sent += 10_000) {
    connection.feed('x'.repeat(10_000));
    await connection.settle();
  }
  assert.equal(size, 1_000_000);
  assert.match(connection.output, /^HTTP\/1\.1 200/);
});

test('send waits while the client does not read', async () => {
  let sent = 0;
  const piece = Buffer.alloc(50_000, 'x');
  const app = http(async (_scope, _receive, send) => {
    await send({ type: 'http.response.start', status: 200 });
    for (let index = 0; index < 20; index++) {
      await send({ type: 'http.response.body', body: piece, moreBody: true });
      sent++;
    }
    await send({ type: 'http.response.body' });
  });
  const connection = new RawConnection(app);
  connection.peerReads = false;
  connection.feed(GET);
  await connection.settle();
  assert.ok(sent <= 2, `${sent} pieces were taken`);
  connection.drain();
  await connection.settle();
  assert.equal(sent, 20);
  assert.ok(connection.output.endsWith('0\r\n\r\n'));
});

test('a client that takes nothing is dropped in time, and send says so', async () => {
  let failure: unknown;
  const app = http(async (_scope, _receive, send) => {
    try {
      await send({ type: 'http.response.start', status: 200 });
      for (;;) await send({ type: 'http.response.body', body: Buffer.alloc(50_000), moreBody: true });
    } catch (error) {
      failure = error;
      throw error;
    }
  });
  const connection = new RawConnection(app, { timeoutWrite: 3000 });
  connection.peerReads = false;
  connection.feed(GET);
  await connection.settle();
  connection.advance(2500);
  assert.equal(connection.destroyed, false);
  connection.advance(1500);
  assert.equal(connection.destroyed, true);
  await connection.settle();
  assert.ok(failure);
});

test('the head must come in time', async () => {
  const connection = new RawConnection(hello, { timeoutHeader: 1000 });
  connection.feed('GET / HTTP/1.1\r\nHo');
  connection.advance(600);
  connection.feed('st: a\r\n');
  connection.advance(600);
  assert.match(connection.output, /^HTTP\/1\.1 408 /);
  assert.ok(connection.ended);
});

test('a connection that says nothing is closed without a word', () => {
  const connection = new RawConnection(hello, { timeoutHeader: 1000 });
  connection.advance(1200);
  assert.equal(connection.output, '');
  assert.ok(connection.ended);
});

test('an idle keep-alive connection is closed without a word, after its time', async () => {
  const connection = new RawConnection(hello, { timeoutKeepAlive: 5000 });
  connection.feed(GET);
  await connection.settle();
  connection.takeOutput();
  connection.advance(4900);
  assert.equal(connection.ended, false);
  connection.advance(300);
  assert.equal(connection.output, '');
  assert.ok(connection.ended);
});

test('a body that stops coming is answered with 408 and told to the application', async () => {
  const events: ReceiveEvent[] = [];
  let cancelled = false;
  const app = http(async (_scope, receive) => {
    for (;;) {
      const event = await receive();
      events.push(event);
      if (event.type === 'http.disconnect') break;
    }
    cancelled = currentContext().scope.cancelled;
  });
  const connection = new RawConnection(app, { timeoutBody: 1000 });
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  await connection.settle();
  connection.advance(800);
  connection.feed('d');
  connection.advance(800);
  assert.equal(connection.output, '');
  connection.advance(400);
  await connection.settle();
  assert.match(connection.output, /^HTTP\/1\.1 408 /);
  assert.equal(events.at(-1)?.type, 'http.disconnect');
  assert.equal(cancelled, true);
});

test('a client that is gone ends the scope of its request', async () => {
  let error: unknown;
  const app = http(async () => {
    try {
      await sleep(60_000);
    } catch (caught) {
      error = caught;
      throw caught;
    }
  });
  let log = '';
  const connection = new RawConnection(app, { log: new TextLog((line) => (log += line)) });
  connection.feed(GET);
  await connection.settle();
  connection.reset();
  await connection.settle();
  assert.equal((error as Error).name, 'AbortError');
  assert.match((error as Error).message, /the client left: read ECONNRESET/);
  assert.equal(log, '', 'a client that leaves is no failure of the application');
});

test('a client that is gone: receive says http.disconnect, send fails with a name', async () => {
  let received: ReceiveEvent | undefined;
  let failure: unknown;
  const left = new Event();
  const app: Application = http(async (_scope, receive, send) => {
    await receive();
    received = await receive();
    try {
      await send({ type: 'http.response.start', status: 200 });
    } catch (error) {
      failure = error;
    }
    left.set();
  });
  const connection = new RawConnection(app);
  connection.feed(GET);
  await connection.settle();
  connection.reset();
  await left.wait();
  assert.equal(received?.type, 'http.disconnect');
  assert.equal((failure as { code?: string }).code, 'SBY_SERVER_DISCONNECTED');
});

test('a client that closes its sending side is told, and still gets its response', async () => {
  let received: ReceiveEvent | undefined;
  const app = http(async (scope, receive, send) => {
    await receive();
    received = await receive();
    assert.equal(currentContext().scope.cancelled, false);
    await hello(scope, receive, send);
  });
  const connection = new RawConnection(app);
  connection.feed(GET);
  await connection.settle();
  connection.eof();
  await connection.settle();
  assert.equal(received?.type, 'http.disconnect');
  assert.ok(connection.output.endsWith('GET /'));
  assert.ok(connection.ended);
});

test('requests that came before a FIN are all answered', async () => {
  const connection = new RawConnection(hello);
  connection.feed(get('/a') + get('/b'));
  connection.eof();
  await connection.settle();
  assert.deepEqual(connection.output.match(/GET \/\w/g), ['GET /a', 'GET /b']);
  assert.ok(connection.ended);
});

test('a FIN within a head or a body is an error', async () => {
  for (const raw of ['GET / HT', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab']) {
    const connection = new RawConnection(echo);
    connection.feed(raw);
    await connection.settle();
    connection.eof();
    await connection.settle();
    assert.match(connection.output, /^HTTP\/1\.1 400 /);
    assert.ok(connection.ended);
  }
});

test('after the response, receive says http.disconnect', async () => {
  let received: ReceiveEvent | undefined;
  const app = http(async (scope, receive, send) => {
    await receive();
    await hello(scope, receive, send);
    received = await receive();
  });
  const connection = new RawConnection(app);
  connection.feed(GET);
  await connection.settle();
  assert.equal(received?.type, 'http.disconnect');
});

test('work after the response goes on, and does not hold up the next request', async () => {
  const gate = new Event();
  let done = 0;
  const app = http(async (scope, receive, send) => {
    await hello(scope, receive, send);
    await gate.wait();
    done++;
  });
  const connection = new RawConnection(app);
  connection.feed(get('/a') + get('/b'));
  await connection.settle();
  assert.equal(count(connection.output, /200 OK/g), 2);
  connection.reset();
  gate.set();
  await connection.settle();
  assert.equal(done, 2);
});

test('stopping: an idle connection is closed, a running request is finished and says so', async () => {
  const idle = new RawConnection(hello);
  idle.feed(GET);
  await idle.settle();
  idle.shutdown();
  assert.ok(idle.ended);

  const fresh = new RawConnection(hello);
  fresh.shutdown();
  assert.equal(fresh.ended, false, 'its first request may be on the way');
  fresh.advance(1000);
  assert.ok(fresh.ended);

  const drained = new RawConnection(hello);
  drained.feed(GET);
  await drained.settle();
  drained.shutdown(true);
  assert.equal(drained.ended, false);
  drained.feed(GET);
  await drained.settle();
  assert.match(drained.output, /200 OK[\s\S]*200 OK[\s\S]*connection: close/);
  assert.ok(drained.ended);

  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    await gate.wait();
    await hello(scope, receive, send);
  });
  const busy = new RawConnection(app);
  busy.feed(GET);
  await busy.settle();
  busy.shutdown();
  assert.equal(busy.ended, false);
  gate.set();
  await busy.settle();
  assert.match(busy.output, /200 OK[\s\S]*connection: close/);
  assert.ok(busy.ended);
});

test('a closing connection throws away what still comes, and is dropped in the end', async () => {
  const connection = new RawConnection(hello);
  connection.feed('nonsense\r\n\r\n');
  await connection.settle();
  const before = connection.output;
  connection.feed(GET.repeat(100));
  await connection.settle();
  assert.equal(connection.output, before);
  connection.advance(3000);
  assert.ok(connection.destroyed);
});

test('bodies given to the application do not change when more bytes come', async () => {
  const bodies: Uint8Array[] = [];
  const app = http(async (_scope, receive, send) => {
    for (;;) {
      const event = await receive();
      if (event.type !== 'http.request') return;
      bodies.push(event.body);
      if (!event.moreBody) break;
    }
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body', body: text('ok') });
  });
  const connection = new RawConnection(app);
  connection.feed('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n');
  for (const piece of ['so', 'ba', 'ya', '!!']) {
    connection.feed(piece);
    await connection.settle();
  }
  assert.equal(Buffer.concat(bodies).toString(), 'sobaya!!');
});
