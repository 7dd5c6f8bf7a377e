import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  allTasks,
  ContextVar,
  captureCallGraph,
  checkpoint,
  createTask,
  type ExceptionContext,
  gather,
  getRunningLoop,
  Lock,
  printCallGraph,
  sleep,
  sleepUntil,
  timeout,
  until,
} from 'sobaya/asyncio';
import { virtualClock } from 'sobaya/test';

test('callSoon, callLater, callAt: order, cancelling, context', async () => {
  using clock = virtualClock();
  const loop = getRunningLoop();
  const who = new ContextVar<string>('who', 'nobody');
  const seen: string[] = [];
  const note = (what: string): void => void seen.push(`${what} ${who.get()} ${clock.now()}`);
  who.run('cook', () => {
    loop.callSoon(note, 'soon');
    loop.callSoon(note, 'cancelled').cancel();
    loop.callLater(20, note, 'later');
    loop.callAt(loop.time() + 10, note, 'at');
    assert.equal(loop.callLater(5, note, 'never').cancelled, false);
    loop.callLater(6, note, 'cancelled').cancel();
  });
  await sleepUntil(30);
  assert.deepEqual(seen, ['soon cook 0', 'never cook 5', 'at cook 10', 'later cook 20']);
  // @ts-expect-error not a function
  assert.throws(() => loop.callSoon('x'), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});

test('errors of callbacks go to the exception handler', async () => {
  const loop = getRunningLoop();
  const seen: ExceptionContext[] = [];
  loop.setExceptionHandler((context) => seen.push(context));
  try {
    assert.notEqual(loop.getExceptionHandler(), null);
    loop.callSoon(function cook() {
      throw new Error('sync');
    });
    loop.callSoon(() => Promise.reject(new Error('async')));
    for (let round = 0; round < 1000 && seen.length < 2; round++) await checkpoint();
  } finally {
    loop.setExceptionHandler(null);
  }
  assert.deepEqual(
    seen.map(({ message, exception }) => `${message}: ${(exception as Error).message}`),
    ['A callback failed: cook: sync', 'A callback failed: anonymous: async'],
  );
  // @ts-expect-error not a function
  assert.throws(() => loop.setExceptionHandler('x'), { code: 'SBY_ASYNCIO_NOT_A_FUNCTION' });
});

test('runInExecutor needs an executor', async () => {
  await assert.rejects(getRunningLoop().runInExecutor(null, './x.ts', 'f'), {
    code: 'SBY_ASYNCIO_NO_EXECUTOR',
    message: /runInExecutor\(\) got no executor and there is no default one\. Give it a pool/,
  });
  const executor = {
    submit: async (module: string | URL, name: string, ...args: unknown[]) => [module, name, args],
  };
  assert.deepEqual(await getRunningLoop().runInExecutor(executor, './x.ts', 'f', 1), ['./x.ts', 'f', [1]]);
});

test('the call graph: tasks, scopes, what each waits for, the holder of a lock', async () => {
  const lock = new Lock('stove');
  const restaurant = createTask(
    async () => {
      using _held = await lock.acquire();
      await gather(
        async function customer() {
          await timeout(60_000, () => sleep(50_000));
        },
        async function waiter() {
          await lock.acquire();
        },
        async function delivery() {
          await until(new Promise(() => {}), `query ${'x'.repeat(500)}`);
        },
      );
    },
    { name: 'restaurant' },
  );
  await sleep(2);
  let text = '';
  printCallGraph(restaurant, (printed) => {
    text = printed;
  });
  const lines = text.replaceAll(/ #\d+ · \d+ ms/g, '').split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    'restaurant',
    '└─ gather',
    '   ├─ customer',
    '   │  └─ timeout 60000 ms · waits for sleep 50000 ms',
    '   ├─ waiter · waits for lock "stove", held by task "restaurant"',
  ]);
  assert.match(lines[5] ?? '', /^ {3}└─ delivery · waits for query x{193}…$/);
  const [node] = captureCallGraph(restaurant);
  assert.equal(node?.kind, 'task');
  assert.ok((node?.age ?? 0) >= 1);
  assert.ok(captureCallGraph().some((top) => top.kind === 'program'));
  assert.ok(allTasks().some((task) => task.name === 'customer'));
  restaurant.cancel();
  await restaurant.ended;
  assert.ok(!allTasks().some((task) => task.name === 'customer'));
});

test('slowCallbackDuration is checked', () => {
  const loop = getRunningLoop();
  assert.equal(loop.slowCallbackDuration, 100);
  assert.throws(
    () => {
      loop.slowCallbackDuration = -1;
    },
    { code: 'SBY_ASYNCIO_BAD_TIME' },
  );
});
