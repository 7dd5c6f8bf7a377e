import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncClient, type ClientTransportError, MockTransport } from 'sobaya/client';
import { fault } from 'sobaya/errors';
import { startUpstream } from './upstream.ts';

const broken = (): ClientTransportError =>
  fault('SBY_CLIENT_BROKEN', {
    request: { method: 'GET', url: 'http://x/' },
    code: 'ECONNRESET',
    detail: 'read ECONNRESET',
    phase: 'waiting for the answer',
  });
const quick = { backoff: 1, maxBackoff: 2 };

test('a request that fails is sent again, as often as was said', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  assert.equal((await client.get('/flaky?times=1&a')).status, 503);
  assert.equal((await client.get('/flaky?times=2&b', { retries: { max: 2, ...quick } })).text(), 'at last');
  assert.equal((await client.get('/flaky?times=3&c', { retries: { max: 2, ...quick } })).status, 503);
});

test('broken connections are tried again for methods that may be repeated, and only for them', async () => {
  const mock = new MockTransport()
    .on('GET', '/', broken(), broken(), { text: 'hot' })
    .on('POST', '/', broken(), { text: 'cooked twice' });
  await using client = new AsyncClient({
    baseUrl: 'http://kitchen.test',
    transport: mock,
    retries: { max: 3, ...quick },
  });
  assert.equal((await client.get('/')).text(), 'hot');
  await assert.rejects(client.post('/', { json: {} }), { code: 'SBY_CLIENT_BROKEN' });
  assert.equal(mock.requests.filter(({ method }) => method === 'POST').length, 1);
});

test('what never went out is tried again for every method', async () => {
  const refused = fault('SBY_CLIENT_CONNECT', {
    request: { method: 'POST', url: 'http://x/' },
    code: 'ECONNREFUSED',
    detail: 'connect ECONNREFUSED',
  });
  const mock = new MockTransport().on('POST', '/', refused, { status: 201 });
  await using client = new AsyncClient({ baseUrl: 'http://kitchen.test', transport: mock });
  assert.equal((await client.post('/', { json: {}, retries: { max: 1, ...quick } })).status, 201);
});

test('a streamed body is not sent twice', async () => {
  const mock = new MockTransport().on('PUT', '/', broken(), {});
  await using client = new AsyncClient({ baseUrl: 'http://kitchen.test', transport: mock, retries: 3 });
  const body = (async function* () {
    yield 'once';
  })();
  await assert.rejects(client.put('/', { body }), { code: 'SBY_CLIENT_BROKEN' });
});

test('the budget ends retries when everything fails: a dead upstream is not asked many times more', async () => {
  const mock = new MockTransport(() => ({ status: 503 }));
  await using client = new AsyncClient({
    baseUrl: 'http://kitchen.test',
    transport: mock,
    retries: { max: 5, ...quick, budget: 0.1 },
  });
  for (let i = 0; i < 100; i++) await client.get('/');
  const retries = mock.requests.length - 100;
  assert.ok(retries >= 15 && retries <= 21, `${retries} retries for 100 requests`);
});

test('Retry-After is waited for, up to maxBackoff and the total', async () => {
  const mock = new MockTransport().on('GET', '/', { status: 503, headers: { 'retry-after': '60' } });
  await using client = new AsyncClient({
    baseUrl: 'http://kitchen.test',
    transport: mock,
    timeout: 40,
    retries: { max: 1, maxBackoff: 60_000 },
  });
  await assert.rejects(client.get('/'), {
    code: 'SBY_CLIENT_TOTAL_TIMEOUT',
    message: /still waiting to try again/,
  });
  assert.equal(mock.requests.length, 1);
});
