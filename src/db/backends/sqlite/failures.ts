import { fault } from '../../../errors/index.ts';
import { named, violation } from '../naming.ts';
import type { SqliteFailure } from './protocol.ts';

const afterColon = (text: string): string => text.slice(text.indexOf(':') + 1).trim();

/** The catalogue error for a failure of SQLite (https://sqlite.org/rescode.html). */
export function sqliteError(failure: SqliteFailure, sql: string, alias: string): Error {
  const { failed, errcode, foreign, lost } = failure;
  const cause = new Error(failed);
  if (lost) return fault('SBY_DB_LOST', { alias, reason: failed }, { cause });
  const primary = errcode & 0xff;
  if (primary === 19) {
    // "UNIQUE constraint failed: shop_author.email, shop_author.name", or "…: index 'name'".
    const places = afterColon(failed).split(', ');
    const constraint = /index '(.+)'/.exec(failed)?.[1] ?? (errcode === 275 ? afterColon(failed) : '');
    const dotted = constraint === '' && (places[0] as string).includes('.');
    const target = /(?:INTO|UPDATE|FROM)\s+"([^"]+)"/i.exec(sql)?.[1] ?? '';
    const table = foreign?.[0] ?? (dotted ? (places[0] as string).split('.')[0] : target) ?? '';
    const columns =
      foreign?.[1] !== undefined
        ? [foreign[1]]
        : dotted
          ? places.map((place) => place.split('.')[1] as string)
          : [];
    const { model, fields } = named(table, columns, constraint);
    const found = { model, fields, constraint, detail: failed };
    switch (errcode) {
      case 1299:
        return violation('SBY_DB_NOT_NULL', found, cause);
      case 787:
        return violation('SBY_DB_FOREIGN_KEY', found, cause);
      case 2067:
      case 1555:
      case 2579:
        return violation('SBY_DB_UNIQUE', found, cause);
      default:
        return violation('SBY_DB_CHECK', { ...found, constraint: constraint || afterColon(failed) }, cause);
    }
  }
  if (errcode === 517) return fault('SBY_DB_SERIALIZATION', { detail: failed }, { cause });
  if (primary === 8) return fault('SBY_DB_READ_ONLY', { alias, detail: failed }, { cause });
  if (primary === 5 || primary === 6) return fault('SBY_DB_BUSY', { detail: failed }, { cause });
  if (primary === 18 || primary === 20 || /integer overflow|out of range|too large/i.test(failed))
    return fault('SBY_DB_OUT_OF_RANGE', { detail: failed }, { cause });
  if (primary === 1) return fault('SBY_DB_SYNTAX', { detail: failed, sql }, { cause });
  return fault('SBY_DB_FAILED', { detail: failed }, { cause });
}
