import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, test } from 'node:test';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import {
  type Application,
  ApplicationCommunicator,
  checked,
  fromFetch,
  fromNode,
  type HttpScope,
  type Scope,
  type SendEvent,
  toFetch,
  toNode,
  type WebSocketScope,
} from 'sobaya/asgi';
import { Event } from 'sobaya/asyncio';
import { type Server, serve, silentLog } from 'sobaya/server';

const servers: Server[] = [];
after(() => Promise.all(servers.map((server) => server.close())));
async function start(app: Application): Promise<string> {
  const server = await serve(app, { port: 0, log: silentLog });
  servers.push(server);
  return server.url;
}

const scope: HttpScope = {
  type: 'http',
  asgi: { version: '3.0', specVersion: '2.5' },
  httpVersion: '1.1',
  method: 'GET',
  scheme: 'http',
  path: '/',
  rawPath: '/',
  queryString: '',
  rootPath: '',
  headers: [['host', 'a']],
  client: null,
  server: null,
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Echoes method, path, query and body, and sets two cookies. */
const echo: Application = async (scope, receive, send) => {
  if (scope.type === 'lifespan') {
    await receive();
    scope.state!['soba'] = 'zaru';
    await send({ type: 'lifespan.startup.complete' });
    await receive();
    await send({ type: 'lifespan.shutdown.complete' });
    return;
  }
  assert.equal(scope.type, 'http');
  let body = '';
  for (;;) {
    const event = await receive();
    if (event.type !== 'http.request') return;
    body += Buffer.from(event.body).toString();
    if (!event.moreBody) break;
  }
  await send({
    type: 'http.response.start',
    status: 201,
    headers: [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['content-type', 'text/plain'],
    ],
  });
  await send({
    type: 'http.response.body',
    body: bytes(`${scope.method} ${scope.path}?${scope.queryString} `),
    moreBody: true,
  });
  await send({ type: 'http.response.body', body: bytes(`${body} ${String(scope.state?.['soba'])}`) });
};

test('a Hono application runs on our server', async () => {
  const hono = new Hono();
  hono.get('/hello/:name', (context) =>
    context.text(`hello ${context.req.param('name')}`, 200, { 'x-a': 'b' }),
  );
  hono.post('/json', async (context) => context.json(await context.req.json()));
  hono.get('/stream', () => {
    const pieces = ['so', 'ba', 'ya'];
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setImmediate(resolve));
          const piece = pieces.shift();
          if (piece === undefined) controller.close();
          else controller.enqueue(bytes(piece));
        },
      }),
    );
  });
  const url = await start(fromFetch(hono.fetch));
  const hello = await fetch(`${url}/hello/soba?x=1`);
  assert.equal(await hello.text(), 'hello soba');
  assert.equal(hello.headers.get('x-a'), 'b');
  assert.equal(hello.headers.get('content-length'), '10');
  const json = await fetch(`${url}/json`, {
    method: 'POST',
    body: JSON.stringify({ a: 'x'.repeat(200_000) }),
  });
  assert.equal(((await json.json()) as { a: string }).a.length, 200_000);
  assert.equal(await (await fetch(`${url}/stream`)).text(), 'sobaya');
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
  assert.equal((await fetch(`${url}/hello/x`, { method: 'HEAD' })).status, 200);
});

test('an Express application runs on our server', async () => {
  const app = express();
  app.use(express.json({ limit: '1mb' }));
  app.get('/hello/:name', (request, response) => {
    response.cookie('a', '1').cookie('b', '2').send(`hello ${request.params['name']} ${request.ip}`);
  });
  app.post('/json', (request, response) => {
    response.status(201).json(request.body);
  });
  app.get('/stream', (_request, response) => {
    response.write('so');
    setImmediate(() => {
      response.write('ba');
      response.end('ya');
    });
  });
  const url = await start(fromNode(app));
  const hello = await fetch(`${url}/hello/soba`);
  assert.equal(await hello.text(), 'hello soba 127.0.0.1');
  assert.equal(hello.headers.getSetCookie().length, 2);
  const json = await fetch(`${url}/json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ a: 'x'.repeat(300_000) }),
  });
  assert.equal(json.status, 201);
  assert.equal(((await json.json()) as { a: string }).a.length, 300_000);
  assert.equal(await (await fetch(`${url}/stream`)).text(), 'sobaya');
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
});

test('a Fastify application runs on our server', async () => {
  const app = fastify();
  app.get('/hello/:name', (request) => ({ hello: (request.params as { name: string }).name }));
  app.post('/json', (request) => request.body);
  await app.ready();
  const url = await start(fromNode((request, response) => app.routing(request, response)));
  assert.deepEqual(await (await fetch(`${url}/hello/soba`)).json(), { hello: 'soba' });
  const json = await fetch(`${url}/json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
  });
  assert.deepEqual(await json.json(), { a: 1 });
  await app.close();
});

test('our application as a fetch handler', async () => {
  const handle = toFetch(echo);
  const response = await handle(
    new Request('http://a.example/caf%C3%A9?x=1', { method: 'POST', body: 'soba' }),
  );
  assert.equal(response.status, 201);
  assert.equal(await response.text(), 'POST /café?x=1 soba zaru');
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
  await assert.rejects(
    toFetch(async (scope) => {
      if (scope.type === 'lifespan') throw new Error('none');
    })(new Request('http://a/')),
    { code: 'SBY_ASGI_NO_RESPONSE' },
  );
});

test('our application as a Node listener, alone and mounted in Express', async () => {
  const app = express();
  app.use('/mounted', toNode(echo));
  for (const [listener, path, expected] of [
    [toNode(echo), '/x?y=1', 'POST /x?y=1 soba zaru'],
    [app, '/mounted/x?y=1', 'POST /mounted/x?y=1 soba zaru'],
  ] as const) {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
      method: 'POST',
      body: 'soba',
    });
    assert.equal(response.status, 201);
    assert.equal(await response.text(), expected);
    assert.equal(response.headers.getSetCookie().length, 2);
    server.closeAllConnections();
    server.close();
  }
});

test('toNode: an application that fails is answered for, and does not end the process', async () => {
  const failures: unknown[] = [];
  const server = createServer(
    toNode(
      async (scope, _receive, send) => {
        if (scope.type !== 'http') throw new Error('only http');
        if (scope.path === '/late') {
          await send({ type: 'http.response.start', status: 200 });
          await send({ type: 'http.response.body', body: bytes('so'), moreBody: true });
        }
        throw new Error('no soba left');
      },
      { onError: (error) => void failures.push((error as Error).message) },
    ),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const early = await fetch(url);
  assert.deepEqual([early.status, await early.text()], [500, '500 Internal Server Error\n']);
  await assert.rejects(async () => await (await fetch(`${url}/late`)).text());
  assert.deepEqual(failures, ['no soba left', 'no soba left']);
  server.closeAllConnections();
  server.close();
});

test('toNode: a client that leaves within its body or its response', async () => {
  const seen: string[] = [];
  const left = new Event();
  const server = createServer(
    toNode(async (scope, receive, send) => {
      if (scope.type !== 'http') throw new Error('only http');
      if (scope.method === 'POST') {
        for (let event = await receive(); ; event = await receive()) {
          seen.push(event.type);
          if (event.type === 'http.disconnect') break;
        }
      } else {
        await send({ type: 'http.response.start', status: 200 });
        try {
          for (;;) await send({ type: 'http.response.body', body: new Uint8Array(100_000), moreBody: true });
        } catch (error) {
          seen.push((error as { code: string }).code);
        }
      }
      left.set();
    }),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const [raw, expected] of [
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc', ['http.request', 'http.disconnect']],
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', ['SBY_SERVER_DISCONNECTED']],
  ] as const) {
    seen.length = 0;
    left.clear();
    const socket = connect(port, '127.0.0.1');
    socket.write(raw);
    if (raw.startsWith('GET')) await once(socket, 'data');
    else while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await left.wait();
    assert.deepEqual(seen, expected);
  }
  server.close();
});

test('fromNode: a listener hears that the client leaves, also one that has read its request', async () => {
  const closed: string[] = [];
  const both = new Event();
  const url = await start(
    fromNode((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': soba\n\n');
      const heard = (what: string) => () => {
        closed.push(what);
        if (closed.length === 2) both.set();
      };
      request.on('close', heard('request'));
      response.on('close', heard('response'));
    }),
  );
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  assert.deepEqual(closed, []);
  socket.destroy();
  await both.wait();
});

test('fromFetch: the signal aborts when the client leaves, and not when the response is complete', async () => {
  const signals: AbortSignal[] = [];
  const cancelled = new Event();
  const url = await start(
    fromFetch((request) => {
      signals.push(request.signal);
      if (request.url.endsWith('/short')) return new Response('short');
      // A stream that says something once, and then nothing.
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(bytes('so')),
          cancel: () => cancelled.set(),
        }),
      );
    }),
  );
  assert.equal(await (await fetch(`${url}/short`)).text(), 'short');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(signals[0]?.aborted, false);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /long HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await cancelled.wait();
  assert.equal(signals[1]?.aborted, true);
});

test('fromFetch: what HTTP allows and a Request does not', async () => {
  const url = await start(fromFetch(() => new Response('ok')));
  for (const [raw, status] of [
    ['TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 501],
    ['GET / HTTP/1.1\r\nHost: 1.2.3.4.5\r\nConnection: close\r\n\r\n', 400],
    ['GET /%ff?%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200],
    ['OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200],
  ] as const) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(raw);
    const output = (await socket.setEncoding('latin1').toArray()).join('');
    assert.ok(output.startsWith(`HTTP/1.1 ${status} `), output);
  }
});

test('toFetch: HEAD and 204 with a body in pieces; a path that is no UTF-8', async () => {
  const handle = toFetch(async (scope, _receive, send) => {
    if (scope.type !== 'http') throw new Error('only http');
    const status = scope.path === '/204' ? 204 : 200;
    await send({ type: 'http.response.start', status, headers: [['x-path', encodeURI(scope.path)]] });
    for (let index = 0; index < 5; index++)
      await send({ type: 'http.response.body', body: new Uint8Array(50_000), moreBody: true });
    await send({ type: 'http.response.body' });
  });
  const head = await handle(new Request('http://a/', { method: 'HEAD' }));
  assert.deepEqual([head.status, await head.text()], [200, '']);
  assert.equal((await handle(new Request('http://a/204'))).status, 204);
  assert.equal(
    (await handle(new Request('http://a/%ff', { method: 'HEAD' }))).headers.get('x-path'),
    '/%EF%BF%BD',
  );
});

const sends =
  (...events: unknown[]): Application =>
  async (_scope, _receive, send) => {
    for (const event of events) await send(event as SendEvent);
  };

const breaks: [why: string, events: unknown[], message: RegExp][] = [
  [
    'a body first',
    [{ type: 'http.response.body' }],
    /application sent http\.response\.body where ASGI expects http\.response\.start/,
  ],
  [
    'two starts',
    [
      { type: 'http.response.start', status: 200 },
      { type: 'http.response.start', status: 200 },
    ],
    /expects http\.response\.body/,
  ],
  [
    'something after the end',
    [
      { type: 'http.response.start', status: 200 },
      { type: 'http.response.body' },
      { type: 'http.response.body' },
    ],
    /expects nothing more/,
  ],
  [
    'a status in text',
    [{ type: 'http.response.start', status: '200' }],
    /http\.response\.start with status "200"\. It must be an integer/,
  ],
  [
    'a name in upper case',
    [{ type: 'http.response.start', status: 200, headers: [['X', 'y']] }],
    /with headers an array of 1\. It must be pairs of a lower-case name/,
  ],
  [
    'a line break',
    [{ type: 'http.response.start', status: 200, headers: [['x', 'a\r\nb']] }],
    /It must be pairs/,
  ],
  [
    'a body of text',
    [
      { type: 'http.response.start', status: 200 },
      { type: 'http.response.body', body: 'x' },
    ],
    /with body "x"\. It must be a Uint8Array/,
  ],
  ['an unknown event', [{ type: 'http.nonsense' }], /It must be an event of ASGI/],
  ['nothing', [undefined], /It must be an event of ASGI/],
  [
    'an event of another protocol',
    [{ type: 'websocket.accept' }],
    /application sent websocket\.accept where ASGI expects http\.response\.start/,
  ],
  [
    'no end',
    [{ type: 'http.response.start', status: 200 }],
    /returned before its response was complete \(GET \/\)/,
  ],
];

for (const [why, events, message] of breaks) {
  test(`checked: refuses ${why}`, async () => {
    const communicator = new ApplicationCommunicator(sends(...events), scope);
    await assert.rejects(communicator.wait(), { message });
  });
}

test('checked: refuses what the server gets wrong', async () => {
  const app: Application = async (_scope, receive) => void (await receive());
  await assert.rejects(
    checked(app)(
      scope,
      async () => ({ type: 'lifespan.startup' }),
      async () => {},
    ),
    {
      message: /The server sent lifespan\.startup where ASGI expects http\.request or http\.disconnect/,
    },
  );
  await assert.rejects(
    checked(app)(
      { ...scope, method: 'get' },
      async () => ({ type: 'http.disconnect' }),
      async () => {},
    ),
    {
      message: /"http" scope with method "get"\. It must be upper-case/,
    },
  );
});

test('checked: the order of what the server tells', async () => {
  const told =
    (...events: unknown[]): (() => Promise<never>) =>
    async () =>
      events.shift() as never;
  const reads =
    (times: number): Application =>
    async (_scope, receive) => {
      for (let index = 0; index < times; index++) await receive();
    };
  const request = { type: 'http.request', body: bytes('x'), moreBody: false };
  const websocket = {
    ...scope,
    type: 'websocket',
    scheme: 'ws',
    subprotocols: [],
  } as unknown as WebSocketScope;
  for (const [given, events, message] of [
    [scope, [request, request], /server sent http\.request where ASGI expects http\.disconnect/],
    [
      scope,
      [{ type: 'http.disconnect' }, request],
      /server sent http\.request where ASGI expects http\.disconnect/,
    ],
    [scope, [{ type: 'websocket.connect' }], /where ASGI expects http\.request or http\.disconnect/],
    [websocket, [{ type: 'websocket.receive', text: 'x' }], /expects websocket\.connect/],
    [
      websocket,
      [
        { type: 'websocket.connect' },
        { type: 'websocket.disconnect', code: 1000, reason: '' },
        { type: 'websocket.receive', text: 'x' },
      ],
      /expects websocket\.disconnect/,
    ],
    [
      websocket,
      [{ type: 'websocket.connect' }, { type: 'websocket.receive', text: 'x', bytes: bytes('x') }],
      /bytes and text "both"/,
    ],
    [{ type: 'lifespan', asgi: scope.asgi }, [{ type: 'lifespan.shutdown' }], /expects lifespan\.startup/],
  ] as [Scope, unknown[], RegExp][])
    await assert.rejects(
      checked(reads(events.length))(given, told(...events), async () => {}),
      { message },
    );
  for (const [field, value, message] of [
    ['scheme', 'ftp', /"http" scope with scheme "ftp"\. It must be http or https/],
    ['client', ['a'], /It must be null or a pair of host and port/],
    ['server', ['a', 'b'], /It must be null or a pair of host and port, or path and null/],
    ['state', 5, /It must be an object/],
    ['queryString', undefined, /It must be text/],
  ] as const)
    await assert.rejects(
      checked(reads(0))({ ...scope, [field]: value } as never, told(), async () => {}),
      { message },
    );
});

test('checked: the server itself passes, on all its protocols', async () => {
  const seen: string[] = [];
  const url = await start(
    checked(async (scope, receive, send) => {
      seen.push(scope.type);
      if (scope.type === 'websocket') {
        await receive();
        await send({ type: 'websocket.accept' });
        for (let event = await receive(); event.type === 'websocket.receive'; event = await receive())
          await send({ type: 'websocket.send', text: event.text ?? null, bytes: event.bytes ?? null });
        await receive();
        return;
      }
      await echo(scope, receive, send);
      if (scope.type === 'http') for (let times = 0; times < 2; times++) await receive();
    }),
  );
  assert.equal((await fetch(`${url}/x`, { method: 'POST', body: 'x'.repeat(100_000) })).status, 201);
  const socket = new WebSocket(url.replace('http', 'ws'));
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  socket.send('soba');
  const { data } = await new Promise<MessageEvent>((resolve) => socket.addEventListener('message', resolve));
  assert.equal(data, 'soba');
  socket.close();
  await new Promise((resolve) => socket.addEventListener('close', resolve));
  assert.deepEqual(seen, ['lifespan', 'http', 'websocket']);
});

test('the communicator drives an application event by event', async () => {
  const communicator = new ApplicationCommunicator(echo, { ...scope, method: 'POST' });
  assert.ok(await communicator.receiveNothing(5));
  communicator.sendInput({ type: 'http.request', body: bytes('so'), moreBody: true });
  communicator.sendInput({ type: 'http.request', body: bytes('ba'), moreBody: false });
  assert.equal((await communicator.receiveOutput()).type, 'http.response.start');
  assert.equal((await communicator.receiveOutput()).type, 'http.response.body');
  assert.equal((await communicator.receiveOutput()).type, 'http.response.body');
  await communicator.wait();
  await assert.rejects(communicator.receiveOutput(), { message: /has ended and sends nothing more/ });
});
