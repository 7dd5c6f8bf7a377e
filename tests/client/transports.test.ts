import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application, Scope } from 'sobaya/asgi';
import { ContextVar, createTask, sleep } from 'sobaya/asyncio';
import {
  AsgiTransport,
  AsyncClient,
  type ClientRequestMessage,
  clientRequestChannel,
  MockTransport,
} from 'sobaya/client';
import * as v from 'valibot';

function over(
  application: Application,
  options: ConstructorParameters<typeof AsgiTransport>[1] = {},
): AsyncClient {
  return new AsyncClient({
    baseUrl: 'http://testserver',
    transport: new AsgiTransport(application, options),
  });
}

const echo: Application = async (scope, receive, send) => {
  if (scope.type !== 'http') throw new Error('http only');
  const pieces: string[] = [];
  for (let more = true; more; ) {
    const event = await receive();
    if (event.type !== 'http.request') break;
    pieces.push(Buffer.from(event.body).toString());
    more = event.moreBody;
  }
  await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'application/json']] });
  await send({ type: 'http.response.body', body: Buffer.from(JSON.stringify({ scope, pieces })) });
};

test('in-process: the application sees a scope as from a server', async () => {
  await using client = over(echo, { rootPath: '/mounted' });
  const response = await client.post('/caf%C3%A9/%2F?a=%20b', { json: { a: 1 }, headers: { 'X-One': '1' } });
  const { scope, pieces } = response.json<{ scope: Scope & { type: 'http' }; pieces: string[] }>();
  assert.equal(scope.method, 'POST');
  assert.equal(scope.path, '/café//');
  assert.equal(scope.rawPath, '/caf%C3%A9/%2F');
  assert.equal(scope.queryString, 'a=%20b');
  assert.equal(scope.rootPath, '/mounted');
  assert.deepEqual(scope.server, ['testserver', 80]);
  assert.deepEqual(scope.headers[0], ['host', 'testserver']);
  assert.ok(scope.headers.some(([name, value]) => name === 'x-one' && value === '1'));
  assert.ok(scope.headers.some(([name, value]) => name === 'content-length' && value === '7'));
  assert.deepEqual(pieces, ['{"a":1}']);
  const streamed = await client.post('/', {
    body: (async function* () {
      yield 'one';
      yield 'two';
    })(),
  });
  assert.deepEqual(streamed.json<{ pieces: string[] }>().pieces, ['one', 'two', '']);
});

test('in-process: lifespan runs around the requests, and state is shared', async () => {
  const log: string[] = [];
  const application: Application = async (scope, receive, send) => {
    if (scope.type === 'lifespan') {
      for (;;) {
        const event = await receive();
        log.push(event.type);
        if (event.type === 'lifespan.startup') {
          (scope.state as Record<string, unknown>)['menu'] = ['kake'];
          await send({ type: 'lifespan.startup.complete' });
        } else {
          await send({ type: 'lifespan.shutdown.complete' });
          return;
        }
      }
    }
    if (scope.type !== 'http') return;
    log.push(`request ${JSON.stringify(scope.state)}`);
    await send({ type: 'http.response.start', status: 204 });
    await send({ type: 'http.response.body' });
  };
  {
    await using client = over(application);
    await client.get('/');
    await client.get('/');
  }
  assert.deepEqual(log, [
    'lifespan.startup',
    'request {"menu":["kake"]}',
    'request {"menu":["kake"]}',
    'lifespan.shutdown',
  ]);
});

test('in-process: a failed start-up is the answer to every request', async () => {
  await using client = over(async (scope, receive, send) => {
    if (scope.type !== 'lifespan') return;
    await receive();
    await send({ type: 'lifespan.startup.failed', message: 'the stove is cold' });
  });
  await assert.rejects(client.get('/'), {
    code: 'SBY_CLIENT_NO_ANSWER',
    message:
      /The application did not answer: its start-up failed: the stove is cold \(GET http:\/\/testserver\/\)/,
  });
});

test('in-process: what the application throws is thrown here, or answered with 500', async () => {
  const application: Application = async (scope) => {
    throw new RangeError(scope.type);
  };
  await using client = over(application);
  await assert.rejects(client.get('/'), { name: 'RangeError', message: 'http' });
  await using quiet = over(application, { raiseApplicationErrors: false });
  assert.equal((await quiet.get('/')).status, 500);
  await using silent = over(async () => {});
  await assert.rejects(silent.get('/'), { message: /it returned before http.response.start/ });
});

test('in-process: the body streams, and the application waits for its reader', async () => {
  let sent = 0;
  await using client = over(async (scope, _receive, send) => {
    if (scope.type !== 'http') throw new Error('http only');
    await send({ type: 'http.response.start', status: 200 });
    for (; sent < 100; sent++)
      await send({ type: 'http.response.body', body: new Uint8Array(65_536), moreBody: true });
    await send({ type: 'http.response.body' });
  });
  const response = await client.stream('GET', '/');
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent < 10, `${sent} pieces without a reader`);
  let bytes = 0;
  for await (const piece of response) bytes += piece.length;
  assert.equal(bytes, 6_553_600);
});

test('in-process: leaving early is http.disconnect, and ends the waits of the application', async () => {
  const heard = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  await using client = over(async (scope, receive) => {
    if (scope.type !== 'http') throw new Error('http only');
    await receive();
    void receive().then(({ type }) => heard.resolve(type));
    started.resolve();
    try {
      await sleep(60_000);
    } catch (error) {
      ended.resolve((error as Error).message);
    }
  });
  const task = createTask(() => client.get('/'));
  await started.promise;
  task.cancel();
  assert.equal(await heard.promise, 'http.disconnect');
  assert.equal(await ended.promise, 'the client left');
});

test('in-process: context variables of the caller are seen by the application', async () => {
  const user = new ContextVar<string>('user', 'nobody');
  await using client = over(async (scope, _receive, send) => {
    if (scope.type !== 'http') throw new Error('http only');
    await send({ type: 'http.response.start', status: 200 });
    await send({ type: 'http.response.body', body: Buffer.from(user.get() ?? '') });
  });
  assert.equal((await user.run('cook', () => client.get('/'))).text(), 'cook');
});

test('mock: answers in turn, functions, web responses, errors; everything asked is remembered', async () => {
  const mock = new MockTransport()
    .on('GET', '/menu', { json: [1] }, { json: [2] })
    .on('POST', '/orders', (request) => ({ status: 201, json: { got: request.json() } }))
    .on(
      'GET',
      'http://other.test/page',
      () => new Response('<p>', { headers: { 'content-type': 'text/html' } }),
    )
    .on('GET', '/down', new Error('the wire was cut'));
  await using client = new AsyncClient({ baseUrl: 'http://shop.test', transport: mock });
  assert.deepEqual((await client.get('/menu')).json(), [1]);
  assert.deepEqual((await client.get('/menu')).json(), [2]);
  assert.deepEqual((await client.get('/menu')).json(), [2]);
  const order = await client.post('/orders', { json: { dish: 'kake' } });
  assert.equal(order.status, 201);
  assert.deepEqual(order.json(), { got: { dish: 'kake' } });
  assert.equal((await client.get('http://other.test/page')).contentType, 'text/html');
  await assert.rejects(client.get('/down'), /the wire was cut/);
  await assert.rejects(client.get('/unknown'), {
    code: 'SBY_CLIENT_NO_MOCK',
    message: /No mock answers this; there are .*GET \/menu \(GET http:\/\/shop.test\/unknown\)/,
  });
  assert.equal(mock.requests[3]?.text(), '{"dish":"kake"}');
});

test('parse() checks the body with a schema and says what does not fit', async () => {
  const mock = new MockTransport()
    .on('GET', '/good', { json: { dish: 'kake', price: 500 } })
    .on('GET', '/bad', { json: { dish: 'kake', price: 'cheap' } });
  await using client = new AsyncClient({ baseUrl: 'http://shop.test', transport: mock });
  const schema = v.object({ dish: v.string(), price: v.number() });
  const order = await (await client.get('/good')).parse(schema);
  assert.equal(order.price + 1, 501);
  await assert.rejects((await client.get('/bad')).parse(schema), {
    code: 'SBY_CLIENT_INVALID',
    message: /The body does not match the schema: price: .*\(GET http:\/\/shop.test\/bad\)/,
  });
});

test('every call is told on sobaya:client.request; a subscriber may add headers', async () => {
  const mock = new MockTransport().on('GET', '/a', { status: 202 }).on('GET', '/b', new Error('no'));
  await using client = new AsyncClient({ baseUrl: 'http://shop.test', transport: mock });
  const log: string[] = [];
  const handlers = {
    start: (message: object) => {
      const { headers, url } = message as ClientRequestMessage;
      headers.set('traceparent', '00-1');
      log.push(`start ${url}`);
    },
    asyncEnd: (message: object) => {
      const { status, error } = message as ClientRequestMessage;
      log.push(`end ${status} ${(error as Error | undefined)?.message}`);
    },
  };
  clientRequestChannel.subscribe(handlers as never);
  try {
    await client.get('/a', { params: { token: 'secret' } });
    await assert.rejects(client.get('/b'));
  } finally {
    clientRequestChannel.unsubscribe(handlers as never);
  }
  assert.deepEqual(log, [
    'start http://shop.test/a?token=…',
    'end 202 undefined',
    'start http://shop.test/b',
    'end undefined no',
  ]);
  assert.equal(mock.requests[0]?.headers.get('traceparent'), '00-1');
});

test('in-process: a body that throws is the error of the call, one that is not read is closed', async () => {
  const events: string[] = [];
  const patient: Application = async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('http only');
    for (let more = true; more; ) {
      const event = await receive();
      events.push(event.type);
      more = event.type === 'http.request' && event.moreBody;
    }
    await send({ type: 'http.response.start', status: 500, headers: [] });
    await send({ type: 'http.response.body', body: new Uint8Array(0) });
  };
  async function* breaking(): AsyncGenerator<string> {
    yield 'a';
    throw new Error('from the body');
  }
  await using client = over(patient);
  await assert.rejects(client.post('/', { body: breaking() }), /from the body/);
  assert.deepEqual(events, ['http.request', 'http.disconnect']);

  const hasty: Application = async (scope, receive, send) => {
    if (scope.type !== 'http') throw new Error('http only');
    await receive();
    await send({ type: 'http.response.start', status: 413, headers: [] });
    await send({ type: 'http.response.body', body: new Uint8Array(0) });
  };
  const closed = Promise.withResolvers<void>();
  async function* long(): AsyncGenerator<string> {
    try {
      for (;;) yield 'more';
    } finally {
      closed.resolve();
      // biome-ignore lint/correctness/noUnsafeFinally: a body that fails while it is closed must end no process
      throw new Error('while closing');
    }
  }
  await using other = over(hasty);
  assert.equal((await other.post('/', { body: long() })).status, 413);
  await closed.promise;
});
