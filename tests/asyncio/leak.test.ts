import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createTask,
  currentContext,
  gather,
  Lock,
  Queue,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  timeout,
  until,
  withSignal,
} from 'sobaya/asyncio';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const lock = new Lock();
const queue = new Queue<number>();
const operations: Record<string, () => PromiseLike<unknown>> = {
  sleep: () => sleep(0),
  until: () => until(Promise.resolve()),
  withSignal: () => withSignal(async () => {}),
  timeout: () => timeout(60_000, () => sleep(0)),
  'a timeout that expires': () => timeout(0, () => sleep(60_000)).catch(() => {}),
  gather: () =>
    gather(
      () => sleep(0),
      () => 1,
    ),
  group: () => taskGroup((group) => group.start(() => sleep(0))),
  task: () => createTask(() => sleep(0)),
  'a cancelled task': () => {
    const task = createTask(() => sleepForever());
    task.cancel();
    return task.ended;
  },
  shield: () => shield(() => sleep(0)),
  lock: () => lock.run(() => Promise.resolve()),
  queue: async () => {
    await queue.put(1);
    await queue.get();
  },
};

test('under one long-lived scope the heap does not grow, and nothing stays linked', async () => {
  await run(async () => {
    for (const [name, operation] of Object.entries(operations)) {
      const batch = async (count: number): Promise<void> => {
        for (let done = 0; done < count; done += 500)
          await Promise.all(Array.from({ length: 500 }, operation));
      };
      const settled = async (): Promise<number> => {
        for (let round = 0; round < 3; round++) {
          await sleep(2);
          collect();
        }
        return process.memoryUsage().heapUsed;
      };
      const count = 2000;
      let perOperation = Number.POSITIVE_INFINITY;
      await batch(1000);
      // The engine's own tables grow now and then: what leaks grows every time.
      for (let attempt = 0; attempt < 4 && perOperation > 20; attempt++) {
        const before = await settled();
        await batch(count);
        perOperation = ((await settled()) - before) / count;
      }
      assert.ok(perOperation <= 20, `${name}: ${perOperation} bytes are left of each`);
      assert.equal(currentContext().scope.head, null, name);
      assert.equal(currentContext().scope.kids, null, name);
    }
  });
});
