import { fault } from '../../../errors/index.ts';
import { named, violation } from '../naming.ts';

/** The fields of an ErrorResponse, as drivers give them (PostgreSQL 15, 55.8). */
export interface ServerError extends Error {
  readonly code?: string | undefined;
  readonly detail?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

/** The catalogue error for what a PostgreSQL server or the connection to it reported. */
export function postgresError(cause: ServerError, sql: string, alias: string, timeoutMs: number): Error {
  const { code = '', table = '', column, constraint = '' } = cause;
  const said = cause.detail ? `${cause.message}: ${cause.detail}` : cause.message;
  const detail = said.replaceAll('\n', ' ').replace(/\.$/, '');
  const columns = (/^Key \((.+?)\)=/.exec(cause.detail ?? '')?.[1] ?? '')
    .replaceAll('"', '')
    .split(', ')
    .filter((name) => name !== '');
  switch (code) {
    case '23505':
      return violation('SBY_DB_UNIQUE', { ...named(table, columns, constraint), constraint, detail }, cause);
    case '23502':
      return violation(
        'SBY_DB_NOT_NULL',
        { ...named(table, column ? [column] : [], constraint), constraint, detail },
        cause,
      );
    case '23503': {
      // Where a row that is pointed to goes, the key that is told of is the other table's.
      const gone = /^update or delete on table "(.+?)"/.exec(cause.message)?.[1];
      const about =
        gone === undefined ? named(table, columns, constraint) : named(table, [], constraint, gone);
      return violation('SBY_DB_FOREIGN_KEY', { ...about, constraint, detail }, cause);
    }
    case '23514':
    case '23P01':
      return violation('SBY_DB_CHECK', { ...named(table, [], constraint), constraint, detail }, cause);
    case '25006':
      return fault('SBY_DB_READ_ONLY', { alias, detail }, { cause });
    case '40001':
    case '40P01':
      return fault('SBY_DB_SERIALIZATION', { detail }, { cause });
    case '55P03':
      return fault('SBY_DB_BUSY', { detail }, { cause });
    case '57014':
      return fault('SBY_DB_STATEMENT_TIMEOUT', { ms: timeoutMs, sql }, { cause });
    case '25P02':
      return fault('SBY_DB_TRANSACTION_BROKEN', { began: '' }, { cause });
  }
  if (code.startsWith('22')) return fault('SBY_DB_OUT_OF_RANGE', { detail }, { cause });
  if (code.startsWith('42') || code.startsWith('3F'))
    return fault('SBY_DB_SYNTAX', { detail, sql }, { cause });
  if (code === '' || code.startsWith('08') || code.startsWith('57P') || /^E[A-Z]+$/.test(code))
    return fault('SBY_DB_LOST', { alias, reason: cause.message }, { cause });
  return fault('SBY_DB_FAILED', { detail }, { cause });
}
