import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createTask,
  Event,
  findDeadlocks,
  formatDeadlock,
  gather,
  Lock,
  sleep,
  sleepForever,
  type Task,
  taskGroup,
  timeout,
} from 'sobaya/asyncio';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const names = (): string[][] => findDeadlocks().map((links) => links.map(({ task }) => task.name).sort());

async function ends(...tasks: Task<unknown>[]): Promise<void> {
  for (const task of tasks) task.cancel();
  for (const task of tasks) await task.ended;
  assert.deepEqual(findDeadlocks(), []);
}

test('two tasks that await each other', async () => {
  let b!: Task<unknown>;
  const a = createTask(
    async () => {
      await turn();
      await b;
    },
    { name: 'a' },
  );
  b = createTask(async () => a, { name: 'b' });
  await turn();
  await turn();
  assert.deepEqual(names(), [['a', 'b']]);
  const text = formatDeadlock(findDeadlocks()[0] ?? []);
  assert.match(
    text,
    /^2 tasks wait for each other, for ever unless work that is not ours goes on in one of them\n/,
  );
  assert.match(text, /\n {2}a #\d+ waits for task "b"/);
  await ends(a, b);
});

test('a child that awaits its parent, in a gather, in a group, awaited alone', async () => {
  const ways: ((fn: () => Promise<void>) => unknown)[] = [
    (fn) => createTask(fn, { name: 'child' }),
    (fn) => gather(Object.defineProperty(fn, 'name', { value: 'child' })),
    (fn) => taskGroup((group) => void group.start(fn, { name: 'child' })),
  ];
  for (const start of ways) {
    const parent: Task<unknown> = createTask(
      async () => {
        await start(async () => {
          await turn();
          await parent;
        });
      },
      { name: 'parent' },
    );
    await turn();
    await turn();
    assert.deepEqual(names(), [['child', 'parent']]);
    await ends(parent);
  }
});

test('two locks taken in different order, and one lock taken twice', async () => {
  const stove = new Lock('stove');
  const sink = new Lock('sink');
  const both = (first: Lock, second: Lock) => async (): Promise<void> => {
    using _one = await first.acquire();
    await turn();
    using _two = await second.acquire();
  };
  const a = createTask(both(stove, sink), { name: 'a' });
  const b = createTask(both(sink, stove), { name: 'b' });
  const innocent = createTask(() => stove.acquire(), { name: 'innocent' });
  await turn();
  await turn();
  assert.deepEqual(names(), [['a', 'b']]);
  assert.match(formatDeadlock(findDeadlocks()[0] ?? []), /a #\d+ waits for lock "sink", held by task "b"/);
  await ends(a, b, innocent);
  const twice = createTask(both(stove, stove), { name: 'twice' });
  await turn();
  await turn();
  assert.deepEqual(names(), [['twice']]);
  assert.match(formatDeadlock(findDeadlocks()[0] ?? []), /^A task waits for itself/);
  await ends(twice);
});

test('no deadlock: a deadline, a timer, an event, a signal can still end it', async () => {
  let b!: Task<unknown>;
  const waits: (() => unknown)[] = [
    () => timeout(60_000, () => b),
    () => Promise.race([b, sleep(60_000)]),
    () => Promise.race([b, new Event().wait()]),
    () => Promise.race([b, sleepForever({ signal: new AbortController().signal })]),
  ];
  for (const wait of waits) {
    const a = createTask(async () => {
      await turn();
      await wait();
    });
    b = createTask(async () => a);
    await turn();
    await turn();
    assert.deepEqual(names(), []);
    await ends(a, b);
  }
});

test('whatever waits for whatever: exactly those are named that nobody else can wake', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.nat({ max: 7 })), { minLength: 1, maxLength: 8 }),
      async (targets) => {
        const tasks: Task<unknown>[] = [];
        for (const [index, target] of targets.entries())
          tasks.push(
            createTask(
              async () => {
                await turn();
                const other = target === null ? undefined : tasks[target];
                await (other === undefined || target === index ? sleepForever() : other);
              },
              { name: String(index) },
            ),
          );
        await turn();
        await turn();
        // A circle is where following the targets comes back to.
        const circles = new Set<string>();
        for (const start of targets.keys()) {
          let at: number | null = start;
          const way: number[] = [];
          while (at !== null && !way.includes(at)) {
            way.push(at);
            const next: number | null = targets[at] ?? null;
            at = next === null || next === at || next >= targets.length ? null : next;
          }
          if (at !== null) circles.add(way.slice(way.indexOf(at)).map(String).sort().join());
        }
        assert.deepEqual(new Set(names().map((each) => each.join())), circles);
        await ends(...tasks);
      },
    ),
    { numRuns: 200 },
  );
});
