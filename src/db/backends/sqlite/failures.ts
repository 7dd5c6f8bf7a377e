import { fault, type IntegrityError } from '../../../errors/index.ts';
import { named } from '../naming.ts';
import type { SqliteFailure } from './protocol.ts';

const afterColon = (text: string): string => text.slice(text.indexOf(':') + 1).trim();

function integrity<E extends IntegrityError>(
  error: E,
  model: string,
  fields: readonly string[],
  constraint = '',
): E {
  error.model = model;
  error.fields = fields;
  error.constraint = constraint;
  return error;
}

/** The catalogue error for a failure of SQLite (https://sqlite.org/rescode.html). */
export function sqliteError({ failed, errcode }: SqliteFailure, sql: string): Error {
  const cause = new Error(failed);
  const primary = errcode & 0xff;
  if (primary === 19) {
    const places = afterColon(failed).split(', ');
    const table = places[0]?.split('.')[0] ?? '';
    const columns = places.map((place) => place.split('.')[1] ?? place);
    const { model, fields } = named(table, columns);
    const details = { model, fields: fields.join(', '), detail: failed };
    switch (errcode) {
      case 1299:
        return integrity(fault('SBY_DB_NOT_NULL', details, { cause }), model, fields);
      case 787: {
        const target = /(?:INTO|UPDATE|FROM)\s+"([^"]+)"/i.exec(sql)?.[1] ?? '';
        const where = named(target, []);
        return integrity(
          fault(
            'SBY_DB_FOREIGN_KEY',
            { model: where.model || 'a row', fields: '', detail: failed },
            { cause },
          ),
          where.model,
          [],
        );
      }
      case 275: {
        const target = /(?:INTO|UPDATE)\s+"([^"]+)"/i.exec(sql)?.[1] ?? '';
        const where = named(target, []);
        const constraint = afterColon(failed);
        return integrity(
          fault('SBY_DB_CHECK', { model: where.model || 'a table', constraint, detail: failed }, { cause }),
          where.model,
          [],
          constraint,
        );
      }
      case 2067:
      case 1555:
      case 2579:
        return integrity(
          fault('SBY_DB_UNIQUE', details, { cause }),
          model,
          fields,
          /index '(.+)'/.exec(failed)?.[1],
        );
      default:
        return integrity(
          fault('SBY_DB_CHECK', { model, constraint: afterColon(failed), detail: failed }, { cause }),
          model,
          [],
        );
    }
  }
  if (primary === 5 || primary === 6) return fault('SBY_DB_BUSY', { detail: failed }, { cause });
  if (primary === 18 || primary === 20 || /integer overflow|out of range|too large/i.test(failed))
    return fault('SBY_DB_OUT_OF_RANGE', { detail: failed }, { cause });
  if (primary === 1) return fault('SBY_DB_SYNTAX', { detail: failed, sql }, { cause });
  return fault('SBY_DB_FAILED', { detail: failed }, { cause });
}
