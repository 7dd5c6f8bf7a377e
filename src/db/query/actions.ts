import { fault, IntegrityError, ObjectDoesNotExist } from '../../errors/index.ts';
import { type ExplainOptions, StatementShape } from '../backends/base.ts';
import { explained } from '../explain.ts';
import { Expr, Writer } from '../expressions/expression.ts';
import type { ColumnField } from '../fields/field.ts';
import { type Instance, isInstance, stateOf } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Compiler } from '../sql/compiler.ts';
import type { Query } from '../sql/query.ts';
import { selectSql, splitWhere } from '../sql/select.ts';
import { atomic } from '../transaction.ts';
import { aggregate } from './aggregate.ts';
import { Collector, deletesFast, setRawDelete } from './collector.ts';
import { QuerySetImpl, setActions, settle } from './queryset.ts';
import { noteWrite, route, run } from './route.ts';
import { badSlice } from './shape.ts';
import { signals } from './signals.ts';
import {
  assignments,
  bulkInsert,
  type Conflict,
  changedFields,
  insert,
  isSaved,
  remember,
  touch,
  updateRow,
  updateSql,
  writable,
  writerOf,
} from './write.ts';

type Values = Readonly<Record<string, unknown>>;

function construct(meta: Meta, values: Values): Instance {
  return new meta.model(values) as Instance;
}

const usingOf = (set: QuerySetImpl): { using?: string } =>
  set.extras.using === null ? {} : { using: set.extras.using };

async function create(set: QuerySetImpl, values: Values): Promise<Instance> {
  const instance = construct(set.meta, values);
  await saveInstance(instance, { forceInsert: true, ...usingOf(set) });
  settle(instance, set.extras);
  return instance;
}

function refuseSlice(set: QuerySetImpl, what: string): void {
  if (!set.sliced && set.extras.result === 'instances') return;
  throw fault('SBY_DB_BAD_QUERY', {
    model: set.meta.label,
    problem: set.sliced
      ? `cannot ${what} once a slice has been taken`
      : `cannot ${what} after values() or valuesList()`,
    fix: set.sliced ? `Use filter({ pk__in: … }) with the slice` : 'Leave values() out',
  });
}

// ---- get or create

interface Defaults {
  readonly defaults?: Values | (() => Values);
  readonly createDefaults?: Values | (() => Values);
}
const evaluate = (given: Values | (() => Values) | undefined): Values =>
  typeof given === 'function' ? given() : (given ?? {});

/** The lookups that are plain values of fields: what a new row is made of. */
function valuesOf(lookups: Values): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(lookups)) {
    if (key.endsWith('__exact')) out[key.slice(0, -7)] = lookups[key];
    else if (!key.includes('__')) out[key] = lookups[key];
  }
  return out;
}

async function getOrCreate(
  set: QuerySetImpl,
  lookups: Values,
  options: Defaults,
  // Rows made through a relation belong to its owner: what create() of the set knows.
  maker: QuerySetImpl = set,
): Promise<[Instance, boolean]> {
  try {
    return [(await set.get(lookups)) as Instance, false];
  } catch (error) {
    if (!(error instanceof ObjectDoesNotExist)) throw error;
  }
  try {
    const values = { ...valuesOf(lookups), ...evaluate(options.defaults) };
    return [await atomic(() => maker.create(values) as Promise<Instance>, usingOf(set)), true];
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    // Somebody else made it meanwhile; if not, the violation was about something else.
    try {
      return [(await set.get(lookups)) as Instance, false];
    } catch (again) {
      throw again instanceof ObjectDoesNotExist ? error : again;
    }
  }
}

async function updateOrCreate(
  set: QuerySetImpl,
  lookups: Values,
  options: Defaults,
): Promise<[Instance, boolean]> {
  return atomic(async () => {
    const locked = set.selectForUpdate();
    const defaults = options.createDefaults ?? options.defaults ?? {};
    const [instance, created] = await getOrCreate(locked, lookups, { defaults }, set);
    if (created) return [instance, true] as [Instance, boolean];
    const values = evaluate(options.defaults);
    assignAll(instance, set.meta, values);
    await saveInstance(instance, usingOf(set));
    return [instance, false] as [Instance, boolean];
  }, usingOf(set));
}

export function assignAll(instance: Instance, meta: Meta, values: Values): void {
  for (const name of Object.keys(values)) {
    const field = meta.fields.get(name) ?? meta.byAttname.get(name) ?? (name === 'pk' ? meta.pk : undefined);
    if (field === undefined)
      throw fault('SBY_DB_UNKNOWN_FIELD', {
        model: meta.label,
        path: name,
        name,
        known: [...meta.fields.keys()],
      });
    instance[name] = values[name];
  }
}

// ---- bulk

interface BulkOptions {
  readonly batchSize?: number;
  readonly ignoreConflicts?: boolean;
  readonly updateConflicts?: boolean;
  readonly updateFields?: readonly string[];
  readonly uniqueFields?: readonly string[];
}

function columnsNamed(meta: Meta, names: readonly string[] | undefined, what: string): ColumnField[] {
  return (names ?? []).map((name) => {
    const field = name === 'pk' ? meta.pk : (meta.fields.get(name) ?? meta.byAttname.get(name));
    const column = meta.columns.find((one) => one === field);
    if (column === undefined)
      throw fault('SBY_DB_UNKNOWN_FIELD', {
        model: meta.label,
        path: what === '' ? name : `${what}: ${name}`,
        name,
        known: meta.columns.map((one) => one.name),
      });
    return column;
  });
}

function checkBatch(meta: Meta, size: number | undefined, what: string): void {
  if (size !== undefined && (!Number.isSafeInteger(size) || size < 1)) throw badSlice(meta, size, what);
}

async function bulkCreate(
  set: QuerySetImpl,
  rows: readonly unknown[],
  options: BulkOptions,
): Promise<Instance[]> {
  const { meta } = set;
  checkBatch(meta, options.batchSize, 'bulkCreate');
  let conflict: Conflict | null = null;
  const unique = columnsNamed(meta, options.uniqueFields, 'uniqueFields');
  if (options.ignoreConflicts && options.updateConflicts)
    throw fault('SBY_DB_BAD_QUERY', {
      model: meta.label,
      problem: 'cannot both ignore and update conflicts',
      fix: 'Choose ignoreConflicts or updateConflicts',
    });
  if (options.ignoreConflicts) conflict = { action: 'ignore', update: [], unique };
  if (options.updateConflicts) {
    const update = columnsNamed(meta, options.updateFields, 'updateFields');
    if (update.length === 0 || unique.length === 0)
      throw fault('SBY_DB_BAD_QUERY', {
        model: meta.label,
        problem: 'cannot update conflicts without updateFields and uniqueFields',
        fix: 'Name the fields of the unique constraint and those to update',
      });
    conflict = { action: 'update', update, unique };
  }
  const instances = rows.map((row) =>
    isInstance(row) && metaOf(row.constructor).concrete === meta.concrete
      ? row
      : construct(meta, row as Values),
  );
  if (instances.length === 0) return instances;
  if (conflict !== null && meta.link !== null)
    throw fault('SBY_DB_BAD_QUERY', {
      model: meta.label,
      problem: 'has rows in two tables, and conflicts are settled in one',
      fix: 'Leave ignoreConflicts and updateConflicts out, or create rows of one table at a time',
    });
  for (const instance of instances) touch(instance, meta, true);
  const to = route(meta, set.extras.using, true);
  const insertAll = (): Promise<void> =>
    bulkInsert(instances, meta, route(meta, set.extras.using, true), options.batchSize, conflict);
  // One statement is a transaction of its own.
  const single =
    instances.length * meta.columns.length <=
    Math.min(to.backend.features.maxParameters, 1000 * meta.columns.length);
  if (single && options.batchSize === undefined && meta.link === null) await insertAll();
  else await atomic(insertAll, usingOf(set));
  return instances;
}

async function bulkUpdate(
  set: QuerySetImpl,
  rows: readonly Instance[],
  names: readonly string[],
  options: BulkOptions,
): Promise<number> {
  const { meta } = set;
  checkBatch(meta, options.batchSize, 'bulkUpdate');
  const fields = columnsNamed(meta, names, '');
  if (fields.length === 0 || fields.includes(meta.pk))
    throw fault('SBY_DB_BAD_QUERY', {
      model: meta.label,
      problem:
        fields.length === 0
          ? 'needs fields for bulkUpdate()'
          : 'cannot change primary keys with bulkUpdate()',
      fix: 'Name the fields to write',
    });
  for (const row of rows)
    if (!isInstance(row) || row[meta.pk.attname] === null || row[meta.pk.attname] === undefined)
      throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: 'bulkUpdate()' });
  if (rows.length === 0) return 0;
  return atomic(async () => {
    const size = Math.min(options.batchSize ?? 500, 500);
    let count = 0;
    for (let at = 0; at < rows.length; at += size)
      count += await updateTables(set, rows.slice(at, at + size), fields);
    return count;
  }, usingOf(set));
}

/** Each table of the rows gets the columns that are its own. */
async function updateTables(
  set: QuerySetImpl,
  rows: readonly Instance[],
  fields: readonly ColumnField[],
): Promise<number> {
  let count = 0;
  for (const owner of new Set(fields.map((field) => set.meta.ownerOf(field)))) {
    const own = fields.filter((field) => set.meta.ownerOf(field) === owner);
    const plain = owner === set.meta ? set : new QuerySetImpl(owner, undefined, undefined, set.extras);
    count = await updateBatch(plain, rows, own);
  }
  return count;
}

/** UPDATE … SET a = CASE pk WHEN ? THEN ? … END WHERE pk IN (…). */
async function updateBatch(
  set: QuerySetImpl,
  rows: readonly Instance[],
  fields: readonly ColumnField[],
): Promise<number> {
  const { meta } = set;
  const to = route(meta, set.extras.using, true);
  const { backend } = to;
  const d = backend.dialect;
  const params: unknown[] = [];
  const put = (value: unknown): string => {
    params.push(value);
    return d.placeholder(params.length);
  };
  const key = writerOf(meta.pk, backend);
  const pk = d.quote(meta.pk.column);
  const sets = fields.map((field) => {
    const write = writerOf(field, backend);
    const whens = rows.map((row) => {
      const when = d.typedParameter(put(key(row[meta.pk.attname])), meta.pk.family);
      return `WHEN ${when} THEN ${d.typedParameter(put(write(row[field.attname])), field.family)}`;
    });
    return `${d.quote(field.column)}=CASE ${pk} ${whens.join(' ')} END`;
  });
  const keys = rows.map((row) => put(key(row[meta.pk.attname])));
  const sql = `UPDATE ${d.quote(meta.table)} SET ${sets.join(',')} WHERE ${pk} IN (${keys.join(',')})`;
  const { count } = await run(to, sql, params, new StatementShape(sql, false));
  return count;
}

// ---- update and delete

/** WHERE of a statement that changes rows: direct, or by key where other tables take part. */
function whereOf(query: Query, c: Compiler): string {
  const { where, having } = splitWhere(query);
  if (query.joins.size === 0 && having.length === 0 && query.groupBy === null && query.distinct === false) {
    const parts = query.empty ? ['1=0'] : [];
    for (const node of where) parts.push(node.sql(c));
    return parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`;
  }
  const { pk } = query.meta;
  query.values = null;
  // Inside, the table has an alias of its own, which hides the one outside.
  const rows = selectSql(query, c, 'subquery', [query.column(query.base, pk)]);
  return ` WHERE ${query.base}.${c.quote(pk.column)} IN (${rows})`;
}

async function update(set: QuerySetImpl, values: Values): Promise<number> {
  refuseSlice(set, 'update');
  const list = assignments(set.meta, values);
  if (list.length === 0 || set.isEmpty) return 0;
  if (list.some(({ field }) => !set.meta.owns(field))) return updateAbove(set, list);
  const vals = set.vals.slice();
  const w = new Writer(vals, null);
  const slots = new Map<object, number>();
  const recorded = new Writer(vals, slots);
  const at: number[] = [];
  for (const { field, value } of list) {
    w.text += `${field.attname}=`;
    if (value instanceof Expr) {
      const text = new Writer([], null);
      value.write(text);
      w.text += text.text;
      value.write(recorded);
      at.push(-1);
    } else {
      at.push(vals.length);
      vals.push(value);
    }
    w.text += ';';
  }
  const to = set.route(true);
  const compiled = set.compile(to, `update ${w.text}`, (query, c) => ({
    sql: updateSql(query, c, list, slots, (i) => at[i] as number, to.backend, whereOf),
    reads: false,
  }));
  return run(to, compiled.shape.sql, compiled.bind(vals), compiled.shape, ({ count }) => count);
}

/** Columns of several tables: the rows are found first, then each table is told. */
async function updateAbove(
  set: QuerySetImpl,
  list: readonly { field: ColumnField; value: unknown }[],
): Promise<number> {
  return atomic(async () => {
    const keys = (await set
      .orderBy()
      .selectForUpdate()
      .valuesList('pk', { flat: true })
      .fetch()) as unknown[];
    for (const owner of new Set(list.map(({ field }) => set.meta.ownerOf(field)))) {
      const own = list.filter(({ field }) => set.meta.ownerOf(field) === owner);
      const values = Object.fromEntries(own.map(({ field, value }) => [field.name, value]));
      for (let at = 0; at < keys.length; at += 5000)
        await new QuerySetImpl(owner, undefined, undefined, { ...set.extras, result: 'instances', known: [] })
          .filter({ pk__in: keys.slice(at, at + 5000) })
          .update(values);
    }
    return keys.length;
  }, usingOf(set));
}

async function rawDelete(set: QuerySetImpl): Promise<number> {
  const to = set.route(true);
  const compiled = set.compile(to, 'delete', (query, c) => ({
    sql: `DELETE FROM ${c.quote(query.meta.table)} AS ${query.base}${whereOf(query, c)}`,
    reads: false,
  }));
  return run(to, compiled.shape.sql, compiled.bind(set.vals), compiled.shape, ({ count }) => count);
}
setRawDelete(rawDelete);

async function deleteRows(set: QuerySetImpl): Promise<[number, Record<string, number>]> {
  refuseSlice(set, 'delete');
  if (set.isEmpty) return [0, {}];
  const { meta } = set;
  if (deletesFast(meta)) {
    const count = await rawDelete(set);
    return [count, count === 0 ? {} : { [meta.label]: count }];
  }
  return atomic(async () => {
    const using = set.extras.using;
    const rows = (await set.orderBy().selectForUpdate().fetch()) as Instance[];
    const collector = new Collector(using);
    await collector.collect(meta, rows);
    return collector.delete();
  }, usingOf(set));
}

async function explain(set: QuerySetImpl, options: ExplainOptions): Promise<string> {
  const to = set.route();
  const { sql, params } = set.toSQL();
  return explained(to.backend, to.executor, sql, params, options);
}

// ---- one instance

export interface SaveOptions {
  readonly using?: string;
  readonly updateFields?: readonly string[];
  readonly forceInsert?: boolean;
  readonly forceUpdate?: boolean;
}

export function saveInstance(instance: Instance, options: SaveOptions = {}): Promise<void> {
  if (metaOf(instance.constructor).link === null) return saveRow(instance, options);
  const { alias } = stateOf(instance);
  const using = options.using ?? alias;
  return atomic(() => saveRow(instance, options), using === null ? {} : { using });
}

/** A key that was given for one table of the instance is the key in all of them. */
function shareKey(instance: Instance, meta: Meta): void {
  const { above, link } = meta;
  if (above === null || link === null) return;
  shareKey(instance, above);
  instance[link.attname] ??= instance[above.pk.attname];
  instance[above.pk.attname] ??= instance[link.attname];
}

async function saveRow(instance: Instance, options: SaveOptions): Promise<void> {
  const meta = metaOf(instance.constructor);
  const state = stateOf(instance);
  if (options.forceInsert && (options.forceUpdate || options.updateFields !== undefined))
    throw fault('SBY_DB_BAD_QUERY', {
      model: meta.label,
      problem: 'cannot be saved with both forceInsert and an update',
      fix: 'Choose one',
    });
  const using = options.using ?? (state.alias === 'default' ? null : state.alias);
  const adding = options.forceInsert === true || !isSaved(instance);
  shareKey(instance, meta);
  if (signals.preSave.active) await signals.preSave.send(meta, { instance });
  const key = instance[meta.pk.attname];
  const to = route(meta, using, true);
  if (options.updateFields !== undefined) {
    if (options.updateFields.length === 0) return;
    const fields = columnsNamed(meta, options.updateFields, 'updateFields').filter(
      (field) => field !== meta.pk,
    );
    if (key === null || key === undefined)
      throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: 'save({ updateFields })' });
    touch(instance, meta, false);
    if ((await updateRow(instance, meta, fields, to)) === 0) throw gone(meta, key);
  } else if (!adding) {
    const differing = changedFields(instance, meta);
    const changed = differing.filter((field) => !field.primaryKey);
    const moved = differing.includes(meta.pk);
    // The key was changed by hand: this is another row now.
    if (moved) {
      const all = writable(meta);
      touch(instance, meta, false);
      if (all.length === 0 || (await updateRow(instance, meta, all, to)) === 0)
        await insert(instance, meta, to);
    } else if (changed.length > 0) {
      for (const field of touch(instance, meta, false)) if (!changed.includes(field)) changed.push(field);
      if ((await updateRow(instance, meta, changed, to)) === 0) {
        if (options.forceUpdate) throw gone(meta, key);
        await insert(instance, meta, to);
      }
    }
  } else {
    const hasKey = key !== null && key !== undefined;
    // A key given by hand may belong to a row that is there already; one made by a default cannot.
    const maybeThere = hasKey && options.forceInsert !== true && !meta.pk.hasDefault;
    let done = false;
    if (maybeThere || options.forceUpdate) {
      if (!hasKey)
        throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: 'save({ forceUpdate: true })' });
      touch(instance, meta, false);
      const all = writable(meta).filter((field) => field.options['autoNowAdd'] !== true);
      done = all.length > 0 && (await updateRow(instance, meta, all, to)) > 0;
      if (done) {
        remember(instance, meta.columns);
        state.alias = to.alias;
      }
      if (!done && options.forceUpdate) throw gone(meta, key);
    }
    if (!done) {
      touch(instance, meta, true);
      await insert(instance, meta, to);
    }
  }
  if (signals.postSave.active) await signals.postSave.send(meta, { instance, created: adding });
}
function gone(meta: Meta, key: unknown): Error {
  return fault('SBY_DB_FAILED', { detail: `no row of ${meta.label} with the key ${String(key)} to update` });
}

export async function deleteInstance(
  instance: Instance,
  options: { using?: string } = {},
): Promise<[number, Record<string, number>]> {
  const meta = metaOf(instance.constructor);
  const key = instance[meta.pk.attname];
  if (key === null || key === undefined)
    throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: 'delete()' });
  const state = stateOf(instance);
  const using = options.using ?? (state.alias === 'default' ? null : state.alias);
  noteWrite();
  const result = await atomic(
    async () => {
      const collector = new Collector(using);
      await collector.collect(meta, [instance]);
      return collector.delete();
    },
    using === null ? {} : { using },
  );
  return result;
}

setActions({
  create,
  getOrCreate,
  updateOrCreate,
  bulkCreate,
  bulkUpdate,
  update,
  delete: deleteRows,
  aggregate,
  explain,
});

export { QuerySetImpl };
