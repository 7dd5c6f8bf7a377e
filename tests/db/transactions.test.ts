import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTask, gather, timeout } from 'sobaya/asyncio';
import { atomic, currentDatabases, type Databases, executorFor, onCommit, setRollback } from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { Author, Company, openShop, Tag } from './support/shop.ts';

const memory: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
let folder = '';
const file: TestServer = {
  skip: false,
  url: async () => {
    folder = mkdtempSync(join(tmpdir(), 'sobaya-tx-'));
    return `sqlite:${folder}/db.sqlite3`;
  },
  drop: async () => rmSync(folder, { recursive: true }),
};

for (const [name, server] of [
  ['sqlite in memory', memory],
  ['sqlite in a file', file],
  ['postgresql', serverOrSkip('transactions')],
] as const)
  describe(name, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await openShop(await server.url());
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
    const within = (title: string, fn: () => Promise<void>): void =>
      void test(title, () => databases.run(fn));
    const there = (tag: string): Promise<boolean> => Tag.filter({ name: tag }).exists();

    within('nested blocks are savepoints', async () => {
      await atomic(async () => {
        await Tag.create({ name: 'outer' });
        await assert.rejects(
          atomic(async () => {
            await Tag.create({ name: 'inner' });
            throw new Error('only the inner one');
          }),
        );
        assert.equal(await there('inner'), false);
      });
      assert.equal(await there('outer'), true);
    });

    within('an error of the database inside is contained by a block of its own', async () => {
      await atomic(async () => {
        await assert.rejects(
          atomic(() => Tag.create({ name: 'outer' })),
          { name: 'IntegrityError' },
        );
        await Tag.create({ name: 'after the error' });
      });
      assert.equal(await there('after the error'), true);
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'lost' });
          await Tag.create({ name: 'outer' }).catch(() => {});
          await Tag.create({ name: 'never' });
        }),
        { code: 'SBY_DB_TRANSACTION_BROKEN' },
      );
      assert.equal(await there('lost'), false);
    });

    within('parallel children share the connection, one after another', async () => {
      await atomic(async () => {
        await gather(
          ...Array.from(
            { length: 8 },
            (_, i) => () =>
              i % 2 === 0 ? Tag.create({ name: `p${i}` }) : atomic(() => Tag.create({ name: `p${i}` })),
          ),
        );
        await gather(
          () => atomic(async () => void (await Tag.create({ name: 'kept' }))),
          async () => {
            await atomic(async () => {
              await Tag.create({ name: 'dropped' });
              setRollback();
            });
          },
        );
      });
      assert.equal(await Tag.filter({ name__startswith: 'p' }).count(), 8);
      assert.deepEqual([await there('kept'), await there('dropped')], [true, false]);
    });

    within('cancelling rolls back, and the connection serves on', async () => {
      await assert.rejects(
        timeout(30, () =>
          atomic(async () => {
            await Tag.create({ name: 'cancelled' });
            await new Promise((resolve) => setTimeout(resolve, 60));
            await Tag.create({ name: 'too late' });
          }),
        ),
        { name: 'TimeoutError' },
      );
      assert.deepEqual([await there('cancelled'), await there('too late')], [false, false]);
    });

    within('work that outlives the block is refused, and names where the block began', async () => {
      let late: Promise<unknown> = Promise.resolve();
      await assert.rejects(
        atomic(async () => {
          late = Promise.resolve(Tag.create({ name: 'unawaited' }));
          late.catch(() => {});
        }),
        {
          code: 'SBY_DB_TRANSACTION_OUTLIVED',
          message: /still ran when the transaction came to its end.*transactions\.test\.ts/s,
        },
      );
      await late.catch(() => {});
      assert.equal(await there('unawaited'), false);
      let leaked: (() => Promise<unknown>) | undefined;
      await atomic(async () => {
        const executor = executorFor('default');
        leaked = () => executor.execute('SELECT 1');
      });
      await assert.rejects((leaked as () => Promise<unknown>)(), {
        code: 'SBY_DB_TRANSACTION_ENDED',
        message: /already committed.*transactions\.test\.ts/s,
      });
    });

    within('onCommit runs after the outermost commit, and not after a rollback', async () => {
      const said: string[] = [];
      await atomic(async () => {
        await atomic(async () => onCommit(() => said.push('inner')));
        await atomic(async () => {
          await onCommit(() => said.push('never'));
          setRollback();
        });
        assert.deepEqual(said, []);
      });
      assert.deepEqual(said, ['inner']);
    });

    within('options that make no sense are refused', async () => {
      await assert.rejects(
        atomic(() => atomic(() => {}, { durable: true })),
        { code: 'SBY_DB_TRANSACTION_OPTION', message: /durable block cannot be nested/ },
      );
      await assert.rejects(
        atomic(() => atomic(() => {}, { isolation: 'serializable' })),
        { message: /belong to the outermost block/ },
      );
      await assert.rejects(
        atomic(() => {}, { using: 'nowhere' }),
        { code: 'SBY_DB_UNKNOWN_ALIAS', message: /no database named "nowhere"/ },
      );
    });

    within('rows inside are seen outside only after the commit', async () => {
      let seen: boolean | null = null;
      await atomic(async () => {
        await Company.create({ name: 'secret' });
        if (name !== 'sqlite in memory')
          seen = await databases.run(() => Company.filter({ name: 'secret' }).exists());
      });
      assert.notEqual(seen, true);
      assert.equal(await Company.filter({ name: 'secret' }).exists(), true);
    });

    within('iterator() reads in chunks, inside a transaction too', async () => {
      const read = async (): Promise<number> => {
        let n = 0;
        for await (const author of Author.all().iterator({ chunkSize: 2 }))
          n += author.name.length > 0 ? 1 : 0;
        return n;
      };
      assert.equal(await read(), 3);
      assert.equal(await atomic(read), 3);
    });

    within('a statement is cancelled with its task', async () => {
      const { backend } = { backend: currentDatabases().get() };
      const slow =
        backend.vendor === 'postgresql'
          ? 'SELECT pg_sleep(20)'
          : 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000000 AND sobaya_alive(i)) SELECT count(*) FROM n';
      const started = performance.now();
      const task = createTask(() => backend.execute(slow));
      setTimeout(() => task.cancel('nobody wants it'), 30);
      await assert.rejects(async () => await task, { name: 'AbortError' });
      await Tag.count();
      assert.ok(performance.now() - started < 5000, 'the statement went on in the database');
    });
  });

test('a query of models that runs long is stopped in SQLite with its task', async () => {
  const databases = await openShop(await file.url());
  await databases.run(async () => {
    await Company.bulkCreate(Array.from({ length: 3000 }, (_, i) => ({ name: `c${i}` })));
    const others = Company.filter({ name__contains: 'c' }).exclude({
      pk__in: Company.filter({ name__endswith: 'x' }),
    });
    const task = createTask(() =>
      others.filter({ pk__in: Company.filter({ name__iregex: '.*(c|d)+.*1$' }) }).count(),
    );
    setTimeout(() => task.cancel('nobody wants it'), 1);
    await assert.rejects(async () => await task, { name: 'AbortError' });
    assert.ok((await Company.count()) > 3000);
  });
  await databases.close();
  await file.drop();
});
