import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type ConnectOptions, quoteIdentifier, quoteLiteral } from 'sobaya/postgresql';
import { fromPassfile, resolveOptions } from '../../src/postgresql/options.ts';

const addresses = (options: string | ConnectOptions, env: NodeJS.ProcessEnv = {}): string[] =>
  resolveOptions(options, env).hosts.map((host) => host.path ?? host.address);

describe('connection options', () => {
  test('a URL in libpq syntax', async () => {
    const s = resolveOptions(
      'postgresql://us%40er:p%3Aw%2F@db.example:6543/my%20db?application_name=shop&statement_timeout=5s&sslmode=disable&connect_timeout=3',
      {},
    );
    assert.deepEqual(
      [s.user, await s.password(s.hosts[0]!), s.database, s.sslmode, s.connectTimeout],
      ['us@er', 'p:w/', 'my db', 'disable', 3000],
    );
    assert.deepEqual(s.startup, {
      user: 'us@er',
      database: 'my db',
      client_encoding: 'UTF8',
      DateStyle: 'ISO',
      application_name: 'shop',
      statement_timeout: '5s',
    });
  });

  test('hosts: several, IPv6, unix sockets, ports for each or for all', () => {
    assert.deepEqual(addresses('postgres://a,b:2/x'), ['a:5432', 'b:2']);
    assert.deepEqual(addresses('postgres://[::1]:7/x'), ['[::1]:7']);
    assert.deepEqual(addresses('postgres://%2Fvar%2Frun:7/x'), ['/var/run/.s.PGSQL.7']);
    assert.deepEqual(addresses('postgres:///x?host=/tmp&port=9'), ['/tmp/.s.PGSQL.9']);
    assert.deepEqual(addresses({ host: ['a', 'b'], port: 9 }), ['a:9', 'b:9']);
    assert.deepEqual(addresses({}), ['localhost:5432']);
  });

  test('what is not given comes from the environment; options go before the URL, the URL before the environment', async () => {
    const env = {
      PGHOST: 'env',
      PGPORT: '1',
      PGUSER: 'eu',
      PGPASSWORD: 'ep',
      PGDATABASE: 'ed',
      PGSSLMODE: 'require',
      PGAPPNAME: 'ea',
    };
    const s = resolveOptions({}, env);
    assert.deepEqual(
      [
        s.hosts[0]!.address,
        s.user,
        await s.password(s.hosts[0]!),
        s.database,
        s.sslmode,
        s.startup['application_name'],
      ],
      ['env:1', 'eu', 'ep', 'ed', 'require', 'ea'],
    );
    const t = resolveOptions({ url: 'postgres://uu@url/ud', database: 'od' }, env);
    assert.deepEqual([t.hosts[0]!.host, t.user, t.database], ['url', 'uu', 'od']);
    assert.equal(resolveOptions({ user: 'me' }, {}).database, 'me');
  });

  test('a password file', async (t) => {
    const text = '# comment\nother:*:*:*:no\n*:5432:shop:ann:a\\:b\\\\c\nlocalhost:*:*:*:last\n';
    assert.equal(fromPassfile(text, 'db', 5432, 'shop', 'ann'), 'a:b\\c');
    assert.equal(fromPassfile(text, 'localhost', 1, 'x', 'y'), 'last');
    assert.equal(fromPassfile(text, 'db', 5433, 'shop', 'ann'), null);
    const folder = mkdtempSync(join(tmpdir(), 'sobaya-pass-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'pass'), text);
    const s = resolveOptions({ host: 'other', user: 'u' }, { PGPASSFILE: join(folder, 'pass') });
    assert.equal(await s.password(s.hosts[0]!), 'no');
  });

  test('what cannot be used is refused by name, and no password is shown', () => {
    const cases: [string | ConnectOptions, string][] = [
      [
        'mysql://u:secret@h/d',
        `The connection URL is "mysql://…@h/d". It takes 'postgresql://user:password@host:5432/database'; characters such as @ / ? # in a password are percent-encoded`,
      ],
      ['postgres://h:99999/d', 'port is "99999". It takes a number from 1 to 65535'],
      [
        'postgres://h:x/d',
        'A host of the connection URL is "h:x". It takes host:port; write IPv6 addresses in brackets',
      ],
      [
        'postgres://u:%zz@h/d',
        'The password of the connection URL is "(text with a stray %)". It takes percent-encoded text: write % as %25',
      ],
      [
        'postgres://h/d?sslmode=maybe',
        'sslmode is "maybe". It takes one of disable, allow, prefer, require, verify-ca, verify-full',
      ],
      [
        { host: ['a', 'b', 'c'], port: [1, 2] },
        'port is "1,2". It takes one port, or as many as there are hosts (3)',
      ],
      [
        { sslnegotiation: 'direct' },
        'sslnegotiation is "direct". It takes sslmode require, verify-ca or verify-full beside it',
      ],
      [{ connectTimeout: -1 }, 'connectTimeout is -1. It takes a number of milliseconds'],
      [{ database: 'a\0b' }, 'database is "a\\u0000b". It takes a name without NUL characters'],
      [
        { targetSessionAttrs: 'best' as 'any' },
        'targetSessionAttrs is "best". It takes one of any, read-write, read-only, primary, standby, prefer-standby',
      ],
      [
        { statementCache: 0 },
        'statementCache is 0. It takes a whole number, 1 or more; prepare: false keeps none',
      ],
      [
        'postgres://h/d?sslrootcert=/not/there',
        'sslrootcert is "/not/there". It takes the path of a file that can be read (ENOENT: no such file or directory, open \'/not/there\')',
      ],
    ];
    for (const [options, message] of cases)
      assert.throws(
        () => resolveOptions(options, {}),
        { code: 'SBY_POSTGRESQL_BAD_OPTION', message },
        message,
      );
  });

  test('names and constants for SQL', () => {
    assert.equal(quoteIdentifier('it"s'), '"it""s"');
    assert.equal(quoteLiteral("it's"), "'it''s'");
    assert.equal(quoteLiteral("a\\b'"), " E'a\\\\b'''");
    assert.throws(() => quoteIdentifier('a\0'), /The argument of quoteIdentifier\(\) is "a\\u0000"/);
  });
});
