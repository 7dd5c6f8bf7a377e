import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gather, timeout } from 'sobaya/asyncio';
import {
  Pool,
  type PoolOptions,
  PostgresqlConnectionError,
  type PostgresqlError,
  PostgresqlPoolError,
} from 'sobaya/postgresql';
import { connect, eventually, options, skip } from './database.ts';

function pooled(t: { after(fn: () => unknown): void }, more: PoolOptions = {}): Pool {
  const pool = new Pool({ ...options, size: 3, ...more });
  t.after(() => pool.close({ timeout: 100 }));
  return pool;
}

describe('a pool', { skip }, () => {
  test('answers many callers on few connections, each with its own answer', async (t) => {
    const pool = pooled(t);
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => pool.query<{ n: number }>('SELECT $1::int4 AS n', [i])),
    );
    assert.deepEqual(
      answers.map((one) => one.rows[0]?.n),
      Array.from({ length: 300 }, (_, i) => i),
    );
    const { open, waiting, running, queries } = pool.statistics();
    assert.ok(open <= 3);
    assert.deepEqual([waiting, running, queries], [0, 0, 300]);
  });

  test('a statement is described once for all connections', async (t) => {
    const pool = pooled(t);
    await pool.query('SELECT 1 AS once');
    // All three connections at the same time.
    await gather(
      ...Array.from(
        { length: 3 },
        () => () =>
          pool.transaction(async (tx) => {
            assert.deepEqual((await tx.query('SELECT 1 AS once')).rows, [{ once: 1 }]);
            await tx.query('SELECT pg_sleep(0.05)');
          }),
      ),
    );
    assert.equal(pool.statistics().open, 3);
  });

  test('transactions commit, roll back, nest as savepoints', async (t) => {
    const pool = pooled(t);
    await pool.query('CREATE TABLE pool_tx (id int PRIMARY KEY)');
    const value = await pool.transaction(async (tx) => {
      await tx.query('INSERT INTO pool_tx VALUES (1)');
      await assert.rejects(
        tx.transaction(async (inner) => {
          await inner.query('INSERT INTO pool_tx VALUES (2)');
          await inner.query('INSERT INTO pool_tx VALUES (1)');
        }),
        { sqlState: '23505' },
      );
      await tx.transaction((inner) => inner.query('INSERT INTO pool_tx VALUES (3)'));
      return 'done';
    });
    assert.equal(value, 'done');
    await assert.rejects(
      pool.transaction(async (tx) => {
        await tx.query('INSERT INTO pool_tx VALUES (4)');
        throw new Error('mine');
      }),
      { message: 'mine' },
    );
    assert.deepEqual((await pool.query('SELECT id FROM pool_tx ORDER BY 1')).rows, [{ id: 1 }, { id: 3 }]);
  });

  test('a transaction whose error was swallowed does not pretend to have committed', async (t) => {
    const pool = pooled(t);
    await assert.rejects(
      pool.transaction(async (tx) => {
        await tx.query('SELECT 1/0').catch(() => {});
      }),
      {
        code: 'SBY_POSTGRESQL_NOT_COMMITTED',
        message:
          'The transaction was rolled back at its end, because a statement in it had failed. Let the error pass, or put the statement that may fail into tx.transaction(…), a savepoint',
      },
    );
  });

  test('a transaction cannot be used after its end', async (t) => {
    const pool = pooled(t);
    const kept = await pool.transaction((tx) => Promise.resolve({ tx }));
    await assert.rejects(kept.tx.query('SELECT 1'), {
      code: 'SBY_POSTGRESQL_CLOSED',
      message:
        'This transaction is closed. Await everything inside the function given to transaction(); nothing of it can be used after its end',
    });
  });

  test('a cancelled transaction is cancelled in the database and rolled back, its connection goes on', async (t) => {
    const pool = pooled(t, { size: 1 });
    await pool.query('CREATE TABLE pool_cancel (id int)');
    await assert.rejects(
      timeout(60, () =>
        pool.transaction(async (tx) => {
          await tx.query('INSERT INTO pool_cancel VALUES (1)');
          await tx.query('SELECT pg_sleep(30)');
        }),
      ),
      { name: 'TimeoutError' },
    );
    assert.deepEqual((await pool.query('SELECT * FROM pool_cancel')).rows, []);
    assert.deepEqual([pool.statistics().opened, pool.statistics().lost], [1, 0]);
  });

  test('a cancel request hits only its own query, whatever stands behind it', async (t) => {
    const pool = pooled(t, { size: 1 });
    await pool.query('SELECT 1 AS warm');
    await pool.query('SELECT pg_sleep(0)');
    for (let round = 0; round < 10; round++) {
      const slow = timeout(round, () => pool.query('SELECT pg_sleep($1)', [0.004])).catch(
        (error) => error.name,
      );
      const others = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          pool.query('SELECT $1::int4 + 1 AS n', [i]).then((one) => one.rows),
        ),
      );
      assert.deepEqual(
        others,
        Array.from({ length: 6 }, (_, i) => [{ n: i + 1 }]),
      );
      const outcome = await slow;
      assert.ok(outcome === 'TimeoutError' || outcome.command === 'SELECT', String(outcome));
    }
    assert.equal(pool.statistics().lost, 0);
  });

  test('serialization failures are tried again when that is asked for', async (t) => {
    const pool = pooled(t);
    await pool.query('CREATE TABLE counter (n int)');
    await pool.query('INSERT INTO counter VALUES (0)');
    let tries = 0;
    await gather(
      ...Array.from(
        { length: 3 },
        () => () =>
          pool.transaction(
            async (tx) => {
              tries++;
              const { rows } = await tx.query<{ n: number }>('SELECT n FROM counter');
              await tx.query('UPDATE counter SET n = $1', [rows[0]!.n + 1]);
            },
            { isolation: 'serializable', retries: 20 },
          ),
      ),
    );
    assert.deepEqual((await pool.query('SELECT n FROM counter')).rows, [{ n: 3 }]);
    assert.ok(tries >= 3);
    await assert.rejects(
      pool.transaction(() => 1, { isolation: 'chaos' as 'serializable' }),
      { message: /isolation is "chaos"\. It takes one of read uncommitted/ },
    );
  });

  test('a query on the pool inside a transaction that holds its only connection is told so, in time', async (t) => {
    const pool = pooled(t, { size: 1, queueTimeout: 80 });
    await assert.rejects(
      pool.transaction(async () => {
        await pool.query('SELECT 1');
      }),
      (error: PostgresqlPoolError) => {
        assert.ok(error instanceof PostgresqlPoolError && error.retryable);
        assert.equal(
          error.message,
          'No connection became free within 80 ms; 1 of 1 are held by transactions. Keep transactions short, do not query the pool inside one, or raise `size` or `queueTimeout`',
        );
        return true;
      },
    );
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
  });

  test('the queue is bounded: who finds it full is told at once', async (t) => {
    const pool = pooled(t, { size: 1, queue: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const holding = pool.transaction(() => promise);
    await eventually(async () => pool.statistics().leased === 1);
    const waiting = [
      pool.query('SELECT 1 AS a'),
      pool.transaction(async (tx) => (await tx.query('SELECT 2 AS a')).rows),
    ];
    await assert.rejects(pool.query('SELECT 3'), {
      code: 'SBY_POSTGRESQL_POOL_FULL',
      message: /^2 callers are waiting for 1 connections, the queue is full/,
    });
    await assert.rejects(
      pool.transaction(() => 1),
      { code: 'SBY_POSTGRESQL_POOL_FULL' },
    );
    resolve();
    await holding;
    await Promise.all(waiting);
    assert.equal(pool.statistics().refused, 2);
  });

  test('who is cancelled while waiting leaves no place behind', async (t) => {
    const pool = pooled(t, { size: 1, queue: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const holding = pool.transaction(() => promise);
    await eventually(async () => pool.statistics().leased === 1);
    for (let i = 0; i < 5; i++) {
      await assert.rejects(
        timeout(1, () => pool.query('SELECT 1')),
        { name: 'TimeoutError' },
      );
      await assert.rejects(
        timeout(1, () => pool.transaction(() => 1)),
        { name: 'TimeoutError' },
      );
    }
    assert.equal(pool.statistics().waiting, 0);
    const last = pool.query('SELECT 1 AS a');
    resolve();
    await holding;
    assert.deepEqual((await last).rows, [{ a: 1 }]);
  });

  test('a killed backend: its query fails as retryable, everything after works, nothing is uncaught', async (t) => {
    const pool = pooled(t, { size: 1 });
    const admin = await connect(t);
    const running = pool.query("SELECT pg_sleep(30), 'pool_kill'");
    running.catch(() => {});
    const kill =
      "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE query LIKE '%pool_kill%' AND wait_event = 'PgSleep'";
    await eventually(async () => (await admin.query(kill)).rows.length > 0);
    await assert.rejects(running, (error: PostgresqlConnectionError) => {
      assert.ok(error instanceof PostgresqlConnectionError);
      assert.deepEqual([error.sqlState, error.retryable, error.sent], ['57P01', true, true]);
      return true;
    });
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    // Idle now; the pool hears of it by itself.
    const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await admin.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    await eventually(async () => pool.statistics().open === 0);
    assert.deepEqual((await pool.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
  });

  test('backends killed under load: no answer is lost, doubled or given to another', async (t) => {
    const pool = pooled(t, { size: 3 });
    const admin = await connect(t, { applicationName: 'admin' });
    await pool.query('CREATE TABLE load (id int PRIMARY KEY)');
    const confirmed: number[] = [];
    const unknown: number[] = [];
    let next = 0;
    const callers = Array.from({ length: 16 }, async () => {
      while (next < 1500) {
        const id = next++;
        try {
          const { rows } = await pool.query<{ id: number }>('INSERT INTO load VALUES ($1) RETURNING id', [
            id,
          ]);
          assert.deepEqual(rows, [{ id }]);
          confirmed.push(id);
        } catch (error) {
          assert.ok(error instanceof PostgresqlConnectionError, String(error));
          assert.ok(error.retryable && error.sent);
          unknown.push(id);
        }
      }
    });
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'admin'",
      );
    }
    await Promise.all(callers);
    const { rows } = await pool.query<{ id: number }>('SELECT id FROM load');
    const there = new Set(rows.map((row) => row.id));
    assert.equal(confirmed.length + unknown.length, 1500 + (next - 1500));
    for (const id of confirmed) assert.ok(there.has(id), `confirmed ${id} is there`);
    assert.ok(pool.statistics().lost > 0);
  });

  test('errors of connecting: a server that was never there fails at once', async (t) => {
    const pool = new Pool({ host: '127.0.0.1', port: 1 });
    t.after(() => pool.close());
    await assert.rejects(pool.query('SELECT 1'), { code: 'SBY_POSTGRESQL_CONNECT' });
    await assert.rejects(pool.open(), { code: 'SBY_POSTGRESQL_CONNECT' });
    await assert.rejects(
      pool.transaction(() => 1),
      { code: 'SBY_POSTGRESQL_CONNECT' },
    );
  });

  test('idle and old connections go away, the minimum stays', async (t) => {
    const pool = pooled(t, { size: 3, minimum: 1, idleTimeout: 30 });
    await gather(
      ...Array.from({ length: 3 }, () => () => pool.transaction((tx) => tx.query('SELECT pg_sleep(0.02)'))),
    );
    assert.equal(pool.statistics().open, 3);
    await eventually(async () => pool.statistics().open === 1);
    const old = pooled(t, { size: 1, maxAge: 30 });
    const pid = async (): Promise<unknown> =>
      (await old.query('SELECT pg_backend_pid() AS p')).rows[0]?.['p'];
    const first = await pid();
    await eventually(async () => (await pid()) !== first);
  });

  test('a transaction left open by hold() is rolled back before anybody else gets the connection', async (t) => {
    const pool = pooled(t, { size: 1 });
    await pool.query('CREATE TABLE left_open (id int)');
    await pool.hold(async (connection) => {
      await connection.query('BEGIN');
      await connection.query('INSERT INTO left_open VALUES (1)');
    });
    assert.deepEqual((await pool.query('SELECT * FROM left_open')).rows, []);
  });

  test('closing waits for what was accepted and refuses what comes later', async (t) => {
    const pool = pooled(t, { size: 1 });
    const running = [pool.query('SELECT pg_sleep(0.05), 1 AS a'), pool.query('SELECT 2 AS a')];
    const transaction = pool.transaction(async (tx) => {
      await tx.query('SELECT pg_sleep(0.02)');
      return (await tx.query('SELECT 3 AS a')).rows;
    });
    const closing = pool.close();
    await assert.rejects(pool.query('SELECT 1'), { message: /^This pool is closed/ });
    await assert.rejects(
      pool.transaction(() => 1),
      { code: 'SBY_POSTGRESQL_CLOSED' },
    );
    assert.deepEqual(
      (await Promise.all(running)).map((one) => one.rows[0]?.['a']),
      [1, 2],
    );
    assert.deepEqual(await transaction, [{ a: 3 }]);
    await closing;
    await pool.close();
  });

  test('closing cuts what does not end in time', async (t) => {
    const pool = pooled(t, { size: 1 });
    const running = pool.query('SELECT pg_sleep(30)').catch((error: PostgresqlError) => error.code);
    await eventually(async () => pool.statistics().open === 1);
    await pool.close({ timeout: 20 });
    assert.equal(await running, 'SBY_POSTGRESQL_LOST');
  });

  test('a pool with nothing to do keeps no program from ending', async () => {
    const program = `
      const { Pool } = await import(${JSON.stringify(import.meta.resolve('sobaya/postgresql'))});
      const pool = new Pool({ ...${JSON.stringify(options)}, size: 2 });
      await pool.query('SELECT 1');
      await Promise.all([1, 2, 3].map(() => pool.transaction((tx) => tx.query('SELECT 2'))));
      console.log((await pool.query('SELECT pg_sleep(0.02), 3 AS n')).rows[0].n);`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=sobaya:source', '--input-type=module', '-e', program],
      { timeout: 60_000 },
    );
    assert.equal(stdout, '3\n');
  });

  test('a statement that comes back from a connection that close() cut is refused, and not kept for ever', async (t) => {
    const pool = pooled(t, { size: 1 });
    await pool.query('SELECT 1 AS warm');
    // Sent with the connection's end in the same turn: the server has not looked at it.
    const late = pool.query('SELECT 1 AS warm').catch((error: PostgresqlError) => error.code);
    await pool.close({ timeout: 0 });
    assert.match(String(await late), /^SBY_POSTGRESQL_(LOST|CLOSED)$|object/);
  });

  test('quick statements are not kept waiting by slow ones', async (t) => {
    const pool = pooled(t, { size: 4 });
    await pool.query('SELECT 1 AS quick');
    await pool.query('SELECT 1 AS quick');
    await pool.query('SELECT pg_sleep(0.1)');
    let stop = false;
    const slow = Array.from({ length: 6 }, async () => {
      while (!stop) await pool.query('SELECT pg_sleep(0.1)');
    });
    const times: number[] = [];
    for (let i = 0; i < 60; i++) {
      const began = performance.now();
      await pool.query('SELECT 1 AS quick');
      times.push(performance.now() - began);
    }
    stop = true;
    await Promise.all(slow);
    times.sort((a, b) => a - b);
    assert.ok(times[54]! < 80, `the 90th percentile is ${times[54]} ms beside statements of 100 ms`);
  });
});

test('options of the pool are checked', () => {
  assert.throws(() => new Pool({ size: 0 }), { message: 'size is 0. It takes a whole number, 1 or more' });
  assert.throws(() => new Pool({ queueTimeout: Number.NaN }), { message: /^queueTimeout is NaN/ });
  assert.throws(() => new Pool('mysql://x'), { message: /^The connection URL is "mysql:\/\/x"/ });
});
