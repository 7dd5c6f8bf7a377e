import { ImproperlyConfigured, UsageError } from '../base.ts';
import {
  PostgresqlConnectionError,
  PostgresqlDataError,
  PostgresqlError,
  PostgresqlIntegrityError,
  PostgresqlPoolError,
  PostgresqlProgrammingError,
  PostgresqlRollbackError,
} from '../postgresql.ts';
import { describe, entry } from './define.ts';

export interface FromServer {
  readonly message: string;
  readonly sqlState: string;
  readonly sql: string;
  readonly hint: string;
}

/** A statement on one line, cut short. Parameters are never part of it. */
export function shortSql(sql: string): string {
  const line = sql.replace(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 117)}…` : line;
}

const fromServer = (fallback: string) => (d: FromServer) => ({
  what: `${d.message.replace(/[.\s]+$/, '')} [${d.sqlState}]`,
  where: shortSql(d.sql),
  fix: (d.hint || fallback).replace(/[.\s]+$/, ''),
});
/** A prepared statement that is gone, or already there: somebody hands sessions around. */
const pooled = /^(42P05|26000)$/;
const select: FromServer = {
  message: 'out of shared memory',
  sqlState: '53200',
  sql: 'SELECT * FROM article',
  hint: '',
};

/** Errors of the room `postgresql`. */
export const postgresqlErrors = {
  SBY_POSTGRESQL_SERVER: entry(PostgresqlError, {
    about:
      'The server refused a statement for a reason that none of the other codes covers. `sqlState`, `detail`, `hint` and the rest of what it said are on the error.',
    example: select,
    parts: fromServer(''),
  }),
  SBY_POSTGRESQL_INTEGRITY: entry(PostgresqlIntegrityError, {
    about:
      'A constraint was violated (SQLSTATE class 23). `constraint`, `table`, `column` and `detail` say which one and by what.',
    example: {
      message: 'duplicate key value violates unique constraint "author_email_key"',
      sqlState: '23505',
      sql: 'INSERT INTO author (email) VALUES ($1)',
      hint: '',
    },
    parts: fromServer(''),
  }),
  SBY_POSTGRESQL_DATA: entry(PostgresqlDataError, {
    about: 'A value does not fit (SQLSTATE class 22): out of range, malformed, too long, a division by zero.',
    example: { message: 'division by zero', sqlState: '22012', sql: 'SELECT 1 / $1::int', hint: '' },
    parts: fromServer(''),
  }),
  SBY_POSTGRESQL_PROGRAMMING: entry(PostgresqlProgrammingError, {
    about:
      'The statement is wrong, or names what does not exist, or what this user may not touch (SQLSTATE classes 42, 3D, 3F, 26, 34). `server.position` is the place in it.',
    example: {
      message: 'column "nme" does not exist',
      sqlState: '42703',
      sql: 'SELECT nme FROM author',
      hint: 'Perhaps you meant to reference the column "author.name".',
    },
    parts: (d: FromServer) =>
      fromServer(
        pooled.test(d.sqlState)
          ? 'A pooler seems to hand sessions around between transactions: connect with prepare: false, or let it keep prepared statements (PgBouncer 1.21 and later: max_prepared_statements)'
          : '',
      )(d),
  }),
  SBY_POSTGRESQL_ROLLBACK: entry(PostgresqlRollbackError, {
    about:
      'The server gave up the transaction because of another one (SQLSTATE class 40): a serialization failure or a deadlock. `retryable` is true.',
    example: {
      message: 'could not serialize access due to concurrent update',
      sqlState: '40001',
      sql: 'UPDATE stock SET amount = amount - 1',
      hint: '',
    },
    parts: fromServer('Run the whole transaction again; transaction(fn, { retries: 3 }) does it'),
  }),
  SBY_POSTGRESQL_REFUSED: entry(PostgresqlConnectionError, {
    about:
      'The server answered, but let nobody in: a wrong password, a database that does not exist, too many connections, starting up or shutting down.',
    example: {
      message: 'password authentication failed for user "shop"',
      sqlState: '28P01',
      address: '127.0.0.1:5432',
      hint: '',
    },
    parts: (d: { message: string; sqlState: string; address: string; hint: string }) => ({
      what: `The server refused the connection: ${d.message} [${d.sqlState}]`,
      where: d.address,
      fix: d.hint.replace(/[.\s]+$/, '') || refusedAdvice(d.sqlState),
    }),
  }),
  SBY_POSTGRESQL_CONNECT: entry(PostgresqlConnectionError, {
    about: 'No connection to any of the configured hosts could be made. Nothing was sent.',
    example: { addresses: '127.0.0.1:5433', reason: 'connect ECONNREFUSED 127.0.0.1:5433' },
    parts: (d: { addresses: string; reason: string }) => ({
      what: `No connection to PostgreSQL: ${d.reason}`,
      where: d.addresses,
      fix: 'Check host and port, and that the server is running and reachable',
    }),
  }),
  SBY_POSTGRESQL_CONNECT_TIMEOUT: entry(PostgresqlConnectionError, {
    about: 'The connection was not ready within `connectTimeout`, all of the start-up included.',
    example: {
      address: 'db.example:5432',
      ms: 10000,
      doing: 'waiting for the answer to the start-up message',
    },
    parts: (d: { address: string; ms: number; doing: string }) => ({
      what: `No connection to PostgreSQL within ${d.ms} ms; it was ${d.doing}`,
      where: d.address,
      fix: 'Check that the server is reachable and not overloaded, or raise connectTimeout',
    }),
  }),
  SBY_POSTGRESQL_LOST: entry(PostgresqlConnectionError, {
    about:
      'The connection ended while a statement was waiting. With `sent` it is not known whether the statement took effect; without, it never went out.',
    example: {
      reason: 'read ECONNRESET',
      sql: 'UPDATE stock SET amount = amount - 1',
      sent: true,
      address: '127.0.0.1:5432',
    },
    parts: (d: { reason: string; sql: string; sent: boolean; address: string }) => ({
      what: `The connection to PostgreSQL was lost: ${d.reason}`,
      where: d.sql === '' ? d.address : `${d.address}, ${shortSql(d.sql)}`,
      fix: d.sent
        ? 'Whether the statement took effect is not known; repeat it only if that is safe'
        : 'The statement had not been sent; it can be repeated',
    }),
  }),
  SBY_POSTGRESQL_PROTOCOL: entry(PostgresqlConnectionError, {
    about:
      'The other side sent something that the protocol does not allow there. The connection is closed, because nothing after that can be trusted.',
    example: { problem: 'a message of type "x" with length 3', address: '127.0.0.1:5432' },
    parts: (d: { problem: string; address: string }) => ({
      what: `The server broke the protocol: ${d.problem}`,
      where: d.address,
      fix: 'Check that a PostgreSQL server, or a pooler for it, listens there',
    }),
  }),
  SBY_POSTGRESQL_TLS: entry(PostgresqlConnectionError, {
    about:
      'TLS was asked for and could not be had: the server does not speak it, the certificate is not trusted or names another host.',
    example: { reason: 'the server does not support TLS', address: 'db.example:5432' },
    parts: (d: { reason: string; address: string }) => ({
      what: `No secure connection: ${d.reason}`,
      where: d.address,
      fix: 'Give the authority as sslrootcert (or tls: { ca }), or choose another sslmode',
    }),
  }),
  SBY_POSTGRESQL_AUTH: entry(PostgresqlConnectionError, {
    about:
      'The server asks for a way to authenticate that cannot be served, or it could not prove who it is.',
    example: { problem: 'the server asks for a password and none was given', address: '127.0.0.1:5432' },
    parts: (d: { problem: string; address: string }) => ({
      what: `Authentication failed: ${d.problem}`,
      where: d.address,
      fix: 'Give `password` (or PGPASSWORD, or ~/.pgpass), or change the method in pg_hba.conf',
    }),
  }),
  SBY_POSTGRESQL_SESSION: entry(PostgresqlConnectionError, {
    about: 'No server of the list is of the kind that `targetSessionAttrs` asks for.',
    example: { wanted: 'read-write', addresses: 'a.example:5432, b.example:5432' },
    parts: (d: { wanted: string; addresses: string }) => ({
      what: `No server with target_session_attrs=${d.wanted} was found`,
      where: d.addresses,
      fix: 'Check the list of hosts; after a failover it may take a moment until there is one',
    }),
  }),
  SBY_POSTGRESQL_BAD_OPTION: entry(ImproperlyConfigured, {
    about: 'A connection URL, an option or a PG* environment variable cannot be used.',
    example: { option: 'port', got: 'abc' as unknown, expected: 'a number from 1 to 65535' },
    parts: (d: { option: string; got: unknown; expected: string }) => ({
      what: `${d.option} is ${describe(d.got)}`,
      fix: `It takes ${d.expected}`,
    }),
  }),
  SBY_POSTGRESQL_CLOSED: entry(UsageError, {
    about: 'A query was made on a connection, pool, cursor or transaction that had been closed or had ended.',
    example: { what: 'pool' },
    parts: (d: { what: string }) => ({
      what: `This ${d.what} is closed`,
      fix:
        d.what === 'transaction'
          ? 'Await everything inside the function given to transaction(); nothing of it can be used after its end'
          : `Await what uses it before closing it`,
    }),
  }),
  SBY_POSTGRESQL_BUSY: entry(UsageError, {
    about: 'The connection is in the middle of a COPY or a stream and can take no statement until that ends.',
    example: { doing: 'COPY FROM' },
    parts: (d: { doing: string }) => ({
      what: `The connection is busy with ${d.doing}`,
      fix: 'Finish it first, or use another connection of the pool',
    }),
  }),
  SBY_POSTGRESQL_BAD_SQL: entry(UsageError, {
    about:
      'What was given as a statement is not text, or contains a NUL character, or is not for this method.',
    example: { problem: 'the statement contains a NUL character', fix: 'Remove it' },
    parts: (d: { problem: string; fix: string }) => ({
      what: `This statement cannot be sent: ${d.problem}`,
      fix: d.fix,
    }),
  }),
  SBY_POSTGRESQL_BAD_PARAMETER: entry(PostgresqlDataError, {
    about: 'A parameter is missing, or its value cannot be sent as the type that the statement wants there.',
    example: {
      position: 2,
      type: 'int4',
      got: undefined as unknown,
      expected: 'null for NULL',
      sql: 'UPDATE author SET age = $2 WHERE id = $1',
    },
    parts: (d: { position: number; type: string; got: unknown; expected: string; sql: string }) => ({
      what: `Parameter $${d.position}${d.type ? ` (${d.type})` : ''} is ${describe(d.got)}`,
      where: shortSql(d.sql),
      fix: `Give ${d.expected}`,
    }),
  }),
  SBY_POSTGRESQL_PARAMETER_COUNT: entry(PostgresqlDataError, {
    about: 'The statement has another number of parameters than were given; 65535 is the most there can be.',
    example: { wanted: 2, got: 1, sql: 'SELECT $1::int + $2::int' },
    parts: (d: { wanted: number; got: number; sql: string }) => ({
      what: `The statement takes ${d.wanted} parameter${d.wanted === 1 ? '' : 's'} and got ${d.got}`,
      where: shortSql(d.sql),
      fix:
        d.got > 65535
          ? 'Pass lists as one array parameter: = ANY($1), or INSERT … SELECT * FROM unnest($1::int[])'
          : 'Give one value for each placeholder',
    }),
  }),
  SBY_POSTGRESQL_DECODE: entry(PostgresqlDataError, {
    about:
      'A value that came from the server cannot be given as the type that was asked for without changing it.',
    example: {
      type: 'int8',
      problem: '9223372036854775807 is no safe integer',
      fix: "Read it as a bigint: types: { int8: 'bigint' }",
    },
    parts: (d: { type: string; problem: string; fix: string }) => ({
      what: `A value of type ${d.type} cannot be read: ${d.problem}`,
      fix: d.fix,
    }),
  }),
  SBY_POSTGRESQL_POOL_FULL: entry(PostgresqlPoolError, {
    about:
      'So many callers are waiting for a connection that there is no place for another. The database is too slow, or the pool too small, for the load.',
    example: { waiting: 1000, size: 10 },
    parts: (d: { waiting: number; size: number }) => ({
      what: `${d.waiting} callers are waiting for ${d.size} connections, the queue is full`,
      fix: 'Shed load (answer 503), make the queries faster, or raise `size` or `queue`',
    }),
  }),
  SBY_POSTGRESQL_POOL_TIMEOUT: entry(PostgresqlPoolError, {
    about: 'No connection became free within `queueTimeout`. The statement was not sent.',
    example: { ms: 10000, leased: 10, size: 10 },
    parts: (d: { ms: number; leased: number; size: number }) => ({
      what: `No connection became free within ${d.ms} ms; ${d.leased} of ${d.size} are held by transactions`,
      fix: 'Keep transactions short, do not query the pool inside one, or raise `size` or `queueTimeout`',
    }),
  }),
  SBY_POSTGRESQL_NOT_COMMITTED: entry(PostgresqlError, {
    about:
      'COMMIT was answered with ROLLBACK: a statement of the transaction had failed, its error was caught, and the transaction went on. PostgreSQL keeps nothing of such a transaction.',
    example: {},
    parts: (_: object) => ({
      what: 'The transaction was rolled back at its end, because a statement in it had failed',
      fix: 'Let the error pass, or put the statement that may fail into tx.transaction(…), a savepoint',
    }),
  }),
};

function refusedAdvice(sqlState: string): string {
  switch (sqlState) {
    case '28P01':
    case '28000':
      return 'Check user and password, and pg_hba.conf on the server';
    case '3D000':
      return 'Create the database (createdb), or correct its name';
    case '53300':
      return 'The server has no connection left: make pools smaller, or raise max_connections';
    case '57P03':
      return 'The server is starting up or shutting down: try again in a moment';
    default:
      return '';
  }
}
