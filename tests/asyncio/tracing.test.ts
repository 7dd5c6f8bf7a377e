import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { describe, test } from 'node:test';
import { bindContext, currentContext, tracePromise } from 'sobaya/asyncio';

interface Message {
  readonly n: number;
  result?: unknown;
  error?: unknown;
}
let channels = 0;
const make = () => tracingChannel<Message, object>(`test:${++channels}`);

/** What subscribers saw, by Node's own way and by ours. */
async function events(way: 'node' | 'ours', work: () => Promise<unknown>): Promise<unknown[]> {
  const channel = make();
  const seen: unknown[] = [];
  const on = (name: string) => (message: Message) =>
    seen.push([
      name,
      'result' in message ? message.result : '-',
      (message.error as Error | undefined)?.message,
    ]);
  channel.subscribe({
    start: on('start'),
    end: on('end'),
    asyncStart: on('asyncStart'),
    asyncEnd: on('asyncEnd'),
    error: on('error'),
  } as never);
  const promise =
    way === 'node' ? () => channel.tracePromise(work, { n: 1 }) : () => tracePromise(channel, work, { n: 1 });
  try {
    seen.push(['value', await promise()]);
  } catch (error) {
    seen.push(['thrown', (error as Error).message]);
  }
  return seen;
}

describe('tracePromise tells what Node’s own tells', () => {
  const works: Record<string, () => Promise<unknown>> = {
    'a value': async () => 7,
    'a value that takes its time': () => new Promise((resolve) => setImmediate(resolve, 8)),
    'a failure': () => Promise.reject(new Error('no soba')),
    'a failure at once': () => {
      throw new Error('no pot');
    },
  };
  for (const [name, work] of Object.entries(works))
    test(name, async () => assert.deepEqual(await events('ours', work), await events('node', work)));
});

test('tracePromise: storages of others that are bound to start are entered', async () => {
  const channel = make();
  const storage = new AsyncLocalStorage<string>();
  channel.start.bindStore(storage as never, ((message: Message) => `n${message.n}`) as never);
  const inside = await tracePromise(
    channel,
    async () => {
      await null;
      return storage.getStore();
    },
    { n: 3 },
  );
  assert.equal(inside, 'n3');
  assert.equal(storage.getStore(), undefined);
});

test('tracePromise: the bound context is that of the call and of what it awaits, and is left again', async () => {
  const channel = make();
  const before = currentContext();
  const trace = {};
  const undo = bindContext(channel.start as never, () => before.withSpan(trace, 5));
  try {
    const inside = await tracePromise(
      channel,
      async () => {
        await null;
        return currentContext().span;
      },
      { n: 1 },
    );
    assert.equal(inside, 5);
    assert.equal(currentContext(), before);
    const both = new AsyncLocalStorage<string>();
    channel.start.bindStore(both as never, (() => 'beside') as never);
    assert.deepEqual(
      await tracePromise(channel, async () => [currentContext().span, both.getStore()], { n: 1 }),
      [5, 'beside'],
    );
    channel.start.unbindStore(both as never);
  } finally {
    undo();
  }
});
