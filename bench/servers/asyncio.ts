/** Sides that measure themselves for cases/asyncio.ts. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  createTask,
  currentContext,
  debugMode,
  gather,
  run,
  shield,
  sleep,
  taskGroup,
  timeout,
  until,
} from '../../src/asyncio/index.ts';
import { type Measured, operationsPerSecond } from '../harness.ts';

const storage = new AsyncLocalStorage<object>();
const context = {};

async function call(): Promise<number> {
  await null;
  return 1;
}
const calls = Array.from({ length: 100 }, () => call);
const immediate = (): Promise<number> => new Promise((resolve) => setImmediate(resolve, 1));
const immediates = Array.from({ length: 100 }, () => immediate);
const naps = Array.from({ length: 100 }, () => () => sleep(1));
const timers = Array.from({ length: 100 }, () => () => new Promise((resolve) => setTimeout(resolve, 1)));

const sides: Record<string, () => unknown> = {
  'bare call': () => storage.run(context, call),
  createTask: () => createTask(call),
  'Promise.all of 100 sleeps': () => Promise.all(naps.map((nap) => nap())),
  'gather of 100 sleeps': () => gather(...naps),
  'Promise.all of 100 timers': () => Promise.all(timers.map((timer) => timer())),
  'gather of 100 timers': () => gather(...timers),
  'Promise.all of 100 turns': () => Promise.all(immediates.map((turn) => storage.run(context, turn))),
  'gather of 100 turns': () => gather(...immediates),
  'Promise.all of 100 calls': () => Promise.all(calls.map((each) => storage.run(context, each))),
  'gather of 100 calls': () => gather(...calls),
  'group of 100 calls': () =>
    taskGroup((group) => {
      for (const each of calls) group.start(each);
    }),
  timeout: () => timeout(1000, call),
  'bare timeout': () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      timer = setTimeout(reject, 1000);
    });
    return Promise.race([storage.run(context, call), late]).finally(() => clearTimeout(timer));
  },
  shield: () => shield(call),
  until: () => until(call()),
};

/** As `operationsPerSecond`, and how much of a core it took: what is compared when timers make everybody wait. */
async function measure(fn: () => unknown): Promise<Record<string, number>> {
  const before = process.cpuUsage();
  const began = performance.now();
  const perSecond = await operationsPerSecond(fn);
  const cpu = process.cpuUsage(before);
  const operations = (perSecond * (performance.now() - began)) / 1000;
  return { perSecond, cpuNanos: ((cpu.user + cpu.system) * 1000) / operations };
}

/** How the heap grows over many operations under one scope that lives long. */
async function growth(operations: number, kind: string): Promise<Record<string, number>> {
  const collect = (globalThis as unknown as { gc: () => void }).gc;
  const kinds: Record<string, () => Promise<unknown>> = {
    sleep: () => sleep(0),
    timeout: () => timeout(60_000, () => sleep(0)),
    'cancelled task': async () => {
      const task = createTask(() => sleep(60_000));
      task.cancel();
      await task.ended;
    },
  };
  const operation = kinds[kind] as () => Promise<unknown>;
  const batch = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1000) await Promise.all(Array.from({ length: 1000 }, operation));
  };
  return run(async () => {
    const settle = async (): Promise<number> => {
      await sleep(5);
      collect();
      return process.memoryUsage().heapUsed;
    };
    await batch(20_000);
    const before = await settle();
    await batch(operations);
    const after = await settle();
    const { scope } = currentContext();
    let left = 0;
    for (let waiter = scope.head; waiter !== null; waiter = waiter.next) left++;
    for (let kid = scope.kids; kid !== null; kid = kid.next as typeof scope.kids) left++;
    return { bytesPerOperation: (after - before) / operations, left };
  });
}

export async function start(options: {
  side: string;
  operations?: number;
  debug?: boolean;
}): Promise<Measured> {
  if (options.debug === true) await debugMode();
  const { operations } = options;
  if (operations !== undefined) return { round: () => growth(operations, options.side) };
  const fn = sides[options.side] as () => unknown;
  return { round: () => measure(fn) };
}
