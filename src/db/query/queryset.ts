import { fault } from '../../errors/index.ts';
import type { Answer, Row } from '../backends/base.ts';
import {
  asPart,
  ConditionExpr,
  ConditionTree,
  isQuerySource,
  type QuerySource,
  writeGiven,
} from '../expressions/condition.ts';
import { Trunc, truncatedDate } from '../expressions/dates.ts';
import { Expr, FExpr, OrderBy, Writer } from '../expressions/expression.ts';
import { type Instance, isInstance, type Siblings } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Compiler } from '../sql/compiler.ts';
import type { Lock, Query } from '../sql/query.ts';
import { countSql, type SelectMode, selection, selectSql } from '../sql/select.ts';
import { doesNotExist, multipleObjects } from './errors.ts';
import { flatReader, instanceReader, listReader, valuesReader } from './hydrate.ts';
import type { Operation } from './operations.ts';
import { type Route, route, run } from './route.ts';
import { badSlice, type Compiled, Shape } from './shape.ts';

/** How rows are given. */
export type Result = 'instances' | 'values' | 'list' | 'flat';

/** What a queryset carries besides shape and values; changes no SQL. */
export interface Extras {
  readonly using: string | null;
  readonly result: Result;
  readonly prefetch: readonly unknown[];
  readonly mode: 'fetch' | 'raise';
  /** Set on each row: the instance a related manager belongs to. */
  readonly known: readonly (readonly [name: string, instance: Instance])[];
}
const NO_EXTRAS: Extras = { using: null, result: 'instances', prefetch: [], mode: 'fetch', known: [] };
const EMPTY: readonly unknown[] = Object.freeze([]);
const NAME = /^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*$/;

const roots = new WeakMap<Meta, Shape>();
export function rootShape(meta: Meta): Shape {
  let shape = roots.get(meta);
  if (shape === undefined) {
    shape = Shape.root(meta);
    roots.set(meta, shape);
  }
  return shape;
}

/** Prefetching and writing hook in from modules that import this one. */
export interface Plugins {
  prefetch(instances: readonly Instance[], lookups: readonly unknown[], using: string | null): Promise<void>;
}
type Values = Readonly<Record<string, unknown>>;
/** What writes or computes over the rows of a queryset; actions.ts. */
export interface Actions {
  create(set: QuerySetImpl, values: Values): Promise<Instance>;
  getOrCreate(set: QuerySetImpl, lookups: Values, options: object): Promise<[Instance, boolean]>;
  updateOrCreate(set: QuerySetImpl, lookups: Values, options: object): Promise<[Instance, boolean]>;
  bulkCreate(set: QuerySetImpl, rows: readonly unknown[], options: object): Promise<Instance[]>;
  bulkUpdate(
    set: QuerySetImpl,
    rows: readonly Instance[],
    fields: readonly string[],
    options: object,
  ): Promise<number>;
  update(set: QuerySetImpl, values: Values): Promise<number>;
  delete(set: QuerySetImpl): Promise<[number, Record<string, number>]>;
  aggregate(set: QuerySetImpl, aggregates: Values): Promise<Record<string, unknown>>;
  explain(set: QuerySetImpl, options: object): Promise<string>;
}
let actions: Actions;
export function setActions(given: Actions): void {
  actions = given;
}
let plugins: Plugins | null = null;
export function setPlugins(given: Plugins): void {
  plugins = given;
}

type Mapped = (answer: Answer, route: Route, mode: 'fetch' | 'raise') => unknown[];

/** The queryset of all models. Immutable: every method gives a new one. Typed by typing/model.ts. */
export class QuerySetImpl implements QuerySource {
  readonly meta: Meta;
  readonly shape: Shape;
  readonly vals: readonly unknown[];
  readonly extras: Extras;

  constructor(
    meta: Meta,
    shape: Shape = rootShape(meta),
    vals: readonly unknown[] = EMPTY,
    extras: Extras = NO_EXTRAS,
  ) {
    this.meta = meta;
    this.shape = shape;
    this.vals = vals;
    this.extras = extras;
  }

  /** Hands the queryset to a function: how querysets are extended. */
  use<A extends unknown[], T>(fn: (set: this, ...args: A) => T, ...args: A): T {
    return fn(this, ...args);
  }

  /** The same kind of queryset with another shape: subclasses stay what they are. */
  clone(shape: Shape, vals: readonly unknown[] = this.vals, extras: Extras = this.extras): this {
    return new (this.constructor as typeof QuerySetImpl)(this.meta, shape, vals, extras) as this;
  }

  // ---- conditions

  filter(...conditions: unknown[]): this {
    if (conditions.length === 1) {
      const [only] = conditions;
      // What most calls are: one plain object. Nothing else has Object's own prototype.
      if (typeof only === 'object' && only !== null && Object.getPrototypeOf(only) === Object.prototype)
        return this.#lookups(only as Readonly<Record<string, unknown>>, false);
    }
    return this.#where(false, conditions);
  }
  exclude(...conditions: unknown[]): this {
    if (conditions.length > 1)
      return this.#where(true, [
        conditions.reduce((a, b) => new ConditionTree('AND', false, [asPart(a)]).and(b)),
      ]);
    return this.#where(true, conditions);
  }

  #lookups(lookups: Readonly<Record<string, unknown>>, negated: boolean): this {
    const vals = this.vals.length === 0 ? [] : this.vals.slice();
    const opened = this.shape.open(negated);
    let shape = opened;
    // for…in over a plain object reads its values without a lookup by name (V8's enum cache).
    for (const key in lookups)
      if (Object.hasOwn(lookups, key)) shape = stepLookup(shape, key, lookups[key], vals, negated);
    return shape === opened ? this : this.clone(shape, vals);
  }

  #where(negated: boolean, conditions: readonly unknown[]): this {
    let { shape } = this;
    let vals: unknown[] | null = null;
    for (const condition of conditions) {
      if (condition instanceof ConditionTree || condition instanceof Expr) {
        if (condition instanceof ConditionTree && condition.parts.length === 0) continue;
        vals ??= this.vals.slice();
        shape = stepWith(shape, negated ? '\u0001X' : '\u0001W', vals, condition, () => ({
          kind: 'where',
          negated,
          condition,
        }));
        continue;
      }
      const lookups = asPart(condition) as Readonly<Record<string, unknown>>;
      const keys = Object.keys(lookups);
      if (keys.length === 0) continue;
      vals ??= this.vals.slice();
      let s = shape.open(negated);
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i] as string;
        s = stepLookup(s, key, lookups[key], vals, negated);
      }
      shape = s;
    }
    if (shape === this.shape) return this;
    return this.clone(shape, vals ?? this.vals);
  }

  all(): this {
    return this;
  }
  none(): this {
    return this.clone(
      this.shape.step('\u0001none', 0, () => ({ operation: { kind: 'none' }, slots: null }), false),
    );
  }

  // ---- order and slices

  orderBy(...items: (string | OrderBy | Expr)[]): this {
    const vals = this.vals.slice();
    const w = new Writer(vals, null);
    for (const item of items) writeOrder(w, item);
    return this.clone(
      this.shape.step(`\u0001o${w.text}`, vals.length - this.vals.length, () => {
        const slots = new Map<object, number>();
        const again = new Writer(this.vals.slice(), slots);
        for (const item of items) writeOrder(again, item);
        return { operation: { kind: 'order', items }, slots };
      }),
      vals,
    );
  }
  reverse(): this {
    return this.clone(
      this.shape.step('\u0001reverse', 0, () => ({ operation: { kind: 'reverse' }, slots: null })),
    );
  }
  distinct(...paths: string[]): this {
    return this.#paths('distinct', paths);
  }
  #paths(kind: 'distinct' | 'values' | 'related', paths: string[], extras?: Extras): this {
    for (const path of paths) checkPath(path, kind);
    const edge = `\u0001${kind}:${paths.join(',')}`;
    return this.clone(
      this.shape.step(edge, 0, () => ({ operation: { kind, paths: [...paths] } as Operation, slots: null })),
      this.vals,
      extras,
    );
  }
  limit(count: number): this {
    if (!Number.isSafeInteger(count) || count < 0) throw badSlice(this.meta, count, 'limit');
    return this.clone(
      this.shape.step(
        '\u0001limit',
        1,
        () => ({ operation: { kind: 'limit', fixed: null }, slots: null }),
        false,
      ),
      [...this.vals, count],
    );
  }
  offset(count: number): this {
    if (!Number.isSafeInteger(count) || count < 0) throw badSlice(this.meta, count, 'offset');
    return this.clone(
      this.shape.step('\u0001offset', 1, () => ({ operation: { kind: 'offset' }, slots: null }), false),
      [...this.vals, count],
    );
  }
  slice(start: number, end?: number | null): this {
    if (!Number.isSafeInteger(start) || start < 0) throw badSlice(this.meta, start, 'slice');
    const { limit, offset } = this.#window;
    // A slice of a slice counts from where that one begins, and ends with it.
    if (limit !== null || offset > 0) {
      if (end !== undefined && end !== null && (!Number.isSafeInteger(end) || end < 0))
        throw badSlice(this.meta, end, 'slice');
      const last = Math.min(end ?? Number.POSITIVE_INFINITY, limit ?? Number.POSITIVE_INFINITY);
      const moved = this.offset(offset + start);
      return last === Number.POSITIVE_INFINITY ? moved : moved.limit(Math.max(0, last - start));
    }
    if (end === undefined || end === null) return start === 0 ? this : this.offset(start);
    if (!Number.isSafeInteger(end) || end < 0) throw badSlice(this.meta, end, 'slice');
    const length = Math.max(0, end - start);
    return start === 0 ? this.limit(length) : this.limit(length).offset(start);
  }
  /** The limit and the offset that were asked, since the last combination. */
  get #window(): { limit: number | null; offset: number } {
    let limit: number | null = null;
    let offset: number | null = null;
    for (let s: Shape | null = this.shape; s !== null && s.operation?.kind !== 'combine'; s = s.parent) {
      const op = s.operation;
      if (op?.kind === 'limit') limit ??= op.fixed ?? (this.vals[s.before] as number);
      else if (op?.kind === 'offset') offset ??= this.vals[s.before] as number;
    }
    return { limit, offset: offset ?? 0 };
  }
  /** LIMIT as text: for get(), first() and their like. */
  limited(count: number): this {
    return this.clone(
      this.shape.step(
        `\u0001limit${count}`,
        0,
        () => ({ operation: { kind: 'limit', fixed: count }, slots: null }),
        false,
      ),
    );
  }

  // ---- what rows are

  values(...paths: string[]): this {
    return this.#paths('values', paths, { ...this.extras, result: 'values' });
  }
  valuesList(...args: unknown[]): this {
    const last = args.at(-1);
    const options = typeof last === 'object' && last !== null ? (args.pop() as { flat?: boolean }) : {};
    if (options.flat && args.length !== 1)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: `cannot use valuesList(…, { flat: true }) with ${args.length} fields`,
        fix: 'Name exactly one field',
      });
    return this.#paths('values', args as string[], {
      ...this.extras,
      result: options.flat ? 'flat' : 'list',
    });
  }
  annotate(annotations: Readonly<Record<string, unknown>>): this {
    return this.#annotate(annotations, true);
  }
  alias(annotations: Readonly<Record<string, unknown>>): this {
    return this.#annotate(annotations, false);
  }
  #annotate(annotations: Readonly<Record<string, unknown>>, selected: boolean): this {
    let { shape } = this;
    const vals = this.vals.slice();
    for (const name of Object.keys(annotations)) {
      if (!NAME.test(name) || name in {})
        throw fault('SBY_DB_BAD_NAME', { what: 'annotation name', got: name });
      const expr = asExpr(annotations[name]);
      shape = stepWith(shape, `\u0001${selected ? 'a' : 'A'}${name}=`, vals, expr, () => ({
        kind: 'annotate',
        name,
        expr,
        selected,
      }));
    }
    return this.clone(shape, vals);
  }
  /** The different dates of a field, cut down to `kind`; as Django, without null. */
  dates(field: string, kind: string, options: { order?: string } = {}): this {
    checkKind(this.meta, kind, ['year', 'quarter', 'month', 'week', 'day']);
    return this.#cut(field, truncatedDate(new FExpr(field) as never, kind as 'day'), options.order);
  }
  datetimes(field: string, kind: string, options: { order?: string; timeZone?: string } = {}): this {
    checkKind(this.meta, kind, ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second']);
    const { timeZone } = options;
    const cut = Trunc(field, kind as 'day', timeZone === undefined ? {} : { timeZone });
    return this.#cut(field, cut as unknown as Expr, options.order);
  }
  #cut(field: string, cut: Expr, order = 'ASC'): this {
    if (order !== 'ASC' && order !== 'DESC')
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: `${this.meta.label} dates()`,
        got: order,
        expected: "'ASC' or 'DESC'",
      });
    return this.annotate({ sobayaCut: cut })
      .filter({ [`${field}__isnull`]: false })
      .valuesList('sobayaCut', { flat: true })
      .distinct()
      .orderBy(order === 'ASC' ? 'sobayaCut' : '-sobayaCut');
  }
  selectRelated(...paths: string[]): this {
    return this.#paths('related', paths);
  }
  prefetchRelated(...lookups: unknown[]): this {
    return this.clone(this.shape, this.vals, {
      ...this.extras,
      prefetch: [...this.extras.prefetch, ...lookups],
    });
  }
  only(...paths: string[]): this {
    return this.#only(paths, false);
  }
  defer(...paths: string[]): this {
    return this.#only(paths, true);
  }
  #only(paths: string[], defer: boolean): this {
    for (const path of paths) checkPath(path, 'only');
    const edge = `\u0001${defer ? 'defer' : 'only'}:${paths.join(',')}`;
    return this.clone(
      this.shape.step(edge, 0, () => ({
        operation: { kind: 'only', paths: [...paths], defer },
        slots: null,
      })),
    );
  }
  using(alias: string): this {
    return this.clone(this.shape, this.vals, { ...this.extras, using: alias });
  }
  relations(mode: 'fetch' | 'raise'): this {
    return this.clone(this.shape, this.vals, { ...this.extras, mode });
  }
  selectForUpdate(options: Partial<Lock> = {}): this {
    const lock: Lock = {
      skipLocked: options.skipLocked ?? false,
      noWait: options.noWait ?? false,
      noKey: options.noKey ?? false,
      of: options.of ?? [],
    };
    if (lock.skipLocked && lock.noWait)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: 'cannot lock with both skipLocked and noWait',
        fix: 'Choose one',
      });
    for (const name of lock.of) checkPath(name, 'of');
    return this.clone(
      this.shape.step(`\u0001lock:${JSON.stringify(lock)}`, 0, () => ({
        operation: { kind: 'lock', lock },
        slots: null,
      })),
    );
  }

  // ---- combinations

  union(...others: unknown[]): this {
    const [first] = others;
    const all = !(first instanceof QuerySetImpl) && (first as { all?: boolean } | undefined)?.all === true;
    return this.#combine('UNION', all, (all ? others.slice(1) : others) as QuerySetImpl[]);
  }
  intersection(...others: QuerySetImpl[]): this {
    return this.#combine('INTERSECT', false, others);
  }
  difference(...others: QuerySetImpl[]): this {
    return this.#combine('EXCEPT', false, others);
  }
  #combine(operator: 'UNION' | 'INTERSECT' | 'EXCEPT', all: boolean, others: readonly QuerySetImpl[]): this {
    const vals = this.vals.slice();
    let edge = `\u0001${operator}${all ? '*' : ''}`;
    for (const other of others) {
      if (!(other instanceof QuerySetImpl))
        throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
          path: operator.toLowerCase(),
          got: other,
          expected: 'querysets',
        });
      const w = new Writer(vals, null);
      other.writeQuery(w);
      edge += `(${w.text})`;
    }
    return this.clone(
      this.shape.step(edge, vals.length - this.vals.length, () => {
        const slots = new Map<object, number>();
        let at = this.vals.length;
        for (const other of others) {
          slots.set(other, at);
          at += other.vals.length;
        }
        return { operation: { kind: 'combine', operator, all, others }, slots };
      }),
      vals,
    );
  }

  // ---- as part of another query

  writeQuery(w: Writer): void {
    w.text += `${this.meta.label}#${shapeId(this.shape)};`;
    w.slots?.set(this, w.values.length);
    w.values.push(...this.vals);
  }
  buildQuery(outer: Query | null, slot: number): Query {
    return this.shape.build(outer, slot);
  }

  // ---- terminals

  route(writes = false): Route {
    return route(this.meta, this.extras.using, writes);
  }

  compile(
    to: Route,
    terminal: string,
    compile: (query: Query, c: Compiler) => { sql: string; reads: boolean; extra?: unknown },
  ): Compiled {
    return this.shape.compiled(to.backend, terminal, compile);
  }

  get isEmpty(): boolean {
    for (let s: Shape | null = this.shape; s !== null; s = s.parent) {
      const kind = s.operation?.kind;
      if (kind === 'none') return true;
      if (kind === 'combine') return false;
    }
    return false;
  }

  #rows(to: Route): Compiled {
    const { result } = this.extras;
    const known = this.shape.known(to.backend, result);
    if (known !== undefined) return known;
    return this.compile(to, result, (query, c) => {
      const sql = selectSql(query, c, 'rows');
      const lock = query.lock !== null && c.dialect.features.selectForUpdate;
      return { sql, reads: !lock, extra: this.#reader(query) };
    });
  }

  #reader(query: Query): Mapped {
    const chosen = selection(query);
    const { result } = this.extras;
    if (result === 'instances' && query.values === null) {
      const hydrate = instanceReader(this.meta, chosen);
      return ({ rows }, { alias }, mode) => {
        const siblings: Siblings = { alias, instances: rows as unknown as Instance[], mode, stash: null };
        for (let i = 0; i < rows.length; i++) (rows as unknown[])[i] = hydrate(rows[i] as Row, siblings);
        return rows;
      };
    }
    const read =
      result === 'flat' ? flatReader(chosen) : result === 'list' ? listReader(chosen) : valuesReader(chosen);
    return ({ rows }) => {
      for (let i = 0; i < rows.length; i++) (rows as unknown[])[i] = read(rows[i] as Row);
      return rows;
    };
  }

  fetch(): Promise<unknown[]> {
    if (this.isEmpty) return Promise.resolve([]);
    let to: Route;
    let compiled: Compiled;
    let params: unknown[];
    try {
      to = this.route();
      compiled = this.#rows(to);
      if (
        compiled.query.lock !== null &&
        (to.executor as unknown) === to.backend &&
        to.backend.features.selectForUpdate
      )
        throw fault('SBY_DB_TRANSACTION_OPTION', {
          problem: 'selectForUpdate() outside of a transaction locks nothing',
          fix: 'Put the query and what follows into atomic()',
        });
      params = compiled.bind(this.vals);
    } catch (error) {
      return Promise.reject(error);
    }
    const reader = compiled.extra as Mapped;
    const { mode, known, prefetch } = this.extras;
    const fetched =
      mode === 'fetch' && known.length === 0
        ? run(to, compiled.shape.sql, params, compiled.shape, (answer) => reader(answer, to, 'fetch'))
        : run(to, compiled.shape.sql, params, compiled.shape, (answer) => this.#decorate(answer, reader, to));
    if (prefetch.length === 0) return fetched;
    return fetched.then(async (rows) => {
      if (rows.length > 0 && this.extras.result === 'instances')
        await plugins?.prefetch(rows as Instance[], prefetch, to.alias);
      return rows;
    });
  }

  #decorate(answer: Answer, reader: Mapped, to: Route): unknown[] {
    const rows = reader(answer, to, this.extras.mode);
    if (this.extras.result === 'instances') for (const row of rows) settle(row as Instance, this.extras);
    return rows;
  }

  then<A, B>(
    onRows?: ((rows: unknown[]) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.fetch().then(onRows, onError);
  }
  catch<B>(onError: (error: unknown) => B): Promise<unknown[] | B> {
    return this.fetch().catch(onError);
  }
  finally(fn: () => void): Promise<unknown[]> {
    return this.fetch().finally(fn);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    for (const row of await this.fetch()) yield row;
  }

  async *iterator(options: { chunkSize?: number } = {}): AsyncIterable<unknown> {
    if (this.isEmpty) return;
    const chunk = options.chunkSize ?? 2000;
    if (!Number.isSafeInteger(chunk) || chunk < 1) throw badSlice(this.meta, chunk, 'iterator');
    const to = this.route();
    const compiled = this.#rows(to);
    const reader = compiled.extra as Mapped;
    const stream = to.executor.stream ?? to.backend.stream;
    if (stream === undefined) {
      yield* await this.fetch();
      return;
    }
    for await (const rows of stream.call(
      to.executor.stream ? to.executor : to.backend,
      compiled.shape.sql,
      compiled.bind(this.vals),
      chunk,
    )) {
      const ready = this.#decorate({ rows, count: rows.length }, reader, to);
      if (this.extras.prefetch.length > 0)
        await plugins?.prefetch(ready as Instance[], this.extras.prefetch, to.alias);
      yield* ready;
    }
  }

  /** A number from SQL that a mode makes. */
  async count(): Promise<number> {
    if (this.isEmpty) return 0;
    const to = this.route();
    const compiled = this.compile(to, 'count', (query, c) => ({ sql: countSql(query, c), reads: true }));
    return run(to, compiled.shape.sql, compiled.bind(this.vals), compiled.shape, ({ rows }) =>
      Number((rows[0] as Row)[0]),
    );
  }

  async exists(): Promise<boolean> {
    if (this.isEmpty) return false;
    const set = this.sliced ? this : this.limited(1);
    const to = set.route();
    const compiled = set.compile(to, 'exists', (query, c) => ({
      sql: selectSql(query, c, 'exists'),
      reads: true,
    }));
    return run(
      to,
      compiled.shape.sql,
      compiled.bind(set.vals),
      compiled.shape,
      ({ rows }) => rows.length > 0,
    );
  }

  get sliced(): boolean {
    for (let s: Shape | null = this.shape; s !== null; s = s.parent)
      if (s.operation?.kind === 'limit' || s.operation?.kind === 'offset') return true;
    return false;
  }

  get ordered(): boolean {
    for (let s: Shape | null = this.shape; s !== null; s = s.parent) {
      if (s.operation?.kind === 'order') return s.operation.items.length > 0;
    }
    return (this.meta.options.ordering?.length ?? 0) > 0;
  }

  async get(...conditions: unknown[]): Promise<unknown> {
    const set = conditions.length > 0 ? this.filter(...conditions) : this;
    const rows = await (set.sliced ? set : set.limited(21)).fetch();
    if (rows.length === 1) return rows[0];
    const query = describeQuery(set);
    if (rows.length === 0) throw doesNotExist(this.meta, query);
    throw multipleObjects(
      this.meta,
      rows.length >= 21 && !set.sliced ? 'more than 20' : String(rows.length),
      query,
    );
  }

  async first(): Promise<unknown> {
    const set = this.ordered || this.sliced ? this : this.orderBy('pk');
    const rows = await (set.sliced ? set : set.limited(1)).fetch();
    return rows[0] ?? null;
  }

  async last(): Promise<unknown> {
    const set = (this.ordered ? this : this.orderBy('pk')).reverse();
    const rows = await set.limited(1).fetch();
    return rows[0] ?? null;
  }

  async #extreme(fields: string[], last: boolean): Promise<unknown> {
    let by = fields;
    if (by.length === 0) {
      const { getLatestBy } = this.meta.options;
      by =
        getLatestBy === undefined ? [] : typeof getLatestBy === 'string' ? [getLatestBy] : [...getLatestBy];
    }
    if (by.length === 0)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: `needs fields for ${last ? 'latest' : 'earliest'}()`,
        fix: 'Name them, or set getLatestBy in the options of the model',
      });
    const ordered = this.orderBy(...by);
    return (last ? ordered.reverse() : ordered).limited(1).get();
  }
  latest(...fields: string[]): Promise<unknown> {
    return this.#extreme(fields, true);
  }
  earliest(...fields: string[]): Promise<unknown> {
    return this.#extreme(fields, false);
  }

  contains(instance: unknown): Promise<boolean> {
    if (!isInstance(instance) || !metaOf(instance.constructor).isKindOf(this.meta))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: 'contains()',
        got: instance,
        expected: `an instance of ${this.meta.label}`,
      });
    return this.filter({ pk: instance['pk'] }).exists();
  }

  async inBulk(keys?: readonly unknown[], options: { field?: string } = {}): Promise<Map<unknown, unknown>> {
    const field = options.field ?? 'pk';
    const column = field === 'pk' ? this.meta.pk : this.meta.byAttname.get(field);
    if (column === undefined || !column.unique)
      throw fault('SBY_DB_BAD_QUERY', {
        model: this.meta.label,
        problem: `cannot use inBulk() by "${field}", which is not a unique field`,
        fix: 'Use the primary key or a unique field',
      });
    const out = new Map<unknown, unknown>();
    if (keys?.length === 0) return out;
    const rows = await (keys === undefined ? this : this.filter({ [`${field}__in`]: keys })).fetch();
    for (const row of rows) out.set((row as Instance)[column.attname], row);
    return out;
  }

  toSQL(): { sql: string; params: readonly unknown[] } {
    const compiled = this.#rows(this.route());
    return { sql: compiled.shape.sql, params: compiled.bind(this.vals) };
  }

  create(values: Values): Promise<unknown> {
    return actions.create(this, values);
  }
  getOrCreate(lookups: Values, options: object = {}): Promise<[Instance, boolean]> {
    return actions.getOrCreate(this, lookups, options);
  }
  updateOrCreate(lookups: Values, options: object = {}): Promise<[Instance, boolean]> {
    return actions.updateOrCreate(this, lookups, options);
  }
  bulkCreate(rows: readonly unknown[], options: object = {}): Promise<Instance[]> {
    return actions.bulkCreate(this, rows, options);
  }
  bulkUpdate(rows: readonly Instance[], fields: readonly string[], options: object = {}): Promise<number> {
    return actions.bulkUpdate(this, rows, fields, options);
  }
  update(values: Values): Promise<number> {
    return actions.update(this, values);
  }
  delete(): Promise<[number, Record<string, number>]> {
    return actions.delete(this);
  }
  aggregate(aggregates: Values): Promise<Record<string, unknown>> {
    return actions.aggregate(this, aggregates);
  }
  explain(options: object = {}): Promise<string> {
    return actions.explain(this, options);
  }

  /** Compiles a SELECT of this queryset in a mode; for the modules that build on it. */
  selectWith(to: Route, terminal: string, mode: SelectMode): Compiled {
    return this.compile(to, terminal, (query, c) => ({ sql: selectSql(query, c, mode), reads: true }));
  }
}

function checkKind(meta: Meta, kind: string, known: readonly string[]): void {
  if (!known.includes(kind))
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: `${meta.label} dates()`,
      got: kind,
      expected: known.join(', '),
    });
}

/** Sets what a related manager knows about its rows, and the strictness of the query. */
export function settle(row: Instance, extras: Extras): void {
  for (const [name, instance] of extras.known) setKnown(row, name, instance);
}
let setKnown: (row: Instance, name: string, instance: Instance) => void = () => {};
export function setSetKnown(fn: typeof setKnown): void {
  setKnown = fn;
}

function stepLookup(shape: Shape, key: string, value: unknown, vals: unknown[], negated: boolean): Shape {
  if (typeof value === 'object' || value === undefined || typeof value === 'function') {
    if (value === null) return shape.lookupMode(key, 'null');
    if (
      value === undefined ||
      value instanceof Expr ||
      (isQuerySource(value) && !isInstance(value)) ||
      (Array.isArray(value) && value.some((item) => item instanceof Expr))
    ) {
      const w = new Writer(vals, null);
      const before = vals.length;
      writeGiven(w, key, value);
      return shape.step(`${key}\u0001${w.text}`, vals.length - before, () => {
        const slots = new Map<object, number>();
        writeGiven(new Writer(vals.slice(0, before), slots), key, value);
        return { operation: { kind: 'lookup', negated, key, value, first: shape.mode === 'open' }, slots };
      });
    }
  }
  const next = shape.lookup(key);
  switch (next.mode) {
    case 'value':
      vals.push(value);
      return next;
    case 'true':
    case 'false':
      // `isnull` takes a boolean; anything else is refused as the value it is.
      if (typeof value !== 'boolean')
        throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: key, got: value, expected: 'true or false' });
      return value ? next : shape.lookupMode(key, 'false');
    default: {
      const pair = value as readonly unknown[];
      if (!Array.isArray(pair) || pair.length !== 2)
        throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
          path: key,
          got: value,
          expected: 'an array of two: [from, to]',
        });
      vals.push(pair[0], pair[1]);
      return next;
    }
  }
}

interface Writable {
  write(w: Writer): void;
}
function stepWith(
  shape: Shape,
  prefix: string,
  vals: unknown[],
  part: Writable,
  make: () => Operation,
): Shape {
  const before = vals.length;
  const w = new Writer(vals, null);
  part.write(w);
  return shape.step(prefix + w.text, vals.length - before, () => {
    const slots = new Map<object, number>();
    part.write(new Writer(vals.slice(0, before), slots));
    return { operation: make(), slots };
  });
}

const shapeIds = new WeakMap<Shape, number>();
let lastShapeId = 0;
/** A number that stands for a shape inside the key of another. */
export function shapeId(shape: Shape): number {
  let id = shapeIds.get(shape);
  if (id === undefined) shapeIds.set(shape, (id = ++lastShapeId));
  return id;
}

export function asExpr(value: unknown): Expr {
  if (value instanceof Expr) return value;
  if (value instanceof ConditionTree) return new ConditionExpr(value);
  throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
    path: 'annotate()',
    got: value,
    expected: 'an expression: F(), Value(), Count(), …',
  });
}

const PATH = /^[-+]?[A-Za-z]\w*$/;
function checkPath(path: unknown, what: string): void {
  if (typeof path !== 'string' || !PATH.test(path))
    throw fault('SBY_DB_BAD_NAME', { what: `${what} path`, got: path });
}

function writeOrder(w: Writer, item: unknown): void {
  if (typeof item === 'string') {
    if (item !== '?') checkPath(item, 'ordering');
    w.text += `${item},`;
  } else if (item instanceof OrderBy) item.write(w);
  else if (item instanceof Expr) {
    w.text += 'e';
    item.write(w);
  } else throw fault('SBY_DB_BAD_NAME', { what: 'ordering', got: item });
}

/** The lookups of a queryset, for messages. */
export function describeQuery(set: QuerySetImpl): string {
  const parts: string[] = [];
  for (let s: Shape | null = set.shape; s !== null && parts.length < 6; s = s.parent) {
    const op = s.operation;
    if (op?.kind !== 'filter') continue;
    const value =
      op.mode === 'value'
        ? set.vals[s.before]
        : op.mode === 'range'
          ? set.vals.slice(s.before, s.before + 2)
          : op.mode;
    const text = isInstance(value)
      ? `${(value as Instance).constructor.name} ${String((value as Instance)['pk'])}`
      : value instanceof Date
        ? value.toISOString()
        : JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));
    parts.unshift(`${op.negated ? 'not ' : ''}${op.key}=${(text ?? String(value)).slice(0, 60)}`);
  }
  return parts.join(', ');
}
