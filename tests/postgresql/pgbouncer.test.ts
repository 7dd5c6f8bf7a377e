/** Through a real PgBouncer, which hands sessions around between transactions. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTask } from 'sobaya/asyncio';
import { Pool, type PostgresqlError } from 'sobaya/postgresql';
import { connect, eventually, skip as noServer, options } from './database.ts';
import { freePort } from './private-server.ts';

const missing = spawnSync('pgbouncer', ['--version']).status !== 0 && 'pgbouncer is not installed';
const skip = noServer || missing;

describe('through PgBouncer in transaction mode', { skip }, () => {
  let bouncer: ChildProcess;
  let url = '';
  const folder = skip ? '' : mkdtempSync(join(tmpdir(), 'sobaya-bouncer-'));

  before(async () => {
    const target = new URL(String(options.url));
    const database = String(options.database ?? target.pathname.slice(1));
    const port = await freePort();
    chmodSync(folder, 0o755);
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]
* = host=${target.hostname} port=${target.port || 5432} user=${decodeURIComponent(target.username)} password=${decodeURIComponent(target.password)} pool_size=2
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 50
${process.getuid?.() === 0 ? 'user = postgres' : ''}
`,
    );
    bouncer = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], { stdio: 'ignore' });
    url = `postgres://anybody@127.0.0.1:${port}/${database}`;
    await eventually(
      () =>
        new Promise<boolean>((resolve) => {
          const socket = dial(port, '127.0.0.1', () => {
            socket.destroy();
            resolve(true);
          }).on('error', () => resolve(false));
        }),
    );
  });
  after(async () => {
    const ended = new Promise((resolve) => bouncer.once('exit', resolve));
    bouncer.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  test('without prepared statements: many callers, transactions, errors, a cancelled statement', async (t) => {
    await using pool = new Pool({ url, size: 6, prepare: false });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => pool.query<{ n: number }>('SELECT $1::int4 AS n', [i])),
    );
    assert.deepEqual(
      answers.map(({ rows }) => rows[0]?.n),
      Array.from({ length: 100 }, (_, i) => i),
    );
    await pool.query('CREATE TABLE through_bouncer (n int PRIMARY KEY, t timestamptz DEFAULT now())');
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        pool.transaction(async (tx) => {
          await tx.query('INSERT INTO through_bouncer (n) VALUES ($1)', [n]);
          await tx
            .transaction((inner) => inner.query('INSERT INTO through_bouncer (n) VALUES ($1)', [n]))
            .catch((error: PostgresqlError) => assert.equal(error.sqlState, '23505'));
        }),
      ),
    );
    assert.equal(
      (await pool.query<{ n: number }>('SELECT count(*) AS n FROM through_bouncer')).rows[0]?.n,
      20,
    );
    const slow = createTask(() => pool.query('SELECT pg_sleep(30)'));
    const direct = await connect(t);
    const running = async (): Promise<boolean> => {
      const { rows } = await direct.query(
        "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'",
      );
      return rows.length > 0;
    };
    await eventually(running);
    slow.cancel();
    await assert.rejects(async () => await slow, { name: 'AbortError' });
    await eventually(async () => !(await running()));
    assert.equal((await pool.query<{ n: number }>('SELECT 1 AS n')).rows[0]?.n, 1);
  });

  test('with prepared statements: an answer is right, or an error that says what to do', async () => {
    await using one = new Pool({ url, size: 3 });
    await using other = new Pool({ url, size: 3 });
    const wrong: string[] = [];
    const ask = async (pool: Pool, sql: string, expected: number): Promise<void> => {
      try {
        const { rows } = await pool.query<{ n: number }>(sql);
        if (rows[0]?.n !== expected) wrong.push(`${sql}: ${JSON.stringify(rows)}`);
      } catch (error) {
        const { sqlState, message } = error as PostgresqlError;
        if (!/^(42P05|26000)$/.test(String(sqlState)) || !message.includes('connect with prepare: false'))
          wrong.push(message);
      }
    };
    for (let round = 0; round < 30; round++)
      await Promise.all(
        [0, 1, 2, 3].flatMap((n) => [
          ask(one, `SELECT ${n + round} AS n`, n + round),
          ask(other, `SELECT ${n + round + 100} AS n`, n + round + 100),
        ]),
      );
    assert.deepEqual(wrong, []);
  });
});
