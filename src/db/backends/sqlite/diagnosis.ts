/**
 * Which foreign key failed. SQLite says only "FOREIGN KEY constraint failed" (https://sqlite.org/foreignkeys.html, 3), so the
 * statement is tried again with its checks put off, the row without a partner is looked for, and all is undone.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Column of a table whose value points to no row. */
export type Culprit = readonly [table: string, column: string];

/** Rows that may be looked at, some 20 ms: whoever sends bad keys must not be able to keep the writer busy. */
const BUDGET = 100_000;
let left = 0;

export function installDiagnosis(database: DatabaseSync): void {
  database.function('sobaya_in_budget', { varargs: true }, () => {
    if (left-- <= 0) throw new Error('sobaya: too many rows');
    return 1;
  });
}

interface Key {
  readonly child: string;
  readonly parent: string;
  readonly id: number;
  readonly from: string;
  readonly to: string;
}

const KEYS = `SELECT m.name AS child, f."table" AS parent, f.id AS id, f."from" AS "from",
  coalesce(f."to", (SELECT i.name FROM pragma_table_info(f."table") i WHERE i.pk = f.seq + 1)) AS "to"
  FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq`;

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `about`: the table that a statement changed; only keys of it and to it can have failed. */
function search(database: DatabaseSync, about: string | null): Culprit | null {
  const keys = new Map<string, Key[]>();
  for (const key of database.prepare(KEYS).all() as unknown as Key[]) {
    if (about !== null && key.child !== about && key.parent !== about) continue;
    const name = `${key.child}\0${key.id}`;
    keys.set(name, [...(keys.get(name) ?? []), key]);
  }
  for (const columns of keys.values()) {
    const { child, parent } = columns[0] as Key;
    const given = columns.map(({ from }) => `c.${quote(from)} IS NOT NULL`).join(' AND ');
    const same = columns.map(({ from, to }) => `p.${quote(to)} = c.${quote(from)}`).join(' AND ');
    const lost = `SELECT 1 FROM ${quote(child)} c WHERE sobaya_in_budget(c.${quote((columns[0] as Key).from)}) AND ${given} AND NOT EXISTS (SELECT 1 FROM ${quote(parent)} p WHERE ${same})`;
    let found: unknown;
    try {
      // The newest first: it is the likeliest.
      found = database.prepare(`${lost} ORDER BY c.rowid DESC LIMIT 1`).get();
    } catch (error) {
      if (!/no such column/.test(String(error))) throw error;
      found = database.prepare(`${lost} LIMIT 1`).get();
    }
    if (found !== undefined) return [child, (columns[0] as Key).from];
  }
  return null;
}

/** `params` of the failed statement; null after a COMMIT that failed, when all is still there. */
export function findCulprit(
  database: DatabaseSync,
  sql: string,
  params: SQLInputValue[] | null,
): Culprit | null {
  left = BUDGET;
  try {
    if (params === null) return database.isTransaction ? search(database, null) : null;
    const about =
      /^\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+"([^"]+)"/i.exec(sql);
    if (about === null) return null;
    const inside = database.isTransaction;
    const before = database.prepare('PRAGMA defer_foreign_keys').get() as { defer_foreign_keys: number };
    database.exec(inside ? 'SAVEPOINT sobaya_diagnosis' : 'BEGIN IMMEDIATE');
    try {
      database.exec('PRAGMA defer_foreign_keys=ON');
      // Compiled anew: one that is compiled while checks are put off would leave its row behind when they are not.
      database.prepare(sql).all(...params);
      return search(database, about[1] as string);
    } finally {
      database.exec(inside ? 'ROLLBACK TO sobaya_diagnosis; RELEASE sobaya_diagnosis' : 'ROLLBACK');
      if (inside) database.exec(`PRAGMA defer_foreign_keys=${before.defer_foreign_keys}`);
    }
  } catch {
    return null;
  }
}
