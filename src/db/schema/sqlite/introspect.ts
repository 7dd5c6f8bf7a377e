import type { Executor } from '../../backends/base.ts';
import type { LiveColumn, LiveForeignKey, LiveIndex, LiveTable } from '../live.ts';
import { checksIn, definitionsOf, tailOf } from './parse.ts';

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export async function sqliteTables(executor: Executor): Promise<Map<string, LiveTable>> {
  const { rows } = await executor.query(
    "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
  );
  const tables = new Map<string, LiveTable>();
  for (const [name, type, sql] of rows as [string, string, string][]) {
    const definitions = type === 'table' ? definitionsOf(sql) : [];
    const columns = await columnsOf(executor, name, definitions);
    tables.set(name, {
      name,
      kind: type === 'view' ? 'view' : 'table',
      columns,
      foreignKeys: type === 'view' ? [] : await keysOf(executor, name),
      indexes: type === 'view' ? [] : await indexesOf(executor, name),
      checks: definitions.flatMap((definition) => checksIn(definition)),
      comment: null,
    });
  }
  return tables;
}

async function columnsOf(
  executor: Executor,
  table: string,
  definitions: readonly string[],
): Promise<LiveColumn[]> {
  const { rows } = await executor.query(
    `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(${literal(table)}) ORDER BY cid`,
  );
  const keys = rows.filter((row) => Number(row[4]) > 0).length;
  return (rows as [string, string, number, string | null, number, number][]).map(
    ([name, type, notNull, value, pk, hidden]) => {
      const definition =
        definitions.find(
          (text) =>
            text.toLowerCase().startsWith(`"${name.toLowerCase()}"`) ||
            text.toLowerCase().startsWith(`${name.toLowerCase()} `),
        ) ?? '';
      const generated = Number(hidden) >= 2 ? (/\bAS\s*\(([\s\S]*)\)/i.exec(definition)?.[1] ?? '') : null;
      const isRowId = pk > 0 && keys === 1 && type.toLowerCase() === 'integer';
      return {
        name,
        type: type.toLowerCase().replace(/ generated always$/, ''),
        null: Number(notNull) === 0 && !isRowId,
        primaryKey: pk > 0,
        auto: isRowId,
        default: value === null ? null : String(value),
        generated,
        stored: Number(hidden) === 3,
        comment: null,
      };
    },
  );
}

async function keysOf(executor: Executor, table: string): Promise<LiveForeignKey[]> {
  const { rows } = await executor.query(
    `SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(${literal(table)}) ORDER BY id, seq`,
  );
  const byId = new Map<number, { columns: string[]; table: string; targets: string[] }>();
  for (const [id, target, from, to] of rows as [number, string, string, string | null][]) {
    const key = byId.get(id) ?? { columns: [], table: target, targets: [] };
    key.columns.push(from);
    if (to !== null) key.targets.push(to);
    byId.set(id, key);
  }
  return [...byId.values()];
}

async function indexesOf(executor: Executor, table: string): Promise<LiveIndex[]> {
  const { rows } = await executor.query(
    `SELECT l.name, l."unique", l.origin, l.partial, i.seqno, i.cid, i.name, i."desc", (SELECT sql FROM sqlite_schema s WHERE s.type = 'index' AND s.name = l.name) FROM pragma_index_list(${literal(table)}) l, pragma_index_xinfo(l.name) i WHERE i.key = 1 ORDER BY l.name, i.seqno`,
  );
  interface Draft {
    name: string;
    columns: (string | null)[];
    unique: boolean;
    primary: boolean;
    partial: boolean;
    descending: boolean[];
    method: string;
    sql: string[];
    where: string | null;
    include: string[];
  }
  const byName = new Map<string, Draft>();
  for (const row of rows as [
    string,
    number,
    string,
    number,
    number,
    number,
    string | null,
    number,
    string | null,
  ][]) {
    const [name, unique, origin, partial, , cid, column, descending, text] = row;
    const index = byName.get(name) ?? {
      name,
      columns: [],
      unique: Number(unique) === 1,
      primary: origin === 'pk',
      partial: Number(partial) === 1,
      descending: [],
      method: 'btree',
      sql: definitionsOf(text ?? '').map((one) => one.replace(/\s+(?:ASC|DESC)$/i, '')),
      where: /^\s*WHERE\s+([\s\S]*)$/i.exec(tailOf(text ?? ''))?.[1] ?? null,
      include: [],
    };
    index.columns.push(Number(cid) < 0 ? null : column);
    index.descending.push(Number(descending) === 1);
    byName.set(name, index);
  }
  return [...byName.values()];
}
