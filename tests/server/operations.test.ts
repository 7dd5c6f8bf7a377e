import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Event } from 'sobaya/asyncio';
import { RawConnection, type ServeOptions, serve, serverRequestChannel, silentLog } from 'sobaya/server';
import { hello, http, text } from './applications.ts';

const who = http(async (scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 });
  await send({ type: 'http.response.body', body: text(`${scope.client?.join(' ')} ${scope.scheme}`) });
});

async function ask(fields: string, options: ServeOptions): Promise<string> {
  const connection = new RawConnection(who, options);
  connection.feed(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  await connection.settle();
  return connection.output.slice(connection.output.indexOf('\r\n\r\n') + 4);
}

// The peer of a RawConnection is 192.0.2.1.
const cases: [why: string, options: ServeOptions, fields: string, expected: string][] = [
  [
    'nobody is believed by default',
    {},
    'X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'another address is not believed',
    { forwardedAllowIps: '10.0.0.0/8' },
    'X-Forwarded-For: 10.9.9.9\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'a trusted proxy is',
    { forwardedAllowIps: '192.0.2.1' },
    'X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n',
    '203.0.113.7 0 https',
  ],
  [
    'a network',
    { forwardedAllowIps: '192.0.2.0/24, 10.0.0.0/8' },
    'X-Forwarded-For: 203.0.113.7:99\r\n',
    '203.0.113.7 99 http',
  ],
  [
    'what the client itself wrote is not',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: 1.1.1.1, 203.0.113.7, 192.0.2.9\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'over several fields',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.7\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'garbage is not',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: nonsense\r\n',
    '192.0.2.1 50000 http',
  ],
  ['everybody', { forwardedAllowIps: '*' }, 'X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\n', '1.1.1.1 0 http'],
  [
    'the standard field is not mixed in',
    { forwardedAllowIps: '*' },
    'Forwarded: for=6.6.6.6\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'the standard field',
    { forwardedAllowIps: '192.0.2.1', forwardedHeader: 'forwarded' },
    'Forwarded: for="[2001:db8::1]:4711";proto=https;by=1.2.3.4\r\nX-Forwarded-For: 6.6.6.6\r\n',
    '2001:db8::1 4711 https',
  ],
];
for (const [why, options, fields, expected] of cases) {
  test(`forwarded: ${why}`, async () => assert.equal(await ask(fields, options), expected));
}

test('forwarded: addresses that are none are refused', async () => {
  for (const forwardedAllowIps of ['example.org', '10.0.0.0/33', '10.0.0.0/x'])
    await assert.rejects(serve(hello, { forwardedAllowIps, port: 0 }), { code: 'SBY_SERVER_BAD_OPTION' });
});

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

test('health and metrics', async () => {
  const server = await serve(hello, {
    port: 0,
    log: silentLog,
    healthPath: '/-/health',
    metricsPath: '/-/metrics',
  });
  assert.equal(await (await fetch(`${server.url}/-/health`)).text(), 'ok\n');
  await fetch(`${server.url}/a`);
  await fetch(`${server.url}/b`);
  const metrics = await (await fetch(`${server.url}/-/metrics`)).text();
  assert.match(metrics, /^sobaya_requests_total\{pid="\d+",status="200"\} 2$/m);
  assert.match(metrics, /^sobaya_request_duration_seconds_bucket\{pid="\d+",le="\+Inf"\} 2$/m);
  await server.close();
});

test('the access log: combined, JSON, atoms; nothing breaks out of its line', async (t) => {
  const lines: string[] = [];
  const write = process.stdout.write;
  t.after(() => {
    process.stdout.write = write;
  });
  const request = async (accessLog: string, userAgent = 'soba/1'): Promise<string> => {
    lines.length = 0;
    process.stdout.write = ((line: string) => lines.push(line) > 0) as typeof write;
    const connection = new RawConnection(hello, { accessLog });
    connection.feed(`GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: ${userAgent}\r\nX-Id: 7\r\n\r\n`);
    await connection.settle();
    process.stdout.write = write;
    return lines.find((line) => line.includes('/a')) ?? '';
  };
  assert.match(
    await request('combined', 'a"b\\c'),
    /^192\.0\.2\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\?b HTTP\/1\.1" 200 6 "-" "a\\x22b\\x5cc"\n$/,
  );
  const json = JSON.parse(await request('json')) as Record<string, unknown>;
  assert.deepEqual(
    [json['path'], json['status'], json['bytes'], json['client']],
    ['/a', 200, 6, '192.0.2.1'],
  );
  assert.equal(await request('%(m)s %(U)s %(s)s %({x-id}i)s'), 'GET /a 200 7\n');
  assert.throws(() => new RawConnection(hello, { accessLog: '%(zzz)s' }), { message: /accessLog is "zzz"/ });
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
