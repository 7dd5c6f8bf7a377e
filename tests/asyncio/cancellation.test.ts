import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import {
  CancelledError,
  CapacityLimiter,
  Condition,
  checkpoint,
  createTask,
  currentContext,
  currentSignal,
  Event,
  gather,
  Lock,
  moveOnAfter,
  Queue,
  run,
  Semaphore,
  shield,
  sleep,
  sleepForever,
  type Task,
  taskGroup,
  timeout,
  underSignal,
  until,
  waitFor,
  withSignal,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

/** Runs `fn` in a task that has been cancelled already, as a `finally` block would. */
async function inCancelled<T>(fn: () => T | PromiseLike<T>): Promise<T> {
  let result!: { value: T } | { error: unknown };
  const task = createTask(async () => {
    try {
      await sleepForever();
    } catch {
      try {
        result = { value: await fn() };
      } catch (error) {
        result = { error };
      }
    }
  });
  task.cancel('closing time');
  await task.ended;
  if ('error' in result) throw result.error;
  return result.value;
}

test('Cancelling a scope ends every wait in it and below it, innermost first.', async () => {
  const seen: string[] = [];
  const wait = (who: string, fn: () => PromiseLike<unknown>) => async (): Promise<void> => {
    try {
      await fn();
    } catch (error) {
      assert.ok(error instanceof CancelledError);
      assert.equal(error.name, 'AbortError');
      assert.equal(error.message, 'closing time');
      seen.push(who);
      throw error;
    }
  };
  const task = createTask(
    wait('top', () =>
      gather(
        wait('sleep', () => sleep(10_000)),
        wait('until', () => until(new Promise(() => {}))),
        wait('timeout', () =>
          timeout(
            10_000,
            wait('inside', () => sleep(20_000)),
          ),
        ),
        wait('child', () => createTask(wait('grandchild', () => new Event().wait()))),
      ),
    ),
  );
  assert.equal(task.cancel('closing time'), true);
  assert.equal(task.cancelling, true);
  await task.ended;
  assert.equal(task.state, 'cancelled');
  assert.equal(seen.at(-1), 'top');
  assert.ok(seen.indexOf('inside') < seen.indexOf('timeout'));
  assert.ok(seen.indexOf('grandchild') < seen.indexOf('child'));
  assert.equal(seen.length, 7);
});

test('In a cancelled scope every further wait fails again.', async () => {
  const lock = new Lock();
  lock.tryAcquire();
  const waits: (() => PromiseLike<unknown>)[] = [
    () => sleep(0),
    () => checkpoint(),
    () => until(Promise.resolve(1)),
    () => withSignal(async () => 1),
    () => lock.acquire(),
    () => new Queue().get(),
    () => timeout(1, () => 1),
    () => gather(() => 1),
    () => taskGroup(() => 1),
    () => timeout(1, () => sleep(0)),
    () => createTask(() => 1),
  ];
  for (const wait of waits) {
    await inCancelled(async () => {
      await assert.rejects(async () => wait(), { name: 'AbortError' }, wait.toString());
      await assert.rejects(async () => wait(), { name: 'AbortError' }, wait.toString());
    });
  }
});

test('A wait that could be over at once fails in a cancelled scope too.', async () => {
  const queue = new Queue<number>();
  queue.putNowait(1);
  const event = new Event();
  event.set();
  const waits: (() => PromiseLike<unknown>)[] = [
    () => new Lock().acquire(),
    () => new Semaphore(1).acquire(),
    () => new CapacityLimiter(1).acquire(),
    () => queue.get(),
    () => queue.put(2),
    () => event.wait(),
    () => new Queue().join(),
  ];
  for (const wait of waits)
    await inCancelled(() => assert.rejects(async () => wait(), { name: 'AbortError' }, wait.toString()));
  assert.equal(queue.size, 1);
});

test('A task that has ended gives its outcome even in a cancelled scope.', async () => {
  const task = createTask(() => 'soba');
  await task;
  assert.equal(await inCancelled(async () => await task), 'soba');
});

test('A task created in a cancelled scope never runs.', async () => {
  let ran = false;
  await inCancelled(async () => {
    const task = createTask(() => {
      ran = true;
    });
    await task.ended;
    assert.equal(task.state, 'cancelled');
  });
  assert.equal(ran, false);
});

test('cancel() on a task that has ended does nothing and gives false.', async () => {
  const task = createTask(() => 1);
  await task;
  assert.equal(task.cancel(), false);
  assert.equal(task.state, 'done');
  assert.equal(await task, 1);
});

test('A task that returns a value although it was cancelled is done, with that value.', async () => {
  const task = createTask(async () => {
    try {
      await sleepForever();
    } catch {
      return 'leftovers';
    }
  });
  task.cancel();
  assert.equal(await task, 'leftovers');
  assert.equal(task.state, 'done');
});

test('A task that fails while it cleans up has failed, with that error.', async () => {
  const task = createTask(async () => {
    try {
      await sleepForever();
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: the case in question
      throw new Error('the sink is blocked');
    }
  });
  task.cancel();
  await assert.rejects(async () => task, { message: 'the sink is blocked' });
  assert.equal(task.state, 'failed');
});

test('Awaiting a cancelled task throws its CancelledError.', async () => {
  const inner = createTask(() => sleepForever(), { name: 'inner' });
  const outer = createTask(async () => await inner);
  inner.cancel();
  await outer.ended;
  assert.equal(outer.state, 'cancelled');
  assert.equal(outer.scope.cancelled, false);
  await assert.rejects(async () => outer, { message: 'task "inner" was cancelled' });
});

test('Awaiting a task of another scope ends with our cancellation and leaves that task alone.', async () => {
  const other = createTask(() => sleep(5));
  const waiting = createTask(async () => await other);
  waiting.cancel('no time');
  await assert.rejects(async () => waiting, { message: 'no time' });
  assert.equal(other.state, 'running');
  await other;
});

test('Awaiting a task below us waits for its clean-up, even when we are cancelled too.', async () => {
  using _clock = virtualClock();
  const seen: string[] = [];
  const parent = createTask(async () => {
    const child = createTask(async () => {
      try {
        await sleepForever();
      } finally {
        await shield(() => sleep(20));
        seen.push('child');
      }
    });
    try {
      await child;
    } finally {
      seen.push('parent');
    }
  });
  parent.cancel();
  await parent.ended;
  assert.deepEqual(seen, ['child', 'parent']);
});

test('A task that awaits itself gets an error instead of waiting for ever.', async () => {
  const task: Task<unknown> = createTask(
    async () => {
      await sleep(0);
      await task;
    },
    { name: 'narcissus' },
  );
  await assert.rejects(async () => task, {
    code: 'SBY_ASYNCIO_SELF_AWAIT',
    message: /Task "narcissus" awaits itself, it would wait for ever/,
  });
});

test('The first reason stays: cancelling twice changes nothing.', async () => {
  const task = createTask(() => sleepForever());
  task.cancel('first');
  task.cancel('second');
  await assert.rejects(async () => task, { message: 'first' });
});

test('An AbortSignal given to createTask, taskGroup, run or underSignal cancels what runs there.', async () => {
  const starts: ((signal: AbortSignal) => PromiseLike<unknown>)[] = [
    (signal) => createTask(() => sleepForever(), { signal }),
    (signal) => taskGroup(() => sleepForever(), { signal }),
    (signal) => taskGroup((group) => group.start(() => sleepForever(), { signal })),
    (signal) => run(() => sleepForever(), { signal }),
    (signal) => underSignal(signal, () => sleepForever()),
    (signal) => sleep(60_000, { signal }),
    (signal) => timeout(60_000, () => sleepForever(), { signal }),
    (signal) => moveOnAfter(60_000, () => sleepForever(), { signal }),
    (signal) => waitFor(() => sleepForever(), 60_000, { signal }),
  ];
  for (const start of starts) {
    const controller = new AbortController();
    const why = new Error('the customer left');
    const result = start(controller.signal);
    controller.abort(why);
    await assert.rejects(
      async () => result,
      (error: Error) =>
        error instanceof CancelledError && (error.cause === why || /was aborted/.test(error.message)),
      start.toString(),
    );
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    // One that has been aborted already.
    await assert.rejects(async () => start(controller.signal), { name: 'AbortError' });
  }
  // @ts-expect-error a controller is no signal
  assert.throws(() => createTask(() => 1, { signal: new AbortController() }), {
    code: 'SBY_ASYNCIO_BAD_SIGNAL',
    message:
      /createTask\(\) takes an AbortSignal, got an instance of AbortController\. Give controller\.signal/,
  });
});

test("currentSignal() and withSignal() give the scope's cancellation as an AbortSignal.", async () => {
  const seen: unknown[] = [];
  const task = createTask(async () => {
    const signal = currentSignal();
    signal.addEventListener('abort', () => seen.push(signal.reason.message));
    await withSignal(
      (inner) =>
        new Promise((_, reject) =>
          inner.addEventListener('abort', () => reject(inner.reason), { once: true }),
        ),
    );
  });
  task.cancel('closing time');
  await assert.rejects(async () => task, { message: 'closing time' });
  assert.equal(task.state, 'cancelled');
  assert.deepEqual(seen, ['closing time']);
});

test('Nothing stays behind on a scope or a signal when the work is over.', async () => {
  const { signal } = new AbortController();
  await createTask(async () => {
    const { scope } = currentContext();
    const lock = new Lock();
    for (let round = 0; round < 50; round++) {
      await sleep(0);
      await until(Promise.resolve());
      await withSignal(async () => {});
      await timeout(1000, () => sleep(0));
      await gather(
        () => sleep(0),
        () => 1,
      );
      await shield(() => sleep(0));
      await underSignal(signal, () => sleep(0));
      await createTask(() => sleep(0), { signal });
      await taskGroup((group) => group.start(() => sleep(0)), { signal });
      await lock.run(() => sleep(0));
      const cancelled = createTask(() => sleepForever());
      cancelled.cancel();
      await cancelled.ended;
      await Promise.all([lock.run(() => sleep(0)), lock.run(() => sleep(0))]);
    }
    assert.equal(scope.head, null);
    assert.equal(scope.kids, null);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});

test('Our waits are the checkpoints: sleep, locks, queues, events, tasks, until, withSignal, checkpoint.', async () => {
  const busy = new Lock();
  busy.tryAcquire();
  const none = new Semaphore(0);
  const other = createTask(() => sleep(5));
  const condition = new Condition();
  const waits: (() => PromiseLike<unknown>)[] = [
    () => sleep(10_000),
    () => busy.acquire(),
    () => none.acquire(),
    () => new Queue().get(),
    () => new Event().wait(),
    () => condition.run(() => condition.wait()),
    () => other,
    () => until(new Promise(() => {})),
    () =>
      withSignal(
        (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ),
    () => checkpoint(),
  ];
  for (const wait of waits) {
    const task = createTask(async () => {
      await wait();
      await checkpoint();
    });
    task.cancel();
    await task.ended;
    assert.notEqual(task.state, 'done', wait.toString());
  }
  await other;
});

test('Code between two checkpoints is never interrupted.', async () => {
  const seen: string[] = [];
  const task = createTask(async () => {
    await sleep(0);
    task.cancel();
    seen.push('one');
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    seen.push('two');
    await sleep(0);
    seen.push('never');
  });
  await task.ended;
  assert.deepEqual(seen, ['one', 'two']);
});

test('until(promise) stops waiting when cancelled; the work behind the promise goes on.', async () => {
  let finished = false;
  let fail!: (error: Error) => void;
  const work = new Promise<void>((_, reject) => {
    fail = (error) => {
      finished = true;
      reject(error);
    };
  });
  const task = createTask(() => until(work, 'the delivery'));
  task.cancel();
  await task.ended;
  assert.equal(task.state, 'cancelled');
  fail(new Error("nobody's"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(finished, true);
});

test('A floating promise that ends because its scope was cancelled does not end the process.', async () => {
  const { spawnSync } = await import('node:child_process');
  const script = `
    import { createTask, sleep, sleepForever, timeout } from 'sobaya/asyncio';
    const helper = async () => { await sleep(1000); };
    const task = createTask(async () => { void sleep(1000); void helper(); void timeout(500, helper); await sleepForever(); });
    task.cancel();
    await task.ended;
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log('alive');
    if (process.argv[1] === 'real') Promise.reject(new Error('a real one'));
  `;
  const start = (...args: string[]) =>
    spawnSync(
      process.execPath,
      ['--conditions=sobaya:source', '--input-type=module', '-e', script, ...args],
      { encoding: 'utf8', cwd: import.meta.dirname },
    );
  const quiet = start();
  assert.equal(quiet.stdout, 'alive\n');
  assert.equal(quiet.stderr, '');
  assert.equal(quiet.status, 0);
  const real = start('real');
  assert.equal(real.status, 1);
  assert.match(real.stderr, /Error: a real one/);
});
