/** What a connection needs around a migration, by database. */
import type { Backend, Connection } from '../backends/base.ts';

export interface SessionOptions {
  /** How long a statement of the migration may wait for a lock, in ms. PostgreSQL only. */
  readonly lockTimeout?: number | undefined;
  /** How long one statement may run, in ms. PostgreSQL only. */
  readonly statementTimeout?: number | undefined;
}

/** Before the transaction begins. */
export async function enter(
  backend: Backend,
  connection: Connection,
  options: SessionOptions,
): Promise<void> {
  // With keys on, dropping a table while it is made anew would delete rows that point to it. Not possible inside a transaction.
  if (backend.vendor === 'sqlite') await connection.script('PRAGMA foreign_keys = OFF');
  else {
    if (options.lockTimeout !== undefined)
      await connection.script(`SET lock_timeout = ${Math.round(options.lockTimeout)}`);
    if (options.statementTimeout !== undefined)
      await connection.script(`SET statement_timeout = ${Math.round(options.statementTimeout)}`);
  }
}

/** After it ended, in whatever way. */
export async function leave(
  backend: Backend,
  connection: Connection,
  options: SessionOptions,
): Promise<void> {
  // A table that could not be made anew leaves the second one on.
  if (backend.vendor === 'sqlite')
    await connection.script('PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF');
  else {
    if (options.lockTimeout !== undefined) await connection.script('RESET lock_timeout');
    if (options.statementTimeout !== undefined) await connection.script('RESET statement_timeout');
  }
}

/** Of our own making: the ASCII of "sobaya" as a number. */
const LOCK = 0x736f62617961;

/**
 * Runs `work` while no other deployer migrates this database. PostgreSQL: an advisory lock of the session. SQLite:
 * nothing; each migration takes the write lock of the file and looks again whether it is still to be done.
 */
export async function exclusively<T>(
  backend: Backend,
  waiting: () => void,
  work: () => Promise<T>,
): Promise<T> {
  if (backend.vendor === 'sqlite') return work();
  const connection = await backend.connect();
  try {
    const { rows } = await connection.query(`SELECT pg_try_advisory_lock(${LOCK})`);
    if (rows[0]?.[0] !== true && rows[0]?.[0] !== 't') {
      waiting();
      await connection.query(`SELECT pg_advisory_lock(${LOCK})`);
    }
    try {
      return await work();
    } finally {
      await connection.query(`SELECT pg_advisory_unlock(${LOCK})`);
    }
  } finally {
    connection.release();
  }
}
