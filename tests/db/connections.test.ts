import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { createTask, Event, gather, timeout } from 'sobaya/asyncio';
import { atomic, Databases, type PostgresOptions } from 'sobaya/db';
import { backends } from './support/backends.ts';
import { Author, Company, models, openShop, Tag } from './support/shop.ts';
import { createTables } from './support/tables.ts';

const [[, file], [, server]] = backends('connections') as [
  ReturnType<typeof backends>[0],
  ReturnType<typeof backends>[0],
];

/** Resolves when a query of the server's own views says so. */
async function until(databases: Databases, sql: string): Promise<void> {
  while ((await databases.get().execute(sql)).rows[0]?.[0] !== true)
    await new Promise((resolve) => setImmediate(resolve));
}

for (const driver of ['sobaya', 'pg'] as const)
  describe(`PostgreSQL, driver ${driver}`, { skip: server.skip }, () => {
    let url = '';
    let direct: Databases;
    before(async () => {
      url = await server.url();
      direct = await openShop(url);
    });
    after(async () => {
      await direct.close();
      await server.drop();
    });
    const within = (
      title: string,
      options: Partial<PostgresOptions>,
      fn: (databases: Databases) => Promise<unknown>,
    ): void =>
      void test(title, async () => {
        const databases = await new Databases({
          default: { engine: 'postgresql', url, driver, ...options },
        }).open();
        try {
          await databases.run(() => fn(databases));
        } finally {
          await databases.close();
        }
      });

    within(
      'who waits too long is told who has the connections, and since when',
      { pool: { size: 1, timeout: 60 } },
      async () => {
        const held = new Event();
        const enough = new Event();
        const report = createTask(
          () =>
            atomic(async () => {
              held.set();
              await enough.wait();
            }),
          { name: 'monthly report' },
        );
        await held.wait();
        await assert.rejects(
          atomic(() => Tag.count()),
          {
            code: 'SBY_DB_POOL_TIMEOUT',
            name: 'OperationalError',
            message: /within 60 ms \(pool of 1\).*held by task "monthly report" for \d+ ms/,
          },
        );
        enough.set();
        await report;
        assert.ok((await Tag.count()) > 0);
      },
    );

    within(
      'the queue is bounded; who waits is served in the order of coming',
      { pool: { size: 1, queue: 5 } },
      async (databases) => {
        const held = new Event();
        const enough = new Event();
        const holder = createTask(() =>
          atomic(async () => {
            held.set();
            await enough.wait();
          }),
        );
        await held.wait();
        const served: number[] = [];
        const waiting = [0, 1, 2, 3, 4].map((i) => atomic(async () => void served.push(i)));
        await assert.rejects(
          atomic(() => {}),
          { code: 'SBY_DB_POOL_FULL', name: 'OperationalError', message: /5 statements already wait/ },
        );
        enough.set();
        await Promise.all([holder, ...waiting]);
        assert.deepEqual(served, [0, 1, 2, 3, 4]);
        assert.equal(databases.get().statistics()['waiting'], 0);
      },
    );

    within(
      '2,000 waits that are cancelled leave nothing behind',
      { pool: { size: 2 } },
      async (databases) => {
        for (let round = 0; round < 10; round++) {
          const tasks = Array.from({ length: 200 }, (_, i) =>
            createTask(() => (i % 2 === 0 ? atomic(() => Tag.count()) : Tag.count())),
          );
          if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
          for (const task of tasks) task.cancel('nobody waits');
          await Promise.allSettled(tasks.map(async (task) => await task));
        }
        const { exclusive, waiting } = databases.get().statistics();
        assert.deepEqual([exclusive, waiting], [0, 0]);
        assert.deepEqual(databases.get().holdings.list(), []);
        assert.ok((await atomic(() => Tag.count())) > 0);
      },
    );

    within(
      'a deadlock is an error of one of the two, and retries end it',
      { pool: { size: 3 } },
      async () => {
        const [a, b] = (await Company.all().orderBy('pk').limit(2)) as [Company, Company];
        let met = 0;
        const both = new Event();
        let attempts = 0;
        const swap = (first: Company, second: Company): Promise<unknown> =>
          atomic(
            async () => {
              attempts++;
              await Company.filter({ pk: first.id }).update({ name: first.name });
              if (++met === 2) both.set();
              await both.wait();
              await Company.filter({ pk: second.id }).update({ name: second.name });
            },
            { retries: 3 },
          );
        await gather(
          () => swap(a, b),
          () => swap(b, a),
        );
        assert.equal(attempts, 3);
        met = 0;
        const once = new Event();
        const plain = (first: Company, second: Company): Promise<unknown> =>
          atomic(async () => {
            await Company.filter({ pk: first.id }).update({ name: first.name });
            if (++met === 2) once.set();
            await once.wait();
            await Company.filter({ pk: second.id }).update({ name: second.name });
          });
        const outcomes = await Promise.allSettled([plain(a, b), plain(b, a)]);
        const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
        assert.equal(failed.length, 1);
        const { reason } = failed[0] as PromiseRejectedResult;
        assert.equal(reason.code, 'SBY_DB_SERIALIZATION');
        assert.match(reason.message, /deadlock detected.*retries/);
      },
    );

    within('selectForUpdate: waits, noWait, skipLocked, of, key', { pool: { size: 4 } }, async () => {
      const locked = new Event();
      const enough = new Event();
      const holder = createTask(() =>
        atomic(async () => {
          await Author.filter({ name: 'Aki' }).selectForUpdate().get();
          locked.set();
          await enough.wait();
        }),
      );
      await locked.wait();
      await atomic(async () => {
        assert.deepEqual(
          (await Author.all().orderBy('name').selectForUpdate({ skipLocked: true })).map(({ name }) => name),
          ['Ben', 'Chie'],
        );
      });
      await assert.rejects(
        atomic(async () => await Author.filter({ name: 'Aki' }).selectForUpdate({ noWait: true }).get()),
        { code: 'SBY_DB_BUSY', message: /could not obtain lock/ },
      );
      // Only the author of the two is locked by the other: its company can be had.
      await atomic(async () => {
        const ben = await Author.all()
          .selectRelated('company')
          .filter({ name: 'Ben' })
          .selectForUpdate({ of: ['self'], noWait: true })
          .get();
        assert.equal(ben.company?.name, 'Udon');
      });
      const waiting = createTask(() => atomic(() => Author.filter({ name: 'Aki' }).selectForUpdate().get()));
      await until(
        direct,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      enough.set();
      await holder;
      assert.equal((await waiting).name, 'Aki');
      await assert.rejects(async () => await Author.all().selectForUpdate(), /atomic/);
    });

    within('cancelling stops the statement in the server', {}, async (databases) => {
      const task = createTask(() => databases.get().execute("SELECT pg_sleep(30), 'to be cancelled'"));
      const running =
        "SELECT count(*) {} FROM pg_stat_activity WHERE query LIKE '%to be can_elled%' AND state = 'active' AND pid <> pg_backend_pid()";
      await until(direct, running.replace('{}', '= 1'));
      task.cancel('enough');
      await assert.rejects(async () => await task);
      await until(direct, running.replace('{}', '= 0'));
    });

    within(
      'a statement that runs too long is stopped by the server',
      { statementTimeout: 40 },
      async (databases) => {
        await assert.rejects(databases.get().execute('SELECT pg_sleep(20)'), {
          code: 'SBY_DB_STATEMENT_TIMEOUT',
          message: /stopped after 40 ms/,
        });
        assert.ok((await Tag.count()) > 0);
      },
    );

    within('LISTEN and NOTIFY', {}, async (databases) => {
      const backend = databases.get() as unknown as {
        listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>>;
        notify(channel: string, payload?: string): Promise<void>;
      };
      const heard: string[] = [];
      const last = new Event();
      const stop = await backend.listen('orders; "x"', (payload) => {
        heard.push(payload);
        if (payload === 'last') last.set();
      });
      await backend.notify('orders; "x"', "it's 1");
      await assert.rejects(
        atomic(async () => {
          await databases.get().execute('SELECT 1');
          const { executorFor } = await import('sobaya/db');
          await executorFor('default').execute(`SELECT pg_notify('orders; "x"', 'rolled back')`);
          throw new Error('no');
        }),
      );
      await backend.notify('orders; "x"', 'last');
      await timeout(5000, () => last.wait());
      assert.deepEqual(heard, ["it's 1", 'last']);
      await stop();
    });
  });

test('SQLite: who waits for the writer can give up, is told of in holdings, and the queue is bounded', async () => {
  const databases = await openShop({
    engine: 'sqlite',
    file: (await file.url()).slice('sqlite:'.length),
    queue: 20,
  });
  await databases.run(async () => {
    const held = new Event();
    const enough = new Event();
    const holder = createTask(
      () =>
        atomic(async () => {
          held.set();
          await enough.wait();
        }),
      { name: 'long import' },
    );
    await held.wait();
    assert.match(String(databases.get().holdings), /^task "long import" for \d+ ms$/);
    await assert.rejects(
      timeout(10, () => Tag.create({ name: 'impatient' })),
      { name: 'TimeoutError' },
    );
    const waiting = Array.from({ length: 20 }, (_, i) => Tag.create({ name: `w${i}` }));
    await assert.rejects(Tag.create({ name: 'one too many' }), { code: 'SBY_DB_POOL_FULL' });
    enough.set();
    await Promise.all([holder, ...waiting]);
    assert.equal(await Tag.filter({ name__startswith: 'w' }).count(), 20);
    assert.equal(await Tag.filter({ name: 'impatient' }).exists(), false);
  });
  await databases.close();
  await file.drop();
});

test('SQLite: several processes write to one file; who waits too long for another hears that it is busy', async () => {
  const url = await file.url();
  const databases = await openShop(`${url}?busyTimeout=30000`);
  const program = `
    import { Databases, atomic, executorFor } from ${JSON.stringify(import.meta.resolve('sobaya/db'))};
    const databases = await new Databases({ default: ${JSON.stringify(`${url}?busyTimeout=30000`)} }).open();
    await databases.run(async () => {
      for (let i = 0; i < 40; i++)
        await atomic(async () => {
          const [[n]] = (await executorFor('default').execute("SELECT age FROM shop_author WHERE name='Aki'")).rows;
          await executorFor('default').execute("UPDATE shop_author SET age=? WHERE name='Aki'", [n + 1]);
        });
    });
    await databases.close();`;
  const started = (await databases.run(() => Author.get({ name: 'Aki' }))).age as number;
  const ends = [1, 2, 3].map(
    () =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          ['--conditions=sobaya:source', '--input-type=module', '-e', program],
          {
            stdio: 'inherit',
          },
        );
        child.on('exit', resolve);
      }),
  );
  assert.deepEqual(await Promise.all(ends), [0, 0, 0]);
  await databases.run(async () => {
    assert.equal((await Author.get({ name: 'Aki' })).age, started + 120);
    const other = await new Databases({ default: `${url}?busyTimeout=20` }).open();
    await atomic(async () => {
      await Tag.create({ name: 'first' });
      await assert.rejects(
        other.run(() => Tag.create({ name: 'second' })),
        { code: 'SBY_DB_BUSY', message: /database is locked.*busyTimeout/s },
      );
    });
    await other.run(() => Tag.create({ name: 'second' }));
    await other.close();
  });
  await databases.close();
  await file.drop();
});

for (const inline of ['never', 'budget', 'always'] as const)
  test(`SQLite, inline: '${inline}'`, async () => {
    const databases = await openShop(`${await file.url()}?inline=${inline}`);
    await databases.run(async () => {
      for (let i = 0; i < 40; i++) assert.equal((await Author.get({ name: 'Aki' })).name, 'Aki');
      await gather(
        ...Array.from({ length: 20 }, (_, i) => async () => {
          await Tag.create({ name: `i${i}` });
          assert.equal((await Tag.get({ name: `i${i}` })).name, `i${i}`);
        }),
      );
      await assert.rejects(
        atomic(async () => {
          await Tag.create({ name: 'undone' });
          assert.equal(await Tag.filter({ name: 'undone' }).count(), 1);
          throw new Error('undo');
        }),
        /undo/,
      );
      assert.equal(await Tag.filter({ name: 'undone' }).count(), 0);
      await assert.rejects(Tag.create({ name: 'i1' }), { code: 'SBY_DB_UNIQUE' });
    });
    await databases.close();
    await file.drop();
  });

test('options that make no sense are refused', async () => {
  assert.throws(() => new Databases({ default: 'sqlite:x.sqlite3?inline=sometimes' }), {
    code: 'SBY_DB_BAD_OPTION',
    message: /"default" has inline "sometimes".*never, budget, always/,
  });
  const bad = { code: 'SBY_DB_BAD_OPTION', name: 'ImproperlyConfigured' };
  assert.throws(() => new Databases({ default: 'sqlite:x.sqlite3?busyTimeout=soon' }), bad);
  assert.throws(
    () => new Databases({ default: { engine: 'sqlite', file: 'x', synchronous: 'off; DROP' as 'OFF' } }),
    bad,
  );
  for (const pool of [{ size: 0 }, { size: 1.5 }, { timeout: 0 }, { queue: -1 }])
    assert.throws(
      () => new Databases({ default: { engine: 'postgresql', url: 'postgres://h/x', pool } }),
      bad,
    );
});

test('a router sends reads to the replica, writes and what a transaction reads to the primary', async () => {
  const databases = await new Databases(
    { default: await file.url(), replica: await file.url() },
    {
      router: {
        read: (model) => (model === 'shop.Tag' ? 'replica' : undefined),
        write: () => 'default',
      },
    },
  ).open();
  await databases.run(async () => {
    for (const alias of databases.aliases) await createTables(databases, models, alias);
    await Tag.using('replica').create({ name: 'stale' });
    await Tag.create({ name: 'fresh' });
    assert.deepEqual(
      (await Tag.all()).map(({ name }) => name),
      ['stale'],
    );
    assert.deepEqual(
      (await Tag.using('default').all()).map(({ name }) => name),
      ['fresh'],
    );
    await atomic(async () => {
      await Tag.create({ name: 'inside' });
      assert.equal(await Tag.count(), 2);
    });
    // A row goes back to where it came from.
    const stale = await Tag.get({ name: 'stale' });
    stale.name = 'changed';
    await stale.save();
    assert.equal(await Tag.using('replica').filter({ name: 'changed' }).count(), 1);
    await Company.create({ name: 'by default' });
    assert.equal(await Company.count(), 1);
    await assert.rejects(async () => await Tag.using('nowhere').count(), { code: 'SBY_DB_UNKNOWN_ALIAS' });
  });
  await databases.close();
  await file.drop();
});
