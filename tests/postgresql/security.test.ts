import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import { Connection, type ConnectOptions, Pool, type PostgresqlConnectionError } from 'sobaya/postgresql';
import { type PrivateServer, privateServer, skip } from './private-server.ts';

describe('a server that asks who is there', { skip }, () => {
  let server: PrivateServer;
  let base: ConnectOptions;

  before(async () => {
    server = await privateServer();
    base = { host: '127.0.0.1', port: server.port, database: 'postgres', sslmode: 'disable' };
    await using admin = await Connection.connect({ ...base, user: 'admin' });
    await admin.script(`
      CREATE ROLE scramuser LOGIN PASSWORD 'sécret £ ½'; CREATE ROLE plainuser LOGIN PASSWORD 'plain';
      CREATE ROLE certuser LOGIN; CREATE ROLE tlsuser LOGIN; CREATE ROLE openuser LOGIN;
      SET password_encryption = 'md5'; CREATE ROLE md5user LOGIN PASSWORD 'five'`);
  });
  after(() => server?.remove());

  const whoami = async (options: ConnectOptions): Promise<unknown[]> => {
    await using c = await Connection.connect({ ...base, ...options });
    const { rows } = await c.query(
      'SELECT current_user::text AS me, COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl',
    );
    assert.equal(c.secure, rows[0]?.['ssl']);
    return Object.values(rows[0]!);
  };

  test('SCRAM-SHA-256, with a password beyond ASCII', async () => {
    assert.deepEqual(await whoami({ user: 'scramuser', password: 'sécret £ ½' }), ['scramuser', false]);
    // SASLprep: the same password in another spelling.
    assert.deepEqual(await whoami({ user: 'scramuser', password: 'se\u0301cret £ 1⁄2' }), [
      'scramuser',
      false,
    ]);
  });

  test('SCRAM-SHA-256-PLUS over TLS: bound to the channel', async () => {
    const options: ConnectOptions = {
      user: 'scramuser',
      password: 'sécret £ ½',
      sslmode: 'require',
      channelBinding: 'require',
    };
    assert.deepEqual(await whoami(options), ['scramuser', true]);
    await assert.rejects(whoami({ ...options, sslmode: 'disable' }), {
      code: 'SBY_POSTGRESQL_AUTH',
      message: /channel binding is required, and the connection or the server cannot do it/,
    });
    await assert.rejects(
      whoami({ ...options, user: 'md5user', password: 'five' }),
      /channel binding is required, and the server did not do it/,
    );
    assert.deepEqual(await whoami({ ...options, channelBinding: 'disable' }), ['scramuser', true]);
  });

  test('MD5 and password', async () => {
    assert.deepEqual(await whoami({ user: 'md5user', password: 'five' }), ['md5user', false]);
    assert.deepEqual(await whoami({ user: 'plainuser', password: async () => 'plain' }), [
      'plainuser',
      false,
    ]);
  });

  test('a wrong password, and none', async () => {
    for (const user of ['scramuser', 'md5user', 'plainuser']) {
      await assert.rejects(whoami({ user, password: 'wrong' }), (error: PostgresqlConnectionError) => {
        assert.deepEqual(
          [error.code, error.sqlState, error.retryable],
          ['SBY_POSTGRESQL_REFUSED', '28P01', false],
        );
        assert.match(error.message, /Check user and password, and pg_hba.conf/);
        return true;
      });
      await assert.rejects(whoami({ user }), {
        message: `Authentication failed: the server asks for a password and none was given (127.0.0.1:${server.port}). Give \`password\` (or PGPASSWORD, or ~/.pgpass), or change the method in pg_hba.conf`,
      });
    }
    await assert.rejects(
      whoami({
        user: 'plainuser',
        password: () => {
          throw new Error('the vault is closed');
        },
      }),
      { message: 'the vault is closed' },
    );
    const pool = new Pool({ ...base, user: 'scramuser', password: 'wrong' });
    await assert.rejects(Promise.all([pool.query('SELECT 1'), pool.query('SELECT 2')]), {
      sqlState: '28P01',
    });
    await pool.close();
  });

  test('sslmode: from disable to verify-full', async () => {
    const ca = readFileSync(join(server.folder, 'ca.crt'));
    assert.deepEqual(await whoami({ user: 'admin', sslmode: 'prefer' }), ['admin', true]);
    assert.deepEqual(await whoami({ user: 'admin', sslmode: 'allow' }), ['admin', false]);
    assert.deepEqual(await whoami({ user: 'tlsuser', sslmode: 'allow' }), ['tlsuser', true]);
    assert.deepEqual(await whoami({ user: 'openuser', sslmode: 'prefer' }), ['openuser', false]);
    assert.deepEqual(await whoami({ user: 'admin', sslmode: 'require' }), ['admin', true]);
    await assert.rejects(whoami({ user: 'admin', sslmode: 'verify-ca' }), { code: 'SBY_POSTGRESQL_TLS' });
    assert.deepEqual(await whoami({ user: 'admin', sslmode: 'verify-ca', tls: { ca } }), ['admin', true]);
    // The certificate is for localhost.
    await assert.rejects(whoami({ user: 'admin', sslmode: 'verify-full', tls: { ca } }), {
      code: 'SBY_POSTGRESQL_TLS',
      message: /^No secure connection: Hostname\/IP does not match certificate's altnames/,
    });
    assert.deepEqual(
      await whoami({ user: 'admin', host: 'localhost', sslmode: 'verify-full', tls: { ca } }),
      ['admin', true],
    );
    const url = `postgresql://admin@localhost:${server.port}/postgres?sslmode=verify-full&sslrootcert=${encodeURIComponent(join(server.folder, 'ca.crt'))}`;
    await using c = await Connection.connect(url);
    assert.ok(c.secure);
  });

  test('direct TLS: no question first, the protocol named by ALPN', async (t) => {
    const file = (name: string): Buffer => readFileSync(join(server.folder, name));
    // PostgreSQL before 17 does not know it: TLS ends here, and the server behind is asked in the open.
    const seen: (string | false | null)[] = [];
    const front = createServer(
      { key: file('server.key'), cert: file('server.crt'), ALPNProtocols: ['postgresql'] },
      (socket) => {
        seen.push(socket.alpnProtocol);
        const behind = dial(server.port, '127.0.0.1');
        socket.pipe(behind).pipe(socket);
        socket.on('error', () => behind.destroy());
        behind.on('error', () => socket.destroy());
      },
    );
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    t.after(() => front.close());
    const { port } = front.address() as { port: number };
    const direct = { ...base, user: 'admin', host: 'localhost', port, sslnegotiation: 'direct' } as const;
    await using c = await Connection.connect({
      ...direct,
      sslmode: 'verify-full',
      tls: { ca: file('ca.crt') },
    });
    assert.ok(c.secure);
    assert.deepEqual((await c.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    assert.deepEqual(seen, ['postgresql']);
    await assert.rejects(Connection.connect({ ...direct, sslmode: 'prefer' }), {
      message: /sslmode require, verify-ca or verify-full beside it/,
    });
  });

  test('client certificates', async () => {
    const [cert, key] = ['client.crt', 'client.key'].map((file) => readFileSync(join(server.folder, file)));
    assert.deepEqual(await whoami({ user: 'certuser', sslmode: 'require', tls: { cert, key } }), [
      'certuser',
      true,
    ]);
    await assert.rejects(whoami({ user: 'certuser', sslmode: 'require' }), {
      code: 'SBY_POSTGRESQL_REFUSED',
    });
  });

  test('unix sockets', async () => {
    assert.deepEqual(await whoami({ user: 'md5user', host: server.folder }), ['md5user', false]);
    await using c = await Connection.connect(
      `postgresql://admin@${encodeURIComponent(server.folder)}:${server.port}/postgres?sslmode=require`,
    );
    assert.equal((await c.query('SELECT inet_client_addr() AS a')).rows[0]?.['a'], null);
  });

  test('cancelling works through TLS and through a socket', async () => {
    for (const options of [{ sslmode: 'require' as const }, { host: server.folder }]) {
      await using c = await Connection.connect({ ...base, user: 'admin', ...options });
      const controller = new AbortController();
      const { underSignal } = await import('sobaya/asyncio');
      const slept = underSignal(controller.signal, () => c.query('SELECT pg_sleep(20)'));
      setImmediate(() => setImmediate(() => controller.abort()));
      await assert.rejects(slept, { name: 'AbortError' });
      assert.deepEqual((await c.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    }
  });

  test('several hosts, and what they have to be', async () => {
    const hosts = { host: ['127.0.0.1', '127.0.0.1'], port: [1, server.port], user: 'admin' };
    assert.deepEqual(await whoami(hosts), ['admin', false]);
    assert.deepEqual(await whoami({ ...hosts, targetSessionAttrs: 'primary' }), ['admin', false]);
    assert.deepEqual(await whoami({ ...hosts, targetSessionAttrs: 'prefer-standby' }), ['admin', false]);
    await assert.rejects(whoami({ ...hosts, targetSessionAttrs: 'standby' }), {
      code: 'SBY_POSTGRESQL_SESSION',
      message: /^No server with target_session_attrs=standby was found \(127\.0\.0\.1:1, /,
    });
    const readOnly = { settings: { default_transaction_read_only: 'on' } };
    assert.deepEqual(await whoami({ ...hosts, ...readOnly, targetSessionAttrs: 'read-only' }), [
      'admin',
      false,
    ]);
    await assert.rejects(whoami({ ...hosts, ...readOnly, targetSessionAttrs: 'read-write' }), {
      code: 'SBY_POSTGRESQL_SESSION',
    });
  });

  test('out of connections: the pool goes on with those it has, a newcomer is told', async () => {
    const pool = new Pool({ ...base, user: 'plainuser', password: 'plain', size: 5 });
    await pool.open();
    const others: Connection[] = [];
    const refused = await (async () => {
      for (;;) others.push(await Connection.connect({ ...base, user: 'plainuser', password: 'plain' }));
    })().catch((error: PostgresqlConnectionError) => error);
    assert.deepEqual([refused.sqlState, refused.retryable], ['53300', true]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => pool.query('SELECT $1::int AS a', [i])),
    );
    assert.equal(answers.length, 50);
    assert.ok(pool.statistics().open >= 1);
    for (const one of others) await one.close();
    await pool.close();
  });

  test('a restart under load: callers see retryable errors, then answers; nothing hangs', async () => {
    const pool = new Pool({ ...base, user: 'admin', size: 4, queueTimeout: 15_000 });
    await pool.open();
    let stop = false;
    let answered = 0;
    const errors = new Set<string>();
    const callers = Array.from({ length: 8 }, async (_, k) => {
      while (!stop) {
        try {
          const { rows } = await pool.query('SELECT $1::int AS a', [k]);
          assert.deepEqual(rows, [{ a: k }]);
          answered++;
        } catch (error) {
          const { retryable, code } = error as PostgresqlConnectionError;
          assert.ok(retryable, String(error));
          errors.add(code);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    server.stop('fast');
    server.start();
    const before = answered;
    while (answered < before + 100) await new Promise((resolve) => setImmediate(resolve));
    server.stop('immediate');
    server.start();
    const again = answered;
    while (answered < again + 100) await new Promise((resolve) => setImmediate(resolve));
    stop = true;
    await Promise.all(callers);
    await pool.close();
  });
});
