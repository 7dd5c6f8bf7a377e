/** Two servers, one following the other: which of them is asked, and what happens when the first one goes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Connection, type ConnectOptions, Pool, type PostgresqlError } from 'sobaya/postgresql';
import { eventually } from './database.ts';
import { type PrivateServer, privateServer, skip } from './private-server.ts';

describe('a server and its standby', { skip }, () => {
  let primary: PrivateServer;
  let standby: PrivateServer;
  let both: ConnectOptions;
  before(async () => {
    primary = await privateServer();
    standby = await primary.standby();
    both = {
      host: ['127.0.0.1', '127.0.0.1'],
      port: [standby.port, primary.port],
      user: 'admin',
      database: 'postgres',
    };
  });
  after(() => {
    standby?.remove();
    primary?.remove();
  });

  async function inRecovery(options: ConnectOptions): Promise<unknown> {
    await using connection = await Connection.connect(options);
    return (await connection.query<{ r: boolean }>('SELECT pg_is_in_recovery() AS r')).rows[0]?.r;
  }

  test('target session attributes choose between them', async () => {
    const expected = {
      any: true,
      'read-write': false,
      'read-only': true,
      primary: false,
      standby: true,
      'prefer-standby': true,
    } as const;
    for (const [targetSessionAttrs, recovery] of Object.entries(expected))
      assert.equal(
        await inRecovery({ ...both, targetSessionAttrs: targetSessionAttrs as 'any' }),
        recovery,
        targetSessionAttrs,
      );
  });

  test('what was written arrives there, and nothing can be written there', async () => {
    await using leader = new Pool({ ...both, targetSessionAttrs: 'primary', size: 2 });
    await using follower = new Pool({ ...both, targetSessionAttrs: 'standby', size: 2 });
    await leader.query('CREATE TABLE followed (n int)');
    await leader.query('INSERT INTO followed VALUES (7)');
    await eventually(async () => {
      const { rows } = await follower
        .query<{ n: number }>('SELECT n FROM followed')
        .catch(() => ({ rows: [] as { n: number }[] }));
      return rows[0]?.n === 7;
    });
    await assert.rejects(follower.query('INSERT INTO followed VALUES (8)'), { sqlState: '25006' });
  });

  test('when the first is gone and the other is promoted, the pool writes there; nothing hangs', async () => {
    await using pool = new Pool({ ...both, targetSessionAttrs: 'read-write', size: 3, queueTimeout: 20_000 });
    await pool.query('CREATE TABLE survived (n int)');
    await eventually(async () => inRecovery({ ...both, targetSessionAttrs: 'standby' }) as Promise<boolean>);
    primary.stop('fast');
    standby.promote();
    let written = false;
    await eventually(async () => {
      try {
        await pool.query('INSERT INTO survived VALUES (1)');
        written = true;
      } catch (error) {
        const { retryable, code } = error as PostgresqlError;
        assert.ok(retryable === true || code === 'SBY_POSTGRESQL_SESSION', String(error));
      }
      return written;
    });
    assert.equal(await inRecovery({ ...both, targetSessionAttrs: 'primary' }), false);
  });
});
