import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createTask,
  gather,
  LifoQueue,
  PriorityQueue,
  Queue,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  sleep,
  taskGroup,
} from 'sobaya/asyncio';

test('a worker takes until the queue is shut down; join waits for what was taken', async () => {
  const queue = new Queue<number>({ maxsize: 2, name: 'orders' });
  const cooked: number[] = [];
  await taskGroup(async (group) => {
    for (let worker = 0; worker < 3; worker++)
      group.start(async () => {
        for await (const order of queue) {
          await sleep(0);
          cooked.push(order);
          queue.taskDone();
        }
      });
    for (let order = 0; order < 10; order++) await queue.put(order);
    await queue.join();
    assert.equal(cooked.length, 10);
    queue.shutdown();
  });
  assert.deepEqual(
    cooked.sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test('without waiting: QueueEmpty, QueueFull', () => {
  const queue = new Queue<number>({ maxsize: 1, name: 'orders' });
  assert.throws(
    () => queue.getNowait(),
    (error: Error) => error instanceof QueueEmpty && /Queue "orders" is empty/.test(error.message),
  );
  queue.putNowait(1);
  assert.equal(queue.full, true);
  assert.throws(
    () => queue.putNowait(2),
    (error: Error) =>
      error instanceof QueueFull && /is full with 1 item\. Write await queue\.put/.test(error.message),
  );
  assert.equal(queue.getNowait(), 1);
  assert.equal(queue.empty, true);
});

test('shutdown: what is in can be taken, then QueueShutDown; putters and getters that wait wake up', async () => {
  const queue = new Queue<number>(1);
  queue.putNowait(1);
  const putter = createTask(() => queue.put(2));
  queue.shutdown();
  await assert.rejects(async () => putter, QueueShutDown);
  await assert.rejects(queue.put(3), { code: 'SBY_ASYNCIO_QUEUE_SHUT_DOWN' });
  assert.throws(() => queue.putNowait(3), QueueShutDown);
  assert.equal(await queue.get(), 1);
  await assert.rejects(queue.get(), QueueShutDown);
  assert.throws(() => queue.getNowait(), QueueShutDown);
  const empty = new Queue<number>();
  const getter = createTask(() => empty.get());
  empty.shutdown();
  await assert.rejects(async () => getter, QueueShutDown);
});

test('shutdown at once: emptied, join() ends', async () => {
  const queue = new Queue<number>();
  for (let item = 0; item < 3; item++) queue.putNowait(item);
  assert.equal(await queue.get(), 0);
  const joining = createTask(() => queue.join());
  queue.shutdown({ immediate: true });
  assert.equal(queue.size, 0);
  assert.equal(joining.done, false);
  queue.taskDone();
  await joining;
  assert.throws(() => queue.taskDone(), {
    code: 'SBY_ASYNCIO_TASK_DONE_TOO_OFTEN',
    message: /taskDone\(\) was called more often than items were put into this Queue/,
  });
});

test('statistics', async () => {
  const queue = new Queue<number>(1);
  queue.putNowait(1);
  const putters = [createTask(() => queue.put(2)), createTask(() => queue.put(3))];
  assert.deepEqual(queue.statistics(), {
    size: 1,
    maxsize: 1,
    unfinished: 1,
    tasksWaitingToGet: 0,
    tasksWaitingToPut: 2,
    shutDown: false,
  });
  assert.deepEqual([await queue.get(), await queue.get(), await queue.get()], [1, 2, 3]);
  await gather(...putters);
  assert.throws(() => new Queue(-1), { code: 'SBY_ASYNCIO_BAD_COUNT', message: /Queue: maxsize is -1/ });
});

test('a cancelled putter leaves its item behind', async () => {
  const queue = new Queue<string>(1);
  queue.putNowait('a');
  const gone = createTask(() => queue.put('b'));
  const stays = createTask(() => queue.put('c'));
  gone.cancel();
  await gone.ended;
  assert.deepEqual([await queue.get(), await queue.get()], ['a', 'c']);
  await stays;
});

test('LifoQueue', async () => {
  const queue = new LifoQueue<number>();
  for (const item of [1, 2, 3]) await queue.put(item);
  assert.deepEqual([await queue.get(), await queue.get(), await queue.get()], [3, 2, 1]);
});

test('PriorityQueue: smallest first, stable, by key, arrays as tuples', async () => {
  const plain = new PriorityQueue<number>();
  for (const item of [3, 1, 2]) plain.putNowait(item);
  assert.deepEqual([plain.getNowait(), plain.getNowait(), plain.getNowait()], [1, 2, 3]);
  const pairs = new PriorityQueue<readonly [number, string]>();
  for (const item of [
    [2, 'b'],
    [1, 'z'],
    [1, 'a'],
  ] as const)
    pairs.putNowait(item);
  assert.deepEqual([pairs.getNowait()[1], pairs.getNowait()[1], pairs.getNowait()[1]], ['a', 'z', 'b']);
  const dishes = new PriorityQueue<{ name: string; due: number }>({ key: (dish) => dish.due, maxsize: 1 });
  dishes.putNowait({ name: 'soba', due: 1 });
  await assert.rejects(dishes.put({ name: 'air', due: Number.NaN }), {
    code: 'SBY_ASYNCIO_NO_ORDER',
    message: /A priority queue cannot sort by NaN\. Give \{ key/,
  });
  await assert.rejects(async () => new PriorityQueue<object>().put({}), { code: 'SBY_ASYNCIO_NO_ORDER' });
  assert.equal(dishes.size, 1);
});

test('PriorityQueue gives what a stable sort gives', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean())), (steps) => {
      const queue = new PriorityQueue<{ key: number; turn: number }>({ key: (item) => item.key });
      const model: { key: number; turn: number }[] = [];
      for (const [turn, [key, take]] of steps.entries()) {
        queue.putNowait({ key, turn });
        model.push({ key, turn });
        model.sort((a, b) => a.key - b.key || a.turn - b.turn);
        if (take) assert.deepEqual(queue.getNowait(), model.shift());
      }
      while (model.length > 0) assert.deepEqual(queue.getNowait(), model.shift());
      assert.equal(queue.empty, true);
    }),
  );
});

test('Queue is first in, first out however puts and gets mix', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.integer({ min: 0, max: 4 }),
      async (steps, maxsize) => {
        const queue = new Queue<number>(maxsize);
        const got: number[] = [];
        let put = 0;
        let asked = 0;
        const tasks = steps.map((isPut) => {
          if (!isPut) {
            asked++;
            return createTask(async () => {
              got.push(await queue.get());
            });
          }
          const item = put++;
          return createTask(() => queue.put(item));
        });
        while (asked < put) {
          asked++;
          got.push(await queue.get());
        }
        while (put < asked) await queue.put(put++);
        await gather(...tasks);
        assert.deepEqual(
          got.sort((a, b) => a - b),
          Array.from({ length: put }, (_, index) => index),
        );
      },
    ),
    { numRuns: 50 },
  );
});
