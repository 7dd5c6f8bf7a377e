import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { defaultPool, type SyncCallMessage, syncCallChannel, syncToAsync } from 'sobaya/sync';

after(() => defaultPool().close({ force: true }));

test('sobaya:sync.call tells of every call', async () => {
  const heavy = syncToAsync<typeof import('./fixtures/heavy.ts')>(import.meta.resolve('./fixtures/heavy.ts'));
  const seen: SyncCallMessage[] = [];
  const subscriber = { start: () => {}, asyncEnd: (message: SyncCallMessage) => void seen.push(message) };
  const channel = syncCallChannel as unknown as { subscribe(s: object): void; unsubscribe(s: object): void };
  channel.subscribe(subscriber);
  await heavy.add(1, 2);
  await heavy.fail('x').catch(() => {});
  channel.unsubscribe(subscriber);
  await heavy.add(1, 2);
  assert.deepEqual(
    seen.map((message) => [message.function, message.kind, message.threadSensitive]),
    [
      ['add', 'thread', true],
      ['fail', 'thread', true],
    ],
  );
  assert.ok((seen[0]?.waited ?? -1) >= 0);
  assert.ok((seen[0]?.thread ?? 0) > 0);
});
