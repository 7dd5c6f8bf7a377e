/** What somebody gave a table by hand and no model knows of: it is kept when the table is made anew. */
import type { Answer } from '../../backends/base.ts';
import type { TableSpec } from '../spec.ts';
import { checksIn, definitionsOf, tailOf } from './parse.ts';

export interface Handmade {
  readonly strict: boolean;
  readonly withoutRowId: boolean;
  /** Collations by column, where the field has none. */
  readonly collations: ReadonlyMap<string, string>;
  /** ` ON DELETE …` by column, for foreign keys that the models know. */
  readonly actions: ReadonlyMap<string, string>;
  /** Checks and foreign keys of no model, as lines of CREATE TABLE, with the columns that they cannot be without. */
  readonly constraints: readonly { readonly columns: readonly string[]; readonly sql: string }[];
}

export const NOTHING: Handmade = {
  strict: false,
  withoutRowId: false,
  collations: new Map(),
  actions: new Map(),
  constraints: [],
};

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const squeeze = (sql: string): string => sql.replace(/[\s()"`[\]]+/g, '').toLowerCase();

/** Reads it off the live table; `from` is what the models know. */
export async function handmade(from: TableSpec, read: (sql: string) => Promise<Answer>): Promise<Handmade> {
  const [row] = (
    await read(
      `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ${literal(from.name)} COLLATE NOCASE`,
    )
  ).rows;
  if (row === undefined) return NOTHING;
  const sql = String(row[0]);
  const definitions = definitionsOf(sql);
  const constraints: { columns: string[]; sql: string }[] = [];
  for (const check of definitions.flatMap((definition) => checksIn(definition))) {
    if (from.checks.some((known) => known.name === check.name || squeeze(known.sql) === squeeze(check.sql)))
      continue;
    const name = check.name === '' ? '' : `CONSTRAINT ${quote(check.name)} `;
    constraints.push({ columns: [], sql: `${name}CHECK (${check.sql})` });
  }
  const { actions, keys } = await foreignKeys(from, read);
  const tail = tailOf(sql).toUpperCase();
  const collations = new Map<string, string>();
  for (const column of from.columns) {
    const own = definitions.find((text) =>
      [column.name, quote(column.name), `[${column.name}]`, `\`${column.name}\``].some((name) =>
        text.toLowerCase().startsWith(`${name.toLowerCase()} `),
      ),
    );
    const collation = /\bCOLLATE\s+"?(\w+)"?/i.exec(own ?? '')?.[1];
    if (column.collation === null && collation !== undefined) collations.set(column.name, collation);
  }
  return {
    strict: /\bSTRICT\b/.test(tail),
    withoutRowId: /\bWITHOUT\s+ROWID\b/.test(tail),
    collations,
    actions,
    constraints: [...constraints, ...keys],
  };
}

async function foreignKeys(
  from: TableSpec,
  read: (sql: string) => Promise<Answer>,
): Promise<{ actions: Map<string, string>; keys: { columns: string[]; sql: string }[] }> {
  const { rows } = await read(
    `SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(${literal(from.name)}) ORDER BY id, seq`,
  );
  interface Key {
    readonly table: string;
    readonly columns: string[];
    readonly targets: string[];
    readonly action: string;
  }
  const byId = new Map<unknown, Key>();
  for (const [id, table, column, target, onUpdate, onDelete] of rows) {
    const action = [
      ['UPDATE', onUpdate],
      ['DELETE', onDelete],
    ]
      .filter(([, what]) => what !== 'NO ACTION')
      .map(([when, what]) => ` ON ${when} ${what}`)
      .join('');
    const key = byId.get(id) ?? { table: String(table), columns: [], targets: [], action };
    key.columns.push(String(column));
    if (target !== null) key.targets.push(String(target));
    byId.set(id, key);
  }
  const actions = new Map<string, string>();
  const keys: { columns: string[]; sql: string }[] = [];
  for (const { table, columns, targets, action } of byId.values()) {
    const [column = ''] = columns;
    const known =
      columns.length === 1 &&
      from.foreignKeys.some(
        (key) => key.column === column && key.table.toLowerCase() === table.toLowerCase(),
      );
    if (known) {
      if (action !== '') actions.set(column, action);
      continue;
    }
    const list = (names: readonly string[]): string => names.map(quote).join(', ');
    keys.push({
      columns,
      sql: `FOREIGN KEY (${list(columns)}) REFERENCES ${quote(table)}${targets.length > 0 ? ` (${list(targets)})` : ''}${action} DEFERRABLE INITIALLY DEFERRED`,
    });
  }
  return { actions, keys };
}

/** A strict table knows six types; ours are mapped as their affinities would (https://sqlite.org/datatype3.html, 3.1). */
export function strictType(type: string): string {
  const upper = type.toUpperCase();
  if (upper.includes('INT') || upper === 'BOOL' || upper === 'BOOLEAN') return 'INTEGER';
  if (/CHAR|CLOB|TEXT/.test(upper)) return 'TEXT';
  if (upper.includes('BLOB')) return 'BLOB';
  return /REAL|FLOA|DOUB/.test(upper) ? 'REAL' : 'ANY';
}
