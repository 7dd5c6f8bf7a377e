import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createTask, gather, getRunningLoop, sleep, type Task, timeout } from 'sobaya/asyncio';
import { defaultPool, ProcessPool, syncToAsync, ThreadPool, threadSensitiveContext } from 'sobaya/sync';
import { SoupError, user } from './fixtures/heavy.ts';

type Heavy = typeof import('./fixtures/heavy.ts');
const url = import.meta.resolve('./fixtures/heavy.ts');
const heavy = syncToAsync<Heavy>(url);
const free = syncToAsync<Heavy>(url, { threadSensitive: false });
after(() => defaultPool().close({ force: true }));

test('a function of a module runs in another thread, typed', async () => {
  const sum: number = await heavy.add(1, 2);
  assert.equal(sum, 3);
  assert.notEqual(await heavy.thread(), 0);
  assert.equal(await heavy.later('soba'), 'soba');
  // @ts-expect-error add takes numbers
  assert.equal(await heavy.add('a', 'b'), 'ab');
  // @ts-expect-error there is no such function
  await assert.rejects(heavy.subtract(1, 2), {
    code: 'SBY_SYNC_NO_FUNCTION',
    message: /heavy\.ts exports no function "subtract" \(file:.*\)\. It exports SoupError, add/,
  });
});

test('what is no module is refused, and what to write is shown', async () => {
  // @ts-expect-error a function cannot cross
  assert.throws(() => syncToAsync(() => 1), {
    code: 'SBY_SYNC_NOT_A_MODULE',
    message:
      /syncToAsync\(\) takes the URL of a module, got function.*Put the function into a file of its own and write syncToAsync<typeof import/,
  });
  assert.throws(() => syncToAsync('./heavy.ts'), {
    code: 'SBY_SYNC_RELATIVE_MODULE',
    message:
      /syncToAsync\(\) got "\.\/heavy\.ts", which is no URL\. Write syncToAsync\(import\.meta\.resolve\("\.\/heavy\.ts"\)\)/,
  });
  await assert.rejects(syncToAsync<Heavy>(import.meta.resolve('./fixtures/none.ts')).add(1, 1), {
    code: 'SBY_SYNC_NO_MODULE',
    message: /none\.ts could not be loaded: Cannot find module/,
  });
  await assert.rejects(syncToAsync<Heavy>(import.meta.resolve('./fixtures/broken.ts')).add(1, 1), {
    message: /broken\.ts could not be loaded: this module does not want to be loaded/,
  });
});

test('thread-sensitive: the calls of one context run in order in one thread, and module state stays', async () => {
  const one = createTask(() =>
    gather(
      () => heavy.note('a', 10),
      () => heavy.note('b'),
      () => heavy.note('c'),
      () => heavy.thread(),
      () => heavy.thread(),
    ),
  );
  const [, , order, first, second] = await one;
  assert.deepEqual(order.slice(-3), ['a', 'b', 'c']);
  assert.equal(first, second);
});

test('thread-sensitive contexts: each its own thread while there are enough, the outermost wins', async () => {
  await using pool = new ThreadPool({ threads: 3 });
  const mine = syncToAsync<Heavy>(url, { pool });
  const inContext = (): Promise<number[]> =>
    threadSensitiveContext(async () => {
      const before = await mine.thread();
      const nested = await threadSensitiveContext(() => mine.thread());
      const inTask = await createTask(() => mine.thread());
      assert.deepEqual([nested, inTask], [before, before]);
      return [before];
    });
  const [[a], [b]] = await gather(inContext, inContext);
  assert.notEqual(a, b);
  // Different topmost tasks are different contexts as well.
  const [c, d] = await Promise.all([createTask(() => mine.thread()), createTask(() => mine.thread())]);
  assert.notEqual(c, d);
});

test('threadSensitive: false runs side by side', async () => {
  await using pool = new ThreadPool({ threads: 2 });
  const mine = syncToAsync<Heavy>(url, { pool, threadSensitive: false });
  const [a, b] = await gather(
    () => mine.block(60),
    () => mine.block(60),
  );
  assert.notEqual(a, b);
});

test('context variables with plain values and the deadline travel', async () => {
  assert.equal(await heavy.whoIsIt(), 'nobody');
  assert.equal(await user.run('Aiko', () => heavy.whoIsIt()), 'Aiko');
  assert.equal(await user.run((() => 1) as never, () => heavy.whoIsIt()), 'nobody');
  assert.equal(await user.run({ deep: () => 1 } as never, () => heavy.whoIsIt()), 'nobody');
  assert.equal(await heavy.left(), null);
  const left = await timeout(5000, () => heavy.left());
  assert.ok(left !== null && left > 1000 && left <= 5000);
});

test('errors keep class, message, code, properties, causes and both stacks', async () => {
  async function customer(): Promise<void> {
    await heavy.fail('too salty');
  }
  await assert.rejects(customer(), (error: Error) => {
    assert.ok(error instanceof SoupError);
    assert.ok(error instanceof RangeError);
    assert.equal(error.message, 'too salty');
    assert.equal(error.code, 'ESOUP');
    assert.equal(error.bowl, 3);
    assert.ok(error.cause instanceof TypeError);
    assert.equal(error.cause.message, 'too hot');
    assert.equal(error.cause.cause, 'steam');
    assert.match(
      error.stack ?? '',
      /at (?:\w+\.)?fail .*heavy\.ts[\s\S]*--- called from ---[\s\S]*at customer .*sync-to-async\.test\.ts/,
    );
    return true;
  });
  await assert.rejects(heavy.failStrangely(), (error) => error === 'just a string');
  await assert.rejects(heavy.failWithMany(), (error: Error) => {
    assert.ok(error instanceof AggregateError);
    assert.ok(error.errors[0] instanceof SyntaxError);
    return true;
  });
});

test('what cannot be copied is named', async () => {
  await assert.rejects(heavy.echo([1, () => 1]), {
    code: 'SBY_SYNC_NOT_CLONEABLE',
    message: /argument 1 of echo\(\) cannot be copied to another thread: an array of 2\. Pass plain data/,
  });
  await assert.rejects(heavy.notCloneable(), {
    code: 'SBY_SYNC_NOT_CLONEABLE',
    message: /The result of notCloneable\(\) cannot be copied/,
  });
  assert.deepEqual(await heavy.echo(new Map([['a', [1n]]])), new Map([['a', [1n]]]));
});

test('memory is handed over with move', async () => {
  const { move } = await import('sobaya/sync');
  const pixels = new Uint8Array([1, 2, 3]);
  assert.deepEqual(await heavy.double(move(pixels)), new Uint8Array([2, 4, 6]));
  assert.equal(pixels.length, 0);
});

test('a thread that exits or crashes fails its call, and is replaced', async () => {
  await using pool = new ThreadPool({ threads: 1, name: 'frail' });
  const mine = syncToAsync<Heavy>(url, { pool });
  const dying = mine.exit(3);
  const next = mine.add(1, 1);
  await assert.rejects(dying, {
    code: 'SBY_SYNC_THREAD_DIED',
    message: /The thread that ran heavy\.ts exit\(\) died: it exited with code 3/,
  });
  assert.equal(await next, 2);
  await assert.rejects(mine.crash(), (error: Error) => {
    assert.match(error.message, /crash\(\) died: a bug elsewhere/);
    assert.equal((error.cause as Error).message, 'a bug elsewhere');
    return true;
  });
  assert.equal(await mine.add(2, 2), 4);
  assert.equal(pool.statistics().died, 2);
});

test('a memory limit', async () => {
  await using pool = new ThreadPool({ threads: 1, memory: 30 });
  const mine = syncToAsync<Heavy>(url, { pool });
  await assert.rejects(mine.fill(), { code: 'SBY_SYNC_THREAD_DIED', message: /memory limit/ });
  assert.equal(await mine.add(1, 1), 2);
});

test('cancelling: abandon, the default, stops waiting; the function can ask', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const mine = syncToAsync<Heavy>(url, { pool });
  await mine.add(0, 0);
  const task = createTask(() => mine.untilCancelled());
  await sleep(20);
  const start = performance.now();
  task.cancel();
  await task.ended;
  assert.equal(task.state, 'cancelled');
  assert.ok(performance.now() - start < 2000);
  assert.equal(await mine.add(1, 1), 2);
  assert.deepEqual(((s) => [s.completed, s.failed, s.cancelled, s.queued])(pool.statistics()), [3, 0, 1, 0]);
});

test('an error after the caller has left is reported, not lost', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const mine = syncToAsync<Heavy>(url, { pool });
  await mine.add(0, 0);
  const seen: string[] = [];
  const told = Promise.withResolvers<void>();
  getRunningLoop().setExceptionHandler(({ message, exception }) => {
    seen.push(`${message} ${(exception as Error).message}`);
    told.resolve();
  });
  const task = createTask(() => mine.failLater(30));
  await sleep(5);
  task.cancel();
  await task.ended;
  await told.promise;
  getRunningLoop().setExceptionHandler(null);
  assert.deepEqual(seen, [
    'thread heavy.ts failLater() failed after its caller had been cancelled: too late',
  ]);
});

test('cancelling: wait lets the function end first, kill ends the thread', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const waiting = syncToAsync<Heavy>(url, { pool, onCancel: 'wait' });
  const killing = syncToAsync<Heavy>(url, { pool, onCancel: 'kill' });
  await waiting.add(0, 0);
  const polite = createTask(() => waiting.untilCancelled());
  polite.cancel('closing time');
  await assert.rejects(async () => polite, { message: 'closing time' });
  assert.equal(pool.statistics().busy, 0);
  const start = performance.now();
  const stuck = createTask(() => killing.block(60_000));
  await sleep(30);
  stuck.cancel();
  await stuck.ended;
  assert.equal(await killing.add(1, 1), 2);
  assert.ok(performance.now() - start < 10_000);
});

test('cancelling what waits for a thread takes it out of the queue', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const mine = syncToAsync<Heavy>(url, { pool });
  const busy = createTask(() => mine.block(40));
  const queued: Task<unknown> = createTask(() => mine.note('never'));
  assert.equal(pool.statistics().queued, 1);
  queued.cancel();
  await queued.ended;
  assert.equal(pool.statistics().queued, 0);
  await busy;
  assert.deepEqual(await mine.note('only'), ['only']);
});

test('a bounded queue refuses by name', async () => {
  await using pool = new ThreadPool({ threads: 1, maxQueue: 1, name: 'small' });
  const mine = syncToAsync<Heavy>(url, { pool, threadSensitive: false });
  const results = [mine.block(20), mine.add(1, 1)];
  await assert.rejects(mine.add(2, 2), {
    code: 'SBY_SYNC_QUEUE_FULL',
    message: /1 calls wait for the pool "small" already\. Try again later/,
  });
  assert.equal((await Promise.all(results))[1], 2);
});

test('pools: submit, map, statistics, options, use after close', async () => {
  const pool = new ThreadPool({ threads: 2, name: 'kitchen' });
  assert.equal(await pool.submit(url, 'add', 1, 2), 3);
  assert.deepEqual(await pool.map(url, 'echo', [1, 2, 3]), [1, 2, 3]);
  const statistics = pool.statistics();
  assert.equal(statistics.completed, 4);
  assert.ok(statistics.runTime.max > 0 && statistics.runTime.mean <= statistics.runTime.max);
  const last = pool.submit(url, 'block', 20);
  await pool.close();
  await last;
  await assert.rejects(pool.submit(url, 'add', 1, 2), {
    code: 'SBY_SYNC_CLOSED',
    message: /The pool "kitchen" is closed, it takes no more calls/,
  });
  assert.throws(() => new ThreadPool({ threads: 0 }), {
    code: 'SBY_SYNC_BAD_OPTION',
    message: 'The option threads of a pool is 0. Give a whole number, 1 or more',
  });
});

test('a pool of processes', async () => {
  await using pool = new ProcessPool({ threads: 1, name: 'far' });
  const far = syncToAsync<Heavy>(url, { pool });
  assert.notEqual(await far.pid(), process.pid);
  assert.equal(await far.add(1, 2), 3);
  assert.equal(await user.run('Aiko', () => far.whoIsIt()), 'Aiko');
  await assert.rejects(far.fail('salty'), (error: Error) => error instanceof SoupError && error.bowl === 3);
  await assert.rejects(
    far.echo(() => 1),
    { code: 'SBY_SYNC_NOT_CLONEABLE' },
  );
  await assert.rejects(far.ask('x'), {
    code: 'SBY_SYNC_NO_WAY_BACK',
    message: /answer\(\) was called through asyncToSync\(\) in a process of a ProcessPool/,
  });
  const before = await far.pid();
  await assert.rejects(far.exit(4), {
    message: /The process that ran heavy\.ts exit\(\) died: it exited with code 4/,
  });
  assert.notEqual(await far.pid(), before);
});

test('the event loop stays free meanwhile', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await free.block(60);
  clearInterval(timer);
  assert.ok(ticks > 5, `${ticks} ticks`);
});
