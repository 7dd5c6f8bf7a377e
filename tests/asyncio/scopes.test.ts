import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  background,
  ContextVar,
  createTask,
  currentTask,
  gather,
  run,
  shield,
  sleep,
  sleepForever,
  type Task,
  type TaskGroup,
  taskGroup,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

const name = (error: unknown): string => (error as Error).name;

test('A task starts at once, up to its first await.', async () => {
  const seen: string[] = [];
  const task = createTask(async () => {
    seen.push('started');
    await sleep(0);
    seen.push('went on');
  });
  seen.push('created');
  await task;
  assert.deepEqual(seen, ['started', 'created', 'went on']);
});

test('What a task started and did not wait for is cancelled when it ends, and ends before it.', async () => {
  using _clock = virtualClock();
  const seen: string[] = [];
  const child = async (): Promise<void> => {
    try {
      await sleepForever();
    } catch (error) {
      seen.push(name(error));
      await shield(() => sleep(30));
      seen.push('cleaned up');
      throw error;
    }
  };
  const parent = createTask(() => {
    createTask(child);
    return 'soba';
  });
  assert.equal(await parent, 'soba');
  seen.push('parent ended');
  assert.deepEqual(seen, ['AbortError', 'cleaned up', 'parent ended']);
});

test('a leftover that ignores its cancellation is waited for a second, then abandoned', async () => {
  using clock = virtualClock();
  let child!: Task<unknown>;
  const parent = createTask(() => {
    child = createTask(() => new Promise(() => {}));
  });
  await parent;
  assert.equal(clock.now(), 1000);
  assert.equal(child.state, 'running');
});

test('background() outlives whoever starts it, and ends with the program.', async () => {
  const who = new ContextVar<string>('who');
  const seen: string[] = [];
  let task!: Task<unknown>;
  await run(async () => {
    await createTask(() =>
      who.run('cook', () => {
        task = background(async () => {
          await sleep(1);
          seen.push(`still here: ${who.get()}, parent ${task.parent}`);
          await sleepForever();
        });
      }),
    );
    assert.equal(task.done, false);
    await sleep(5);
  });
  assert.deepEqual(seen, ['still here: cook, parent null']);
  assert.equal(task.state, 'cancelled');
});

test('A task group ends when its block and all its tasks have ended.', async () => {
  using _clock = virtualClock();
  const seen: string[] = [];
  const result = await taskGroup((group) => {
    group.start(async () => {
      await sleep(20);
      seen.push('b');
    });
    group.start(async () => {
      await sleep(10);
      seen.push('a');
    });
    return 'block';
  });
  seen.push(result);
  assert.deepEqual(seen, ['a', 'b', 'block']);
});

test('A task may start more tasks in its own live group, and they are waited for too.', async () => {
  using _clock = virtualClock();
  const seen: number[] = [];
  await taskGroup((group) => {
    const spawn = async (left: number): Promise<void> => {
      await sleep(1);
      seen.push(left);
      if (left > 0) group.start(() => spawn(left - 1));
    };
    group.start(() => spawn(3));
  });
  assert.deepEqual(seen, [3, 2, 1, 0]);
});

test('A finished or failing group takes no more tasks.', async () => {
  let kept!: TaskGroup;
  await taskGroup((group) => {
    kept = group;
  });
  assert.throws(() => kept.start(() => 1), {
    code: 'SBY_ASYNCIO_GROUP_CLOSED',
    message: /This task group is finished, it takes no more tasks/,
  });
  assert.throws(() => kept.cancel(), { code: 'SBY_ASYNCIO_GROUP_CLOSED' });
  await assert.rejects(
    taskGroup(async (group) => {
      group.start(() => Promise.reject(new Error('burnt')));
      try {
        await sleepForever();
      } finally {
        assert.throws(() => group.start(() => 1), { message: /This task group is shutting down/ });
      }
    }),
    AggregateError,
  );
});

test('gather returns only when all that it started has ended.', async () => {
  using _clock = virtualClock();
  let cleaned = false;
  await assert.rejects(
    gather(
      async () => {
        try {
          await sleepForever();
        } finally {
          await shield(() => sleep(20));
          cleaned = true;
        }
      },
      async () => {
        await sleep(5);
        throw new Error('burnt');
      },
    ),
    { message: 'burnt' },
  );
  assert.equal(cleaned, true);
});

test('A task handed to gather belongs to whoever started it: it is neither cancelled nor outlived.', async () => {
  using clock = virtualClock();
  const owned = createTask(async () => {
    await sleep(100);
    return 'mine';
  });
  await assert.rejects(
    gather(owned, async () => {
      await sleep(5);
      throw new Error('burnt');
    }),
    { message: 'burnt' },
  );
  assert.equal(clock.now(), 5);
  assert.equal(owned.state, 'running');
  const [result] = await gather(owned);
  assert.equal(result, 'mine');
});

test('The same function given to gather twice runs twice; the same task fills both places.', async () => {
  let runs = 0;
  const work = async (): Promise<number> => {
    await sleep(0);
    return ++runs;
  };
  assert.deepEqual(await gather(work, work), [1, 2]);
  const task = createTask(work);
  assert.deepEqual(await gather(task, task), [3, 3]);
  assert.equal(runs, 3);
});

test('names, ids, parents and the current task', async () => {
  assert.equal(currentTask(), null);
  async function customer(): Promise<string> {
    const me = currentTask();
    assert.equal(me?.name, 'customer');
    const child = createTask(() => currentTask()?.parent?.name, { name: 'order' });
    assert.equal(child.name, 'order');
    assert.ok(child.id > (me?.id ?? 0));
    return (await child) ?? '';
  }
  assert.equal(await createTask(customer), 'customer');
});
