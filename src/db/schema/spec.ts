/**
 * Tables as a database sees them, computed from model states. Pure: the same state gives the same specification, so
 * that a change of the schema is the difference of two specifications, forwards and backwards alike.
 */
import { createHash } from 'node:crypto';
import { fault } from '../../errors/index.ts';
import type { FieldState, ModelState, PartState, ProjectState } from '../migrations/state.ts';
import { fieldOf, isForeignKey, isManaged, modelKey, partsOf } from '../migrations/state.ts';
import type { SchemaBackend } from './backend.ts';
import { compileParts } from './parts.ts';

export interface ColumnSpec {
  /** What stays the same when the column is renamed: the field's name. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly null: boolean;
  readonly primaryKey: boolean;
  /** The database counts it up. */
  readonly auto: boolean;
  /** SQL. */
  readonly default: string | null;
  readonly generated: { readonly sql: string; readonly stored: boolean } | null;
  readonly collation: string | null;
  readonly comment: string | null;
  /** The kind of field whose values it holds; not compared. */
  readonly holds: string;
}

export interface ForeignKeySpec {
  readonly name: string;
  readonly column: string;
  readonly table: string;
  readonly target: string;
}

export interface IndexColumn {
  /** A column's name, or null for an expression. */
  readonly column: string | null;
  /** What is indexed, as SQL. */
  readonly sql: string;
  readonly descending: boolean;
  readonly opclass: string | null;
}

export interface IndexSpec {
  readonly name: string;
  readonly columns: readonly IndexColumn[];
  readonly unique: boolean;
  readonly where: string | null;
  readonly include: readonly string[];
  readonly using: string | null;
  readonly nullsDistinct: boolean;
}

/** A unique constraint that is one: a condition or an expression makes it a unique index instead. */
export interface UniqueSpec {
  readonly name: string;
  readonly columns: readonly string[];
  readonly deferrable: 'deferred' | 'immediate' | null;
  readonly include: readonly string[];
  readonly nullsDistinct: boolean;
}

export interface CheckSpec {
  readonly name: string;
  readonly sql: string;
  /** A column that carries it alone, for checks that come with a field. */
  readonly column: string | null;
}

/** Constraints of one database alone, as PostgreSQL's exclusion constraints. */
export interface OtherConstraintSpec {
  readonly name: string;
  readonly sql: string;
}

export interface TableSpec {
  /** What stays the same when the table is renamed: the model's key, or `key#field` for a many-to-many table. */
  readonly id: string;
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
  readonly foreignKeys: readonly ForeignKeySpec[];
  readonly uniques: readonly UniqueSpec[];
  readonly checks: readonly CheckSpec[];
  readonly others: readonly OtherConstraintSpec[];
  readonly indexes: readonly IndexSpec[];
  readonly comment: string | null;
}

/** Identifiers of PostgreSQL are cut at 63 bytes; names of ours never reach that. */
const LONGEST = 63;

/** `shop_article_author_id_1a2b3c4d_fk`: readable, unique, and the same wherever it is computed. */
export function objectName(table: string, columns: readonly string[], suffix: string): string {
  const hash = createHash('sha256')
    .update([table, ...columns, suffix].join('\0'))
    .digest('hex')
    .slice(0, 8);
  const ending = `_${hash}_${suffix}`;
  const bare = table.replace(/^.*[.]/, '').replaceAll('"', '');
  let stem = `${bare}_${columns.join('_')}`;
  while (Buffer.byteLength(stem) > LONGEST - ending.length) stem = [...stem].slice(0, -1).join('');
  return stem + ending;
}

export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

export function columnOf(name: string, field: FieldState): string {
  const { column } = field.options;
  if (typeof column === 'string') return column;
  return isForeignKey(field) ? `${snakeCase(name)}_id` : snakeCase(name);
}

export function tableOf(model: ModelState): string {
  const { table } = model.options;
  return typeof table === 'string' ? table : `${model.app}_${model.name.toLowerCase()}`;
}

export function primaryKeyOf(model: ModelState): readonly [string, FieldState] | undefined {
  return model.fields.find(([, field]) => field.options['primaryKey'] === true);
}

const AUTO: Readonly<Record<string, string>> = {
  smallAuto: 'smallInteger',
  auto: 'integer',
  bigAuto: 'bigInteger',
};
export const isAuto = (field: FieldState): boolean => field.kind in AUTO;

/** The field that a foreign key points to. */
export function targetOf(
  state: ProjectState,
  field: FieldState,
): { readonly model: ModelState; readonly name: string; readonly field: FieldState } | undefined {
  const model = state.get(String(field.options['to']));
  if (model === undefined) return undefined;
  const { toField } = field.options;
  const found =
    typeof toField === 'string'
      ? ([toField, fieldOf(model, toField)] as const)
      : (primaryKeyOf(model) ?? ([undefined, undefined] as const));
  return found[0] === undefined || found[1] === undefined
    ? undefined
    : { model, name: found[0], field: found[1] };
}

/** The field whose values are kept in the column: foreign keys are followed to the end. */
export function storedField(state: ProjectState, field: FieldState): FieldState {
  let current = field;
  for (let depth = 0; isForeignKey(current) && depth < 100; depth++) {
    const target = targetOf(state, current);
    if (target === undefined) return { kind: 'bigInteger', options: {} };
    current = target.field;
    const plain = AUTO[current.kind];
    if (plain !== undefined) return { kind: plain, options: {} };
  }
  return current;
}

/** The automatic table between two models: its own state, as if it had been written by hand. */
export function throughModel(model: ModelState, name: string, field: FieldState): ModelState {
  const to = String(field.options['to']);
  const targetName = to.slice(to.indexOf('.') + 1);
  const self = to === modelKey(model.app, model.name);
  const source = self ? `from_${model.name.toLowerCase()}` : model.name.toLowerCase();
  const target = self ? `to_${targetName.toLowerCase()}` : targetName.toLowerCase();
  const reference = (column: string, key: string): FieldState => ({
    kind: 'foreignKey',
    options: { to: key, onDelete: 'cascade', column: `${column}_id`, index: true },
  });
  const { table } = field.options;
  return {
    app: model.app,
    name: `${model.name}_${name}`,
    fields: [
      ['id', { kind: 'bigAuto', options: { primaryKey: true } }],
      ['source', reference(source, modelKey(model.app, model.name))],
      ['target', reference(target, to)],
    ],
    options: {
      table: typeof table === 'string' ? table : `${tableOf(model)}_${snakeCase(name)}`,
      uniqueTogether: [['source', 'target']],
    },
  };
}

/** The tables of one model: its own and those of its many-to-many fields. */
export function tablesOf(state: ProjectState, model: ModelState, backend: SchemaBackend): TableSpec[] {
  if (!isManaged(model)) return [];
  const key = modelKey(model.app, model.name);
  const tables = [tableSpec(state, model, key, backend)];
  for (const [name, field] of model.fields)
    if (field.kind === 'manyToMany' && typeof field.options['through'] !== 'string')
      tables.push(tableSpec(state, throughModel(model, name, field), `${key}#${name}`, backend));
  return tables;
}

function tableSpec(state: ProjectState, model: ModelState, id: string, backend: SchemaBackend): TableSpec {
  const table = tableOf(model);
  const columns: ColumnSpec[] = [];
  const foreignKeys: ForeignKeySpec[] = [];
  const uniques: UniqueSpec[] = [];
  const checks: CheckSpec[] = [];
  const indexes: IndexSpec[] = [];
  for (const [name, field] of model.fields) {
    if (field.kind === 'manyToMany' || field.kind === 'many') continue;
    const { options } = field;
    const column = columnOf(name, field);
    const stored = storedField(state, field);
    const auto = isAuto(field);
    const primaryKey = options['primaryKey'] === true;
    const unique = !primaryKey && (options['unique'] === true || field.kind === 'oneToOne');
    columns.push({
      key: name,
      name: column,
      type: auto ? backend.autoType(AUTO[field.kind] as string) : backend.columnType(stored),
      null: options['null'] === true && !primaryKey,
      primaryKey,
      auto,
      default: options['dbDefault'] === undefined ? null : backend.literal(options['dbDefault'], stored),
      generated: (options['generated'] as ColumnSpec['generated'] | undefined) ?? null,
      collation: typeof stored.options['collation'] === 'string' ? stored.options['collation'] : null,
      comment:
        backend.features.comments && typeof options['comment'] === 'string' ? options['comment'] : null,
      holds: stored.kind,
    });
    const check = backend.columnCheck(stored, column);
    if (check !== null) checks.push({ name: objectName(table, [column], 'check'), sql: check, column });
    if (unique)
      uniques.push({
        name: objectName(table, [column], 'uniq'),
        columns: [column],
        deferrable: null,
        include: [],
        nullsDistinct: true,
      });
    if (isForeignKey(field)) {
      const target = targetOf(state, field);
      if (target !== undefined && options['constraint'] !== false)
        foreignKeys.push({
          name: objectName(table, [column], 'fk'),
          column,
          table: tableOf(target.model),
          target: columnOf(target.name, target.field),
        });
    }
    const indexed = isForeignKey(field) ? options['index'] !== false : options['index'] === true;
    if (indexed && !unique && !primaryKey)
      indexes.push(plainIndex(objectName(table, [column], 'idx'), [column], backend));
  }
  const byName = new Map(model.fields.map(([name, field]) => [name, columnOf(name, field)]));
  // `authorId` stands for `author`, as in queries.
  const own = (name: string): string => {
    if (byName.has(name)) return name;
    const bare = name.replace(/Id$/, '');
    const field = fieldOf(model, bare);
    if (field !== undefined && isForeignKey(field)) return bare;
    throw fault('SBY_MIGRATIONS_NO_FIELD', { model: id, field: name, known: [...byName.keys()] });
  };
  for (const group of (model.options['uniqueTogether'] as readonly (readonly string[])[] | undefined) ?? []) {
    const names = group.map((name) => byName.get(own(name)) as string);
    uniques.push({
      name: objectName(table, names, 'uniq'),
      columns: names,
      deferrable: null,
      include: [],
      nullsDistinct: true,
    });
  }
  const parts = compileParts(
    [...partsOf(model, 'indexes'), ...partsOf(model, 'constraints')] as readonly PartState[],
    {
      table,
      model,
      state,
      backend,
      column: (name) => byName.get(own(name)) as string,
      field: (name) => storedField(state, fieldOf(model, own(name)) as FieldState),
      name: (names, suffix) => objectName(table, names, suffix),
    },
  );
  return {
    id,
    name: table,
    columns,
    foreignKeys,
    uniques: [...uniques, ...parts.uniques],
    checks: [...checks, ...parts.checks],
    others: parts.others,
    indexes: [...indexes, ...parts.indexes],
    comment:
      backend.features.comments && typeof model.options['comment'] === 'string'
        ? model.options['comment']
        : null,
  };
}

export function plainIndex(name: string, columns: readonly string[], backend: SchemaBackend): IndexSpec {
  return {
    name,
    columns: columns.map((column) => ({
      column,
      sql: backend.quote(column),
      descending: false,
      opclass: null,
    })),
    unique: false,
    where: null,
    include: [],
    using: null,
    nullsDistinct: true,
  };
}
