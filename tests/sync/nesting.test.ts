import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createTask, gather, timeout } from 'sobaya/asyncio';
import { asyncToSync, defaultPool, syncToAsync, ThreadPool } from 'sobaya/sync';
import * as there from './fixtures/async.ts';
import { user } from './fixtures/heavy.ts';

type Heavy = typeof import('./fixtures/heavy.ts');
const url = import.meta.resolve('./fixtures/heavy.ts');
const { heavy, state } = there;
after(() => defaultPool().close({ force: true }));

test('async in sync: a thread asks the main loop and waits', async () => {
  assert.match(await heavy.ask('soba'), /^SOBA in \d+$/);
  assert.match(await heavy.askInCatch(), /^first, THEN$/);
});

test('sync in async in sync: the inner call runs in the very thread that waits', async () => {
  const { here, inner } = await heavy.askThread();
  assert.equal(here, inner);
});

test('five levels deep, still one thread', async () => {
  const threads = await heavy.askDeep(5);
  assert.equal(threads.length, 6);
  assert.equal(new Set(threads).size, 1);
});

test('in a spawned task it is the same', async () => {
  assert.ok((await heavy.askAnything('inTask')) as number);
  const [a, b] = await gather(
    () => heavy.askThread(),
    () => heavy.askThread(),
  );
  assert.equal(a.inner, a.here);
  assert.equal(b.inner, b.here);
});

test('errors go through both ways', async () => {
  assert.equal(await heavy.askFailing(), 'RangeError ESOLDOUT: sold out');
  await assert.rejects(heavy.askAndThrow(), (error: Error) => {
    assert.ok(error instanceof RangeError);
    assert.equal(error.message, 'sold out');
    assert.equal((error as { code?: string }).code, 'ESOLDOUT');
    return true;
  });
});

test('on the thread of the loop asyncToSync is refused by name', () => {
  const sync = asyncToSync<typeof import('./fixtures/async.ts')>(import.meta.resolve('./fixtures/async.ts'));
  assert.throws(() => sync.answer('x'), {
    code: 'SBY_SYNC_ON_LOOP',
    message:
      /answer\(\) was called through asyncToSync\(\) on the thread of the event loop, it would wait for itself for ever\. Write await answer\(\) here/,
  });
  // @ts-expect-error a closure is no module
  assert.throws(() => asyncToSync(async () => 1), {
    code: 'SBY_SYNC_NOT_A_MODULE',
    message: /asyncToSync\(\) takes the URL/,
  });
});

test('a deadlock is named: an async function, or a module with top-level await, on a blocked thread', async () => {
  await assert.rejects(heavy.askForAsync(), {
    code: 'SBY_SYNC_DEADLOCK',
    message:
      /heavy\.ts later\(\) would deadlock: its thread is blocked in asyncToSync\(\) and waits for this very call, but later\(\) is async/,
  });
});

test('a call of the same context that is waited for while the thread is blocked is served there', async () => {
  await createTask(async () => {
    const first = createTask(() => heavy.askForLater());
    state.second = createTask(() => heavy.add(20, 22));
    assert.equal(await first, 'second came first');
    assert.equal(await state.second, 42);
  });
});

test('when all threads are blocked, calls on their behalf run on top of them', async () => {
  await using pool = new ThreadPool({ threads: 2 });
  state.free = syncToAsync<Heavy>(url, { pool, threadSensitive: false });
  const mine = state.free;
  const [a, b, c] = await gather(
    () => mine.askAnything('freeInner'),
    () => mine.askAnything('freeInner'),
    () => mine.askAnything('freeInner'),
  );
  assert.ok(Number(a) > 0 && Number(b) > 0 && Number(c) > 0);
});

test('cancelling reaches the async function that a thread waits for, and frees the thread', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const mine = syncToAsync<Heavy>(url, { pool });
  const slow = Promise.withResolvers<void>();
  state.onSlow = slow.resolve;
  const task = createTask(() => mine.askSlowly());
  await slow.promise;
  task.cancel('the customer left');
  await task.ended;
  assert.equal(task.state, 'cancelled');
  assert.equal(state.reason, 'the customer left');
  assert.equal(await mine.add(1, 1), 2);
});

test('a deadline ends it as well', async () => {
  await heavy.add(0, 0);
  await assert.rejects(
    timeout(50, () => heavy.askSlowly()),
    { name: 'TimeoutError' },
  );
});

test('what a thread sets is seen by the async function it asks for', async () => {
  assert.equal(await user.run('Aiko', () => heavy.askUser()), 'guest');
});

test('functions that are not there, results that cannot travel', async () => {
  await assert.rejects(heavy.askAnything('nothing'), {
    code: 'SBY_SYNC_NO_FUNCTION',
    message: /async\.ts exports no function "nothing"/,
  });
});

test('after shutdown a new pool is as good as the first', async () => {
  const first = new ThreadPool({ threads: 1 });
  const one = syncToAsync<Heavy>(url, { pool: first });
  assert.match(await one.ask('a'), /^A in/);
  await first.close();
  await using second = new ThreadPool({ threads: 1 });
  const two = syncToAsync<Heavy>(url, { pool: second });
  assert.match(await two.ask('b'), /^B in/);
  await assert.rejects(one.ask('c'), { code: 'SBY_SYNC_CLOSED' });
});

test('a thread that dies while it asks', async () => {
  await using pool = new ThreadPool({ threads: 1 });
  const mine = syncToAsync<Heavy>(url, { pool, onCancel: 'kill' });
  const slow = Promise.withResolvers<void>();
  state.onSlow = slow.resolve;
  const task = createTask(() => mine.askSlowly());
  await slow.promise;
  task.cancel();
  await task.ended;
  assert.equal(await mine.add(1, 1), 2);
});
