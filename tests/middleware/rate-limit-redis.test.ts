/** The store in a real Redis, shared by two applications as by two processes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { createApp, HttpResponse, path } from 'sobaya';
import { MemoryRateStore, RedisRateStore, rateLimit } from 'sobaya/middleware';
import { Client } from 'sobaya/test';
import { Redis } from '../support/redis.ts';

const redis = await Redis.open();

function limited(options: Parameters<typeof rateLimit>[0]): Client {
  return new Client(
    createApp({ debug: false, middleware: [rateLimit(options)], urls: [path('', () => new HttpResponse())] }),
  );
}

describe('rateLimit with Redis', { skip: redis === null ? 'no Redis at 127.0.0.1:6379' : false }, () => {
  const prefix = `sobaya:test:${randomUUID()}:`;
  after(async () => {
    const keys = (await redis!.sendCommand(['KEYS', `${prefix}*`])) as string[];
    await redis!.sendCommand(['DEL', ...keys]);
    redis!.close();
  });

  test('two applications count together, and a key goes when its bucket is full again', async () => {
    const store = (): RedisRateStore => new RedisRateStore(redis!, prefix);
    const one = limited({ limit: 3, seconds: 60, store: store() });
    const two = limited({ limit: 3, seconds: 60, store: store() });
    const statuses: number[] = [];
    for (const app of [one, two, one, two, one]) statuses.push((await app.get('/')).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    const refused = await two.get('/');
    assert.equal(refused.headers.get('ratelimit-remaining'), '0');
    assert.ok(
      Number(refused.headers.get('retry-after')) in { 19: 1, 20: 1 },
      refused.headers.get('retry-after') ?? '',
    );
    const ttl = (await redis!.sendCommand(['PTTL', `${prefix}127.0.0.1`])) as number;
    assert.ok(ttl > 50_000 && ttl <= 60_001, String(ttl));
  });

  test('it decides as the store in memory does', async () => {
    const memory = new MemoryRateStore();
    const shared = new RedisRateStore(redis!, prefix);
    for (let round = 0; round < 12; round++) {
      const wanted = memory.take('same', 5, 3_600_000);
      const got = await shared.take('same', 5, 3_600_000);
      assert.equal(got.allowed, wanted.allowed, String(round));
      assert.equal(got.remaining, wanted.remaining, String(round));
    }
  });

  test('requests at once are counted one by one', async () => {
    const app = limited({ limit: 10, seconds: 60, store: new RedisRateStore(redis!, `${prefix}burst:`) });
    const responses = await Promise.all(Array.from({ length: 50 }, () => app.get('/')));
    assert.equal(responses.filter(({ status }) => status === 200).length, 10);
  });

  test('a Redis that has forgotten the script learns it again', async () => {
    const store = new RedisRateStore(redis!, prefix);
    await store.take('script', 5, 60_000);
    await redis!.sendCommand(['SCRIPT', 'FLUSH']);
    assert.equal((await store.take('script', 5, 60_000)).remaining, 3);
  });
});

test('a store that is away lets requests pass, or refuses them where that is wanted; told once', async (t) => {
  const told = t.mock.method(console, 'error', () => {});
  const store = { take: () => Promise.reject(new Error('ECONNREFUSED')) };
  const app = limited({ limit: 1, seconds: 60, store });
  for (let round = 0; round < 3; round++) assert.equal((await app.get('/')).status, 200);
  const strict = limited({ limit: 1, seconds: 60, store, onStoreError: 'refuse' });
  assert.equal((await strict.get('/')).status, 429);
  assert.equal(told.mock.callCount(), 1);
  assert.match(String(told.mock.calls[0]?.arguments[0]), /rateLimit\(\) cannot ask its store/);
});
