import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Event } from 'sobaya/asyncio';
import { RawConnection, serve, serverRequestChannel, silentLog } from 'sobaya/server';
import { hello, http } from './applications.ts';

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
