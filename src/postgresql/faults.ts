import {
  fault,
  type PostgresqlConnectionError,
  PostgresqlError,
  type ServerFields,
} from '../errors/index.ts';

/** SQLSTATEs after which the same thing may succeed: other transactions, resources, servers that restart. */
const retryable = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '53000',
  '53300', // too_many_connections
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25006', // read_only_sql_transaction: after a failover the next connection may be to the primary
  '26000', // a pooler lost the prepared statement
]);
/** The session is over. */
const ends = /^(57P0[1-5]|25P03|08)/;

/** The catalogue error for what the server said about `sql`. */
export function serverFault(fields: ServerFields, sql: string, address: string): PostgresqlError {
  const { sqlState, message, hint } = fields;
  const details = { message, sqlState, sql, hint };
  let error: PostgresqlError;
  const kind = sqlState.slice(0, 2);
  if (fields.severity === 'FATAL' || fields.severity === 'PANIC' || ends.test(sqlState)) {
    const lost = fault('SBY_POSTGRESQL_LOST', {
      reason: `${message} [${sqlState}]`,
      sql,
      sent: true,
      address,
    });
    lost.sent = true;
    error = lost;
  } else if (kind === '23') error = fault('SBY_POSTGRESQL_INTEGRITY', details);
  else if (kind === '22') error = fault('SBY_POSTGRESQL_DATA', details);
  else if (kind === '40') error = fault('SBY_POSTGRESQL_ROLLBACK', details);
  else if (/^(42|26|3D|3F|34|0A|28)/.test(kind)) error = fault('SBY_POSTGRESQL_PROGRAMMING', details);
  else error = fault('SBY_POSTGRESQL_SERVER', details);
  Error.captureStackTrace(error, serverFault);
  error.server = fields;
  error.sql = sql;
  // A cached plan that became stale in a transaction: the next transaction gets a new one.
  error.retryable = retryable.has(sqlState) || fields.routine === 'RevalidateCachedQuery';
  return error;
}

/** The server refused the session itself. */
export function refusal(fields: ServerFields, address: string): PostgresqlConnectionError {
  const { message, sqlState, hint } = fields;
  const error = fault('SBY_POSTGRESQL_REFUSED', { message, sqlState, address, hint });
  error.server = fields;
  error.retryable = retryable.has(sqlState);
  return error;
}

export function lost(
  reason: string,
  sql: string,
  sent: boolean,
  address: string,
  cause?: unknown,
): PostgresqlConnectionError {
  const error = fault(
    'SBY_POSTGRESQL_LOST',
    { reason, sql, sent, address },
    cause === undefined ? undefined : { cause },
  );
  error.sql = sql;
  error.sent = sent;
  error.retryable = true;
  if (cause instanceof PostgresqlError) error.server = cause.server;
  return error;
}

export function closed(what: string): Error {
  return fault('SBY_POSTGRESQL_CLOSED', { what });
}
