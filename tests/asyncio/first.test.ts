import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTask, gather, sleep, TaskGroup, taskGroup, timeout } from 'sobaya/asyncio';

test('gather gives results in order and runs at the same time', async () => {
  const [a, b] = await gather(
    async () => {
      await sleep(5);
      return 1;
    },
    () => 'b',
  );
  assert.equal(a + 1, 2);
  assert.equal(b.toUpperCase(), 'B');
});

test('gather refuses a bare promise and shows what to write', async () => {
  await assert.rejects(
    // @ts-expect-error a promise already runs
    gather(Promise.resolve(1)),
    {
      code: 'SBY_ASYNCIO_NOT_A_FUNCTION',
      message: /gather\(\) takes functions, but argument 1 is a promise/,
    },
  );
});

test('a group that fails cancels its other tasks', async () => {
  let ended = '';
  await assert.rejects(
    taskGroup((group) => {
      assert.ok(group instanceof TaskGroup);
      group.start(async () => {
        try {
          await sleep(10_000);
        } catch (error) {
          ended = (error as Error).name;
        }
      });
      group.start(() => Promise.reject(new Error('no soba left')));
    }),
    { name: 'AggregateError', message: /no soba left/ },
  );
  assert.equal(ended, 'AbortError');
});

test('timeout cancels what runs inside', async () => {
  await assert.rejects(
    timeout(5, () => sleep(10_000)),
    { name: 'TimeoutError' },
  );
});

test('a task gives its result', async () => {
  const task = createTask(() => sleep(1), { name: 'customer 1' });
  assert.equal(task.name, 'customer 1');
  await task;
  assert.equal(task.state, 'done');
});
