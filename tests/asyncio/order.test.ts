import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BoundedSemaphore,
  CapacityLimiter,
  Condition,
  createTask,
  gather,
  type Held,
  Lock,
  Queue,
  Semaphore,
  shield,
  sleep,
  sleepForever,
} from 'sobaya/asyncio';

test('Who waits for a lock, a semaphore, a queue or a condition is served in the order of coming.', async () => {
  const lock = new Lock();
  const semaphore = new Semaphore(1);
  const bounded = new BoundedSemaphore(1);
  const limiter = new CapacityLimiter(1);
  const queue = new Queue<number>(1);
  const condition = new Condition();
  for (const pass of [
    (fn: () => Promise<void>) => lock.run(fn),
    (fn: () => Promise<void>) => semaphore.run(fn),
    (fn: () => Promise<void>) => bounded.run(fn),
    (fn: () => Promise<void>) => limiter.run(fn),
  ]) {
    const seen: number[] = [];
    const enter = (who: number) => () =>
      pass(async () => {
        await sleep(0);
        seen.push(who);
      });
    await gather(enter(1), enter(2), enter(3), enter(4));
    assert.deepEqual(seen, [1, 2, 3, 4]);
  }
  const put: number[] = [];
  const got: number[] = [];
  const getters = [1, 2, 3].map((who) =>
    createTask(async () => {
      await queue.get();
      got.push(who);
    }),
  );
  const putters = [1, 2, 3, 4].map((who) =>
    createTask(async () => {
      await queue.put(who);
      put.push(who);
    }),
  );
  await gather(...getters, ...putters);
  assert.deepEqual(got, [1, 2, 3]);
  assert.deepEqual(put, [1, 2, 3, 4]);
  const woken: number[] = [];
  const waiting = [1, 2, 3].map((who) =>
    createTask(() =>
      condition.run(async () => {
        await condition.wait();
        woken.push(who);
      }),
    ),
  );
  await sleep(1);
  await condition.run(() => condition.notify(2));
  await sleep(1);
  assert.deepEqual(woken, [1, 2]);
  await condition.run(() => condition.notifyAll());
  await gather(...waiting);
  assert.deepEqual(woken, [1, 2, 3]);
});

test('Whoever was woken owns what it waited for, even if it is cancelled in the same turn.', async () => {
  const lock = new Lock();
  const queue = new Queue<string>();
  const first = await lock.acquire();
  let held: Held | undefined;
  const waiter = createTask(async () => {
    held = await lock.acquire();
    try {
      await sleepForever();
    } finally {
      held.release();
    }
  });
  first.release();
  waiter.cancel();
  await waiter.ended;
  assert.ok(held !== undefined);
  assert.equal(lock.locked, false);
  let item = '';
  const getter = createTask(async () => {
    item = await queue.get();
    await sleep(0);
  });
  queue.putNowait('soba');
  getter.cancel();
  await getter.ended;
  assert.equal(item, 'soba');
  assert.equal(getter.state, 'cancelled');
});

test('A cancelled waiter leaves its place to the next.', async () => {
  const lock = new Lock();
  const held = await lock.acquire();
  const seen: string[] = [];
  const waiters = ['a', 'b', 'c'].map((who) => createTask(() => lock.run(() => seen.push(who))));
  waiters[1]?.cancel();
  assert.equal(lock.statistics().tasksWaiting, 2);
  held.release();
  await gather.settled(...waiters);
  assert.deepEqual(seen, ['a', 'c']);
});

test("A child's clean-up ends before its parent's.", async () => {
  const seen: string[] = [];
  const layer = (depth: number) => async (): Promise<void> => {
    try {
      await (depth === 0 ? sleepForever() : gather(layer(depth - 1)));
    } finally {
      await shield(() => sleep(1));
      seen.push(`layer ${depth}`);
    }
  };
  const task = createTask(layer(3));
  task.cancel();
  await task.ended;
  assert.deepEqual(seen, ['layer 0', 'layer 1', 'layer 2', 'layer 3']);
});
