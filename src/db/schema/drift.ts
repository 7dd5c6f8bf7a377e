/** Where a live database differs from what the models say. */
import type { Backend, Executor } from '../backends/base.ts';
import { type LiveTable, liveTables } from './live.ts';
import { liveDefinitions, wantedDefinitions } from './postgresql/definitions.ts';
import type { ColumnSpec, TableSpec } from './spec.ts';
import { schemaEditor } from './vendors.ts';

export interface Drift {
  readonly table: string;
  readonly problem: string;
}

const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/^character varying/, 'varchar'],
  [/^timestamp with time zone$/, 'timestamptz'],
  [/^timestamptz$/, 'timestamptz'],
  [/^time without time zone$/, 'time'],
  [/^bool$/, 'boolean'],
  [/^int8$/, 'bigint'],
  [/^int4$/, 'integer'],
];
function typeName(type: string): string {
  let name = type.toLowerCase().replaceAll(', ', ',');
  for (const [pattern, plain] of SYNONYMS) name = name.replace(pattern, plain);
  return name;
}

/** Compares the tables that the models want with those that are there. Tables of nobody's are not looked at. */
export async function findDrift(
  backend: Backend,
  wanted: readonly TableSpec[],
  executor: Executor = backend,
): Promise<Drift[]> {
  const live = await liveTables(backend, executor);
  const drifts: Drift[] = [];
  const compared = await compareDefinitions(backend, wanted, live, executor);
  for (const table of wanted) {
    const there = live.get(table.name);
    const problems =
      there === undefined
        ? ['the table is missing']
        : [...compareTable(table, there), ...(compared.get(table.name) ?? [])];
    for (const problem of problems) drifts.push({ table: table.name, problem });
  }
  return drifts;
}

function* compareTable(want: TableSpec, live: LiveTable): Generator<string> {
  for (const column of want.columns) {
    const there = live.columns.find((other) => other.name === column.name);
    if (there === undefined) yield `the column ${column.name} is missing`;
    else yield* compareColumn(column, there);
  }
  for (const column of live.columns)
    if (!want.columns.some((other) => other.name === column.name))
      yield `the column ${column.name} (${column.type}) belongs to no field`;
  for (const key of want.foreignKeys)
    if (
      !live.foreignKeys.some(
        (other) => other.columns.length === 1 && other.columns[0] === key.column && other.table === key.table,
      )
    )
      yield `the foreign key from ${key.column} to ${key.table} is missing`;
  for (const key of live.foreignKeys)
    if (!want.foreignKeys.some((other) => key.columns.length === 1 && other.column === key.columns[0]))
      yield `the foreign key from ${key.columns.join(', ')} to ${key.table} belongs to no field`;
  const found = new Set<string>();
  const take = (
    name: string,
    columns: readonly (string | null)[],
    unique: boolean,
    partial: boolean,
  ): boolean => {
    const fitting = live.indexes.filter(
      (index) =>
        !found.has(index.name) &&
        !want.others.some((other) => other.name === index.name) &&
        !index.primary &&
        index.unique === unique &&
        index.partial === partial &&
        index.columns.length === columns.length &&
        index.columns.every((column, position) => column === columns[position]),
    );
    const match = fitting.find((index) => index.name === name) ?? fitting[0];
    if (match !== undefined) found.add(match.name);
    return match !== undefined;
  };
  for (const unique of want.uniques)
    if (!take(unique.name, unique.columns, true, false))
      yield `the unique constraint on ${unique.columns.join(', ')} is missing`;
  for (const index of want.indexes) {
    const columns = index.columns.map((column) => column.column);
    if (!take(index.name, columns, index.unique, index.where !== null))
      yield `the index ${index.name} on ${columns.map((column) => column ?? 'an expression').join(', ')} is missing`;
  }
  for (const index of live.indexes)
    if (!found.has(index.name) && !index.primary && !want.others.some((other) => other.name === index.name))
      yield `the ${index.unique ? 'unique ' : ''}index ${index.name} belongs to no field, index or constraint`;
  for (const check of [...want.checks, ...want.others])
    if (!live.checks.some((other) => other.name === check.name))
      yield `the constraint ${check.name} is missing`;
  for (const check of live.checks)
    if (![...want.checks, ...want.others].some((other) => other.name === check.name))
      yield `the constraint ${check.name || `CHECK (${check.sql})`} belongs to no field or constraint`;
}

function* compareColumn(want: ColumnSpec, live: LiveTable['columns'][number]): Generator<string> {
  if (typeName(want.type) !== typeName(live.type))
    yield `the column ${want.name} is ${live.type}, the field wants ${want.type}`;
  if (want.null !== live.null && want.generated === null)
    yield `the column ${want.name} ${live.null ? 'may be null, the field may not' : 'may not be null, the field may'}`;
  if (want.primaryKey !== live.primaryKey)
    yield `the column ${want.name} is ${live.primaryKey ? 'the primary key, the field is not' : 'not the primary key, the field is'}`;
  if ((want.default === null) !== (live.default === null))
    yield live.default === null
      ? `the column ${want.name} has no default, the field wants ${want.default}`
      : `the column ${want.name} has the default ${live.default}, the field has none`;
  if ((want.generated === null) !== (live.generated === null))
    yield `the column ${want.name} is ${live.generated === null ? 'not ' : ''}generated`;
}

/** Without what a database or a person may write one way or another. */
const squeeze = (sql: string): string => sql.replace(/[\s()"`[\];]+/g, '').toLowerCase();

/** Checks, conditions, expressions and defaults that have the right name and say something else. */
async function compareDefinitions(
  backend: Backend,
  wanted: readonly TableSpec[],
  live: ReadonlyMap<string, LiveTable>,
  executor: Executor,
): Promise<Map<string, string[]>> {
  const editor = schemaEditor(backend, executor, { collect: true });
  const found = new Map<string, string[]>();
  const report = (table: string, what: string, there: string, want: string): void => {
    const problem = there.startsWith(want)
      ? there.endsWith(' INVALID')
        ? `the ${what} is invalid: making it concurrently broke off`
        : `the ${what} holds for new rows only: it was not validated`
      : `the ${what} is ${there}, the models want ${want}`;
    found.set(table, [...(found.get(table) ?? []), problem]);
  };
  const present = wanted.filter((table) => live.has(table.name));
  if (backend.vendor !== 'sqlite') {
    const there = await liveDefinitions(executor);
    const want = await wantedDefinitions(backend, present, (table) => editor.tableSql(table));
    for (const [table, all] of want)
      for (const [what, text] of all) {
        const now = there.get(table)?.get(what);
        if (now !== undefined && now !== text) report(table, what, now, text);
      }
    return found;
  }
  const { rows } = await executor.query(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
  );
  const indexes = new Map(rows.map(([name, sql]) => [String(name), String(sql)]));
  for (const table of present) {
    const there = live.get(table.name) as LiveTable;
    for (const check of table.checks) {
      const now = there.checks.find((other) => other.name === check.name);
      if (now !== undefined && squeeze(now.sql) !== squeeze(check.sql))
        report(table.name, `constraint ${check.name}`, `CHECK (${now.sql})`, `CHECK (${check.sql})`);
    }
    for (const column of table.columns) {
      const now = there.columns.find((other) => other.name === column.name);
      if (now?.default != null && column.default !== null && squeeze(now.default) !== squeeze(column.default))
        report(table.name, `default of column ${column.name}`, now.default, column.default);
      if (
        now?.generated != null &&
        column.generated !== null &&
        squeeze(now.generated) !== squeeze(column.generated.sql)
      )
        report(table.name, `expression of column ${column.name}`, now.generated, column.generated.sql);
    }
    for (const sql of await editor.tableSql(table)) {
      const name = /^CREATE (?:UNIQUE )?INDEX "((?:[^"]|"")*)"/.exec(sql)?.[1]?.replaceAll('""', '"');
      const now = name === undefined ? undefined : indexes.get(name);
      if (now !== undefined && squeeze(now) !== squeeze(sql))
        report(table.name, `index ${name}`, now, sql.slice(0, -1));
    }
  }
  return found;
}
