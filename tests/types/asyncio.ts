/** What compiles and what does not: asyncio and sync. Checked by tsc alone. */
import {
  asCompleted,
  createTask,
  type Deadline,
  gather,
  Lock,
  mapConcurrent,
  moveOnAfter,
  PriorityQueue,
  Queue,
  run,
  shield,
  sleep,
  type Task,
  taskGroup,
  timeout,
  underSignal,
  wait,
  waitFor,
} from 'sobaya/asyncio';
import { asyncToSync, syncToAsync } from 'sobaya/sync';

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>): void => {};

export async function accepted(): Promise<void> {
  const tuple = await gather(
    () => 1,
    async () => 'two',
    createTask(() => Promise.resolve(true)),
  );
  same<typeof tuple, [number, string, boolean]>(true);
  const list = await gather(...[1, 2].map((n) => async () => n));
  same<typeof list, number[]>(true);
  const settled = await gather.settled(
    () => 1,
    async () => 'x',
  );
  same<typeof settled, [PromiseSettledResult<number>, PromiseSettledResult<string>]>(true);
  const task = createTask(async () => 1);
  same<typeof task, Task<number>>(true);
  const value = await task;
  same<typeof value, number>(true);
  const result = task.result();
  same<typeof result, number>(true);
  const inTime = await timeout(5, async (deadline: Deadline) => deadline.when);
  same<typeof inTime, number | null>(true);
  const maybe = await moveOnAfter(5, () => 'x');
  same<typeof maybe, string | undefined>(true);
  const fromGroup = await taskGroup(async (group) => {
    const port = await group.startUntilReady<number>((ready) => ready(1));
    same<typeof port, number>(true);
    return group.start(() => 'x');
  });
  same<typeof fromGroup, string>(true);
  const mapped = await mapConcurrent(['a'], 2, async (item, index) => item.length + index);
  same<typeof mapped, number[]>(true);
  for await (const each of asCompleted([() => 1, createTask(() => 2)])) same<typeof each, number>(true);
  const { done } = await wait([task]);
  same<typeof done, Set<Task<number>>>(true);
  const shielded = await shield(task);
  same<typeof shielded, number>(true);
  const waited = await waitFor(async () => 1n, 5);
  same<typeof waited, bigint>(true);
  const main = await run(async () => 'x');
  same<typeof main, string>(true);
  using held = await new Lock().acquire();
  held.release();
  const item = await new Queue<Date>().get();
  same<typeof item, Date>(true);
  const heavy = syncToAsync<typeof import('../sync/fixtures/heavy.ts')>('file:///heavy.ts');
  const sum = await heavy.add(1, 2);
  same<typeof sum, number>(true);
  const back = asyncToSync<typeof import('../sync/fixtures/async.ts')>('file:///async.ts');
  const answer = back.answer('x');
  same<typeof answer, string>(true);
}

export function refused(): void {
  // @ts-expect-error a promise already runs
  void gather(sleep(1));
  // @ts-expect-error a promise already runs
  createTask(sleep(1));
  // @ts-expect-error a value is no work
  void gather(() => 1, 2);
  // @ts-expect-error a promise is no block
  void timeout(5, sleep(1));
  // @ts-expect-error milliseconds, no text
  void sleep('5');
  // @ts-expect-error the limit comes second
  void mapConcurrent(['a'], async (item: string) => item, 2);
  // @ts-expect-error functions have to be started first
  void wait([() => 1]);
  // @ts-expect-error a promise is no program
  void run(sleep(1));
  // @ts-expect-error the signal, not its controller
  void underSignal(new AbortController(), () => 1);
  // @ts-expect-error an object has no order
  new PriorityQueue<object>({ key: (it) => it });
  // @ts-expect-error no such option
  createTask(() => 1, { nmae: 'x' });
  // @ts-expect-error a closure cannot cross to a thread
  syncToAsync(() => 1);
  const heavy = syncToAsync<typeof import('../sync/fixtures/heavy.ts')>('file:///heavy.ts');
  // @ts-expect-error add takes numbers
  void heavy.add('1', '2');
  // @ts-expect-error a class is no function to call
  void heavy.SoupError('x');
  // @ts-expect-error no such function
  void heavy.nothing();
  const task = createTask(() => 1);
  // @ts-expect-error names are for people, and stay
  task.name = 'other';
}
