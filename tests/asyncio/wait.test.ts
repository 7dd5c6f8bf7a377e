import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  asCompleted,
  createTask,
  mapConcurrent,
  shield,
  sleep,
  sleepForever,
  type Task,
  wait,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

const after = (ms: number, value: string) => async (): Promise<string> => {
  await sleep(ms);
  return value;
};
const failing = (ms: number) => async (): Promise<string> => {
  await sleep(ms);
  throw new Error(`burnt at ${ms}`);
};
const states = (tasks: Set<Task<unknown>>): string[] => [...tasks].map((task) => task.state);

test('wait for all, for the first, for the first failure, for some time', async () => {
  using clock = virtualClock();
  const make = (): Task<string>[] =>
    [after(10, 'a'), failing(20), after(30, 'c')].map((fn) => createTask(fn));
  const all = await wait(make());
  assert.deepEqual([states(all.done), states(all.pending)], [['done', 'failed', 'done'], []]);
  assert.equal(clock.now(), 30);
  for (const task of all.done) void task.error;
  const first = await wait(make(), { returnWhen: 'firstCompleted' });
  assert.deepEqual([states(first.done), states(first.pending)], [['done'], ['running', 'running']]);
  const rest = await wait(first.pending, { returnWhen: 'firstException' });
  assert.deepEqual([states(rest.done), states(rest.pending)], [['failed'], ['running']]);
  for (const task of rest.done) void task.error;
  const timed = await wait(rest.pending, { timeout: 5 });
  assert.deepEqual([states(timed.done), states(timed.pending)], [[], ['running']]);
  await wait(timed.pending);
  // A cancelled task is no failure.
  const victim = createTask(() => sleepForever());
  const other = createTask(after(10, 'x'));
  victim.cancel();
  const both = await wait([victim, other], { returnWhen: 'firstException' });
  assert.equal(both.pending.size, 0);
});

test('wait refuses nothing, and what is no task', async () => {
  await assert.rejects(wait([]), { code: 'SBY_ASYNCIO_NO_TASKS', message: /wait\(\) got no tasks/ });
  // @ts-expect-error functions are not started by wait
  await assert.rejects(wait([() => 1]), {
    code: 'SBY_ASYNCIO_NOT_A_TASK',
    message: /wait\(\) takes tasks, but item 1 is a?\s?function.*Start it first: createTask/,
  });
});

test('wait is cancelled, the tasks go on', async () => {
  const task = createTask(() => sleep(5));
  const waiting = createTask(() => wait([task]));
  waiting.cancel();
  await waiting.ended;
  assert.equal(waiting.state, 'cancelled');
  assert.equal(task.state, 'running');
  await task;
});

test('asCompleted gives results in the order of their ends; errors come where they belong', async () => {
  using _clock = virtualClock();
  const seen: string[] = [];
  const own = createTask(after(20, 'own'));
  for (const next of asCompleted([after(30, 'c'), own, after(10, 'a'), failing(15)])) {
    try {
      seen.push(await next);
    } catch (error) {
      seen.push((error as Error).message);
    }
  }
  assert.deepEqual(seen, ['a', 'burnt at 15', 'own', 'c']);
  const values: string[] = [];
  for await (const value of asCompleted([after(30, 'c'), after(10, 'a')])) values.push(value.toUpperCase());
  assert.deepEqual(values, ['A', 'C']);
  await assert.rejects(
    async () => {
      for await (const value of asCompleted([after(30, 'c'), failing(10), after(5, 'a')])) values.push(value);
    },
    { message: 'burnt at 10' },
  );
  assert.deepEqual(values, ['A', 'C', 'a']);
});

test('asCompleted left early cancels what it started and waits for it', async () => {
  using _clock = virtualClock();
  let cleaned = '';
  const own = createTask(after(50, 'own'));
  const slow = async (): Promise<string> => {
    try {
      await sleepForever();
    } finally {
      await shield(() => sleep(5));
      cleaned = 'yes';
    }
    return '';
  };
  for await (const done of asCompleted([own, slow, after(5, 'first')])) {
    assert.equal(done, 'first');
    break;
  }
  assert.equal(cleaned, 'yes');
  assert.equal(await own, 'own');
});

test('asCompleted with a timeout', async () => {
  using clock = virtualClock();
  const seen: string[] = [];
  await assert.rejects(
    (async () => {
      for await (const done of asCompleted([after(5, 'in time'), after(100, 'late')], { timeout: 50 }))
        seen.push(done);
    })(),
    { name: 'TimeoutError' },
  );
  assert.deepEqual(seen, ['in time']);
  assert.equal(clock.now(), 50);
  for await (const _ of asCompleted([])) assert.fail();
  assert.throws(() => asCompleted([Promise.resolve()] as never), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});

test('mapConcurrent: order of results, limit, laziness, first failure', async () => {
  using _clock = virtualClock();
  let running = 0;
  let most = 0;
  let taken = 0;
  async function* orders(): AsyncGenerator<number> {
    for (let order = 0; order < 10; order++) {
      taken++;
      await sleep(1);
      yield order;
    }
  }
  const results = await mapConcurrent(orders(), 3, async (order, index) => {
    assert.equal(order, index);
    most = Math.max(most, ++running);
    assert.ok(taken <= index + 4);
    await sleep(20 - order);
    running--;
    return order * 2;
  });
  assert.deepEqual(results, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  assert.equal(most, 3);
  assert.deepEqual(await mapConcurrent([], 1, () => 1), []);
  assert.deepEqual(await mapConcurrent(new Set(['a']), Number.POSITIVE_INFINITY, (item) => item), ['a']);
  let returned = false;
  const source = {
    *[Symbol.iterator](): Generator<number> {
      try {
        for (let item = 0; ; item++) yield item;
      } finally {
        returned = true;
      }
    },
  };
  await assert.rejects(
    mapConcurrent(source, 2, async (item) => {
      await sleep(1);
      if (item === 5) throw new Error('burnt');
    }),
    { message: 'burnt' },
  );
  assert.equal(returned, true);
  await assert.rejects(
    mapConcurrent([1], 0, () => 1),
    {
      code: 'SBY_ASYNCIO_BAD_COUNT',
      message: 'mapConcurrent: limit is 0. Give a whole number that is 1 or more',
    },
  );
  // @ts-expect-error not a function
  await assert.rejects(mapConcurrent([1], 1, 'f'), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});
