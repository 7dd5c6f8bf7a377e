import { fault } from '../../errors/index.ts';
import { type Backend, StatementShape } from '../backends/base.ts';
import { Expr } from '../expressions/expression.ts';
import type { ColumnField } from '../fields/field.ts';
import { ForeignKeyField } from '../fields/relations.ts';
import { type Instance, isInstance, stateOf } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Compiler } from '../sql/compiler.ts';
import { decimalText } from '../sql/lookups.ts';
import type { Query } from '../sql/query.ts';
import { type Route, run } from './route.ts';

type Write = (value: unknown) => unknown;
const writers = new WeakMap<ColumnField, Map<string, Write>>();

/** Checks a field's value and makes it what the driver takes. Null passes: the database knows whether it may. */
export function writerOf(field: ColumnField, backend: Backend): Write {
  let known = writers.get(field);
  if (known === undefined) writers.set(field, (known = new Map()));
  let write = known.get(backend.vendor);
  if (write === undefined) {
    const { storage } = field;
    const adapt = backend.dialect.adapter(storage.spec.family) as Write | null;
    const places = storage.options['decimalPlaces'];
    const decimal = storage.spec.family === 'decimal';
    const key = field instanceof ForeignKeyField ? field : null;
    write = (given) => {
      if (given === null || given === undefined) return null;
      const value = key === null ? given : keyOf(given, key);
      field.check(value);
      if (decimal) return decimalText(value as string, Number(places));
      return adapt === null ? value : adapt(value);
    };
    known.set(backend.vendor, write);
  }
  return write;
}

/** The key of an instance that is given for a foreign key. */
export function keyOf(value: unknown, field: ForeignKeyField): unknown {
  if (!isInstance(value)) return value;
  const target = metaOf(field.to);
  const meta = metaOf(value.constructor);
  if (!meta.isKindOf(target))
    throw fault('SBY_DB_BAD_VALUE', {
      model: field.model,
      field: field.name,
      got: value,
      expected: `an instance of ${target.label} or its key`,
    });
  const key = (value as Instance)[field.target.attname];
  if (key === null || key === undefined)
    throw fault('SBY_DB_NOT_SAVED', { model: target.label, operation: `${field.model}.${field.name}` });
  return key;
}

const statements = new WeakMap<Meta, Map<string, StatementShape>>();
function statement(meta: Meta, key: string, make: () => string): StatementShape {
  let known = statements.get(meta);
  if (known === undefined) statements.set(meta, (known = new Map()));
  let shape = known.get(key);
  if (shape === undefined) {
    if (known.size >= 500) known.clear();
    shape = new StatementShape(make(), false);
    known.set(key, shape);
  }
  return shape;
}

/** Columns the database fills in, and the program wants to know. */
function returned(meta: Meta, left: readonly ColumnField[]): ColumnField[] {
  const out: ColumnField[] = [];
  for (const field of meta.local) if (field.databaseFills && !left.includes(field)) out.push(field);
  return out;
}

export interface Conflict {
  readonly action: 'ignore' | 'update';
  readonly update: readonly ColumnField[];
  readonly unique: readonly ColumnField[];
}

export function insertSql(
  meta: Meta,
  backend: Backend,
  columns: readonly ColumnField[],
  rows: number,
  back: readonly ColumnField[],
  conflict: Conflict | null,
): string {
  const q = (name: string): string => backend.quote(name);
  let n = 0;
  const place = (): string => backend.dialect.placeholder(++n);
  let text = `INSERT INTO ${q(meta.table)} `;
  if (columns.length === 0) text += rows === 1 ? 'DEFAULT VALUES' : '';
  else {
    const tuples: string[] = [];
    for (let i = 0; i < rows; i++) tuples.push(`(${columns.map(place).join(',')})`);
    text += `(${columns.map((field) => q(field.column)).join(',')}) VALUES ${tuples.join(',')}`;
  }
  if (conflict !== null) {
    const target = conflict.unique.map((field) => q(field.column)).join(',');
    text += ` ON CONFLICT ${target === '' ? '' : `(${target}) `}DO `;
    text +=
      conflict.action === 'ignore'
        ? 'NOTHING'
        : `UPDATE SET ${conflict.update.map((field) => `${q(field.column)}=EXCLUDED.${q(field.column)}`).join(',')}`;
  }
  if (back.length > 0)
    text += ` RETURNING ${back.map((field) => backend.dialect.selectColumn(q(field.column), field.kind)).join(',')}`;
  return text;
}

/** How instances of a model are inserted, by the columns that the database is left to fill. */
interface InsertPlan {
  readonly shape: StatementShape;
  readonly columns: readonly ColumnField[];
  readonly attnames: readonly string[];
  readonly writes: readonly Write[];
  readonly back: readonly ColumnField[];
  /** The key that comes with the answer, without RETURNING. */
  readonly key: string | null;
}
interface Inserts {
  /** What the database fills where the program gives nothing. */
  readonly optional: readonly ColumnField[];
  readonly plans: Map<string, InsertPlan>;
}
const inserts = new WeakMap<Meta, Inserts>();

function insertPlan(instance: Instance, meta: Meta, backend: Backend): InsertPlan {
  let known = inserts.get(meta);
  if (known === undefined) {
    const optional = meta.local.filter(
      (field) => !field.generated && (field.auto || field.options['dbDefault'] !== undefined),
    );
    inserts.set(meta, (known = { optional, plans: new Map() }));
  }
  let name: string = backend.vendor;
  for (const { attname } of known.optional) name += instance[attname] == null ? '-' : '+';
  let plan = known.plans.get(name);
  if (plan === undefined) {
    const columns = columnsOf(instance, meta);
    const all = returned(meta, columns);
    const only = all.length === 1 ? (all[0] as ColumnField) : null;
    const key = backend.features.insertedKey && only?.auto && only.primaryKey ? only.attname : null;
    const back = key === null ? all : [];
    plan = {
      shape: new StatementShape(insertSql(meta, backend, columns, 1, back, null), false),
      columns,
      attnames: columns.map((field) => field.attname),
      writes: columns.map((field) => writerOf(field, backend)),
      back,
      key,
    };
    if (known.plans.size >= 500) known.plans.clear();
    known.plans.set(name, plan);
  }
  return plan;
}

/** The columns an INSERT of this instance writes: not what the database fills in by itself. */
function columnsOf(instance: Instance, meta: Meta): ColumnField[] {
  return meta.local.filter((field) => {
    if (field.generated) return false;
    const value = instance[field.attname];
    if (field.auto || field.options['dbDefault'] !== undefined) return value !== null && value !== undefined;
    return true;
  });
}

/** Takes in what the database answered. */
function learn(instance: Instance, back: readonly ColumnField[], row: readonly unknown[] | undefined): void {
  if (row === undefined) return;
  for (let i = 0; i < back.length; i++) {
    const field = back[i] as ColumnField;
    const raw = row[i];
    const decode = field.storage.spec.decode as ((raw: unknown) => unknown) | undefined;
    instance[field.attname] =
      raw === null || raw === undefined
        ? null
        : decode === undefined
          ? field.auto
            ? Number(raw)
            : raw
          : decode(raw);
  }
}

/** Remembers all values as they are in the database now: of a row that was just inserted. */
function rememberAll(instance: Instance, meta: Meta): void {
  const { columns } = meta;
  const values: unknown[] = new Array(columns.length);
  for (let i = 0; i < columns.length; i++)
    values[i] = snapshot(instance[(columns[i] as ColumnField).attname]);
  const state = stateOf(instance);
  state.values = values;
  state.saved = null;
}

/** Remembers the values as they are in the database now. */
export function remember(instance: Instance, fields: readonly ColumnField[]): void {
  const state = stateOf(instance);
  state.saved ??= new Map();
  for (const { attname } of fields) state.saved.set(attname, snapshot(instance[attname]));
}
function snapshot(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value;
}

/** What the database holds for a field, as far as this instance knows. */
function original(instance: Instance, meta: Meta, index: number): { known: boolean; value: unknown } {
  const field = meta.columns[index] as ColumnField;
  const state = stateOf(instance);
  if (state.saved?.has(field.attname)) return { known: true, value: state.saved.get(field.attname) };
  if (state.values !== null) return { known: true, value: state.values[index] };
  if (state.row === null) return { known: false, value: undefined };
  const raw = state.row[state.position + index];
  const decode = field.storage.spec.decode as ((raw: unknown) => unknown) | undefined;
  return {
    known: true,
    value: raw === null || raw === undefined || decode === undefined ? raw : decode(raw),
  };
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a == null && b == null) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Fields whose value differs from what the database holds. */
export function changedFields(instance: Instance, meta: Meta): ColumnField[] {
  const { deferred } = stateOf(instance);
  return meta.columns.filter((field, i) => {
    if (field.generated || deferred?.has(field.attname)) return false;
    const { known, value } = original(instance, meta, i);
    return !known || !same(value, instance[field.attname]);
  });
}

export function isSaved(instance: Instance): boolean {
  const state = stateOf(instance);
  return state.row !== null || state.values !== null || state.saved !== null;
}

/** Columns that a save may change. */
export const writable = (meta: Meta): ColumnField[] =>
  meta.columns.filter((field) => !field.primaryKey && !field.generated);

/** The row above is there before the one that extends it. */
async function insertAbove(instance: Instance, meta: Meta, to: Route): Promise<void> {
  const { above, link } = meta;
  if (above === null || link === null) return;
  const { attname } = above.pk;
  instance[attname] ??= instance[link.attname];
  const key = instance[attname];
  const there =
    key !== null && key !== undefined && (await updateRow(instance, above, writable(above), to)) > 0;
  if (!there) await insert(instance, above, to);
  instance[link.attname] = instance[attname];
}

export async function insert(instance: Instance, meta: Meta, to: Route): Promise<void> {
  // No tick more than needed: the statement begins while the caller's block still runs.
  if (meta.link !== null) await insertAbove(instance, meta, to);
  const { backend } = to;
  const plan = insertPlan(instance, meta, backend);
  const { attnames, writes } = plan;
  const params: unknown[] = new Array(attnames.length);
  for (let i = 0; i < attnames.length; i++) params[i] = (writes[i] as Write)(instance[attnames[i] as string]);
  const answer = await run(to, plan.shape.sql, params, plan.shape);
  if (plan.key !== null) instance[plan.key] = answer.key;
  else learn(instance, plan.back, answer.rows[0]);
  rememberAll(instance, meta);
  const state = stateOf(instance);
  state.row = null;
  state.alias = to.alias;
}

/** Rows changed: 0 when there is none with this key. */
export async function updateRow(
  instance: Instance,
  meta: Meta,
  fields: readonly ColumnField[],
  to: Route,
): Promise<number> {
  const { backend } = to;
  const { above } = meta;
  if (above !== null) {
    const upper = fields.filter((field) => !meta.owns(field));
    const own = fields.filter((field) => meta.owns(field));
    const count = upper.length > 0 ? await updateRow(instance, above, upper, to) : 1;
    if (own.length < fields.length)
      return own.length === 0 || count === 0 ? count : updateRow(instance, meta, own, to);
  }
  const key = `u${backend.vendor}${fields.map((field) => field.attname).join()}`;
  const shape = statement(meta, key, () => {
    const d = backend.dialect;
    const sets = fields.map((field, i) => `${d.quote(field.column)}=${d.placeholder(i + 1)}`);
    return `UPDATE ${d.quote(meta.table)} SET ${sets.join(',')} WHERE ${d.quote(meta.pk.column)}=${d.placeholder(fields.length + 1)}`;
  });
  const params = fields.map((field) => writerOf(field, backend)(instance[field.attname]));
  params.push(writerOf(meta.pk, backend)(instance[meta.pk.attname]));
  const { count } = await run(to, shape.sql, params, shape);
  remember(instance, fields);
  return count;
}

/** Sets fields that follow the clock. */
export function touch(instance: Instance, meta: Meta, adding: boolean): ColumnField[] {
  const touched: ColumnField[] = [];
  let now: Date | null = null;
  for (const field of meta.columns) {
    const { options } = field;
    if (options['autoNow'] !== true && !(adding && options['autoNowAdd'] === true)) continue;
    now ??= new Date();
    const text = now.toISOString();
    instance[field.attname] =
      field.family === 'date'
        ? text.slice(0, 10)
        : field.family === 'time'
          ? text.slice(11, 23)
          : new Date(now);
    touched.push(field);
  }
  return touched;
}

/** INSERT of many rows in as few statements as the parameters allow. */
export async function bulkInsert(
  instances: readonly Instance[],
  meta: Meta,
  to: Route,
  batchSize: number | undefined,
  conflict: Conflict | null,
): Promise<void> {
  const { backend } = to;
  const { above, link } = meta;
  if (above !== null && link !== null) {
    await bulkInsert(instances, above, to, batchSize, null);
    for (const instance of instances) instance[link.attname] = instance[above.pk.attname];
  }
  const groups = new Map<string, { columns: ColumnField[]; rows: Instance[] }>();
  for (const instance of instances) {
    const columns = columnsOf(instance, meta);
    const key = columns.map((field) => field.attname).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { columns, rows: [instance] });
    else group.rows.push(instance);
  }
  for (const [names, { columns, rows }] of groups) {
    const most = Math.max(1, Math.floor(backend.features.maxParameters / Math.max(1, columns.length)));
    const size = columns.length === 0 ? 1 : Math.min(batchSize ?? 1000, most);
    // Rows left out by a conflict would shift what comes back.
    const back = conflict?.action === 'ignore' ? [] : returned(meta, columns);
    const write = columns.map((field) => writerOf(field, backend));
    for (let at = 0; at < rows.length; at += size) {
      const part = rows.slice(at, at + size);
      const key = `b${backend.vendor}${part.length}:${names}:${conflict === null ? '' : JSON.stringify([conflict.action, conflict.update.map((f) => f.name), conflict.unique.map((f) => f.name)])}`;
      const shape = statement(meta, key, () =>
        insertSql(meta, backend, columns, part.length, back, conflict),
      );
      const params: unknown[] = new Array(part.length * columns.length);
      let p = 0;
      for (const instance of part)
        for (let i = 0; i < columns.length; i++)
          params[p++] = (write[i] as Write)(instance[(columns[i] as ColumnField).attname]);
      const { rows: answers } = await run(to, shape.sql, params, shape);
      part.forEach((instance, i) => {
        learn(instance, back, answers[i]);
        if (conflict?.action !== 'ignore') remember(instance, meta.columns);
        stateOf(instance).alias = to.alias;
      });
    }
  }
}

/** What update() sets: columns and where their values come from. */
export interface Assignment {
  readonly field: ColumnField;
  readonly value: unknown;
}

export function assignments(meta: Meta, values: Readonly<Record<string, unknown>>): Assignment[] {
  return Object.keys(values).map((name) => {
    const field = meta.fields.get(name) ?? meta.byAttname.get(name);
    const column = name === 'pk' ? meta.pk : meta.columns.find((one) => one === field);
    if (column === undefined)
      throw fault('SBY_DB_UNKNOWN_FIELD', {
        model: meta.label,
        path: name,
        name,
        known: meta.columns.map((one) => one.name),
      });
    if (values[name] === undefined)
      throw fault('SBY_DB_BAD_VALUE', {
        model: meta.label,
        field: name,
        got: undefined,
        expected: 'a value or null',
      });
    return { field: column, value: values[name] };
  });
}

/** `UPDATE t SET … WHERE …` for the rows of a query; over joins, the rows are found by their keys first. */
export function updateSql(
  query: Query,
  c: Compiler,
  list: readonly Assignment[],
  slots: ReadonlyMap<object, number>,
  slotOf: (index: number) => number,
  backend: Backend,
  where: (query: Query, c: Compiler) => string,
): string {
  const joins = query.joins.size;
  const sets = list.map(({ field, value }, i) => {
    if (value instanceof Expr) {
      const node = value.resolve({ query, slots, offset: 0, reuse: null });
      if (query.joins.size > joins || node.aggregate)
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: `updates "${field.name}" from another table or an aggregate`,
          fix: 'Use a Subquery()',
        });
      return `${c.quote(field.column)}=${node.sql(c)}`;
    }
    return `${c.quote(field.column)}=${c.param(slotOf(i), writerOf(field, backend))}`;
  });
  return `UPDATE ${c.quote(query.meta.table)} AS ${query.base} SET ${sets.join(',')}${where(query, c)}`;
}
