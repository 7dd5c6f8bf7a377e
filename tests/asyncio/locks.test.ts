import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Barrier,
  BoundedSemaphore,
  BrokenBarrierError,
  CapacityLimiter,
  Condition,
  createTask,
  Event,
  gather,
  Lock,
  Semaphore,
  sleep,
  sleepForever,
  timeout,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

test('Lock: using, run, statistics, owner', async () => {
  const lock = new Lock('stove');
  await createTask(
    async () => {
      using held = await lock.acquire();
      assert.ok(held);
      assert.deepEqual(lock.statistics(), { locked: true, owner: 'cook', tasksWaiting: 0 });
      assert.equal(lock.describe(), 'lock "stove", held by task "cook"');
      assert.equal(lock.tryAcquire(), false);
    },
    { name: 'cook' },
  );
  assert.equal(lock.locked, false);
  assert.equal(await lock.run(async () => 'result'), 'result');
  await assert.rejects(
    lock.run(() => Promise.reject(new Error('burnt'))),
    { message: 'burnt' },
  );
  assert.equal(lock.locked, false);
});

test('Lock: release without acquire, an old hold, a hold released twice', async () => {
  const lock = new Lock('stove');
  assert.throws(() => lock.release(), {
    code: 'SBY_ASYNCIO_NOT_HELD',
    message: /release\(\) was called on Lock "stove", which is not held\. Acquire it first/,
  });
  const first = await lock.acquire();
  first.release();
  const second = await lock.acquire();
  first.release();
  assert.equal(lock.locked, true);
  second.release();
  second.release();
  assert.equal(lock.locked, false);
});

test('Lock under a deadline', async () => {
  using _clock = virtualClock();
  const lock = new Lock();
  const held = await lock.acquire();
  await assert.rejects(
    timeout(10, () => lock.acquire()),
    { name: 'TimeoutError' },
  );
  held.release();
  assert.equal(lock.statistics().tasksWaiting, 0);
  assert.equal(lock.tryAcquire(), true);
  lock.release();
});

test('Semaphore lets so many in; BoundedSemaphore counts', async () => {
  using _clock = virtualClock();
  const semaphore = new Semaphore(2);
  let inside = 0;
  let most = 0;
  await gather(
    ...Array.from({ length: 7 }, () => async () => {
      using _place = await semaphore.acquire();
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    }),
  );
  assert.equal(most, 2);
  assert.deepEqual(semaphore.statistics(), { value: 2, tasksWaiting: 0 });
  semaphore.release();
  assert.equal(semaphore.value, 3);
  const bounded = new BoundedSemaphore(2, 'seats');
  await bounded.run(() => assert.equal(bounded.value, 1));
  assert.throws(() => bounded.release(), {
    code: 'SBY_ASYNCIO_OVER_RELEASED',
    message: /release\(\) was called more often than acquire\(\) on BoundedSemaphore "seats" of 2/,
  });
  for (const bad of [-1, 1.5, Number.NaN, '3'])
    assert.throws(() => new Semaphore(bad as number), {
      code: 'SBY_ASYNCIO_BAD_COUNT',
      message: /Semaphore: value is/,
    });
  assert.equal(new Semaphore(0).locked, true);
});

test('CapacityLimiter knows its borrowers and can change its size', async () => {
  using _clock = virtualClock();
  const limiter = new CapacityLimiter(1, 'connections');
  await createTask(
    async () => {
      using _token = await limiter.acquire();
      await assert.rejects(limiter.acquire(), {
        code: 'SBY_ASYNCIO_ALREADY_BORROWED',
        message: /task "customer 1" already holds a token of CapacityLimiter "connections"/,
      });
      assert.deepEqual(limiter.statistics(), {
        totalTokens: 1,
        borrowedTokens: 1,
        borrowers: ['customer 1'],
        tasksWaiting: 0,
      });
    },
    { name: 'customer 1' },
  );
  const a = await limiter.acquireOnBehalfOf('a');
  const waiting = createTask(() => limiter.acquireOnBehalfOf('b'));
  assert.equal(limiter.statistics().tasksWaiting, 1);
  limiter.totalTokens = 2;
  const b = await waiting;
  limiter.totalTokens = 1;
  assert.equal(limiter.availableTokens, 0);
  a.release();
  assert.equal(limiter.availableTokens, 0);
  b.release();
  assert.equal(limiter.availableTokens, 1);
  assert.throws(() => limiter.release(), { code: 'SBY_ASYNCIO_NOT_HELD' });
  assert.throws(() => new CapacityLimiter(0), { code: 'SBY_ASYNCIO_BAD_COUNT' });
});

test('Event: set, clear, wait', async () => {
  const event = new Event('open');
  const seen: string[] = [];
  const waiters = ['a', 'b'].map((who) => createTask(async () => seen.push(`${who} ${await event.wait()}`)));
  assert.deepEqual(event.statistics(), { isSet: false, tasksWaiting: 2 });
  event.set();
  await gather(...waiters);
  await event.wait();
  assert.deepEqual(seen, ['a undefined', 'b undefined']);
  event.clear();
  assert.equal(event.isSet, false);
});

test('Condition: waitFor, notify without the lock, cancelled while waiting holds the lock again', async () => {
  const condition = new Condition(undefined, 'dish ready');
  let dishes = 0;
  const waiter = createTask(() =>
    condition.run(async () => {
      await condition.waitFor(() => dishes >= 2);
      assert.equal(condition.locked, true);
      return dishes;
    }),
  );
  for (let round = 0; round < 2; round++) {
    await condition.run(() => {
      dishes++;
      condition.notify();
    });
    await sleep(1);
  }
  assert.equal(await waiter, 2);
  assert.equal(condition.locked, false);
  assert.throws(() => condition.notify(), {
    code: 'SBY_ASYNCIO_CONDITION_UNLOCKED',
    message: /notify\(\) was called on Condition "dish ready" without its lock/,
  });
  await assert.rejects(condition.wait(), { code: 'SBY_ASYNCIO_CONDITION_UNLOCKED' });
  let lockedInFinally = false;
  const cancelled = createTask(() =>
    condition.run(async () => {
      try {
        await condition.wait();
      } finally {
        lockedInFinally = condition.locked;
      }
    }),
  );
  await sleep(1);
  const held = await condition.acquire();
  cancelled.cancel();
  await sleep(1);
  assert.equal(cancelled.done, false);
  assert.deepEqual(condition.statistics(), {
    locked: true,
    owner: null,
    tasksWaiting: 0,
    tasksWaitingForLock: 1,
  });
  held.release();
  await cancelled.ended;
  assert.equal(lockedInFinally, true);
  assert.equal(condition.locked, false);
});

test('Barrier: everybody passes together, each with another number', async () => {
  const barrier = new Barrier(3, 'start');
  const numbers = await gather(
    () => barrier.wait(),
    () => barrier.wait(),
    () => barrier.wait(),
  );
  assert.deepEqual([...numbers].sort(), [0, 1, 2]);
  // Again, and a cancelled party leaves.
  const gone = createTask(() => barrier.wait());
  gone.cancel();
  await gone.ended;
  assert.deepEqual(barrier.statistics(), { parties: 3, tasksWaiting: 0, broken: false });
  const waiting = createTask(() => barrier.wait());
  barrier.abort();
  await assert.rejects(
    async () => waiting,
    (error: Error) => error instanceof BrokenBarrierError && error.message === 'Barrier "start" was aborted',
  );
  await assert.rejects(barrier.wait(), { code: 'SBY_ASYNCIO_BARRIER_BROKEN', message: /was broken before/ });
  barrier.reset();
  assert.equal(barrier.broken, false);
  const again = createTask(() => barrier.wait());
  barrier.reset();
  await assert.rejects(async () => again, { message: 'Barrier "start" was reset' });
  assert.throws(() => new Barrier(0), { code: 'SBY_ASYNCIO_BAD_COUNT' });
});

test('a task that holds a lock and is cancelled gives it back', async () => {
  const lock = new Lock();
  const holder = createTask(() => lock.run(() => sleepForever()));
  const next = createTask(() => lock.run(() => 'mine'));
  holder.cancel();
  assert.equal(await next, 'mine');
});
