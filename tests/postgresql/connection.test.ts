import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { timeout } from 'sobaya/asyncio';
import {
  Connection,
  PostgresqlConnectionError,
  PostgresqlDataError,
  PostgresqlError,
  PostgresqlIntegrityError,
  PostgresqlProgrammingError,
} from 'sobaya/postgresql';
import { connect, database, options, skip } from './database.ts';

describe('a connection', { skip }, () => {
  test('runs statements with parameters and gives objects', async (t) => {
    const c = await connect(t);
    const { rows, count, command, fields } = await c.query('SELECT $1::int4 AS a, $2 AS b, NULL AS c', [
      1,
      'é',
    ]);
    assert.deepEqual(rows, [{ a: 1, b: 'é', c: null }]);
    assert.deepEqual([count, command, fields.map((field) => field.name)], [1, 'SELECT', ['a', 'b', 'c']]);
  });

  test('gives the number of rows changed', async (t) => {
    const c = await connect(t);
    await c.query('CREATE TEMP TABLE n (a int)');
    assert.equal((await c.query('INSERT INTO n SELECT generate_series(1, 7)')).count, 7);
    assert.equal((await c.query('UPDATE n SET a = a WHERE a > $1', [4])).count, 3);
    const deleted = await c.query('DELETE FROM n RETURNING a');
    assert.deepEqual([deleted.count, deleted.rows.length, deleted.command], [7, 7, 'DELETE']);
    assert.deepEqual((await c.query('')).rows, []);
  });

  test('keeps statements in the order in which they were given', async (t) => {
    const c = await connect(t);
    await c.query('CREATE TEMP TABLE o (a int)');
    const all = await Promise.all([
      c.query('INSERT INTO o VALUES (1)'),
      c.query<{ n: number }>('SELECT count(*) AS n FROM o'),
      c.query('INSERT INTO o VALUES (2)'),
      c.query<{ n: number }>('SELECT count(*) AS n FROM o WHERE a > $1', [0]),
    ]);
    assert.deepEqual([all[1].rows, all[3].rows], [[{ n: 1 }], [{ n: 2 }]]);
  });

  test('isolates errors: those before and after succeed', async (t) => {
    const c = await connect(t);
    const settled = await Promise.allSettled([
      c.query('SELECT 1 AS a'),
      c.query('SELECT 1 / $1::int', [0]),
      c.query('SELEC'),
      c.query('SELECT 2 AS a'),
    ]);
    assert.deepEqual(
      settled.map((one) =>
        one.status === 'fulfilled' ? one.value.rows : (one.reason as PostgresqlError).sqlState,
      ),
      [[{ a: 1 }], '22012', '42601', [{ a: 2 }]],
    );
  });

  test('an error in the middle of a result leaves nothing in the next one', async (t) => {
    const c = await connect(t);
    const failing = c.query('SELECT 1 / (3 - g) AS x FROM generate_series(1, 5) g');
    const next = c.query('SELECT g FROM generate_series(1, 3) g');
    await assert.rejects(failing, PostgresqlDataError);
    assert.deepEqual((await next).rows, [{ g: 1 }, { g: 2 }, { g: 3 }]);
  });

  test('a pipelined transaction in which a statement fails commits nothing', async (t) => {
    const c = await connect(t);
    const settled = await Promise.allSettled(
      ['BEGIN', 'SELECT 1/0', 'SELECT 2', 'COMMIT'].map((sql) => c.query(sql)),
    );
    assert.deepEqual(
      settled.map((one) =>
        one.status === 'fulfilled' ? one.value.command : (one.reason as PostgresqlError).sqlState,
      ),
      ['BEGIN', '22012', '25P02', 'ROLLBACK'],
    );
  });

  test('errors carry what the server said, and a class by who is at fault', async (t) => {
    const c = await connect(t);
    await c.query(
      'CREATE TEMP TABLE u (id int PRIMARY KEY, name text NOT NULL, CONSTRAINT short CHECK (length(name) < 4))',
    );
    await c.query("INSERT INTO u VALUES (1, 'a')");
    const unique = await c.query('INSERT INTO u VALUES ($1, $2)', [1, 'b']).catch((error) => error);
    assert.ok(unique instanceof PostgresqlIntegrityError && unique instanceof PostgresqlError);
    assert.deepEqual(
      [unique.sqlState, unique.constraint, unique.table, unique.detail, unique.retryable],
      ['23505', 'u_pkey', 'u', 'Key (id)=(1) already exists.', false],
    );
    assert.equal(
      unique.message,
      'duplicate key value violates unique constraint "u_pkey" [23505] (INSERT INTO u VALUES ($1, $2))',
    );
    const missing = await c.query('INSERT INTO u VALUES (2, NULL)').catch((error) => error);
    assert.deepEqual([missing.sqlState, missing.column], ['23502', 'name']);
    const check = await c.query("INSERT INTO u VALUES (2, 'abcdef')").catch((error) => error);
    assert.deepEqual([check.sqlState, check.constraint], ['23514', 'short']);
    const wrong = await c.query('SELECT nmae FROM u').catch((error) => error);
    assert.ok(wrong instanceof PostgresqlProgrammingError);
    assert.deepEqual([wrong.sqlState, wrong.server.position], ['42703', 8]);
    assert.equal(
      wrong.message,
      'column "nmae" does not exist [42703] (SELECT nmae FROM u). Perhaps you meant to reference the column "u.name"',
    );
  });

  test('parameters that cannot be sent are refused by name, and the connection goes on', async (t) => {
    const c = await connect(t);
    const cases: [string, unknown[], string][] = [
      [
        'SELECT $1::int',
        [undefined],
        'Parameter $1 (int4) is undefined (SELECT $1::int). Give null for NULL, or the value',
      ],
      ['SELECT $1::int', [{}], 'Parameter $1 (int4) is an object (SELECT $1::int). Give an integer'],
      [
        'SELECT $1::timestamptz',
        [new Date(Number.NaN)],
        'Parameter $1 (timestamptz) is an instance of Date (SELECT $1::timestamptz). Give a valid Date',
      ],
      [
        'SELECT $1::bytea',
        [5],
        'Parameter $1 (bytea) is 5 (SELECT $1::bytea). Give bytes (Buffer, Uint8Array, ArrayBuffer)',
      ],
      ['SELECT $1::int[]', [5], 'Parameter $1 (_int4) is 5 (SELECT $1::int[]). Give an array'],
      ['SELECT $1', [Symbol('x')], 'Parameter $1 (text) is Symbol(x) (SELECT $1). Give text'],
      [
        'SELECT $1::int',
        [],
        'The statement takes 1 parameter and got 0 (SELECT $1::int). Give one value for each placeholder',
      ],
      [
        'SELECT 1',
        [1],
        'The statement takes 0 parameters and got 1 (SELECT 1). Give one value for each placeholder',
      ],
    ];
    const before = c.query('SELECT 1 AS a');
    const refused = cases.map(([sql, params]) =>
      c.query(sql, params).then(
        () => '',
        (error: Error) => error.message,
      ),
    );
    const afterwards = c.query('SELECT 2 AS a');
    assert.deepEqual(
      await Promise.all(refused),
      cases.map((one) => one[2]),
    );
    assert.deepEqual([(await before).rows, (await afterwards).rows], [[{ a: 1 }], [{ a: 2 }]]);
  });

  test('SQL with a NUL character, which would end in its middle, is not sent', async (t) => {
    const c = await connect(t);
    await assert.rejects(c.query('SELECT 1\0; DROP TABLE x'), {
      code: 'SBY_POSTGRESQL_BAD_SQL',
      message:
        'This statement cannot be sent: it contains a NUL character. Pass values as parameters, and remove the character',
    });
    await assert.rejects(c.query(5 as unknown as string), { code: 'SBY_POSTGRESQL_BAD_SQL' });
    await assert.rejects(c.query('SELECT $1', ['a\0b']), { sqlState: '22021' });
  });

  test('a row can be as large as the server can make it', async (t) => {
    const c = await connect(t);
    const { rows } = await c.query<{ x: string; n: number }>("SELECT repeat('é', 5000000) AS x, 1 AS n");
    assert.equal(rows[0]?.x.length, 5_000_000);
    const text = 'x'.repeat(3_000_000);
    assert.equal((await c.query<{ n: number }>('SELECT length($1) AS n', [text])).rows[0]?.n, 3_000_000);
  });

  test('a statement ends with its scope: it is cancelled in the database, the connection is usable', async (t) => {
    const c = await connect(t);
    await assert.rejects(
      timeout(50, () => c.query('SELECT pg_sleep(20)')),
      { name: 'TimeoutError' },
    );
    assert.deepEqual((await c.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    const watcher = await connect(t);
    const { rows } = await watcher.query(
      "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)' AND state = 'active'",
    );
    assert.deepEqual(rows, [{ n: 0 }]);
  });

  test('a server that is not there, a database that is not there', async () => {
    await assert.rejects(
      Connection.connect({ host: '127.0.0.1', port: 1 }),
      (error: PostgresqlConnectionError) => {
        assert.ok(error instanceof PostgresqlConnectionError);
        assert.equal(
          error.message,
          'No connection to PostgreSQL: connect ECONNREFUSED 127.0.0.1:1 (127.0.0.1:1). Check host and port, and that the server is running and reachable',
        );
        assert.ok(error.retryable);
        return true;
      },
    );
    await assert.rejects(Connection.connect({ ...options, database: 'sobaya_not_there' }), {
      code: 'SBY_POSTGRESQL_REFUSED',
      sqlState: '3D000',
      retryable: false,
      message: /database "sobaya_not_there" does not exist \[3D000\] .*Create the database/,
    });
  });

  test('a closed connection refuses by name', async (t) => {
    const c = await connect(t);
    const last = c.query('SELECT 1 AS a');
    await c.close();
    assert.deepEqual((await last).rows, [{ a: 1 }]);
    await assert.rejects(c.query('SELECT 1'), {
      message: 'This connection is closed. Await what uses it before closing it',
    });
    assert.equal(c.state, 'closed');
  });

  test('several statements at once, as a script', async (t) => {
    const c = await connect(t);
    const results = await c.script(
      "CREATE TEMP TABLE s (a int, b text); INSERT INTO s VALUES (1, 'x'), (2, NULL); TABLE s",
    );
    assert.deepEqual(
      results.map((one) => one.command),
      ['CREATE TABLE', 'INSERT', 'SELECT'],
    );
    assert.deepEqual(results[2]?.rows, [
      ['1', 'x'],
      ['2', null],
    ]);
    await assert.rejects(c.script('SELECT 1; SELECT 1/0'), { sqlState: '22012' });
  });

  test('rows go straight into what a shape says', async (t) => {
    const c = await connect(t);
    class Author {
      readonly id: number;
      readonly name: string;
      constructor(id: number, name: string) {
        this.id = id;
        this.name = name;
      }
    }
    const sql = "SELECT 1 AS id, 'Ann' AS name";
    const [author] = await c.execute(sql, [], { construct: Author });
    assert.ok(author instanceof Author);
    assert.deepEqual(await c.execute(sql, [], { row: 'array' }), [[1, 'Ann']]);
    assert.deepEqual(await c.execute(sql, [], { row: (id: number, name: string) => `${id} ${name}` }), [
      '1 Ann',
    ]);
    const big = { row: (n: bigint, at: string) => [n, at], read: ['bigint', 'iso'] };
    assert.deepEqual(
      await c.execute(
        "SELECT 9223372036854775807 AS n, '2026-01-02 03:04:05.678901+00'::timestamptz",
        [],
        big,
      ),
      [[9223372036854775807n, '2026-01-02T03:04:05.678901Z']],
    );
    const count = await c.execute(sql, [], { row: 'array' }, (result) => result.count);
    assert.equal(count, 1);
    const failing = {
      row: () => {
        throw new Error('mine');
      },
    };
    await assert.rejects(c.execute(sql, [], failing), { message: 'mine' });
    assert.equal((await c.query('SELECT current_database() AS d')).rows[0]?.['d'], database);
  });
});
