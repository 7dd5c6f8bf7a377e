import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTask, gather, type Task } from 'sobaya/asyncio';
import { atomic, Databases, F, integer, Model, registerModels } from 'sobaya/db';
import { backends } from './support/backends.ts';
import { createTables } from './support/tables.ts';

class Account extends Model({ balance: integer() }) {}
class Entry extends Model({ source: integer(), target: integer(), amount: integer() }) {}
registerModels('bank', [Account, Entry]);

const ACCOUNTS = 6;
const START = 100;

/** Numbers that repeat from run to run; SOBAYA_SEED explores others. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
const seed = process.env['SOBAYA_SEED'] === 'random' ? Date.now() : 20261127;

for (const [name, server] of backends('bank'))
  describe(`money is conserved, ${name}`, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await new Databases({ default: await server.url() }).open();
      await databases.run(async () => {
        await createTables(databases, [Account, Entry]);
        await Account.bulkCreate(Array.from({ length: ACCOUNTS }, () => ({ balance: START })));
      });
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });

    /** In each of the ways that programs move money. */
    async function transfer(pick: () => number): Promise<void> {
      const source = 1 + Math.floor(pick() * ACCOUNTS);
      const target = 1 + ((source + Math.floor(pick() * (ACCOUNTS - 1))) % ACCOUNTS);
      const amount = 1 + Math.floor(pick() * 20);
      const how = Math.floor(pick() * 5);
      const book = (): Promise<unknown> => Entry.create({ source, target, amount });
      await atomic(
        async () => {
          if (how === 0) {
            // Read, think, write: only safe because the database says when it was not.
            const [from, to] = [await Account.get({ pk: source }), await Account.get({ pk: target })];
            if (pick() < 0.2) throw new Error('changed my mind');
            from.balance -= amount;
            to.balance += amount;
            await from.save();
            await to.save();
            await book();
          } else if (how === 1) {
            await Account.filter({ pk: source }).update({ balance: F('balance').sub(amount) });
            await book();
            await Account.filter({ pk: target }).update({ balance: F('balance').add(amount) });
          } else if (how === 2) {
            // Parallel children share the connection.
            await gather(
              () => Account.filter({ pk: source }).update({ balance: F('balance').sub(amount) }),
              () => Account.filter({ pk: target }).update({ balance: F('balance').add(amount) }),
              book,
            );
          } else if (how === 3) {
            // A savepoint that is undone, and one that is not.
            await atomic(async () => {
              await Account.filter({ pk: source }).update({ balance: 0 });
              throw new Error('undone');
            }).catch((error: Error) => {
              if (error.message !== 'undone') throw error;
            });
            await atomic(async () => {
              await Account.filter({ pk: source }).update({ balance: F('balance').sub(amount) });
              await atomic(() =>
                Account.filter({ pk: target }).update({ balance: F('balance').add(amount) }),
              );
            });
            await book();
          } else {
            // Locks in opposite orders: deadlocks happen.
            await Account.filter({ pk: source }).selectForUpdate().get();
            await Account.filter({ pk: target }).selectForUpdate().get();
            await Account.filter({ pk: target }).update({ balance: F('balance').add(amount) });
            await Account.filter({ pk: source }).update({ balance: F('balance').sub(amount) });
            await book();
          }
        },
        { isolation: 'serializable', retries: 50 },
      );
    }

    for (let round = 0; round < 3; round++)
      test(`round ${round + 1}: cancelled, retried, killed at random`, () =>
        databases.run(async () => {
          const pick = random(seed + round);
          const tasks: Task<void>[] = [];
          for (let i = 0; i < 60; i++) {
            const own = random(seed * 31 + round * 1000 + i);
            const task = createTask(() => transfer(own), { name: `transfer ${i}` });
            tasks.push(task);
            const fate = pick();
            if (fate < 0.35) {
              let turns = Math.floor(pick() * 40);
              const later = (): void => {
                if (turns-- > 0) setImmediate(later);
                else task.cancel('enough');
              };
              later();
            } else if (fate < 0.4 && name === 'postgresql')
              await databases
                .get()
                .execute(
                  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1',
                )
                .catch(() => {});
            if (i % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
          }
          const outcomes = await Promise.allSettled(tasks.map(async (task) => await task));
          const known = /^(AbortError|CancelledError|OperationalError)$|changed my mind/;
          for (const outcome of outcomes)
            if (outcome.status === 'rejected') {
              const error = outcome.reason as Error;
              assert.match(
                error.message === 'changed my mind' ? error.message : error.name,
                known,
                error.stack ?? '',
              );
            }
          // Whatever happened, no money was made or lost, and the books agree with the balances.
          const accounts = await Account.all();
          const entries = await Entry.all();
          assert.equal(
            accounts.reduce((sum, { balance }) => sum + balance, 0),
            ACCOUNTS * START,
          );
          for (const { id, balance } of accounts) {
            let expected = START;
            for (const { source, target, amount } of entries)
              expected += (target === id ? amount : 0) - (source === id ? amount : 0);
            assert.equal(balance, expected, `account ${id}, seed ${seed}`);
          }
          assert.ok(entries.length > 0);
          assert.deepEqual(databases.get().holdings.list(), []);
          assert.equal(databases.get().statistics()['waiting'], 0);
        }));
  });
