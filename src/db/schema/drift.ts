/** Where a live database differs from what the models say. */
import type { Backend, Executor } from '../backends/base.ts';
import { type LiveTable, liveTables } from './live.ts';
import type { ColumnSpec, TableSpec } from './spec.ts';

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
  for (const table of wanted) {
    const there = live.get(table.name);
    if (there === undefined) drifts.push({ table: table.name, problem: 'the table is missing' });
    else for (const problem of compareTable(table, there)) drifts.push({ table: table.name, problem });
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
  const take = (columns: readonly (string | null)[], unique: boolean, partial: boolean): boolean => {
    const match = live.indexes.find(
      (index) =>
        !found.has(index.name) &&
        !index.primary &&
        index.unique === unique &&
        index.partial === partial &&
        index.columns.length === columns.length &&
        index.columns.every((column, position) => column === columns[position]),
    );
    if (match !== undefined) found.add(match.name);
    return match !== undefined;
  };
  for (const unique of want.uniques)
    if (!take(unique.columns, true, false))
      yield `the unique constraint on ${unique.columns.join(', ')} is missing`;
  for (const index of want.indexes) {
    const columns = index.columns.map((column) => column.column);
    if (!take(columns, index.unique, index.where !== null))
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
