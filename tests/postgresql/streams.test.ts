import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { timeout } from 'sobaya/asyncio';
import { Pool, type PostgresqlError } from 'sobaya/postgresql';
import { connect, eventually, options, skip } from './database.ts';

function pooled(t: { after(fn: () => unknown): void }, size = 2): Pool {
  const pool = new Pool({ ...options, size });
  t.after(() => pool.close({ timeout: 100 }));
  return pool;
}

describe('cursors', { skip }, () => {
  test('give all rows, in batches, in a transaction of their own', async (t) => {
    const pool = pooled(t);
    const seen: number[] = [];
    for await (const row of pool.cursor<{ g: number }>(
      'SELECT g FROM generate_series(1, $1::int) g',
      [1005],
      { batch: 10 },
    ))
      seen.push(row.g);
    assert.deepEqual(
      seen,
      Array.from({ length: 1005 }, (_, i) => i + 1),
    );
    const sizes: number[] = [];
    for await (const rows of pool.batches('SELECT g FROM generate_series(1, 25) g', [], { batch: 10 }))
      sizes.push(rows.length);
    assert.deepEqual(sizes, [10, 10, 5]);
    for await (const _ of pool.cursor('SELECT 1 WHERE false')) assert.fail('there is no row');
    assert.equal(pool.statistics().leased, 0);
  });

  test('stop early, and the connection goes on', async (t) => {
    const pool = pooled(t, 1);
    for await (const row of pool.cursor<{ g: number }>('SELECT g FROM generate_series(1, 1000000) g', [], {
      batch: 5,
    }))
      if (row.g === 7) break;
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    await assert.rejects(
      async () => {
        for await (const _ of pool.cursor('SELECT 1 / (5 - g) FROM generate_series(1, 10) g', [], {
          batch: 2,
        }));
      },
      { sqlState: '22012' },
    );
    await assert.rejects(
      async () => {
        for await (const _ of pool.cursor('SELECT 1', [], { batch: 0 }));
      },
      { message: /^batch is 0\. It takes a number of rows/ },
    );
    await assert.rejects(
      timeout(30, async () => {
        for await (const _ of pool.cursor('SELECT pg_sleep(0.01) FROM generate_series(1, 1000)', [], {
          batch: 1,
        }));
      }),
      { name: 'TimeoutError' },
    );
    assert.deepEqual((await pool.query('SELECT 2 AS a')).rows, [{ a: 2 }]);
    assert.deepEqual([pool.statistics().opened, pool.statistics().lost], [1, 0]);
  });

  test('interleave with other statements of their transaction', async (t) => {
    const pool = pooled(t, 1);
    await pool.query('CREATE TABLE doubled (n int)');
    await pool.transaction(async (tx) => {
      for await (const row of tx.cursor<{ g: number }>('SELECT g FROM generate_series(1, 20) g', [], {
        batch: 3,
      }))
        await tx.query('INSERT INTO doubled VALUES ($1)', [row.g * 2]);
    });
    assert.deepEqual((await pool.query('SELECT sum(n)::int AS s FROM doubled')).rows, [{ s: 420 }]);
  });
});

describe('COPY', { skip }, () => {
  test('in: text, bytes, iterables and streams cut anywhere', async (t) => {
    const pool = pooled(t);
    await pool.query('CREATE TABLE copy_in (a int, b text)');
    const sql = 'COPY copy_in FROM STDIN';
    assert.equal(await pool.copyFrom(sql, '1\tone\n2\ttwo\n'), 2);
    assert.equal(await pool.copyFrom(sql, Buffer.from('3\tthree\n')), 1);
    assert.equal(await pool.copyFrom(sql, ['4\tf', 'our\n5', '\té\n']), 2);
    assert.equal(await pool.copyFrom(sql, Readable.from([Buffer.from('6\tsix'), Buffer.from('\n')])), 1);
    assert.equal(await pool.copyFrom(sql, []), 0);
    assert.deepEqual((await pool.query('SELECT count(*) AS n, max(b) AS b FROM copy_in')).rows, [
      { n: 6, b: 'é' },
    ]);
  });

  test('in: a large source waits for the server', async (t) => {
    const c = await connect(t);
    await c.query('CREATE TEMP TABLE copy_large (a int, b text)');
    let taken = 0;
    async function* source(): AsyncGenerator<string> {
      for (let i = 0; i < 3000; i++) {
        taken++;
        yield `${i}\t${'x'.repeat(5000)}\n`;
      }
    }
    assert.equal(await c.copyFrom('COPY copy_large FROM STDIN', source()), 3000);
    assert.equal(taken, 3000);
  });

  test('in: rows with values of every kind', async (t) => {
    const pool = pooled(t);
    await pool.query(
      'CREATE TABLE copy_rows (id int, "na""me" text, at timestamptz, data jsonb, tags text[], raw bytea)',
    );
    const at = new Date('2026-01-02T03:04:05.678Z');
    const rows = [
      [1, 'a\tb\nc\\d\r', at, { a: [1, '\n'] }, ['x\ty', null, '\\'], Buffer.from([0, 9, 10, 92])],
      [2, null, null, null, [], Buffer.alloc(0)],
    ];
    assert.equal(await pool.copyRows('copy_rows', ['id', 'na"me', 'at', 'data', 'tags', 'raw'], rows), 2);
    const back = await pool.execute('SELECT * FROM copy_rows ORDER BY id', [], { row: 'array' });
    assert.deepEqual(back, rows);
    await assert.rejects(
      pool.copyRows(['public', 'copy_rows'], ['id'], [[1, 2]]),
      /takes 1 parameter and got 2 \(COPY "public"\."copy_rows" .*row 1\)/,
    );
    await assert.rejects(
      pool.copyRows('copy_rows', ['id'], [[1], [undefined]]),
      /Parameter \$1 \(int4\) is undefined .*row 2/,
    );
    await assert.rejects(pool.copyRows('copy_rows', ['nope'], []), { sqlState: '42703' });
    assert.deepEqual((await pool.query('SELECT count(*) AS n FROM copy_rows')).rows, [{ n: 2 }]);
  });

  test('in: what goes wrong on either side keeps nothing and leaves the connection usable', async (t) => {
    const pool = pooled(t, 1);
    await pool.query('CREATE TABLE copy_bad (a int)');
    const sql = 'COPY copy_bad FROM STDIN';
    await assert.rejects(pool.copyFrom(sql, '1\nx\n'), { sqlState: '22P02' });
    let ended = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield 'x\n';
      } finally {
        ended = true;
      }
    }
    await assert.rejects(pool.copyFrom(sql, endless()), { sqlState: '22P02' });
    await eventually(async () => ended);
    async function* failing(): AsyncGenerator<string> {
      yield '1\n';
      throw new Error('the source broke');
    }
    await assert.rejects(pool.copyFrom(sql, failing()), { message: 'the source broke' });
    await assert.rejects(pool.copyFrom(sql, [5 as unknown as string]), { code: 'SBY_POSTGRESQL_BAD_OPTION' });
    await assert.rejects(pool.copyFrom(sql, 5 as unknown as string), /The source of copyFrom\(\) is 5/);
    await assert.rejects(pool.copyFrom('COPY nope FROM STDIN', ''), { sqlState: '42P01' });
    await assert.rejects(pool.copyFrom('SELECT 1', ''), /was given a statement that takes no data/);
    assert.deepEqual((await pool.query('SELECT * FROM copy_bad')).rows, []);
    assert.deepEqual([pool.statistics().opened, pool.statistics().lost], [1, 0]);
  });

  test('in: ends with its scope although its source is stuck', async (t) => {
    const pool = pooled(t, 1);
    await pool.query('CREATE TABLE copy_stuck (a int)');
    async function* stuck(): AsyncGenerator<string> {
      yield '1\n';
      await new Promise(() => {});
    }
    await assert.rejects(
      timeout(30, () => pool.copyFrom('COPY copy_stuck FROM STDIN', stuck())),
      { name: 'TimeoutError' },
    );
    assert.deepEqual((await pool.query('SELECT * FROM copy_stuck')).rows, []);
    assert.equal(pool.statistics().lost, 0);
  });

  test('in: given to query() it is refused, and the pool goes on', async (t) => {
    const pool = pooled(t, 1);
    await pool.query('CREATE TABLE copy_query (a int)');
    await assert.rejects(pool.query('COPY copy_query FROM STDIN'), {
      message:
        'This statement cannot be sent: COPY … FROM STDIN was given to a method that has no data for it. Use copyFrom(sql, source)',
    });
    await assert.rejects(pool.query('COPY copy_query TO STDOUT'), /Use copyTo\(sql\)/);
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
  });

  test('out: row by row; a slow reader holds the server back; stopping early is fine', async (t) => {
    const pool = pooled(t, 1);
    const lines: string[] = [];
    for await (const chunk of pool.copyTo(
      "COPY (SELECT g, NULL, 'é' FROM generate_series(1, 3) g) TO STDOUT",
    ))
      lines.push(chunk.toString());
    assert.deepEqual(lines, ['1\t\\N\té\n', '2\t\\N\té\n', '3\t\\N\té\n']);
    let size = 0;
    let count = 0;
    for await (const chunk of pool.copyTo(
      "COPY (SELECT repeat('x', 10000) FROM generate_series(1, 5000)) TO STDOUT",
    )) {
      size += chunk.length;
      if (++count % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(size, 5000 * 10001);
    for await (const _ of pool.copyTo(
      "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 10000000)) TO STDOUT",
    ))
      break;
    await assert.rejects(
      async () => {
        for await (const _ of pool.copyTo('COPY (SELECT 1/(2-g) FROM generate_series(1,3) g) TO STDOUT'));
      },
      (error: PostgresqlError) => error.sqlState === '22012',
    );
    await assert.rejects(async () => {
      for await (const _ of pool.copyTo('SELECT 1'));
    }, /was given a statement that gives no data/);
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    assert.deepEqual([pool.statistics().opened, pool.statistics().lost], [1, 0]);
  });

  test('out into in, from one connection to another', async (t) => {
    const pool = pooled(t, 2);
    await pool.query('CREATE TABLE copy_target (a int, b text)');
    const rows = await pool.copyFrom(
      'COPY copy_target FROM STDIN (FORMAT binary)',
      pool.copyTo("COPY (SELECT g, 'row ' || g FROM generate_series(1, 20000) g) TO STDOUT (FORMAT binary)"),
    );
    assert.equal(rows, 20000);
  });
});

describe('LISTEN', { skip }, () => {
  test('delivers to every listener of the channel, until it is closed', async (t) => {
    const pool = pooled(t);
    const got: string[] = [];
    const first = await pool.listen('Orders "1"', ({ payload }) => got.push(`a ${payload}`));
    const second = await pool.listen('Orders "1"', ({ payload }) => got.push(`b ${payload}`));
    await pool.notify('Orders "1"', 'x');
    await eventually(async () => got.length === 2);
    assert.deepEqual(got, ['a x', 'b x']);
    await first.close();
    await pool.transaction(async (tx) => {
      await tx.notify('Orders "1"', 'y');
      assert.equal(got.length, 2);
    });
    await eventually(async () => got.length === 3);
    assert.equal(got[2], 'b y');
    await second.close();
    await assert.rejects(
      pool.listen('', () => {}),
      { message: /^channel is ""/ },
    );
  });

  test('subscribes again after its connection was lost, and says that there was a gap', async (t) => {
    const pool = pooled(t);
    const admin = await connect(t);
    const got: string[] = [];
    const gap = Promise.withResolvers<void>();
    await pool.listen('again', ({ payload }) => got.push(payload), { onGap: gap.resolve });
    const { rows } = await admin.query<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE query = \'LISTEN "again"\' AND datname = current_database()',
    );
    await admin.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    await gap.promise;
    await pool.notify('again', 'after');
    await eventually(async () => got.length === 1);
    assert.deepEqual(got, ['after']);
  });

  test('a connection of your own hears what it listens to', async (t) => {
    const c = await connect(t);
    const heard = new Promise((resolve) => {
      c.onNotification = resolve;
    });
    await c.query('LISTEN mine');
    await c.notify('mine', 'é');
    assert.deepEqual(await heard, { channel: 'mine', payload: 'é', processId: c.processId });
  });
});
