import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  background,
  createTask,
  Event,
  gather,
  run,
  setNeverRetrievedHandler,
  timeout,
} from 'sobaya/asyncio';
import { atomic, currentTransaction, type Databases, onCommit, setRollback } from 'sobaya/db';
import { backends } from './support/backends.ts';
import { Author, Company, openShop, Tag } from './support/shop.ts';

const there = (name: string): Promise<boolean> => Tag.filter({ name }).exists();

for (const [name, server] of backends('atomic'))
  describe(name, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await openShop(await server.url());
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
    const within = (title: string, fn: () => Promise<unknown>): void =>
      void test(title, () => databases.run(fn).then(() => {}));

    within(
      'a nested block that runs on after the outer one was left does not reach its connection',
      async () => {
        const go = new Event();
        let left: Promise<unknown> = Promise.resolve();
        await assert.rejects(
          atomic(async () => {
            // As Promise.all leaves the others running when one fails.
            left = atomic(async () => {
              await Tag.create({ name: 'inner, before' });
              await go.wait();
              await Tag.create({ name: 'inner, after' });
            });
            left.catch(() => {});
            await Promise.resolve();
            throw new Error('the outer one fails');
          }),
          { message: 'the outer one fails' },
        );
        // Somebody else has the connection by now.
        await atomic(async () => {
          await Tag.create({ name: 'somebody else' });
          go.set();
          await assert.rejects(left, { code: 'SBY_DB_TRANSACTION_ENDED', message: /atomic\.test\.ts/ });
        });
        assert.deepEqual(
          [await there('inner, before'), await there('inner, after'), await there('somebody else')],
          [false, false, true],
        );
      },
    );

    within('a statement of the outer block inside of the inner one does not wait for it', async () => {
      await atomic(async () => {
        const outer = currentTransaction();
        await atomic(async () => {
          await outer?.execute("INSERT INTO shop_tag (name) VALUES ('by the outer name')");
        });
      });
      assert.equal(await there('by the outer name'), true);
    });

    within('waiting for the savepoint of a sibling ends with its scope', async () => {
      const go = new Event();
      await atomic(async () => {
        const slow = createTask(() => atomic(() => go.wait()));
        await assert.rejects(
          timeout(5, () => atomic(() => Tag.count())),
          { name: 'TimeoutError' },
        );
        go.set();
        await slow;
        assert.ok((await Tag.count()) > 0);
      });
    });

    within('background() work is not part of the block that started it', async () => {
      const held = new Event();
      let job: PromiseLike<unknown> = Promise.resolve();
      await assert.rejects(
        atomic(async () => {
          job = background(async () => {
            await held.wait();
            assert.equal(currentTransaction(), null);
            await Tag.create({ name: 'by background' });
          });
          throw new Error('rolled back');
        }),
        { message: 'rolled back' },
      );
      held.set();
      await job;
      assert.equal(await there('by background'), true);
    });

    within(
      'onCommit: in order, with what blocks inside registered, after the commit is visible',
      async () => {
        const said: string[] = [];
        await atomic(async () => {
          await onCommit(async () => {
            said.push(
              `1, ${await databases.run(() => there('committed'))}, ${currentTransaction() === null}`,
            );
          });
          await atomic(() => onCommit(() => void said.push('2')));
          await assert.rejects(
            atomic(async () => {
              await onCommit(() => void said.push('never'));
              throw new Error('undone');
            }),
          );
          await onCommit(() => void said.push('3'));
          await Tag.create({ name: 'committed' });
          assert.deepEqual(said, []);
        });
        assert.deepEqual(said, ['1, true, true', '2', '3']);
        await onCommit(() => void said.push('at once'));
        assert.equal(said.at(-1), 'at once');
      },
    );

    within('onCommit: an error comes out, what was done stays', async () => {
      const said: string[] = [];
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'stays' });
          await onCommit(() => {
            throw new Error('the mail server is down');
          });
          await onCommit(() => void said.push('never'));
        }),
        { message: 'the mail server is down' },
      );
      assert.equal(await there('stays'), true);
      assert.deepEqual(said, []);
    });

    within('onCommit: an error in a robust one is reported, and stops nobody', async () => {
      const said: string[] = [];
      const reported = new Promise((resolve) => {
        const before = setNeverRetrievedHandler((_task, error) => {
          setNeverRetrievedHandler(before);
          resolve(error);
        });
      });
      await atomic(async () => {
        await onCommit(
          () => {
            throw new Error('the cache is down');
          },
          { robust: true },
        );
        await onCommit(() => void said.push('after it'));
      });
      assert.deepEqual(said, ['after it']);
      assert.match(String(await reported), /the cache is down/);
    });

    within('onCommit: a callback that loses a race does not run the block again', async () => {
      let blocks = 0;
      const { fault } = await import('../../src/errors/index.ts');
      await assert.rejects(
        atomic(
          async () => {
            blocks++;
            await onCommit(() => {
              throw fault('SBY_DB_SERIALIZATION', { detail: 'of a transaction of its own' });
            });
          },
          { retries: 5 },
        ),
        { code: 'SBY_DB_SERIALIZATION' },
      );
      assert.equal(blocks, 1);
    });

    within('onCommit: what was promised happens, although the caller is cancelled meanwhile', async () => {
      let done = false;
      const task = createTask(async () => {
        await atomic(async () => {
          await onCommit(async () => {
            task.cancel('nobody waits any more');
            await Tag.count();
            done = true;
          });
        });
      });
      await Promise.allSettled([task]);
      assert.equal(done, true);
    });

    within('durable, read-only, isolation', async () => {
      await atomic(() => Tag.create({ name: 'durable' }), { durable: true });
      assert.equal(await there('durable'), true);
      await assert.rejects(
        atomic(() => Tag.create({ name: 'refused' }), { readOnly: true }),
        { code: 'SBY_DB_READ_ONLY', message: /refuses to write/ },
      );
      assert.equal(await atomic(() => Tag.filter({ name: 'durable' }).count(), { readOnly: true }), 1);
      await Tag.create({ name: 'writes again' });
      await assert.rejects(
        atomic(() => {}, { isolation: 'snapshot' as 'serializable' }),
        { code: 'SBY_DB_TRANSACTION_OPTION', message: /no isolation level "snapshot"/ },
      );
      await atomic(() => Tag.count(), { isolation: 'serializable' });
      for (const options of [
        { durable: true },
        { readOnly: true },
        { isolation: 'serializable' },
        { retries: 1 },
      ] as const)
        await assert.rejects(
          atomic(() => atomic(() => {}, options)),
          { code: 'SBY_DB_TRANSACTION_OPTION', message: /began at .*atomic\.test\.ts/ },
        );
    });

    within('savepoint: false: a failure inside breaks the block around it', async () => {
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'around' });
          await atomic(
            () => {
              throw new Error('inside');
            },
            { savepoint: false },
          ).catch(() => {});
          await Tag.create({ name: 'too late' });
        }),
        { code: 'SBY_DB_TRANSACTION_BROKEN', message: /atomic\.test\.ts/ },
      );
      assert.equal(await there('around'), false);
      assert.equal(await atomic(() => atomic(() => 7, { savepoint: false })), 7);
    });

    within('setRollback: only this block, or all', async () => {
      await atomic(async () => {
        await Tag.create({ name: 'outer stays' });
        await atomic(async () => {
          await Tag.create({ name: 'inner goes' });
          setRollback();
        });
      });
      assert.deepEqual([await there('outer stays'), await there('inner goes')], [true, false]);
      assert.throws(() => setRollback(), { code: 'SBY_DB_TRANSACTION_OPTION' });
    });

    within(
      'cancelled before, between and inside statements: nothing is left, the connection serves on',
      async () => {
        for (let after = 0; after < 12; after++) {
          const task = createTask(() =>
            atomic(async () => {
              for (let i = 0; i < 4; i++) {
                await Tag.create({ name: `half ${after}.${i}` });
                await atomic(() => Author.create({ name: `half ${after}.${i}` }));
              }
            }),
          );
          for (let turn = 0; turn < after; turn++) await new Promise((resolve) => setImmediate(resolve));
          task.cancel('tired');
          // It may have been done already, when the machine is quick.
          const all = await Promise.resolve(task).then(
            () => true,
            () => false,
          );
          const tags = await Tag.filter({ name__startswith: `half ${after}.` }).count();
          const authors = await Author.filter({ name__startswith: `half ${after}.` }).count();
          assert.deepEqual([tags, authors], all ? [4, 4] : [0, 0], `after ${after} turns`);
        }
        const { exclusive = 0, held = 0, waiting } = databases.get().statistics();
        assert.deepEqual([exclusive, held, waiting], [0, 0, 0]);
        assert.deepEqual(databases.get().holdings.list(), []);
      },
    );

    within(
      'an iterator that is left early closes its cursor; one in a transaction sees its writes',
      async () => {
        await atomic(async () => {
          await Company.bulkCreate(Array.from({ length: 30 }, (_, i) => ({ name: `it ${i}` })));
          let seen = 0;
          for await (const company of Company.filter({ name__startswith: 'it ' }).iterator({
            chunkSize: 7,
          })) {
            assert.match(company.name, /^it /);
            if (++seen === 9) break;
          }
          assert.equal(seen, 9);
          await Company.filter({ name__startswith: 'it ' }).update({ name: 'done' });
          seen = 0;
          for await (const _ of Company.filter({ name: 'done' }).iterator({ chunkSize: 7 })) seen++;
          assert.equal(seen, 30);
          setRollback();
        });
        assert.equal(await Company.filter({ name: 'done' }).exists(), false);
      },
    );

    within('blocks inside of gather: all or nothing, whatever fails', async () => {
      await assert.rejects(
        atomic(() =>
          gather(
            ...Array.from({ length: 6 }, (_, i) => async () => {
              await Tag.create({ name: `g${i}` });
              await atomic(async () => {
                await Tag.create({ name: `gg${i}` });
                if (i === 4) throw new Error('the fifth');
              });
            }),
          ),
        ),
        /the fifth/,
      );
      assert.equal(await Tag.filter({ name__startswith: 'g' }).count(), 0);
    });
  });

describe('two databases at once', () => {
  const [[, one], [, two]] = backends('two') as [
    ReturnType<typeof backends>[0],
    ReturnType<typeof backends>[0],
  ];
  test('a block is about one of them, and says so by its alias', { skip: two.skip }, async () => {
    const { Databases } = await import('sobaya/db');
    const { createTables } = await import('./support/tables.ts');
    const databases = await new Databases({ default: await one.url(), other: await two.url() }).open();
    try {
      await run(() =>
        databases.run(async () => {
          for (const alias of ['default', 'other']) await createTables(databases, [Tag], alias);
          await assert.rejects(
            atomic(async () => {
              await Tag.create({ name: 'here' });
              await Tag.using('other').create({ name: 'there' });
              await atomic(() => Tag.using('other').create({ name: 'there, in a block' }), {
                using: 'other',
                durable: true,
              });
              throw new Error('undo');
            }),
            { message: 'undo' },
          );
          assert.equal(await Tag.count(), 0);
          assert.equal(await Tag.using('other').count(), 2);
        }),
      );
    } finally {
      await databases.close();
      await one.drop();
      await two.drop();
    }
  });
});
