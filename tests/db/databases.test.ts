import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gather } from 'sobaya/asyncio';
import { atomic, Databases, executorFor, StatementShape } from 'sobaya/db';
import { serverOrSkip } from './support/postgres.ts';

async function onFile(fn: (databases: Databases) => Promise<void>, inline = 'never'): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-db-'));
  const databases = await new Databases({ default: `sqlite:${folder}/db.sqlite3?inline=${inline}` }).open();
  try {
    await databases.run(() => fn(databases));
  } finally {
    await databases.close();
    rmSync(folder, { recursive: true });
  }
}

for (const where of ['file', 'memory', 'inline'] as const) {
  test(`${where}: execute, query, script, atomic`, async () => {
    const body = async (databases: Databases): Promise<void> => {
      const db = databases.get();
      await db.script('CREATE TABLE t (id integer primary key, n integer unique)');
      const inserts = Array.from(
        { length: 50 },
        (_, i) => () => db.execute('INSERT INTO t (n) VALUES (?)', [i]),
      );
      await gather(...inserts);
      assert.deepEqual((await db.execute('SELECT count(*), max(n) FROM t')).rows, [[50, 49]]);
      assert.deepEqual((await db.query('SELECT id, n FROM t WHERE n = ?', [3])).columns, ['id', 'n']);
      await assert.rejects(
        atomic(async () => {
          await executorFor('default').execute('DELETE FROM t');
          throw new Error('no soba left');
        }),
        { message: 'no soba left' },
      );
      assert.deepEqual((await db.execute('SELECT count(*) FROM t')).rows, [[50]]);
      await assert.rejects(db.execute('INSERT INTO t (n) VALUES (?)', [3]), {
        name: 'IntegrityError',
        code: 'SBY_DB_UNIQUE',
        message: /t with this n already exists/,
      });
    };
    if (where === 'memory') {
      const databases = await new Databases({ default: 'sqlite::memory:' }).open();
      await body(databases);
      await databases.close();
    } else await onFile(body, where === 'inline' ? 'always' : 'never');
  });
}

test('a statement that fails in a group commit undoes only itself', () =>
  onFile(async (databases) => {
    const db = databases.get();
    await db.script('CREATE TABLE t (n integer unique)');
    const outcomes = await Promise.allSettled(
      [1, 2, 2, 3].map((n) => db.execute('INSERT INTO t VALUES (?)', [n])),
    );
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual((await db.execute('SELECT n FROM t ORDER BY n')).rows, [[1], [2], [3]]);
  }));

test('a database that cannot be opened says which and why', async () => {
  await assert.rejects(new Databases({ default: 'sqlite:/nowhere/at/all/db.sqlite3' }).open(), {
    code: 'SBY_DB_CANNOT_OPEN',
    message: /"default" cannot be opened: unable to open database file \(sqlite:\/nowhere/,
  });
});

test('a malformed URL is refused without showing its password', () => {
  assert.throws(
    () => new Databases({ default: 'mysqlx://me:secret@host/db' }),
    (error: Error) => {
      assert.match(error.message, /names no known engine/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    },
  );
});

test('databases that were closed can be opened again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-db-'));
  try {
    const databases = new Databases({ default: `sqlite:${join(folder, 'again.sqlite3')}` });
    for (const turn of [1, 2, 3]) {
      await databases.open();
      const backend = databases.get();
      await backend.script('CREATE TABLE IF NOT EXISTS soba (id INTEGER PRIMARY KEY)');
      await backend.execute('INSERT INTO soba DEFAULT VALUES', []);
      const { rows } = await backend.execute('SELECT count(*) FROM soba', []);
      assert.deepEqual(rows, [[turn]]);
      await databases.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a lane that forgets its statements, as it knows too many, goes on answering', async () => {
  const databases = await new Databases({ default: 'sqlite::memory:' }).open();
  try {
    const backend = databases.get();
    for (let n = 0; n < 2100; n++) {
      const sql = `SELECT ${n}`;
      const { rows } = await backend.execute(sql, [], new StatementShape(sql, true));
      assert.deepEqual(rows, [[n]]);
    }
  } finally {
    await databases.close();
  }
});

for (const driver of ['sobaya', 'pg'] as const) {
  const server = serverOrSkip(`reopen_${driver}`);
  test(`PostgreSQL that was closed can be opened again, driver ${driver}`, {
    skip: server.skip,
  }, async () => {
    const url = await server.url();
    const databases = new Databases({ default: { engine: 'postgresql', url, driver } });
    try {
      for (let round = 0; round < 3; round++) {
        await databases.open();
        const { rows } = await databases.get().execute('SELECT 1');
        assert.equal(rows.length, 1);
        await databases.close();
        await assert.rejects(databases.get().execute('SELECT 1'), { code: 'SBY_DB_CLOSED' });
      }
    } finally {
      await databases.close();
      await server.drop();
    }
  });
}
