import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CancelledError,
  createTask,
  currentDeadline,
  type Deadline,
  getRunningLoop,
  moveOnAfter,
  shield,
  sleep,
  sleepForever,
  sleepUntil,
  TimeoutError,
  timeout,
  timeoutAt,
  waitFor,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

test('timeout: inside, waits fail with a CancelledError; outside, a TimeoutError is thrown with it as cause.', async () => {
  using clock = virtualClock();
  let inside: unknown;
  async function cook(deadline: Deadline): Promise<void> {
    assert.equal(deadline.when, 500);
    try {
      await sleepForever();
    } catch (error) {
      assert.equal(deadline.expired, true);
      inside = error;
      throw error;
    }
  }
  await assert.rejects(timeout(500, cook), (error: Error) => {
    assert.ok(error instanceof TimeoutError);
    assert.equal(error.message, 'cook was not done within 500 ms');
    assert.equal(error.cause, inside);
    return true;
  });
  assert.ok(inside instanceof CancelledError);
  assert.equal(inside.message, 'the timeout 500 ms passed');
  assert.equal(clock.now(), 500);
});

test('timeout gives the result in time, and leaves no timer behind', async () => {
  using clock = virtualClock();
  assert.equal(await timeout(500, () => 'soba'), 'soba');
  assert.equal(await timeout(null, () => 'udon'), 'udon');
  assert.equal(clock.pending, 0);
});

test('timeout waits for the clean-up of a block that heard of it.', async () => {
  using clock = virtualClock();
  const seen: string[] = [];
  await assert.rejects(
    timeout(10, async () => {
      try {
        await sleepForever();
      } finally {
        await shield(() => sleep(5000));
        seen.push('rolled back');
        // Not one of our waits; a listener of the cancellation is trusted to end.
        await new Promise<void>((resolve) => getRunningLoop().callLater(100, resolve));
        seen.push('closed');
      }
    }),
    { name: 'TimeoutError' },
  );
  assert.deepEqual(seen, ['rolled back', 'closed']);
  assert.equal(clock.now(), 5110);
});

test('timeout gives up at once on a block that sits in a foreign promise.', async () => {
  using clock = virtualClock();
  await assert.rejects(
    timeout(10, () => new Promise(() => {})),
    { name: 'TimeoutError', message: 'The work was not done within 10 ms' },
  );
  assert.equal(clock.now(), 10);
  // One that hears of it but does not end gets a second.
  await assert.rejects(
    timeout(10, () => sleepForever().catch(() => new Promise(() => {}))),
    { name: 'TimeoutError' },
  );
  assert.equal(clock.now(), 1020);
  // What was left behind does not hold up the task around.
  await createTask(() => timeout(10, () => new Promise(() => {})).catch(() => {}));
  assert.equal(clock.now(), 1030);
});

test('A block that swallows the cancellation and returns gives its value.', async () => {
  using _clock = virtualClock();
  assert.equal(
    await timeout(10, async () => {
      await sleepForever().catch(() => {});
      return 'cold soba';
    }),
    'cold soba',
  );
});

test('Of nested timeouts only the one that expired becomes a TimeoutError.', async () => {
  using _clock = virtualClock();
  let inner: unknown;
  await assert.rejects(
    timeout(10, async function outer() {
      try {
        await timeout(1000, () => sleepForever());
      } catch (error) {
        inner = error;
        throw error;
      }
    }),
    { name: 'TimeoutError', message: 'outer was not done within 10 ms' },
  );
  assert.ok(inner instanceof CancelledError);
  await assert.rejects(
    timeout(1000, () =>
      timeout(10, async function tight() {
        await sleepForever();
      }),
    ),
    { message: 'tight was not done within 10 ms' },
  );
});

test('A deadline can be moved while the block runs: earlier, later, away.', async () => {
  using clock = virtualClock();
  let kept!: Deadline;
  await timeout(100, async (deadline) => {
    kept = deadline;
    await sleep(90);
    deadline.reschedule(50);
    assert.equal(deadline.when, 140);
    await sleep(40);
    deadline.rescheduleAt(1000);
    await sleep(500);
    deadline.reschedule(null);
    assert.equal(deadline.when, null);
    await sleep(10_000);
  });
  assert.equal(clock.now(), 10_630);
  assert.throws(() => kept.reschedule(1), {
    code: 'SBY_ASYNCIO_DEADLINE_OVER',
    message: /reschedule\(\) was called on a deadline whose block has ended/,
  });
  await assert.rejects(
    timeout(10_000, async (deadline) => {
      deadline.reschedule(10);
      await sleepForever();
    }),
    { name: 'TimeoutError', message: /within 10 ms/ },
  );
  await assert.rejects(
    timeout(10, async (deadline) => {
      await sleepForever().catch(() => deadline.reschedule(10));
    }),
    { code: 'SBY_ASYNCIO_DEADLINE_OVER', message: /that has passed/ },
  );
});

test('A deadline in the past lets the block start and fails its first wait.', async () => {
  using _clock = virtualClock();
  await sleep(100);
  const seen: string[] = [];
  await assert.rejects(
    timeoutAt(getRunningLoop().time() - 50, async () => {
      seen.push('started');
      await sleep(0);
      seen.push('never');
    }),
    { name: 'TimeoutError' },
  );
  assert.deepEqual(seen, ['started']);
});

test('moveOnAfter gives undefined instead of throwing.', async () => {
  using _clock = virtualClock();
  assert.equal(await moveOnAfter(10, () => sleepForever()), undefined);
  assert.equal(await moveOnAfter(10, async () => 'soba'), 'soba');
  await assert.rejects(
    moveOnAfter(10, () => Promise.reject(new Error('burnt'))),
    { message: 'burnt' },
  );
});

test('waitFor(task) cancels the task and waits for its end; a value that it gives then counts.', async () => {
  using clock = virtualClock();
  const slow = createTask(async () => {
    try {
      await sleepForever();
    } finally {
      await shield(() => sleep(20));
    }
  });
  await assert.rejects(waitFor(slow, 10), { name: 'TimeoutError' });
  assert.equal(slow.state, 'cancelled');
  assert.equal(clock.now(), 30);
  const late = createTask(() => sleepForever().catch(() => 'just made it'));
  assert.equal(await waitFor(late, 10), 'just made it');
  assert.equal(await waitFor(() => 'fn', 10), 'fn');
  await assert.rejects(
    waitFor(async function fn() {
      await sleepForever();
    }, 10),
    { message: 'fn was not done within 10 ms' },
  );
});

test('waitFor over a shielded task times out and leaves the task running.', async () => {
  using _clock = virtualClock();
  const task = createTask(async () => {
    await sleep(100);
    return 'made it';
  });
  await assert.rejects(
    waitFor(() => shield(task), 10),
    { name: 'TimeoutError' },
  );
  assert.equal(task.state, 'running');
  assert.equal(await task, 'made it');
});

test('currentDeadline is the earliest around', async () => {
  using _clock = virtualClock();
  assert.equal(currentDeadline(), null);
  await timeout(100, () =>
    timeout(500, async () => {
      assert.equal(currentDeadline(), 100);
      await shield(() => assert.equal(currentDeadline(), null));
    }),
  );
});

test('times that make no sense are refused', async () => {
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined, {}]) {
    const expected = { code: 'SBY_ASYNCIO_BAD_TIME', message: /takes a time in milliseconds, got/ };
    assert.throws(() => sleep(bad as number), expected);
    if (bad !== null) {
      await assert.rejects(
        timeout(bad as number, () => 1),
        expected,
      );
      await assert.rejects(
        moveOnAfter(bad as number, () => 1),
        expected,
      );
      await assert.rejects(
        waitFor(() => 1, bad as number),
        expected,
      );
    }
    assert.throws(() => getRunningLoop().callLater(bad as number, () => {}), expected);
    if (bad !== -1) assert.throws(() => sleepUntil(bad as number), expected);
  }
  assert.throws(() => sleep(-1), {
    message: 'sleep() takes a time in milliseconds, got -1. Give a finite number that is zero or more',
  });
  // @ts-expect-error a promise is no block
  await assert.rejects(timeout(5, Promise.resolve(1)), {
    message: /timeout\(\) takes functions, but argument 2 is a promise/,
  });
});

test('a sleep longer than Node’s longest timer does not end at once', async () => {
  const task = createTask(() => sleep(2 ** 31 + 5));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(task.done, false);
  task.cancel();
  await task.ended;
});
