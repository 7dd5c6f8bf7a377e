import { fault } from '../../errors/index.ts';
import { ForeignKeyField, type ReverseField } from '../fields/relations.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Compiler } from './compiler.ts';
import { ColumnNode, FuncNode, LiteralNode, type Node, OrderNode, union, WhereNode } from './nodes.ts';
import { fieldNamed, type HopStep, hopOf, type Query, type RelatedTree } from './query.ts';

/** One selected expression, with the name that a row of values() gives it. */
export interface Selected {
  readonly name: string;
  readonly node: Node;
}

/** A relation loaded in the same row: where its columns begin. */
export interface LoadedRelation {
  readonly name: string;
  readonly meta: Meta;
  readonly position: number;
  readonly children: LoadedRelation[];
  /** Attnames selected as NULL since they were deferred. */
  readonly deferred: ReadonlySet<string> | null;
  /** For the other side of a one-to-one key: the name under which this row is known there. */
  readonly back: string | null;
}

/** What a SELECT of rows selects, and where things are in a row. */
export interface Selection {
  readonly columns: Selected[];
  /** Instances: how many columns belong to the model itself. */
  readonly own: number;
  readonly annotations: { readonly name: string; readonly position: number; readonly node: Node }[];
  readonly related: LoadedRelation[];
  /** Attnames selected as NULL since they were deferred. */
  readonly deferred: ReadonlySet<string> | null;
}

const random = new FuncNode('RANDOM', [], null, false);

/** An ordering by path: '-name', 'author__name', '?', an annotation. */
export function orderNodes(query: Query, text: string, seen: readonly Meta[] = []): OrderNode[] {
  if (text === '?') return [new OrderNode(random, false, null)];
  const descending = text.startsWith('-');
  const path = descending || text.startsWith('+') ? text.slice(1) : text;
  return pathOrder(query, path, descending, seen);
}

function pathOrder(query: Query, path: string, descending: boolean, seen: readonly Meta[]): OrderNode[] {
  const { node, rest, relation } = query.walk(path, null);
  if (rest.length > 0) return [new OrderNode(tail(node, rest, path), descending, null)];
  const last = path.split('__').at(-1) as string;
  const bare = relation !== null && last !== 'pk' && !last.endsWith('Id') ? relation : null;
  const ordering = bare?.options.ordering;
  // Ordering by a relation is ordering by what its model is ordered by.
  if (bare === null || ordering === undefined || ordering.length === 0 || seen.includes(bare))
    return [new OrderNode(node, descending, null)];
  return ordering.flatMap((item) => {
    const down = item.startsWith('-');
    const inner = `${path}__${down ? item.slice(1) : item}`;
    return pathOrder(query, inner, down !== descending, [...seen, bare]);
  });
}

let tail: (node: Node, rest: readonly string[], path: string) => Node = (node) => node;
export function setTail(fn: typeof tail): void {
  tail = fn;
}

/** The order that holds: what was asked, else the model's; reversed if asked. */
export function effectiveOrder(query: Query): OrderNode[] {
  let order = query.order;
  if (order === null) {
    const ordering = query.meta.options.ordering ?? [];
    order = query.groupBy === null ? ordering.flatMap((text) => orderNodes(query, text, [query.meta])) : [];
  }
  return query.reversed ? order.map((node) => node.reversed()) : order;
}

/** The pieces of FROM: outer joins where a row may be missing and no condition demands it. */
function fromSql(query: Query, c: Compiler, demanded: ReadonlySet<string>): string {
  const needed = new Set<string>();
  for (const alias of demanded)
    for (let join = query.joins.get(alias); join !== undefined; join = query.joins.get(join.parent))
      needed.add(join.alias);
  const outer = new Set<string>();
  let text = `${c.quote(query.meta.table)} ${query.base}`;
  for (const join of query.joins.values()) {
    const left = !needed.has(join.alias) && (join.nullable || outer.has(join.parent));
    if (left) outer.add(join.alias);
    text += ` ${left ? 'LEFT' : 'INNER'} JOIN ${c.quote(join.meta.table)} ${join.alias} ON ${join.alias}.${c.quote(join.column.column)} = ${join.parent}.${c.quote(join.parentColumn.column)}`;
  }
  return text;
}

/** Conditions over aggregates belong after GROUP BY. */
export function splitWhere(query: Query): { where: Node[]; having: Node[] } {
  const where: Node[] = [];
  const having: Node[] = [];
  const place = (node: Node): void => {
    if (node.window)
      throw fault('SBY_DB_BAD_QUERY', {
        model: query.meta.label,
        problem: 'filters on a window function, which SQL computes after filtering',
        fix: 'Filter the rows after they were read, or in an outer query',
      });
    if (!node.aggregate) where.push(node);
    else if (node instanceof WhereNode && node.connector === 'AND' && !node.negated)
      node.children.forEach(place);
    else having.push(node);
  };
  query.where.forEach(place);
  return { where, having };
}

const joined = (nodes: readonly Node[], c: Compiler): string =>
  nodes.map((node) => node.sql(c)).join(' AND ');

function selectRelated(
  query: Query,
  tree: RelatedTree,
  alias: string,
  meta: Meta,
  columns: Selected[],
  path = '',
): LoadedRelation[] {
  const out: LoadedRelation[] = [];
  const skipped = path === '' ? query.deferred : query.deferredRelated?.get(path);
  for (const [name, child] of tree.children) {
    const field = meta.relation(name) as ForeignKeyField | ReverseField;
    const [step] = hopOf(field) as [HopStep];
    if (field instanceof ForeignKeyField && skipped?.has(field.attname))
      throw fault('SBY_DB_BAD_QUERY', {
        model: meta.label,
        problem: `cannot leave "${name}" out with only() or defer() and follow it with selectRelated()`,
        fix: `Name "${name}" in only(), or leave it out of selectRelated()`,
      });
    const at = query.join(alias, step, null);
    const position = columns.length;
    const here = path === '' ? name : `${path}__${name}`;
    const deferred = query.deferredRelated?.get(here) ?? null;
    for (const column of step.meta.columns)
      columns.push({
        name: '',
        node: deferred?.has(column.attname) ? new LiteralNode('NULL', null) : query.column(at, column),
      });
    out.push({
      name,
      meta: step.meta,
      position,
      deferred,
      children: selectRelated(query, child, at, step.meta, columns, here),
      back: field instanceof ForeignKeyField ? null : (field as ReverseField).via,
    });
  }
  return out;
}

/** What rows of a query carry. */
export function selection(query: Query): Selection {
  const columns: Selected[] = [];
  const annotations: { name: string; position: number; node: Node }[] = [];
  if (query.values !== null) {
    for (const path of query.values) {
      const { node, rest } = query.walk(path, null);
      columns.push({ name: path, node: rest.length > 0 ? tail(node, rest, path) : node });
    }
    return { columns, own: 0, annotations, related: [], deferred: null };
  }
  const { deferred, meta } = query;
  for (const field of meta.columns)
    columns.push({ name: field.attname, node: query.column(query.base, field) });
  const own = columns.length;
  for (const [name, { node, selected }] of query.annotations) {
    if (!selected) continue;
    annotations.push({ name, position: columns.length, node });
    columns.push({ name, node });
  }
  const related =
    query.related === null ? [] : selectRelated(query, query.related, query.base, meta, columns);
  return { columns, own, annotations, related, deferred };
}

/** A selected column as it is written: 64-bit integers as text where the driver needs it, deferred ones as NULL. */
function selectedSql(node: Node, c: Compiler): string {
  if (node instanceof ColumnNode) return c.dialect.selectColumn(node.sql(c), node.output.kind);
  return node.sql(c);
}

export type SelectMode = 'rows' | 'subquery' | 'exists' | 'count';

/** The whole SELECT. `columns` overrides what is selected (aggregates, primary keys). */
export function selectSql(query: Query, c: Compiler, mode: SelectMode, columns?: readonly Node[]): string {
  if (query.combination !== null) return combinedSql(query, c, mode);
  const own = mode === 'exists' && !query.sliced ? [] : (columns ?? chosen(query, mode));
  const bare = mode === 'exists' || mode === 'count';
  const unordered = (bare || mode === 'subquery') && !query.sliced && !Array.isArray(query.distinct);
  const order = unordered ? [] : effectiveOrder(query);
  if (query.groupBy === null && order.some((node) => node.aggregate))
    throw fault('SBY_DB_BAD_QUERY', {
      model: query.meta.label,
      problem: 'is ordered by an aggregate that no annotation has',
      fix: "Write annotate({ n: Count(…) }).orderBy('-n')",
    });
  const { where, having } = splitWhere(query);
  const demanded = union(where);
  const selected: string[] = [];
  for (const [i, node] of own.entries()) {
    const deferredHere =
      mode === 'rows' &&
      query.deferred !== null &&
      query.values === null &&
      query.deferred.has(query.meta.columns[i]?.attname ?? '');
    selected.push(deferredHere ? 'NULL' : mode === 'rows' ? selectedSql(node, c) : node.sql(c));
  }
  if (selected.length === 0) selected.push('1');
  const orderTexts = order.map((node) => node.sql(c));
  let distinct = '';
  if (query.distinct === true) {
    distinct = 'DISTINCT ';
    // SELECT DISTINCT can only be ordered by what it selects.
    for (const node of order) {
      const text = node.node.sql(c);
      if (!own.some((column) => column.sql(c) === text) && node.node !== random) selected.push(text);
    }
  } else if (Array.isArray(query.distinct)) {
    if (!c.dialect.features.distinctOn)
      throw fault('SBY_DB_UNSUPPORTED', {
        what: 'distinct() with field names',
        engine: c.dialect.vendor,
        fix: 'Use distinct() without names over values(), or group',
      });
    distinct = `DISTINCT ON (${query.distinct.map((node) => node.sql(c)).join(',')}) `;
  }
  let text = `SELECT ${distinct}${selected.join(',')} FROM ${fromSql(query, c, demanded)}`;
  const conditions = query.empty ? ['1=0'] : [];
  if (where.length > 0) conditions.push(joined(where, c));
  if (query.alive && c.dialect.features.aliveFunction !== null) {
    // Of the innermost table: an outer one would be asked for its own rows only.
    const last = [...query.joins.keys()].at(-1) ?? query.base;
    conditions.push(`${c.dialect.features.aliveFunction}(${last}.rowid)`);
  }
  if (conditions.length > 0) text += ` WHERE ${conditions.join(' AND ')}`;
  const groups = groupBy(query, own, order, having, c);
  if (groups.length > 0) text += ` GROUP BY ${groups.join(',')}`;
  if (having.length > 0) text += ` HAVING ${joined(having, c)}`;
  if (orderTexts.length > 0) text += ` ORDER BY ${orderTexts.join(',')}`;
  text += limits(query, c);
  if (query.lock !== null && mode === 'rows') text += lockSql(query, c);
  return text;
}

function limits(query: Query, c: Compiler): string {
  const { limit, offset } = query;
  const number = (value: unknown): unknown => value;
  return c.dialect.limit(
    limit === null ? null : typeof limit === 'number' ? String(limit) : c.param(limit.slot, number),
    offset === null ? null : c.param(offset.slot, number),
  );
}

function chosen(query: Query, mode: SelectMode): Node[] {
  if (mode === 'rows') return selection(query).columns.map(({ node }) => node);
  if (query.values !== null) return selection(query).columns.map(({ node }) => node);
  if (mode === 'count' && query.groupBy !== null) return [query.column(query.base, query.meta.pk)];
  if (mode === 'count' && query.distinct !== false) return selection(query).columns.map(({ node }) => node);
  return [query.column(query.base, query.meta.pk)];
}

function groupBy(
  query: Query,
  selected: readonly Node[],
  order: readonly OrderNode[],
  having: readonly Node[],
  c: Compiler,
): string[] {
  if (query.groupBy === null) return [];
  const nodes: Node[] = [];
  const model = query.groupBy === 'model';
  if (query.groupBy === 'model') nodes.push(query.column(query.base, query.meta.pk));
  else nodes.push(...query.groupBy.flatMap((node) => node.groupBy()));
  const key = model && query.values === null;
  for (const node of selected) {
    // Columns of a table whose key is grouped by are determined by it.
    if (key && node instanceof ColumnNode) {
      if (node.alias === query.base) continue;
      nodes.push(query.column(node.alias, query.metaOfAlias(node.alias).pk));
      continue;
    }
    nodes.push(...node.groupBy());
  }
  for (const node of [...order, ...having]) nodes.push(...node.groupBy());
  const texts = new Set<string>();
  for (const node of nodes) {
    if (node instanceof ColumnNode && model && node.alias === query.base && node.field !== query.meta.pk)
      continue;
    texts.add(node.sql(c));
  }
  return [...texts];
}

function lockSql(query: Query, c: Compiler): string {
  const lock = query.lock as NonNullable<Query['lock']>;
  if (!c.dialect.features.selectForUpdate) return '';
  let text = lock.noKey ? ' FOR NO KEY UPDATE' : ' FOR UPDATE';
  const of = lock.of.length > 0 ? lock.of : query.joins.size > 0 ? ['self'] : [];
  if (of.length > 0) {
    const aliases = of.map((name) => (name === 'self' ? query.base : query.aliasOf(name.split('__'))));
    text += ` OF ${aliases.join(',')}`;
  }
  if (lock.noWait) text += ' NOWAIT';
  else if (lock.skipLocked) text += ' SKIP LOCKED';
  return text;
}

/** UNION, INTERSECT, EXCEPT. Ordering goes by position, which every database knows for compound selects. */
function combinedSql(query: Query, c: Compiler, mode: SelectMode): string {
  const { operator, all, queries } = query.combination as NonNullable<Query['combination']>;
  const inner = mode === 'count' || mode === 'exists' ? 'rows' : mode;
  const texts = queries.map((one) => {
    const text = selectSql(one, c, inner);
    return one.combination !== null || one.sliced || /\sORDER BY\s/.test(text)
      ? `SELECT * FROM (${text})${c.dialect.vendor === 'sqlite' ? '' : ' s'}`
      : text;
  });
  let text = texts.join(` ${operator}${all ? ' ALL' : ''} `);
  const order =
    query.order === null ? [] : query.reversed ? query.order.map((node) => node.reversed()) : query.order;
  if (order.length > 0) {
    const columns = selection(queries[0] as Query).columns.map(({ node }) => node.sql(c));
    const positions = order.map((node) => {
      const at = columns.indexOf(node.node.sql(c));
      if (at < 0)
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: 'is ordered by something that its combined queries do not select',
          fix: 'Order by selected fields only',
        });
      return node.ordered(String(at + 1));
    });
    text += ` ORDER BY ${positions.join(',')}`;
  }
  text += limits(query, c);
  if (mode === 'exists') return `SELECT 1 FROM (${text}) s LIMIT 1`;
  return text;
}

/** The rows a terminal other than a plain SELECT is about: `SELECT COUNT(*) FROM (…)` where it must be nested. */
export function countSql(query: Query, c: Compiler): string {
  const nested =
    query.combination !== null || query.sliced || query.distinct !== false || query.groupBy !== null;
  if (!nested) return selectSql(query, c, 'count', [COUNT]);
  return `SELECT COUNT(*) FROM (${selectSql(query, c, 'count')}) s`;
}
const COUNT = new FuncNode('COUNT', [], null, false, () => 'COUNT(*)');

/** Checks a selectRelated path and adds it to the tree. */
export function addRelated(tree: RelatedTree, meta: Meta, path: string): RelatedTree {
  const [name = '', ...rest] = path.split('__');
  const field = fieldNamed(meta, name);
  const fits =
    field instanceof ForeignKeyField ||
    (field !== undefined && 'single' in field && hopOf(field as ReverseField)[0]?.multi === false);
  if (!fits)
    throw fault('SBY_DB_UNKNOWN_FIELD', {
      model: meta.label,
      path: `selectRelated: ${path}`,
      name,
      known: [...meta.fields.values()]
        .filter((one) => one instanceof ForeignKeyField || ('single' in one && one.single))
        .map((one) => one.name),
    });
  const child = tree.children.get(name) ?? { children: new Map() };
  const target = field instanceof ForeignKeyField ? metaOf(field.to) : metaOf((field as ReverseField).to);
  const next = rest.length > 0 ? addRelated(child, target, rest.join('__')) : child;
  return { children: new Map(tree.children).set(name, next) };
}
