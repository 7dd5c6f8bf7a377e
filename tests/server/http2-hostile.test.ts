/** HTTP/2 (RFC 9113) from clients that mean no good, as raw frames; and what a server may offer to those that do: push. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { after, test } from 'node:test';
import type { Application, HttpScope } from 'sobaya/asgi';
import { Event } from 'sobaya/asyncio';
import { type ServeOptions, type Server, serve, TextLog } from 'sobaya/server';
import { echo, hello, http, text } from './applications.ts';

const servers: Server[] = [];
after(async () => {
  for (const server of servers) {
    server.closeNow();
    await server.close();
  }
});

let log = '';
async function start(app: Application, options: ServeOptions = {}): Promise<Server> {
  log = '';
  const server = await serve(app, {
    port: 0,
    http2: 'prior-knowledge',
    log: new TextLog((line) => (log += line)),
    ...options,
  });
  servers.push(server);
  return server;
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] = [
  0, 1, 3, 4, 6, 7, 8, 9,
];
const END_STREAM = 1;
const END_HEADERS = 4;

function frame(type: number, flags: number, stream: number, payload: Buffer | number[] = []): Buffer {
  const body = Buffer.from(payload as number[]);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** Fields as literals that are not indexed (RFC 7541 6.2.2), names and values shorter than 127 bytes. */
const fields = (pairs: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    pairs.map(([name, value]) =>
      Buffer.concat([
        Buffer.from([0, name.length]),
        Buffer.from(name, 'latin1'),
        Buffer.from([value.length]),
        Buffer.from(value, 'latin1'),
      ]),
    ),
  );
const GET: [string, string][] = [
  [':method', 'GET'],
  [':path', '/'],
  [':scheme', 'http'],
  [':authority', 'a'],
];
const request = (
  stream: number,
  pairs: readonly (readonly [string, string])[] = GET,
  flags = END_STREAM | END_HEADERS,
): Buffer => frame(HEADERS, flags, stream, fields(pairs));

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A client that speaks in frames. */
class Raw {
  readonly socket: net.Socket;
  readonly frames: Frame[] = [];
  #rest: Buffer = Buffer.alloc(0);
  closed = false;
  #wake: () => void = () => {};

  constructor(server: Server, settings: number[] = []) {
    this.socket = net.connect(server.port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
    this.socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, settings)]));
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      this.frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: this.#rest.subarray(9, 9 + length),
      });
      this.#rest = this.#rest.subarray(9 + length);
    }
    this.#wake();
  }

  /** Waits for a frame, or the end of the connection: then undefined. */
  async until(matches: (one: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined || this.closed) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async end(): Promise<void> {
    await this.until(() => false);
  }

  /** The error code of the last GOAWAY. */
  /** Writes, and waits until the system has taken it; false when the connection has ended. */
  async write(bytes: Buffer): Promise<boolean> {
    if (!this.closed && !this.socket.write(bytes)) {
      await new Promise<void>((resolve) => {
        this.socket.once('drain', resolve).once('close', resolve);
      });
    }
    return !this.closed;
  }

  get goaway(): number | undefined {
    return this.frames.findLast((one) => one.type === GOAWAY)?.payload.readUInt32BE(4);
  }
}

const answered = (stream: number) => (one: Frame) => one.type === HEADERS && one.stream === stream;
const reset = (stream: number) => (one: Frame) => one.type === RST_STREAM && one.stream === stream;
const closing = (stream: number) => (one: Frame) =>
  one.type === GOAWAY || ((one.type === RST_STREAM || one.type === HEADERS) && one.stream === stream);

async function alive(server: Server): Promise<void> {
  const other = new Raw(server);
  other.socket.write(request(1));
  assert.ok(await other.until(answered(1)), 'others are served');
  other.socket.destroy();
}

test('a well-formed request, to know that the client of this test is one', async () => {
  const server = await start(hello);
  const client = new Raw(server);
  client.socket.write(request(1));
  assert.ok(await client.until((one) => one.type === DATA && one.payload.toString() === 'GET /'));
  client.socket.destroy();
});

/** `node:http2` drops such fields and goes on, which is its right as far as nobody reads them otherwise. */
const invalid: [what: string, bytes: Buffer][] = [
  ['a value with CR and LF', request(1, [...GET, ['x', 'a\r\nb: c']])],
  ['a value with NUL', request(1, [...GET, ['x', 'a\0b']])],
  ['a name with a space', request(1, [...GET, ['x y', 'z']])],
  ['an empty name', request(1, [...GET, ['', 'z']])],
];

const malformed: [what: string, bytes: Buffer, stream: number][] = [
  ['an upper-case name', request(1, [...GET, ['X-A', 'b']]), 1],
  ['a field of the connection', request(1, [...GET, ['connection', 'close']]), 1],
  ['transfer-encoding', request(1, [...GET, ['transfer-encoding', 'chunked']]), 1],
  ['TE that is not trailers', request(1, [...GET, ['te', 'gzip']]), 1],
  ['no :method', request(1, GET.slice(1)), 1],
  ['no :path', request(1, [GET[0]!, GET[2]!, GET[3]!]), 1],
  ['an empty :path', request(1, [GET[0]!, [':path', ''], GET[2]!, GET[3]!]), 1],
  ['no :scheme', request(1, [GET[0]!, GET[1]!, GET[3]!]), 1],
  ['a pseudo field twice', request(1, [...GET, [':path', '/x']]), 1],
  ['an unknown pseudo field', request(1, [...GET, [':soba', '/x']]), 1],
  ['a pseudo field of responses', request(1, [...GET, [':status', '200']]), 1],
  ['a pseudo field after the others', request(1, [['x', 'y'], ...GET]), 1],
  [
    'a Content-Length that lies',
    Buffer.concat([
      request(1, [...GET, ['content-length', '5']], END_HEADERS),
      frame(DATA, END_STREAM, 1, [1]),
    ]),
    1,
  ],
  ['a Content-Length that is none', request(1, [...GET, ['content-length', 'x']]), 1],
  ['two Content-Lengths', request(1, [...GET, ['content-length', '0'], ['content-length', '1']]), 1],
  ['a :path with a fragment', request(1, [GET[0]!, [':path', '/#a'], GET[2]!, GET[3]!]), 1],
  ['a :path that is a URL', request(1, [GET[0]!, [':path', 'http://b/'], GET[2]!, GET[3]!]), 1],
  ['an :authority with user information', request(1, [...GET.slice(0, 3), [':authority', 'u@a']]), 1],
  ['a host that differs', request(1, [...GET, ['host', 'b']]), 1],
  [
    'CONNECT',
    request(1, [
      [':method', 'CONNECT'],
      [':authority', 'a:443'],
    ]),
    1,
  ],
  ['a method in lower case', request(1, [[':method', 'get'], ...GET.slice(1)]), 1],
  ['HEADERS on stream 0', request(0), 0],
  ['HEADERS on a stream of the server’s', request(2), 2],
  [
    'HEADERS on an old stream',
    Buffer.concat([request(5), request(3), frame(PING, 0, 0, Buffer.alloc(8))]),
    3,
  ],
  ['DATA on stream 0', frame(DATA, 0, 0, [1]), 0],
  ['DATA on a stream that is idle', frame(DATA, 0, 1, [1]), 1],
  ['PUSH_PROMISE from a client', frame(5, END_HEADERS, 1, [0, 0, 0, 2]), 1],
  ['a WINDOW_UPDATE of nothing on the connection', frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 0]), 0],
  [
    'a window beyond 2 to the power of 31',
    Buffer.concat([
      frame(WINDOW_UPDATE, 0, 0, [0x7f, 255, 255, 255]),
      frame(WINDOW_UPDATE, 0, 0, [0x7f, 255, 255, 255]),
    ]),
    0,
  ],
  ['SETTINGS on a stream', frame(SETTINGS, 0, 1), 1],
  ['SETTINGS of a wrong length', frame(SETTINGS, 0, 0, [0, 1, 0]), 0],
  ['a setting out of range', frame(SETTINGS, 0, 0, [0, 5, 0, 0, 0, 1]), 0],
  ['a PING of a wrong length', frame(PING, 0, 0, [1, 2, 3]), 0],
  ['a PING on a stream', frame(PING, 0, 1, Buffer.alloc(8)), 1],
  ['a frame longer than was agreed', frame(DATA, 0, 1, Buffer.alloc(20_000)), 1],
  ['a CONTINUATION of nothing', frame(CONTINUATION, END_HEADERS, 1, fields(GET)), 1],
  [
    'another frame within a head',
    Buffer.concat([frame(HEADERS, END_STREAM, 1, fields(GET)), frame(PING, 0, 0, Buffer.alloc(8))]),
    1,
  ],
  ['HPACK that is none', frame(HEADERS, END_STREAM | END_HEADERS, 1, [0xff, 0xff, 0xff, 0xff, 0xff]), 1],
  ['padding longer than its frame', frame(HEADERS, END_STREAM | END_HEADERS | 8, 1, [200, 1, 2]), 1],
];

test('what RFC 9113 calls malformed never reaches the application, and the server lives', async () => {
  let seen = 0;
  let names: string[] = [];
  const server = await start(
    http(async (scope, receive, send) => {
      if (scope.rawPath !== '/fine') seen++;
      names = scope.headers.map(([name]) => name);
      await hello(scope, receive, send);
    }),
  );
  for (const [what, bytes] of invalid) {
    const client = new Raw(server);
    names = [];
    client.socket.write(bytes);
    await client.until(closing(1));
    client.socket.destroy();
    assert.ok(names.length <= 1, `${what} reached the application: ${names}`);
  }
  for (const [what, bytes, stream] of malformed) {
    const client = new Raw(server);
    const before = seen;
    client.socket.write(bytes);
    // An old stream may have been one that was closed: its frames are passed over, and what follows is answered.
    const end = await client.until((one) => closing(stream)(one) || one.type === PING);
    if (end?.type === HEADERS) {
      // Answered with a refusal: a literal or an index of HPACK, in any case not 200, whose index is 8.
      assert.notEqual(end.payload[0], 0x88, `${what} is not answered with 200`);
    }
    client.socket.destroy();
    // Known to be wrong only after a good head: then the application is cancelled.
    const allowed = /old stream|Length that lies/.test(what) ? 1 : 0;
    assert.ok(seen - before <= allowed, `${what} reached the application`);
  }
  const fine = new Raw(server);
  fine.socket.write(request(1, [GET[0]!, [':path', '/fine'], GET[2]!, GET[3]!]));
  assert.equal((await fine.until(answered(1)))?.payload[0], 0x88);
  fine.socket.destroy();
});

test('a flood of pings, and one of settings, ends in ENHANCE_YOUR_CALM', async () => {
  for (const flood of [frame(PING, 0, 0, Buffer.alloc(8)), frame(SETTINGS, 0, 0, [0, 3, 0, 0, 0, 100])]) {
    const server = await start(hello);
    const client = new Raw(server);
    await client.until((one) => one.type === SETTINGS);
    client.socket.write(Buffer.concat(Array.from({ length: 5000 }, () => flood)));
    await client.end();
    assert.ok(client.frames.length < 3000, 'not all were answered');
    assert.match(log, /more pings and settings than anybody needs/);
    await alive(server);
  }
});

test('a flood of pings that takes no answers is no memory of ours', async () => {
  const server = await start(hello);
  const client = new Raw(server);
  await client.until((one) => one.type === SETTINGS);
  client.socket.pause();
  const many = Buffer.concat(Array.from({ length: 10_000 }, () => frame(PING, 0, 0, Buffer.alloc(8))));
  for (let index = 0; index < 20; index++) client.socket.write(many);
  client.socket.resume();
  await client.end();
  await alive(server);
});

test('a flood of CONTINUATION frames ends the connection, and nothing is kept of it', async () => {
  let seen = 0;
  const server = await start(
    http(async (scope, receive, send) => {
      seen++;
      await hello(scope, receive, send);
    }),
  );
  const client = new Raw(server);
  client.socket.write(frame(HEADERS, END_STREAM, 1, fields(GET)));
  const piece = frame(
    CONTINUATION,
    0,
    1,
    fields(Array.from({ length: 100 }, (_, index) => [`x-${index}`, 'y'.repeat(100)] as const)),
  );
  for (let index = 0; index < 2000 && (await client.write(piece)); index++);
  await client.end();
  assert.equal(seen, 0);
  await alive(server);
  assert.equal(seen, 1);
});

test('a bomb of HPACK is refused: one field in the table, thousands of times', async () => {
  let seen = 0;
  const server = await start(
    http(async (scope, receive, send) => {
      seen++;
      await hello(scope, receive, send);
    }),
  );
  const client = new Raw(server);
  // A literal that is put into the table (6.2.1), then its index (62) again and again: a byte for 4,000.
  const name = Buffer.from('x-bomb');
  const value = Buffer.alloc(3900, 'y');
  const literal = Buffer.concat([
    Buffer.from([0x40, name.length]),
    name,
    Buffer.from([0x7f, ((3900 - 127) % 128) | 128, Math.floor((3900 - 127) / 128)]),
    value,
  ]);
  client.socket.write(
    frame(
      HEADERS,
      END_STREAM | END_HEADERS,
      1,
      Buffer.concat([fields(GET), literal, Buffer.alloc(8000, 0x80 | 62)]),
    ),
  );
  await client.until(closing(1));
  assert.equal(seen, 0);
  client.socket.destroy();
  await alive(server);
});

test('a client that has the server reset its streams again and again is disconnected', async () => {
  const started = new Event();
  const server = await start(
    http(async () => {
      started.set();
      await new Event().wait();
    }),
  );
  const client = new Raw(server);
  await client.until((one) => one.type === SETTINGS);
  // A window of nothing is an error of the stream (6.9): the server has to reset it.
  for (let index = 0; index < 1000 && !client.closed; index++) {
    const stream = 2 * index + 1;
    const both = Buffer.concat([request(stream), frame(WINDOW_UPDATE, 0, stream, [0, 0, 0, 0])]);
    await client.write(both);
  }
  await client.end();
  assert.ok(started.isSet);
});

test('a client whose window stays closed is dropped in time, and its application told', async () => {
  let failed: unknown = null;
  const ended = new Event();
  const server = await start(
    http(async (_scope, _receive, send) => {
      try {
        await send({ type: 'http.response.start', status: 200 });
        for (;;) await send({ type: 'http.response.body', body: Buffer.alloc(50_000), moreBody: true });
      } catch (error) {
        failed = error;
        throw error;
      } finally {
        ended.set();
      }
    }),
    { timeoutWrite: 200 },
  );
  // SETTINGS_INITIAL_WINDOW_SIZE 0.
  const client = new Raw(server, [0, 4, 0, 0, 0, 0]);
  client.socket.write(request(1));
  assert.ok(await client.until(reset(1)));
  await ended.wait();
  assert.match(String((failed as Error).message), /left|cancelled/);
  assert.match(log, /took nothing of its response in time/);
  // A response that is complete, and still waits, is not kept for ever either.
  const short = await start(hello, { timeoutWrite: 200 });
  const other = new Raw(short, [0, 4, 0, 0, 0, 0]);
  other.socket.write(request(1));
  assert.ok(await other.until(reset(1)));
  client.socket.destroy();
  other.socket.destroy();
});

test('a body that does not come is a 408', async () => {
  const server = await start(echo, { timeoutBody: 200 });
  const client = new Raw(server);
  client.socket.write(
    Buffer.concat([
      request(1, [[':method', 'POST'], ...GET.slice(1)], END_HEADERS),
      frame(DATA, 0, 1, [0x61]),
    ]),
  );
  assert.ok(await client.until(answered(1)));
  const session = http2.connect(server.url);
  const stream = session.request({ ':path': '/', ':method': 'POST' });
  stream.write('a');
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  assert.equal(headers[':status'], 408);
  stream.on('error', () => {});
  session.destroy();
  client.socket.destroy();
  assert.match(log, /did not come in time/);
});

test('a preface that is not completed is dropped in time', async () => {
  const server = await start(hello, { timeoutHeader: 100 });
  for (const bytes of ['', 'PRI', PREFACE.slice(0, 20)]) {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write(bytes);
    const began = performance.now();
    await once(socket, 'close');
    assert.ok(performance.now() - began < 20_000, JSON.stringify(bytes));
  }
});

// ---- push

test('http.response.push: a promised request is answered by the application, on the same connection', async () => {
  const scopes: HttpScope[] = [];
  const server = await start(
    http(async (scope, _receive, send) => {
      scopes.push(scope);
      await send({ type: 'http.response.start', status: 200, headers: [['x-path', scope.path]] });
      if (scope.path === '/' && scope.extensions?.['http.response.push'] !== undefined)
        await send({
          type: 'http.response.push',
          path: '/style.css?v=1',
          headers: [
            ['accept', 'text/css'],
            ['connection', 'x'],
          ],
        });
      await send({ type: 'http.response.body', body: text(`body of ${scope.path}`) });
    }),
  );
  const session = http2.connect(server.url);
  const pushed = once(session, 'stream') as Promise<[http2.ClientHttp2Stream, http2.IncomingHttpHeaders]>;
  const stream = session.request({ ':path': '/' });
  const body = (await stream.setEncoding('utf8').toArray()).join('');
  assert.equal(body, 'body of /');
  const [promise, promised] = await pushed;
  assert.equal(promised[':path'], '/style.css?v=1');
  assert.equal(promised['accept'], 'text/css');
  assert.equal((await promise.setEncoding('utf8').toArray()).join(''), 'body of /style.css');
  session.close();
  const second = scopes[1];
  assert.deepEqual(
    [
      second?.method,
      second?.path,
      second?.queryString,
      second?.headers,
      second?.extensions?.['http.response.push'],
    ],
    [
      'GET',
      '/style.css',
      'v=1',
      [
        ['host', `127.0.0.1:${server.port}`],
        ['accept', 'text/css'],
      ],
      undefined,
    ],
  );
});

test('http.response.push: absent where the client does not want it, and over HTTP/1.1', async () => {
  const seen: unknown[] = [];
  let message = '';
  const server = await start(
    http(async (scope, _receive, send) => {
      seen.push(scope.extensions?.['http.response.push'], scope.extensions?.['http.response.zerocopysend']);
      await send({ type: 'http.response.start', status: 200 });
      await send({ type: 'http.response.push', path: '/x', headers: [] }).catch(
        (error: Error) => (message = error.message),
      );
      await send({ type: 'http.response.body' });
    }),
  );
  const session = http2.connect(server.url, { settings: { enablePush: false } });
  const stream = session.request({ ':path': '/' });
  await once(stream.resume(), 'end');
  session.close();
  assert.equal(message, '', 'a client that turned it off meanwhile is no error of the application');
  await (await fetch(server.url)).text();
  assert.match(message, /nothing can be pushed on this connection/);
  assert.deepEqual(seen, [undefined, undefined, undefined, undefined]);
});

test('http.response.push: what is wrong with it is said, and nothing of it sent', async () => {
  for (const [path, headers, expected] of [
    ['style.css', [], /the path "style.css" is no path/],
    ['/a b', [], /is no path/],
    ['/a#b', [], /is no path/],
    ['/a', [['x', 'a\r\nb']], /the field "x" is invalid/],
    ['/a', [['x y', 'b']], /the field "x y" is invalid/],
  ] as const) {
    let message = '';
    const server = await start(
      http(async (_scope, _receive, send) => {
        await send({ type: 'http.response.start', status: 200 });
        await send({ type: 'http.response.push', path, headers }).catch(
          (error: Error) => (message = error.message),
        );
        await send({ type: 'http.response.body' });
      }),
    );
    const session = http2.connect(server.url);
    const stream = session.request({ ':path': '/' });
    await once(stream.resume(), 'end');
    session.close();
    assert.match(message, expected);
  }
});
