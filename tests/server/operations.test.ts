import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Application } from 'sobaya/asgi';
import { Event } from 'sobaya/asyncio';
import { RawConnection, type ServeOptions, serve, serverRequestChannel, silentLog } from 'sobaya/server';
import { hello, http, text } from './applications.ts';
import { readExposition } from './exposition.ts';

test('limitConcurrency: one runs, one waits, the third is told to come back', async () => {
  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    await gate.wait();
    await hello(scope, receive, send);
  });
  const server = await serve(app, { port: 0, log: silentLog, limitConcurrency: 1, limitConcurrencyQueue: 1 });
  const answers = [fetch(server.url), fetch(server.url), fetch(server.url)];
  const refused = await Promise.race(answers);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  gate.set();
  const statuses = (await Promise.all(answers)).map((answer) => answer.status).sort();
  assert.deepEqual(statuses, [200, 200, 503]);
  assert.equal((await fetch(server.url)).status, 200);
  await server.close();
});

test('limitConcurrency: whoever leaves the queue makes room in it', async () => {
  const gate = new Event();
  const begun: string[] = [];
  const app = http(async (scope, receive, send) => {
    begun.push(scope.path);
    await gate.wait();
    await hello(scope, receive, send);
  });
  const options = {
    port: 0,
    log: silentLog,
    limitConcurrency: 1,
    limitConcurrencyQueue: 1,
    metricsPath: '/m',
  };
  const server = await serve(app, options);
  const queued = async (count: number): Promise<void> => {
    while (!(await (await fetch(`${server.url}/m`)).text()).includes(`sobaya_requests_queued ${count}\n`));
  };
  const first = fetch(`${server.url}/first`);
  while (begun.length === 0) await new Promise(setImmediate);
  const impatient = connect(server.port, '127.0.0.1');
  impatient.write('GET /impatient HTTP/1.1\r\nHost: a\r\n\r\n');
  await queued(1);
  impatient.resetAndDestroy();
  await queued(0);
  const patient = fetch(`${server.url}/patient`);
  await queued(1);
  assert.equal((await fetch(`${server.url}/late`)).status, 503);
  gate.set();
  assert.equal(await (await first).text(), 'GET /first');
  assert.equal(await (await patient).text(), 'GET /patient');
  assert.deepEqual(begun, ['/first', '/patient']);
  await server.close();
});

test('limitConcurrency: idle connections and the own paths take no place', async () => {
  const gate = new Event();
  const app = http(async (scope, receive, send) => {
    if (scope.path === '/wait') await gate.wait();
    await hello(scope, receive, send);
  });
  const server = await serve(app, { port: 0, log: silentLog, limitConcurrency: 1, healthPath: '/healthz' });
  const idle = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1'));
  for (const socket of idle) {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200/);
  }
  const waiting = fetch(`${server.url}/wait`);
  while ((await fetch(server.url)).status !== 503);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  gate.set();
  assert.equal((await waiting).status, 200);
  for (const socket of idle) socket.destroy();
  await server.close();
});

test('health turns to 503 when the server is about to stop, alive does not', async () => {
  const server = await serve(hello, { port: 0, log: silentLog, healthPath: '/healthz', livePath: '/livez' });
  const ask = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(server.url + path, { method });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ask('/healthz'), [200, 'ok\n']);
  assert.deepEqual(await ask('/livez'), [200, 'alive\n']);
  assert.deepEqual(await ask('/healthz', 'HEAD'), [200, '']);
  assert.deepEqual(await ask('/healthz', 'POST'), [405, 'GET or HEAD\n']);
  server.leave();
  assert.deepEqual(await ask('/healthz'), [503, 'stopping\n']);
  assert.deepEqual(await ask('/livez'), [200, 'alive\n']);
  assert.deepEqual(await ask('/other'), [200, 'GET /other']);
  await server.close();
});

test('operations: options that contradict each other', async () => {
  const cases: [ServeOptions, RegExp][] = [
    [{ healthPath: '/a', livePath: '/a' }, /healthPath, livePath and metricsPath is "\/a"/],
    [{ metricsPath: 'metrics' }, /metricsPath is "metrics"\. Give a path that begins with a slash/],
    [{ healthPath: '/a?b' }, /healthPath is "\/a\?b"/],
    [{ limitConcurrencyQueue: 5 }, /limitConcurrencyQueue is 5\. Give limitConcurrency as well/],
  ];
  for (const [options, message] of cases)
    await assert.rejects(serve(hello, { port: 0, ...options }), { code: 'SBY_SERVER_BAD_OPTION', message });
});

test('metrics: by the rules of the text format, and what they count', async () => {
  const app = http(async (scope, receive, send) => {
    if (scope.path === '/fail') throw new Error('burnt');
    if (scope.path === '/leave') {
      await receive();
      await receive();
      return;
    }
    await hello(scope, receive, send);
  });
  const server = await serve(app, { port: 0, log: silentLog, metricsPath: '/metrics', livePath: '/livez' });
  await fetch(`${server.url}/a`, { method: 'POST', body: 'four' });
  await fetch(`${server.url}/b`);
  await fetch(`${server.url}/fail`);
  await fetch(`${server.url}/livez`);
  await fetch(server.url, { method: 'WEIRD"\n'.trim().replace('"', '') });
  const leaving = connect(server.port, '127.0.0.1');
  leaving.write('GET /leave HTTP/1.1\r\nHost: a\r\n\r\n');
  const scrape = async (): Promise<Map<string, number>> => {
    const response = await fetch(`${server.url}/metrics`);
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    return readExposition(await response.text());
  };
  while ((await scrape()).get('sobaya_requests_running') !== 1);
  leaving.resetAndDestroy();
  while ((await scrape()).get('sobaya_requests_running') !== 0);
  const metrics = await scrape();
  assert.equal(metrics.get('sobaya_requests_total{method="GET",status="200"}'), 1);
  assert.equal(metrics.get('sobaya_requests_total{method="POST",status="200"}'), 1);
  assert.equal(metrics.get('sobaya_requests_total{method="GET",status="500"}'), 1);
  assert.equal(metrics.get('sobaya_requests_total{method="GET",status="499"}'), 1);
  assert.equal(metrics.get('sobaya_requests_total{method="other",status="200"}'), 1);
  assert.equal(metrics.get('sobaya_requests_failed_total'), 1);
  assert.equal(metrics.get('sobaya_request_bytes_total'), 4);
  assert.equal(metrics.get('sobaya_request_duration_seconds_count'), 5);
  assert.equal(metrics.get('sobaya_workers'), 1);
  assert.ok(metrics.get(`sobaya_worker_resident_memory_bytes{worker="${process.pid}"}`)! > 1e7);
  await server.close();
});

test('metrics: for some addresses alone, behind a proxy too', async () => {
  const options: ServeOptions = {
    metricsPath: '/metrics',
    metricsAllowIps: '10.0.0.0/8',
    forwardedAllowIps: '*',
  };
  const ask = async (from: string): Promise<string> => {
    const connection = new RawConnection(hello, options);
    connection.feed(`GET /metrics HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\n\r\n`);
    await connection.settle();
    return connection.output;
  };
  assert.match(await ask('10.1.2.3'), /\r\n# HELP sobaya_requests_total/);
  assert.match(
    await ask('203.0.113.7'),
    /\r\n\r\nGET \/metrics$/,
    'to others it is the application that answers',
  );
  await assert.rejects(serve(hello, { port: 0, metricsAllowIps: '::1' }), { message: /metricsPath as well/ });
});

test('metrics: WebSockets and connections', async () => {
  const app: Application = async (scope, receive, send) => {
    if (scope.type === 'http') return await hello(scope, receive, send);
    await receive();
    await send({ type: 'websocket.accept' });
    while ((await receive()).type !== 'websocket.disconnect');
  };
  const server = await serve(app, { port: 0, log: silentLog, metricsPath: '/metrics' });
  const socket = new WebSocket(server.url.replace('http', 'ws'));
  await once(socket, 'open');
  const scrape = async (): Promise<Map<string, number>> =>
    readExposition(await (await fetch(`${server.url}/metrics`)).text());
  const open = await scrape();
  assert.equal(open.get('sobaya_websockets_open'), 1);
  assert.equal(open.get('sobaya_connections_open'), 2);
  socket.close();
  while ((await scrape()).get('sobaya_websockets_open') !== 0);
  assert.equal((await scrape()).get('sobaya_websockets_total'), 1);
  await server.close();
});

/** What was written to standard output while `act` ran. */
async function printed(t: TestContext, act: () => Promise<void>): Promise<string> {
  let output = '';
  const write = process.stdout.write;
  t.after(() => {
    process.stdout.write = write;
  });
  process.stdout.write = ((chunk: string | Uint8Array) => {
    // Bytes are the test runner's reports.
    if (typeof chunk !== 'string') return write.call(process.stdout, chunk);
    output += chunk;
    return true;
  }) as typeof write;
  try {
    await act();
  } finally {
    process.stdout.write = write;
  }
  return output;
}

test('the access log: combined, JSON, atoms; nothing breaks out of its line', async (t) => {
  const request = async (accessLog: string, fields = '', app = hello): Promise<string> => {
    const output = await printed(t, async () => {
      const connection = new RawConnection(app, { accessLog });
      connection.feed(
        `GET /a%0Ab?b HTTP/1.1\r\nHost: shop\r\n${fields || 'User-Agent: soba/1\r\n'}X-Id: 7\r\n\r\n`,
      );
      await connection.settle();
    });
    return output.split('\n').find((line) => line.includes('a%0Ab')) ?? output;
  };
  assert.match(
    await request('combined', 'User-Agent: a"b\\c\x9b31m\r\nAuthorization: Basic c29iYTpzZWNyZXQ=\r\n'),
    /^192\.0\.2\.1 - soba \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a%0Ab\?b HTTP\/1\.1" 200 8 "-" "a\\x22b\\x5cc\\x9b31m"$/,
  );
  const json = await request('json', 'User-Agent: a"b\x9b31m\r\n');
  assert.match(json, /^[\x20-\x7e]+$/);
  const { time, ms, ...rest } = JSON.parse(json) as Record<string, unknown>;
  assert.ok(!Number.isNaN(Date.parse(String(time))) && (ms as number) >= 0);
  assert.deepEqual(rest, {
    client: '192.0.2.1',
    method: 'GET',
    scheme: 'http',
    host: 'shop',
    path: '/a%0Ab',
    query: 'b',
    httpVersion: '1.1',
    status: 200,
    bytes: 8,
    referer: null,
    userAgent: 'a"b\x9b31m',
    pid: process.pid,
  });
  assert.equal(await request('%(m)s %(U)s %(s)s %({X-Id}i)s'), 'GET /a%0Ab 200 7');
  const { HOME = '-' } = process.env;
  assert.equal(
    await request('%(Uq)s %(st)s %(S)s %({content-type}o)s %({x-none}o)s %({HOME}e)s %(p)s 100%'),
    `/a%0Ab?b OK http text/plain - ${HOME} ${process.pid} 100%`,
  );
  assert.match(
    await request('%(U)s %(h)s %(l)s %(u)s %(q)s %(H)s %(b)s %(B)s %(f)s %(a)s %(T)s %(L)s %(M)s %(D)s'),
    /^\/a%0Ab 192\.0\.2\.1 - - b HTTP\/1\.1 8 8 - soba\/1 0 0\.\d{6} \d+ \d+$/,
  );
  for (const [accessLog, message] of [
    ['%(zzz)s', /accessLog is "zzz"/],
    ['combind', /accessLog is "combind"\. Give common, combined, json/],
  ] as const)
    assert.throws(() => new RawConnection(hello, { accessLog }), { message });
});

test('the access log: clients that leave, requests that are refused, WebSockets, the own paths', async (t) => {
  const app: Application = async (scope, receive, send) => {
    if (scope.type === 'websocket') {
      await receive();
      if (scope.path === '/no') return await send({ type: 'websocket.close' });
      await send({ type: 'websocket.accept' });
      await send({ type: 'websocket.send', text: 'soba' });
      while ((await receive()).type !== 'websocket.disconnect');
      return;
    }
    assert.equal(scope.type, 'http');
    await receive();
    if (scope.path === '/never') await receive();
    if (scope.path === '/half') {
      await send({ type: 'http.response.start', status: 200 });
      await send({ type: 'http.response.body', body: text('half'), moreBody: true });
      await receive();
    }
  };
  const lines = async (...feeds: ((connection: RawConnection) => void)[]): Promise<string[]> => {
    const output = await printed(t, async () => {
      const connection = new RawConnection(app, {
        accessLog: '<access %(m)s %(U)s %(s)s %(B)s>',
        livePath: '/livez',
      });
      for (const feed of feeds) {
        feed(connection);
        await connection.settle();
      }
    });
    return output.match(/<access [^>]*>/g) ?? [];
  };
  const get = (path: string) => (connection: RawConnection) =>
    connection.feed(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const reset = (connection: RawConnection): void => connection.reset();
  assert.deepEqual(await lines(get('/never'), reset), ['<access GET /never 499 0>']);
  assert.deepEqual(await lines(get('/half'), reset), ['<access GET /half 200 4>']);
  assert.deepEqual(await lines(get('/nothing')), ['<access GET /nothing 500 0>']);
  assert.deepEqual(await lines(get('/livez')), []);
  assert.deepEqual(
    await lines((connection) =>
      connection.feed('POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n'),
    ),
    ['<access POST /chunks 400 0>'],
  );
  const server = await serve(app, { port: 0, log: silentLog, accessLog: '<access %(m)s %(U)s %(s)s %(B)s>' });
  const output = await printed(t, async () => {
    const open = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
    await once(open, 'message');
    open.close();
    const refused = new WebSocket(`${server.url.replace('http', 'ws')}/no`);
    await once(refused, 'error');
    await server.close();
    await new Promise(setImmediate);
  });
  assert.deepEqual(output.match(/<access [^>]*>/g)?.sort(), [
    '<access GET /no 403 0>',
    '<access GET /ws 101 4>',
  ]);
});

test('tracing: one message per request, with status and bytes', async (t) => {
  const seen: unknown[] = [];
  const subscriber = {
    start: () => {},
    end: () => {},
    asyncStart: () => {},
    asyncEnd: (message: unknown) => seen.push({ ...(message as object), result: undefined }),
    error: () => {},
  };
  serverRequestChannel.subscribe(subscriber);
  t.after(() => serverRequestChannel.unsubscribe(subscriber));
  const connection = new RawConnection(hello);
  connection.feed('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n');
  await connection.settle();
  assert.deepEqual(seen, [
    {
      method: 'GET',
      path: '/a',
      httpVersion: '1.1',
      client: ['192.0.2.1', 50000],
      connection: 1,
      requestOnConnection: 1,
      status: 200,
      bytesIn: 0,
      bytesOut: 6,
      aborted: false,
      result: undefined,
    },
    {
      method: 'GET',
      path: '/b',
      httpVersion: '1.1',
      client: ['192.0.2.1', 50000],
      connection: 1,
      requestOnConnection: 2,
      status: 200,
      bytesIn: 0,
      bytesOut: 6,
      aborted: false,
      result: undefined,
    },
  ]);
});
