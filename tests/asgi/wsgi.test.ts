import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { after, test } from 'node:test';
import { fromWsgi, WsgiInput } from 'sobaya/asgi';
import { sleep } from 'sobaya/asyncio';
import { type ServeOptions, type Server, serve, TextLog } from 'sobaya/server';
import { syncToAsync, ThreadPool } from 'sobaya/sync';

const module = import.meta.resolve('./fixtures/legacy.ts');
type Legacy = typeof import('./fixtures/legacy.ts');
// One thread, so that what it counts is of all requests.
const pool = new ThreadPool({ threads: 1, name: 'wsgi' });
const legacy = syncToAsync<Legacy>(module, { pool });

let log = '';
const servers: Server[] = [];
after(async () => {
  for (const server of servers) {
    server.closeNow();
    await server.close();
  }
  await pool.close();
});
async function start(options: ServeOptions = {}): Promise<Server> {
  log = '';
  const server = await serve(fromWsgi(legacy.application), {
    port: 0,
    log: new TextLog((line) => (log += line)),
    ...options,
  });
  servers.push(server);
  return server;
}

test('a synchronous application runs in a thread, and answers with its length', async () => {
  const { url } = await start();
  const response = await fetch(`${url}/hello?soba`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain');
  assert.equal(response.headers.get('content-length'), '27');
  assert.equal(await response.text(), 'hello soba from thread true');
});

test('the environ', async () => {
  const server = await start({ rootPath: '/mounted' });
  const response = await fetch(`${server.url}/mounted/environ?a=%20b`, {
    method: 'POST',
    headers: {
      'content-type': 'text/soba',
      'x-forwarded-for': '192.0.2.1',
      x_forwarded_for: '203.0.113.1',
      cookie: 'a=1',
    },
    body: 'zaru\nkake\nend',
  });
  const environ = (await response.json()) as Record<string, unknown>;
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(environ).filter(([name]) => !/^HTTP_(ACCEPT|USER|SEC|CONN)|REMOTE_PORT/.test(name)),
    ),
    {
      REQUEST_METHOD: 'POST',
      SCRIPT_NAME: '/mounted',
      PATH_INFO: '/environ',
      QUERY_STRING: 'a=%20b',
      CONTENT_TYPE: 'text/soba',
      CONTENT_LENGTH: '13',
      SERVER_NAME: '127.0.0.1',
      SERVER_PORT: String(server.port),
      SERVER_PROTOCOL: 'HTTP/1.1',
      REMOTE_ADDR: '127.0.0.1',
      HTTP_HOST: `127.0.0.1:${server.port}`,
      // The one with underscores is not taken for it.
      HTTP_X_FORWARDED_FOR: '192.0.2.1',
      HTTP_COOKIE: 'a=1',
      'wsgi.version': [1, 0],
      'wsgi.url_scheme': 'http',
      'wsgi.multithread': true,
      'wsgi.multiprocess': true,
      'wsgi.run_once': false,
      lines: ['zaru\n', 'kake\n', 'end'],
    },
  );
});

test('pieces are sent as they are made; write() comes first; a start can be replaced until then', async () => {
  const { url } = await start();
  const streamed = await fetch(`${url}/stream`);
  assert.equal(streamed.status, 201);
  assert.equal(streamed.headers.get('x-streamed'), 'yes');
  assert.equal(await streamed.text(), 'first sobaya');
  const replaced = await fetch(`${url}/replaced`);
  assert.deepEqual(
    [replaced.status, replaced.headers.get('x-replaced'), await replaced.text()],
    [500, 'yes', 'sorry'],
  );
  assert.equal((await fetch(`${url}/empty`)).status, 204);
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
});

test('failures and breaches of the protocol', async () => {
  const { url } = await start();
  for (const [path, message] of [
    ['/fails', /no soba left/],
    ['/no-start', /application sent a body where ASGI expects startResponse\(\)/],
    ['/twice', /application sent a second startResponse\(\) where ASGI expects a body/],
    ['/bad-status', /startResponse\(\) with status "fine"\. It must be text that begins with three digits/],
  ] as const) {
    log = '';
    assert.equal((await fetch(url + path)).status, 500, path);
    assert.match(log, message);
  }
  await assert.rejects(
    async () => await (await fetch(`${url}/fails-late`)).text(),
    'the response is broken off',
  );
});

test('a client that leaves: the rest is not made, and close() is called', async () => {
  const server = await start();
  const count = async (): Promise<number> => Number(await (await fetch(`${server.url}/closed`)).text());
  const before = await count();
  const whole = await (await fetch(`${server.url}/large`)).arrayBuffer();
  assert.equal(whole.byteLength, 100_000_000);
  assert.equal(await count(), before + 1);
  const socket = net.connect(server.port, '127.0.0.1');
  socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  while ((await count()) !== before + 2) await sleep(1);
});

test('another thread has no rest of it, and says so', async () => {
  await assert.rejects(legacy.application({ id: -1, environ: null }), { code: 'SBY_ASGI_WSGI_THREAD' });
});

test('the input reads in pieces and lines, and is empty at its end', () => {
  const input = new WsgiInput(Buffer.from('so\nba\nya'));
  assert.equal(Buffer.from(input.read(1)).toString(), 's');
  assert.equal(Buffer.from(input.readLine()).toString(), 'o\n');
  assert.equal(input.read(0).length, 0);
  assert.equal(Buffer.from(input.read()).toString(), 'ba\nya');
  assert.equal(input.read().length + input.readLine().length, 0);
});
