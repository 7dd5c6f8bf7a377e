/** Indexes and constraints of a model's options, from plain data to what a table has. */
import { fault } from '../../errors/index.ts';
import type { FieldState, ModelState, PartState, ProjectState } from '../migrations/state.ts';
import type { SchemaBackend } from './backend.ts';
import type { CheckSpec, IndexColumn, IndexSpec, OtherConstraintSpec, UniqueSpec } from './spec.ts';

export interface PartContext {
  readonly table: string;
  readonly model: ModelState;
  readonly state: ProjectState;
  readonly backend: SchemaBackend;
  /** A field of the model, for how its values are written. */
  readonly field: (name: string) => FieldState;
  /** Name of a column of the model by the field's name. */
  readonly column: (field: string) => string;
  readonly name: (columns: readonly string[], suffix: string) => string;
}

export interface CompiledParts {
  readonly uniques: UniqueSpec[];
  readonly checks: CheckSpec[];
  readonly others: OtherConstraintSpec[];
  readonly indexes: IndexSpec[];
}

const list = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

/** A condition as SQL without parameters: `{ sql }`, or lookups as plain data. */
export function compileCondition(condition: unknown, context: PartContext): string {
  if (typeof condition === 'string') return condition;
  const { sql } = (condition ?? {}) as { sql?: unknown };
  if (typeof sql === 'string') return sql;
  return lookups(condition as Readonly<Record<string, unknown>>, context);
}

const OPERATORS: Readonly<Record<string, string>> = {
  exact: '=',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  ne: '<>',
};
const PATTERNS: Readonly<Record<string, (text: string) => string>> = {
  contains: (text) => `%${text}%`,
  startswith: (text) => `${text}%`,
  endswith: (text) => `%${text}`,
};

function lookups(condition: Readonly<Record<string, unknown>>, context: PartContext): string {
  const terms = Object.entries(condition).map(([key, value]) => {
    if (key === '$not') return `NOT (${compileCondition(value, context)})`;
    if (key === '$all' || key === '$any')
      return list(value)
        .map((item) => `(${compileCondition(item, context)})`)
        .join(key === '$all' ? ' AND ' : ' OR ');
    return term(key, value, context);
  });
  return terms.length === 1 ? (terms[0] as string) : terms.map((one) => `(${one})`).join(' AND ');
}

/** One lookup. Its column is the model's own: an index or a check sees one row. */
function term(key: string, value: unknown, context: PartContext): string {
  const { backend } = context;
  const at = key.indexOf('__');
  const name = at < 0 ? key : key.slice(0, at);
  const lookup = at < 0 ? 'exact' : key.slice(at + 2);
  const column = backend.quote(context.column(name));
  const field = context.field(name);
  const right = (item: unknown): string => {
    const other = (item as { $field?: unknown } | null)?.$field;
    return typeof other === 'string' ? backend.quote(context.column(other)) : backend.literal(item, field);
  };
  if (lookup === 'isnull') return `${column} IS ${value === true ? '' : 'NOT '}NULL`;
  if (value === null && lookup === 'exact') return `${column} IS NULL`;
  if (lookup === 'in') return `${column} IN (${list(value).map(right).join(', ')})`;
  if (lookup === 'range') {
    const [from, to] = list(value);
    return `${column} BETWEEN ${right(from)} AND ${right(to)}`;
  }
  const pattern = PATTERNS[lookup];
  if (pattern !== undefined && typeof value === 'string') {
    const escaped = value.replace(/[\\%_]/g, (char) => `\\${char}`);
    return `${column} LIKE ${backend.literal(pattern(escaped), { kind: 'text', options: {} })} ESCAPE '\\'`;
  }
  const operator = OPERATORS[lookup];
  if (operator === undefined)
    throw fault('SBY_MIGRATIONS_BAD_CONDITION', {
      lookup: key,
      known: [...Object.keys(OPERATORS), 'in', 'range', 'isnull', ...Object.keys(PATTERNS)],
    });
  return `${column} ${operator} ${right(value)}`;
}

export function compileParts(parts: readonly PartState[], context: PartContext): CompiledParts {
  const compiled: CompiledParts = { uniques: [], checks: [], others: [], indexes: [] };
  for (const part of parts) {
    if (part.kind === 'check') compiled.checks.push(check(part, context));
    else if (part.kind === 'exclusion') {
      if (!context.backend.features.exclusion)
        throw fault('SBY_MIGRATIONS_UNSUPPORTED', {
          what: `The exclusion constraint ${String(part.options['name'])} of ${context.model.name}`,
          vendor: context.backend.vendor,
        });
      compiled.others.push(exclusion(part, context));
    } else if (part.kind === 'unique') unique(part, context, compiled);
    else compiled.indexes.push(index(part, context, false, 'idx'));
  }
  return compiled;
}

function indexColumns(part: PartState, context: PartContext): IndexColumn[] {
  const { backend } = context;
  const opclasses = list(part.options['opclasses']);
  const columns = list(part.options['fields']).map((entry, position): IndexColumn => {
    const text = String(entry);
    const descending = text.startsWith('-');
    const column = context.column(descending ? text.slice(1) : text);
    const opclass = opclasses[position];
    return {
      column,
      sql: backend.quote(column),
      descending,
      opclass: typeof opclass === 'string' ? opclass : null,
    };
  });
  for (const expression of list(part.options['expressions']))
    columns.push({
      column: null,
      sql: compileCondition(expression, context),
      descending: false,
      opclass: null,
    });
  return columns;
}

function nameOf(
  part: PartState,
  columns: readonly IndexColumn[],
  context: PartContext,
  suffix: string,
): string {
  const { name } = part.options;
  if (typeof name === 'string') return name;
  return context.name(
    columns.map(
      (column) => (column.column ?? column.sql.replace(/\W+/g, '_')) + (column.descending ? '_desc' : ''),
    ),
    suffix,
  );
}

const where = (part: PartState, context: PartContext): string | null => {
  const condition = part.options['condition'] ?? part.options['where'];
  return condition === undefined ? null : compileCondition(condition, context);
};
const include = (part: PartState, context: PartContext): string[] =>
  context.backend.features.covering
    ? list(part.options['include']).map((name) => context.column(String(name)))
    : [];

function index(part: PartState, context: PartContext, isUnique: boolean, suffix: string): IndexSpec {
  const columns = indexColumns(part, context);
  const { using, nullsDistinct } = part.options;
  return {
    name: nameOf(part, columns, context, suffix),
    columns,
    unique: isUnique || part.options['unique'] === true,
    where: where(part, context),
    include: include(part, context),
    using:
      typeof using === 'string' && context.backend.vendor !== 'sqlite' && using !== 'btree' ? using : null,
    nullsDistinct: nullsDistinct !== false,
  };
}

function unique(part: PartState, context: PartContext, compiled: CompiledParts): void {
  const columns = indexColumns(part, context);
  const plain =
    where(part, context) === null &&
    columns.every((column) => column.column !== null && column.opclass === null);
  if (!plain) {
    compiled.indexes.push(index(part, context, true, 'uniq'));
    return;
  }
  const { deferrable, nullsDistinct } = part.options;
  compiled.uniques.push({
    name: nameOf(part, columns, context, 'uniq'),
    columns: columns.map((column) => column.column as string),
    deferrable:
      !context.backend.features.deferrableConstraints || deferrable === undefined || deferrable === false
        ? null
        : deferrable === 'immediate'
          ? 'immediate'
          : 'deferred',
    include: include(part, context),
    nullsDistinct: nullsDistinct !== false,
  });
}

function check(part: PartState, context: PartContext): CheckSpec {
  const sql = compileCondition(part.options['check'] ?? part.options['condition'], context);
  const { name } = part.options;
  return {
    name: typeof name === 'string' ? name : context.name([sql.replace(/\W+/g, '_').slice(0, 20)], 'check'),
    sql,
    column: null,
  };
}

function exclusion(part: PartState, context: PartContext): OtherConstraintSpec {
  const { name, using, expressions } = part.options;
  const items = list(expressions).map((item) => {
    const [left, operator] = Array.isArray(item) ? (item as [unknown, unknown]) : [item, '='];
    const known = typeof left === 'string' && context.model.fields.some(([field]) => field === left);
    const sql = known ? context.backend.quote(context.column(left)) : compileCondition(left, context);
    return `${sql} WITH ${String(operator)}`;
  });
  const condition = where(part, context);
  const text = `EXCLUDE USING ${typeof using === 'string' ? using : 'gist'} (${items.join(', ')})${condition === null ? '' : ` WHERE (${condition})`}`;
  return {
    name: typeof name === 'string' ? name : context.name([text.replace(/\W+/g, '_').slice(0, 20)], 'excl'),
    sql: text,
  };
}
