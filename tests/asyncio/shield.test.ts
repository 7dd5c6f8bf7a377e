import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTask, shield, sleep, sleepForever, timeout } from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

test('shield(fn) runs to its end although the scope around it is cancelled.', async () => {
  using clock = virtualClock();
  const seen: string[] = [];
  const task = createTask(async () => {
    await shield(async () => {
      await sleep(10);
      seen.push('half');
      await sleep(10);
      seen.push('whole');
    });
    seen.push('after');
    await sleep(0);
    seen.push('never');
  });
  task.cancel();
  await task.ended;
  assert.deepEqual(seen, ['half', 'whole', 'after']);
  assert.equal(task.state, 'cancelled');
  assert.equal(clock.now(), 20);
});

test('shield(fn) gives its result in a cancelled scope; the next wait after it fails.', async () => {
  let result = 0;
  const task = createTask(async () => {
    result = await shield(async () => {
      await sleep(1);
      return 42;
    });
    await sleep(0);
  });
  task.cancel();
  await assert.rejects(async () => task, { name: 'AbortError' });
  assert.equal(result, 42);
});

test('shield(fn) can be started in a cancelled scope.', async () => {
  const seen: string[] = [];
  const task = createTask(async () => {
    try {
      await sleepForever();
    } finally {
      await shield(() => sleep(1));
      await shield(() => createTask(() => sleep(1)));
      seen.push('rolled back');
    }
  });
  task.cancel();
  await task.ended;
  assert.deepEqual(seen, ['rolled back']);
});

test('A deadline inside a shield counts.', async () => {
  using clock = virtualClock();
  const task = createTask(() => shield(() => timeout(50, () => sleepForever())));
  task.cancel();
  await assert.rejects(async () => task, { name: 'TimeoutError' });
  assert.equal(clock.now(), 50);
});

test('shield(task) stops waiting when cancelled and leaves the task running.', async () => {
  const inner = createTask(async () => {
    await sleep(5);
    return 'made it';
  });
  const outer = createTask(() => shield(inner));
  outer.cancel('closing time');
  await assert.rejects(async () => outer, { message: 'closing time' });
  assert.equal(inner.state, 'running');
  assert.equal(await inner, 'made it');
});

test('shield refuses a promise', async () => {
  // @ts-expect-error a promise already runs
  await assert.rejects(shield(Promise.resolve(1)), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});
