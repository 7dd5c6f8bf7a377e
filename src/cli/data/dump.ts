import type { Databases } from '../../db/index.ts';
import type { DataTable } from './tables.ts';

type Backend = ReturnType<Databases['get']>;

export interface DumpOptions {
  readonly chunk?: number;
  /** References by natural keys, where the target has one. */
  readonly naturalForeign?: boolean;
  /** No primary keys for models that have a natural key. */
  readonly naturalPrimary?: boolean;
}

/** Rows of the tables as the objects of a fixture, in the order of keys, a chunk in memory at a time. */
export async function* dumpObjects(
  backend: Backend,
  tables: readonly DataTable[],
  all: readonly DataTable[],
  options: DumpOptions = {},
): AsyncGenerator<object[]> {
  const byKey = new Map(all.map((table) => [table.key, table]));
  for (const table of tables) {
    const naturals = new Map<string, (pk: unknown) => unknown>();
    if (options.naturalForeign)
      for (const { to } of [...table.columns, ...table.links]) {
        const target = to === null ? undefined : byKey.get(to);
        if (target?.natural != null && !naturals.has(target.key))
          naturals.set(target.key, await naturalKeys(backend, target));
      }
    const refer = (to: string | null, pk: unknown): unknown =>
      pk === null || to === null ? pk : (naturals.get(to)?.(pk) ?? pk);
    for await (const rows of chunksOf(backend, table, options.chunk ?? 1000)) {
      const links = await linksOf(backend, table, rows);
      yield rows.map((row) => {
        const fields: Record<string, unknown> = {};
        let pk: unknown = null;
        table.columns.forEach((column, index) => {
          const value = column.dump(row[index]);
          if (column.primaryKey) pk = value;
          if (!column.primaryKey || column.to !== null) fields[column.field] = refer(column.to, value);
        });
        for (const link of table.links)
          fields[link.field] = (links.get(link.field)?.get(String(pk)) ?? []).map((one) =>
            refer(link.to, one),
          );
        const noKey = options.naturalPrimary === true && table.natural !== null;
        return { model: table.key, ...(noKey ? {} : { pk }), fields };
      });
    }
  }
}

/** By key, so that every chunk is one short statement however long the table is. */
async function* chunksOf(backend: Backend, table: DataTable, size: number): AsyncGenerator<unknown[][]> {
  const { dialect } = backend;
  const quote = (name: string): string => backend.quote(name);
  const columns = table.columns
    .map((column) => dialect.selectColumn(quote(column.column), column.kind))
    .join(', ');
  const pk = quote(table.pk.column);
  const position = table.columns.indexOf(table.pk);
  let last: unknown;
  for (let first = true; ; first = false) {
    const where = first ? '' : ` WHERE ${pk} > ${dialect.placeholder(1)}`;
    const { rows } = await backend.execute(
      `SELECT ${columns} FROM ${quote(table.table)}${where} ORDER BY ${pk} LIMIT ${size}`,
      first ? [] : [last],
    );
    if (rows.length > 0) yield rows;
    if (rows.length < size) return;
    last = rows.at(-1)?.[position];
  }
}

async function linksOf(
  backend: Backend,
  table: DataTable,
  rows: readonly unknown[][],
): Promise<Map<string, Map<string, unknown[]>>> {
  const found = new Map<string, Map<string, unknown[]>>();
  if (table.links.length === 0 || rows.length === 0) return found;
  const position = table.columns.indexOf(table.pk);
  const first = rows[0]?.[position];
  const last = rows.at(-1)?.[position];
  const quote = (name: string): string => backend.quote(name);
  for (const link of table.links) {
    const answer = await backend.execute(
      `SELECT ${quote(link.source)}, ${quote(link.target)} FROM ${quote(link.table)} WHERE ${quote(link.source)} >= ${backend.dialect.placeholder(1)} AND ${quote(link.source)} <= ${backend.dialect.placeholder(2)} ORDER BY id`,
      [first, last],
    );
    const byRow = new Map<string, unknown[]>();
    for (const [source, target] of answer.rows) {
      const key = String(table.pk.dump(source));
      const list = byRow.get(key) ?? [];
      list.push(typeof target === 'bigint' ? String(target) : target);
      byRow.set(key, list);
    }
    found.set(link.field, byRow);
  }
  return found;
}

async function naturalKeys(backend: Backend, table: DataTable): Promise<(pk: unknown) => unknown> {
  const fields = (table.natural ?? []).map((name) => table.columns.find((column) => column.field === name));
  const columns = [table.pk, ...fields.filter((column) => column !== undefined)];
  const { rows } = await backend.execute(
    `SELECT ${columns.map((column) => backend.dialect.selectColumn(backend.quote(column.column), column.kind)).join(', ')} FROM ${backend.quote(table.table)}`,
  );
  const known = new Map(
    rows.map((row) => [
      String(table.pk.dump(row[0])),
      columns.slice(1).map((column, index) => column.dump(row[index + 1])),
    ]),
  );
  return (pk) => known.get(String(pk));
}
