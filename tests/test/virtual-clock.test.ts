import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createTask, gather, getRunningLoop, sleep, timeout } from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

test('time jumps ahead when everybody waits', async () => {
  const real = performance.now();
  using clock = virtualClock();
  await sleep(3_600_000);
  assert.equal(clock.now(), 3_600_000);
  assert.equal(getRunningLoop().time(), 3_600_000);
  assert.ok(performance.now() - real < 5000);
});

test('the order is the same every time: by time, then as asked for', async () => {
  for (let round = 0; round < 5; round++) {
    using clock = virtualClock();
    const seen: string[] = [];
    const nap = (who: string, ms: number) => async (): Promise<void> => {
      await sleep(ms);
      seen.push(`${who} at ${clock.now()}`);
      await sleep(0);
      seen.push(`${who} again`);
    };
    await gather(nap('c', 20), nap('a', 10), nap('b', 10), nap('d', 20));
    assert.deepEqual(seen, [
      'a at 10',
      'b at 10',
      'a again',
      'b again',
      'c at 20',
      'd at 20',
      'c again',
      'd again',
    ]);
  }
});

test('real work that is under way is waited for before time jumps', async (t) => {
  const server = createServer((_, response) => setTimeout(() => response.end('soba'), 20)).listen(
    0,
    '127.0.0.1',
  );
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  using clock = virtualClock({ patience: 2000 });
  const { port } = server.address() as AddressInfo;
  const body = await timeout(1000, async () => {
    await readFile(import.meta.filename);
    return new Promise<string>((resolve) => {
      get({ port, host: '127.0.0.1', agent: false }, (response) =>
        response.on('data', (chunk) => resolve(String(chunk))),
      );
    });
  });
  assert.equal(body, 'soba');
  assert.ok(clock.now() < 1000);
});

test('by hand: advance', async () => {
  using clock = virtualClock({ auto: false });
  const seen: number[] = [];
  const task = createTask(async () => {
    for (const ms of [10, 20, 30]) {
      await sleep(ms);
      seen.push(clock.now());
    }
  });
  await clock.advance(9);
  assert.deepEqual(seen, []);
  await clock.advance(1);
  assert.deepEqual(seen, [10]);
  await clock.advance(1000);
  assert.deepEqual(seen, [10, 30, 60]);
  assert.equal(clock.now(), 1010);
  assert.equal(clock.pending, 0);
  await task;
});

test('globals: setTimeout, setInterval and Date as well, and all is put back', async () => {
  const before = { setTimeout, Date, setInterval };
  {
    using clock = virtualClock({ globals: true });
    const start = Date.now();
    const seen: number[] = [];
    const interval = setInterval(() => seen.push(Date.now() - start), 100);
    await new Promise((resolve) => setTimeout(resolve, 350));
    clearInterval(interval);
    assert.deepEqual(seen, [100, 200, 300]);
    assert.equal(new Date().toISOString(), new Date(start + 350).toISOString());
    assert.ok(new Date() instanceof Date);
    assert.equal(new Date(0).getTime(), 0);
    clearTimeout(setTimeout(() => assert.fail(), 5));
    assert.equal(clock.pending, 0);
  }
  assert.equal(setTimeout, before.setTimeout);
  assert.equal(setInterval, before.setInterval);
  assert.equal(Date, before.Date);
});
