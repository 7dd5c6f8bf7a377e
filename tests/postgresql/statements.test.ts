import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { Pool, type PostgresqlQueryMessage, postgresqlQuery, type ServerFields } from 'sobaya/postgresql';
import { connect, options, skip } from './database.ts';

describe('prepared statements', { skip }, () => {
  test('a schema change under one is noticed and the statement run again', async (t) => {
    const c = await connect(t);
    const admin = await connect(t);
    await admin.script('CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)');
    const sql = 'SELECT * FROM changing';
    assert.deepEqual((await c.query(sql)).rows, [{ a: 1 }]);
    await admin.query("ALTER TABLE changing ADD b text DEFAULT 'x'");
    assert.deepEqual((await c.query(sql)).rows, [{ a: 1, b: 'x' }]);
    await admin.query('ALTER TABLE changing ALTER a TYPE bigint');
    // Several at once, all of them sent before the first answer.
    const all = await Promise.all([c.query(sql), c.query('SELECT 1 AS one'), c.query(sql)]);
    assert.deepEqual(
      all.map((one) => one.rows),
      [[{ a: 1, b: 'x' }], [{ one: 1 }], [{ a: 1, b: 'x' }]],
    );
    await admin.query('ALTER TABLE changing DROP b');
    assert.deepEqual((await c.query(sql)).rows, [{ a: 1 }]);
  });

  test('in a transaction it fails as retryable, and the next transaction works', async (t) => {
    const c = await connect(t);
    const admin = await connect(t);
    await admin.script('CREATE TABLE changing_tx (a int); INSERT INTO changing_tx VALUES (1)');
    const sql = 'SELECT * FROM changing_tx';
    await c.query(sql);
    await admin.query('ALTER TABLE changing_tx ADD b int');
    const run = (): Promise<unknown> => c.transaction(async (tx) => (await tx.query(sql)).rows);
    await assert.rejects(run(), { sqlState: '0A000', retryable: true });
    assert.deepEqual(await run(), [{ a: 1, b: null }]);
  });

  test('a connection that meets a statement later than others is not misled by what they saw', async (t) => {
    const pool = new Pool({ ...options, size: 2 });
    t.after(() => pool.close());
    await pool.script('CREATE TABLE seen (a int, b int); INSERT INTO seen VALUES (1, 2)');
    const sql = 'SELECT * FROM seen';
    await pool.hold(async (first) => {
      await first.query(sql);
      await first.query('ALTER TABLE seen ALTER a TYPE text');
      await pool.hold(async (second) => {
        assert.deepEqual((await second.query(sql)).rows, [{ a: '1', b: 2 }]);
        await second.query('ALTER TABLE seen DROP a');
      });
      assert.deepEqual((await first.query(sql)).rows, [{ b: 2 }]);
      await first.query('ALTER TABLE seen RENAME b TO c');
      assert.deepEqual((await first.query(sql)).rows, [{ c: 2 }]);
    });
  });

  test('when the server has lost one it is prepared again', async (t) => {
    const c = await connect(t);
    await c.query('SELECT $1::int AS a', [1]);
    await c.script('DEALLOCATE ALL');
    assert.deepEqual((await c.query('SELECT $1::int AS a', [2])).rows, [{ a: 2 }]);
    await c.script('DISCARD ALL');
    assert.deepEqual((await c.query('SELECT $1::int AS a', [3])).rows, [{ a: 3 }]);
  });

  test('no more are kept than statementCache says; those used lately stay', async (t) => {
    const c = await connect(t, { statementCache: 5 });
    for (let i = 0; i < 50; i++) {
      assert.deepEqual((await c.query(`SELECT ${i} AS a`)).rows, [{ a: i }]);
      await c.query("SELECT 'often' AS a");
    }
    const [answer] = await c.script('SELECT statement FROM pg_prepared_statements');
    assert.ok(answer!.rows.length <= 6, `${answer!.rows.length} statements are prepared`);
    assert.ok(answer!.rows.some((row) => row[0] === "SELECT 'often' AS a"));
  });

  test('a failed preparation leaves nothing behind', async (t) => {
    const c = await connect(t);
    for (let i = 0; i < 3; i++)
      await assert.rejects(c.query('SELECT * FROM not_there'), { sqlState: '42P01' });
    await c.query('CREATE TEMP TABLE not_there (a int)');
    assert.deepEqual((await c.query('SELECT * FROM not_there')).rows, []);
  });

  test('prepare: false keeps none in the server, and does the same', async (t) => {
    const c = await connect(t, { prepare: false });
    for (let i = 0; i < 3; i++) {
      const all = await Promise.all([
        c.query('SELECT $1::int8 AS a, $2::text[] AS b', [i, ['x', null]]),
        c.query('SELECT 1/0').catch((error) => error.sqlState),
        c.query('SELECT $1::timestamptz AS at', [new Date(i)]),
      ]);
      assert.deepEqual(
        [all[0].rows, all[1], all[2].rows],
        [[{ a: i, b: ['x', null] }], '22012', [{ at: new Date(i) }]],
      );
    }
    assert.deepEqual((await c.script('SELECT count(*) FROM pg_prepared_statements'))[0]?.rows, [['0']]);
    await c.script('CREATE TEMP TABLE p (a int); INSERT INTO p VALUES (1)');
    assert.deepEqual((await c.query('SELECT * FROM p')).rows, [{ a: 1 }]);
    await c.script("ALTER TABLE p ADD b text DEFAULT 'x'");
    assert.deepEqual((await c.query('SELECT * FROM p')).rows, [{ a: 1, b: 'x' }]);
    const seen: unknown[] = [];
    for await (const row of c.cursor('SELECT g FROM generate_series(1, $1::int) g', [5], { batch: 2 }))
      seen.push(row);
    assert.equal(seen.length, 5);
  });
});

describe('what the server says besides', { skip }, () => {
  test('notices go to onNotice', async (t) => {
    const notices: ServerFields[] = [];
    const c = await connect(t, { onNotice: (notice) => notices.push(notice) });
    await c.query("DO $$ BEGIN RAISE WARNING 'careful %', 1 USING HINT = 'look'; END $$");
    assert.deepEqual(
      notices.map((one) => [one.severity, one.message, one.hint]),
      [['WARNING', 'careful 1', 'look']],
    );
  });

  test('statements are told on the tracing channel', async (t) => {
    const c = await connect(t);
    const told: [string, unknown, unknown][] = [];
    const listener = (message: unknown): void => {
      const { sql, params, rows } = message as PostgresqlQueryMessage;
      told.push([sql, params, rows]);
    };
    postgresqlQuery.asyncEnd.subscribe(listener);
    postgresqlQuery.start.subscribe(() => {});
    t.after(() => postgresqlQuery.asyncEnd.unsubscribe(listener));
    await c.query('SELECT $1::int AS a', [1]);
    assert.deepEqual(told, [['SELECT $1::int AS a', [1], 1]]);
  });

  test('all of it works where code must not be made from strings', () => {
    const script = `
      import { Connection } from 'sobaya/postgresql';
      const c = await Connection.connect(${JSON.stringify(options)});
      class Row { constructor(a, b) { this.sum = a + b; } }
      const objects = (await c.query("SELECT 1 AS a, 'x' AS \\"__proto__\\", NULL AS n, ARRAY[1.5] AS l")).rows;
      const made = await c.execute('SELECT 1, 2', [], { construct: Row });
      const called = await c.execute('SELECT 1, 2', [], { row: (a, b) => a - b });
      const arrays = await c.execute('SELECT 1, true', [], { row: 'array' });
      console.log(JSON.stringify([objects, made, called, arrays]));
      await c.close();`;
    const printed = execFileSync(
      process.execPath,
      [
        '--disallow-code-generation-from-strings',
        '--conditions=sobaya:source',
        '--input-type=module',
        '-e',
        script,
      ],
      { encoding: 'utf8', cwd: import.meta.dirname },
    );
    assert.deepEqual(JSON.parse(printed), [
      [JSON.parse('{"a":1,"__proto__":"x","n":null,"l":["1.5"]}')],
      [{ sum: 3 }],
      [-1],
      [[1, true]],
    ]);
  });
});
