import { fault, type IntegrityError } from '../../../errors/index.ts';
import { named } from '../naming.ts';

/** The fields of an ErrorResponse, as drivers give them (PostgreSQL 15, 55.8). */
export interface ServerError extends Error {
  readonly code?: string | undefined;
  readonly detail?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

function integrity<E extends IntegrityError>(
  error: E,
  model: string,
  fields: readonly string[],
  constraint: string,
): E {
  error.model = model;
  error.fields = fields;
  error.constraint = constraint;
  return error;
}

/** The catalogue error for what a PostgreSQL server or the connection to it reported. */
export function postgresError(cause: ServerError, sql: string, alias: string, timeoutMs: number): Error {
  const { code = '', table = '', column, constraint = '' } = cause;
  const detail = cause.detail ? `${cause.message}: ${cause.detail}` : cause.message;
  switch (code) {
    case '23505': {
      const columns =
        /^Key \((.+?)\)=/
          .exec(cause.detail ?? '')?.[1]
          ?.replaceAll('"', '')
          .split(', ') ?? [];
      const { model, fields } = named(table, columns);
      return integrity(
        fault('SBY_DB_UNIQUE', { model, fields: fields.join(', ') || constraint, detail }, { cause }),
        model,
        fields,
        constraint,
      );
    }
    case '23502': {
      const { model, fields } = named(table, column === undefined ? [] : [column]);
      return integrity(
        fault('SBY_DB_NOT_NULL', { model, fields: fields.join(', '), detail }, { cause }),
        model,
        fields,
        constraint,
      );
    }
    case '23503': {
      const columns = /^Key \((.+?)\)=/.exec(cause.detail ?? '')?.[1]?.split(', ') ?? [];
      const { model, fields } = named(table, columns);
      return integrity(
        fault('SBY_DB_FOREIGN_KEY', { model, fields: fields.join(', '), detail }, { cause }),
        model,
        fields,
        constraint,
      );
    }
    case '23514':
    case '23P01': {
      const { model } = named(table, []);
      return integrity(
        fault('SBY_DB_CHECK', { model, constraint, detail }, { cause }),
        model,
        [],
        constraint,
      );
    }
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
