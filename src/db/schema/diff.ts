/** The difference of two states as changes of tables. Untouched models are skipped by identity. */
import type { FieldState, ModelState, ProjectState } from '../migrations/state.ts';
import { modelKey, samePlain, targetsOf } from '../migrations/state.ts';
import type { SchemaBackend } from './backend.ts';
import { type ColumnSpec, type TableSpec, tablesOf } from './spec.ts';

/** What a difference cannot show: which new name was which old one, and what existing rows get. */
export interface Hints {
  readonly renamedModels?: readonly { readonly from: string; readonly to: string }[];
  /** `model` is the key in the new state. */
  readonly renamedFields?: readonly { readonly model: string; readonly from: string; readonly to: string }[];
  readonly fills?: readonly Fill[];
}

/** The value that existing rows get in a column that may not be null. */
export interface Fill {
  readonly model: string;
  readonly field: string;
  readonly value: unknown;
}

export interface TableChange {
  /** The table's name before it was renamed; `from` has the new one already. */
  readonly was: string;
  readonly from: TableSpec;
  readonly to: TableSpec;
  /** Old name of a column by its new one, for every column that stays. */
  readonly kept: ReadonlyMap<string, string>;
  /** SQL literal by new column name. */
  readonly fills: ReadonlyMap<string, string>;
}

export interface SchemaDifference {
  readonly renamedTables: readonly { readonly from: string; readonly to: string }[];
  readonly created: readonly TableSpec[];
  readonly changed: readonly TableChange[];
  readonly dropped: readonly TableSpec[];
}

export function turnAround(hints: Hints): Hints {
  return {
    renamedModels: (hints.renamedModels ?? []).map(({ from, to }) => ({ from: to, to: from })).reverse(),
    renamedFields: (hints.renamedFields ?? []).map(({ model, from, to }) => ({
      model: hints.renamedModels?.find((renamed) => renamed.to === model)?.from ?? model,
      from: to,
      to: from,
    })),
    fills: hints.fills ?? [],
  };
}

export function diffStates(
  from: ProjectState,
  to: ProjectState,
  hints: Hints,
  backend: SchemaBackend,
): SchemaDifference {
  const before = tablesById(from, changedModels(from, to), backend);
  const after = tablesById(to, changedModels(to, from), backend);
  return diffTables(before, after, hints, to, backend);
}

/** Models that differ in the other state, and those whose tables depend on them through foreign keys. */
function changedModels(state: ProjectState, other: ProjectState): ModelState[] {
  const changed = new Set<string>();
  for (const [key, model] of state.models) if (other.get(key) !== model) changed.add(key);
  if (changed.size === 0 || changed.size === state.models.size)
    return [...state.models.values()].filter((model) => changed.has(modelKey(model.app, model.name)));
  // The type of a foreign key's column follows its target, however long the chain is.
  for (let size = -1; size !== changed.size; ) {
    size = changed.size;
    for (const [key, model] of state.models)
      if (
        !changed.has(key) &&
        model.fields.some(([, field]) => targetsOf(field).some((target) => changed.has(target)))
      )
        changed.add(key);
  }
  return [...state.models.values()].filter((model) => changed.has(modelKey(model.app, model.name)));
}

function tablesById(
  state: ProjectState,
  models: readonly ModelState[],
  backend: SchemaBackend,
): Map<string, TableSpec> {
  const tables = new Map<string, TableSpec>();
  for (const model of models)
    for (const table of tablesOf(state, model, backend)) tables.set(table.id, table);
  return tables;
}

function diffTables(
  before: Map<string, TableSpec>,
  after: Map<string, TableSpec>,
  hints: Hints,
  to: ProjectState,
  backend: SchemaBackend,
): SchemaDifference {
  const oldId = (id: string): string => {
    const [model = '', field] = id.split('#');
    const renamedField = hints.renamedFields?.find((entry) => entry.model === model && entry.to === field);
    const oldModel = hints.renamedModels?.find((entry) => entry.to === model)?.from ?? model;
    return field === undefined ? oldModel : `${oldModel}#${renamedField?.from ?? field}`;
  };
  const renamedTables: { from: string; to: string }[] = [];
  const pairs: [TableSpec, TableSpec][] = [];
  const created: TableSpec[] = [];
  const seen = new Set<string>();
  for (const [id, table] of after) {
    const old = before.get(oldId(id));
    if (old === undefined) {
      created.push(table);
      continue;
    }
    seen.add(old.id);
    pairs.push([old, table]);
    if (old.name !== table.name) renamedTables.push({ from: old.name, to: table.name });
  }
  const dropped = [...before.values()].filter((table) => !seen.has(table.id));
  const newName = new Map(renamedTables.map((entry) => [entry.from, entry.to]));
  const changed: TableChange[] = [];
  const columnRenames = new Map<string, Map<string, string>>();
  for (const [old, table] of pairs) {
    const model = table.id.split('#')[0] as string;
    const isModel = !table.id.includes('#');
    const kept = new Map<string, string>();
    for (const column of table.columns) {
      const renamed = isModel
        ? hints.renamedFields?.find((entry) => entry.model === model && entry.to === column.key)
        : undefined;
      const oldColumn = old.columns.find((other) => other.key === (renamed?.from ?? column.key));
      if (oldColumn !== undefined) kept.set(column.name, oldColumn.name);
    }
    columnRenames.set(table.name, new Map([...kept].map(([now, then]) => [then, now])));
    changed.push({
      was: old.name,
      from: old,
      to: table,
      kept,
      fills: fillsFor(table, hints, to, backend, kept),
    });
  }
  return {
    renamedTables,
    created: inReferenceOrder(created),
    changed: changed
      .map((change) => ({ ...change, from: renamed(change, newName, columnRenames) }))
      .filter(
        (change) =>
          change.was !== change.to.name ||
          !samePlain(comparable(change.from), comparable(change.to)) ||
          hasColumnRename(change),
      ),
    dropped: inReferenceOrder(dropped).reverse(),
  };
}

function fillsFor(
  table: TableSpec,
  hints: Hints,
  to: ProjectState,
  backend: SchemaBackend,
  kept: ReadonlyMap<string, string>,
): Map<string, string> {
  const fills = new Map<string, string>();
  const model = to.get(table.id);
  if (model === undefined) return fills;
  for (const column of table.columns) {
    const field = model.fields.find(([name]) => name === column.key)?.[1];
    if (field === undefined) continue;
    const given = hints.fills?.find((fill) => fill.model === table.id && fill.field === column.key);
    const value =
      given !== undefined ? given.value : kept.has(column.name) && column.null ? undefined : implicit(field);
    if (value !== undefined && value !== null)
      fills.set(column.name, backend.literal(value, { kind: column.holds, options: {} }));
  }
  return fills;
}

/** What existing rows get when nobody said: the model's default. */
function implicit(field: FieldState): unknown {
  const { options } = field;
  if (options['default'] !== undefined) return options['default'];
  if (options['dbDefault'] !== undefined) return options['dbDefault'];
  return undefined;
}

const comparable = (table: TableSpec): unknown => ({
  ...table,
  id: '',
  columns: table.columns.map((column) => ({ ...column, key: '', holds: '' })),
});
const hasColumnRename = (change: TableChange): boolean =>
  [...change.kept].some(([now, then]) => now !== then);

/**
 * The old table as it stands after tables were renamed: references follow by themselves in every database of ours.
 * Columns that stay have the keys of the new table, so that they are known by them.
 */
function renamed(
  { from, to, kept }: TableChange,
  tables: ReadonlyMap<string, string>,
  columns: ReadonlyMap<string, ReadonlyMap<string, string>>,
): TableSpec {
  const keys = new Map(to.columns.map((column) => [kept.get(column.name), column.key]));
  return {
    ...from,
    name: to.name,
    columns: from.columns.map((column) => ({
      ...column,
      key: keys.get(column.name) ?? `${column.key} (old)`,
    })),
    foreignKeys: from.foreignKeys.map((key) => {
      const now = tables.get(key.table) ?? key.table;
      return { ...key, table: now, target: columns.get(now)?.get(key.target) ?? key.target };
    }),
  };
}

/** Tables before those that refer to them; members of a cycle stay as they come. */
export function inReferenceOrder(tables: readonly TableSpec[]): TableSpec[] {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const done = new Set<TableSpec>();
  const ordered: TableSpec[] = [];
  const visit = (table: TableSpec): void => {
    if (done.has(table)) return;
    done.add(table);
    for (const key of table.foreignKeys) {
      const target = byName.get(key.table);
      if (target !== undefined) visit(target);
    }
    ordered.push(table);
  };
  for (const table of tables) visit(table);
  return ordered;
}

export interface ColumnChange {
  readonly from: ColumnSpec;
  readonly to: ColumnSpec;
}
