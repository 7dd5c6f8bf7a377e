import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTask, Event, gather } from 'sobaya/asyncio';
import {
  atomic,
  type Databases,
  explainStatement,
  type QueryMessage,
  queryChannel,
  type TransactionMessage,
  transactionChannel,
} from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { Author, openShop, Tag } from './support/shop.ts';

let folder = '';
const file: TestServer = {
  skip: false,
  url: async () => {
    folder = mkdtempSync(join(tmpdir(), 'sobaya-trace-'));
    return `sqlite:${folder}/db.sqlite3`;
  },
  drop: async () => rmSync(folder, { recursive: true }),
};

async function recorded(
  fn: () => Promise<unknown>,
): Promise<{ queries: QueryMessage[]; blocks: TransactionMessage[] }> {
  const queries: QueryMessage[] = [];
  const blocks: TransactionMessage[] = [];
  const query = (message: unknown): void => void queries.push(message as QueryMessage);
  const block = (message: unknown): void => void blocks.push(message as TransactionMessage);
  queryChannel.start.subscribe(query);
  transactionChannel.start.subscribe(block);
  try {
    await fn();
  } finally {
    queryChannel.start.unsubscribe(query);
    transactionChannel.start.unsubscribe(block);
  }
  return { queries, blocks };
}

for (const [name, server] of [
  ['sqlite', file],
  ['postgresql', serverOrSkip('tracing')],
] as const)
  describe(name, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      const url = await server.url();
      databases = await openShop(name === 'sqlite' ? url : { engine: 'postgresql', url, pool: { size: 1 } });
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
    const within = (title: string, fn: () => Promise<void>): void =>
      void test(title, () => databases.run(fn));

    within('a statement tells its shape, its parameters, its rows', async () => {
      const { queries } = await recorded(async () => await Author.filter({ name__startswith: 'A' }));
      assert.equal(queries.length, 1);
      const [{ sql, params, rows, transaction, alias, vendor }] = queries as [QueryMessage];
      assert.match(sql, /^SELECT .*LIKE/);
      assert.deepEqual(params, ['A%']);
      assert.deepEqual([rows, transaction, alias, vendor], [1, false, 'default', name]);
    });

    within('how long a statement and a transaction waited for the one connection', async () => {
      const held = new Event();
      const { queries, blocks } = await recorded(async () => {
        const first = createTask(() =>
          atomic(async () => {
            held.set();
            await new Promise((resolve) => setTimeout(resolve, 60));
          }),
        );
        await held.wait();
        await gather(
          () => Tag.create({ name: 'waited' }),
          () => atomic(() => Tag.count()),
        );
        await first;
      });
      const created = queries.find(({ sql }) => sql.startsWith('INSERT'));
      assert.ok((created?.waited as number) > 20, `the insert waited ${created?.waited} ms`);
      const [first, second] = blocks as [TransactionMessage, TransactionMessage];
      assert.ok((first.waited as number) < (second.waited as number));
      assert.ok((second.waited as number) > 20, `the transaction waited ${second.waited} ms`);
      const inside = queries.find(({ transaction }) => transaction);
      assert.ok((inside?.waited as number) < 20, 'what its transaction waited is not told twice');
    });

    within('the plan of a statement that was told of', async () => {
      const { queries } = await recorded(async () => {
        await Author.filter({ name__startswith: 'A' });
        await Tag.create({ name: 'planned' });
        await Tag.filter({ name: 'planned' }).update({ name: 'plan' });
      });
      const { queries: published } = await recorded(async () => {
        for (const { sql, params, alias } of queries) {
          const plan = await explainStatement(sql, params, { using: alias });
          if (name === 'postgresql') assert.match(plan, /cost=/);
          else if (!sql.startsWith('INSERT')) assert.match(plan, /SCAN|SEARCH/);
        }
      });
      assert.equal(published.length, 0);
      assert.equal(await Tag.filter({ name: 'planned' }).count(), 0);
      await assert.rejects(explainStatement('SELECT nothing FROM nowhere'), { code: 'SBY_DB_SYNTAX' });
      await assert.rejects(explainStatement('SELECT 1', [], { format: 'html' }), {
        code: 'SBY_DB_UNSUPPORTED',
      });
      assert.equal(await Tag.filter({ name: 'plan' }).count(), 1);
    });

    if (name === 'postgresql')
      within('analyze runs the statement, and undoes what it did', async () => {
        const plan = await explainStatement('DELETE FROM shop_tag', [], { analyze: true });
        assert.match(plan, /actual time/);
        assert.ok((await Tag.count()) > 0);
        assert.match(await explainStatement('SELECT 1', [], { format: 'json' }), /"Node Type"/);
      });
  });
