import { fault } from '../../errors/index.ts';
import { ConditionTree, leaf, resolveGiven } from '../expressions/condition.ts';
import { Expr, type OrderBy, type Resolver } from '../expressions/expression.ts';
import { ForeignKeyField, ReverseField } from '../fields/relations.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Given } from '../sql/lookups.ts';
import { type Node, WhereNode } from '../sql/nodes.ts';
import { fieldNamed, type Lock, Query, type RelatedTree } from '../sql/query.ts';
import { addRelated, orderNodes } from '../sql/select.ts';

/** One step of a queryset, without its values: replayed to build the SELECT. */
export type Operation =
  | {
      readonly kind: 'filter';
      readonly negated: boolean;
      readonly key: string;
      readonly mode: Mode;
      readonly first: boolean;
    }
  | { readonly kind: 'where'; readonly negated: boolean; readonly condition: ConditionTree | Expr }
  | {
      readonly kind: 'lookup';
      readonly negated: boolean;
      readonly key: string;
      readonly value: unknown;
      readonly first: boolean;
    }
  | { readonly kind: 'annotate'; readonly name: string; readonly expr: Expr; readonly selected: boolean }
  | { readonly kind: 'order'; readonly items: readonly (string | OrderBy | Expr)[] }
  | { readonly kind: 'reverse' }
  | { readonly kind: 'distinct'; readonly paths: readonly string[] }
  | { readonly kind: 'limit'; readonly fixed: number | null }
  | { readonly kind: 'offset' }
  | { readonly kind: 'unslice' }
  | { readonly kind: 'values'; readonly paths: readonly string[] }
  | { readonly kind: 'related'; readonly paths: readonly string[] }
  | { readonly kind: 'only'; readonly paths: readonly string[]; readonly defer: boolean }
  | { readonly kind: 'lock'; readonly lock: Lock | null }
  | {
      readonly kind: 'combine';
      readonly operator: 'UNION' | 'INTERSECT' | 'EXCEPT';
      readonly all: boolean;
      readonly others: readonly Combinable[];
    }
  | { readonly kind: 'none' };

export interface Combinable {
  buildQuery(outer: Query | null, slot: number): Query;
}

/** How the value of a plain lookup appears in the SQL. */
export type Mode = 'value' | 'null' | 'true' | 'false' | 'range';

/** A shape as building sees it. */
export interface Step {
  readonly parent: Step | null;
  readonly operation: Operation | null;
  /** Values before this step. */
  readonly before: number;
  readonly slots: ReadonlyMap<object, number> | null;
}

const EMPTY_SLOTS: ReadonlyMap<object, number> = new Map();

function sliced(query: Query, what: string): Error {
  return fault('SBY_DB_BAD_QUERY', {
    model: query.meta.label,
    problem: `cannot ${what} once a slice has been taken`,
    fix: `Call ${what.split(' ')[0]} before limit(), offset() or slice()`,
  });
}
function combined(query: Query, what: string): Error {
  return fault('SBY_DB_BAD_QUERY', {
    model: query.meta.label,
    problem: `cannot ${what} after union(), intersection() or difference()`,
    fix: 'Do it on each of the combined querysets',
  });
}

/** Replays the steps up to `step` into a new Query. `offset` is added to every slot. */
export function build(query: Query, step: Step, offset: number): Query {
  const steps: Step[] = [];
  for (let s: Step | null = step; s !== null; s = s.parent) if (s.operation !== null) steps.push(s);
  steps.reverse();
  let group: { negated: boolean; nodes: Node[]; reuse: Set<string> } | null = null;
  const close = (): void => {
    if (group === null) return;
    const { negated, nodes } = group;
    group = null;
    if (negated) query.where.push(new WhereNode('AND', true, nodes));
    else query.where.push(...nodes);
  };
  for (const { operation, before, slots } of steps) {
    const op = operation as Operation;
    const resolver: Resolver = { query, slots: slots ?? EMPTY_SLOTS, offset, reuse: null };
    if (op.kind === 'filter' || op.kind === 'lookup') {
      if (query.sliced) throw sliced(query, 'filter a query');
      if (query.combination !== null) throw combined(query, 'filter');
      if (op.first) {
        close();
        group = { negated: op.negated, nodes: [], reuse: new Set() };
      }
      const current = group as unknown as { negated: boolean; nodes: Node[]; reuse: Set<string> };
      const r = { ...resolver, reuse: current.reuse };
      const given = (inner: Query): Given =>
        op.kind === 'filter'
          ? plainGiven(op.mode, before + offset)
          : resolveGiven({ ...r, query: inner }, op.key, op.value, before + offset);
      const sign = { current: op.negated, branch: op.negated };
      current.nodes.push(leaf(r, op.key, given, sign));
      continue;
    }
    close();
    apply(query, op, before, resolver);
  }
  close();
  return query;
}

function plainGiven(mode: Mode, slot: number): Given {
  switch (mode) {
    case 'null':
      return { tag: 'null' };
    case 'true':
    case 'false':
      return { tag: 'flag', value: mode === 'true' };
    case 'range':
      return { tag: 'range', slot };
    default:
      return { tag: 'value', slot };
  }
}

function apply(query: Query, op: Operation, before: number, r: Resolver): void {
  const { offset } = r;
  switch (op.kind) {
    case 'where': {
      if (query.sliced) throw sliced(query, 'filter a query');
      if (query.combination !== null) throw combined(query, 'filter');
      const { condition, negated } = op;
      if (condition instanceof ConditionTree) {
        const sign = { current: negated, branch: negated };
        const node = condition.resolveTree({ ...r, reuse: new Set() }, sign);
        query.where.push(negated ? new WhereNode('AND', true, [node]) : node);
      } else {
        const node = condition.resolve({ ...r, reuse: new Set() });
        query.where.push(negated ? new WhereNode('AND', true, [node]) : node);
      }
      return;
    }
    case 'annotate': {
      if (query.combination !== null) throw combined(query, 'annotate');
      const taken = fieldNamed(query.meta, op.name);
      if (taken !== undefined && query.values === null)
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: `has an annotation "${op.name}", but that is a field of the model`,
          fix: 'Give the annotation another name',
        });
      const node = op.expr.resolve(r);
      if (node.aggregate && query.groupBy === null)
        query.groupBy =
          query.values === null
            ? 'model'
            : [
                ...query.values.map((path) => query.walk(path, null).node),
                ...[...query.annotations.values()].filter((a) => !a.node.aggregate).map((a) => a.node),
              ];
      query.annotations.set(op.name, { node, selected: op.selected });
      if (query.values !== null && op.selected && !query.values.includes(op.name))
        query.values = [...query.values, op.name];
      return;
    }
    case 'order':
      if (query.sliced) throw sliced(query, 'reorder a query');
      if (query.combination !== null) {
        const [first] = query.combination.queries as [Query];
        query.order = op.items.flatMap((item) => orderItem(first, item, { ...r, query: first }));
      } else query.order = op.items.flatMap((item) => orderItem(query, item, r));
      return;
    case 'reverse':
      if (query.sliced) throw sliced(query, 'reverse a query');
      query.reversed = !query.reversed;
      return;
    case 'distinct':
      if (query.sliced) throw sliced(query, 'make distinct a query');
      if (query.combination !== null) throw combined(query, 'use distinct()');
      query.distinct =
        op.paths.length === 0
          ? true
          : op.paths.flatMap((path) => orderNodes(query, path).map((node) => node.node));
      return;
    case 'limit':
      query.limit = op.fixed ?? { slot: before + offset };
      return;
    case 'offset':
      query.offset = { slot: before + offset };
      return;
    case 'unslice':
      query.limit = query.offset = null;
      return;
    case 'values': {
      const paths =
        op.paths.length > 0
          ? [...op.paths]
          : [
              ...query.meta.columns.map((field) => field.attname),
              ...[...query.annotations].filter(([, a]) => a.selected).map(([name]) => name),
            ];
      for (const path of paths) query.walk(path, null);
      query.values = paths;
      if (query.combination !== null) for (const one of query.combination.queries) one.values = [...paths];
      return;
    }
    case 'related': {
      if (query.values !== null)
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: 'cannot use selectRelated() after values()',
          fix: 'Name the related fields in values()',
        });
      let tree: RelatedTree = query.related ?? { children: new Map() };
      for (const path of op.paths) tree = addRelated(tree, query.meta, path);
      query.related = tree;
      return;
    }
    case 'only':
      deferFields(query, op.paths, op.defer);
      return;
    case 'lock':
      query.lock = op.lock;
      return;
    case 'combine': {
      const queries: Query[] = [];
      // The part built so far becomes the first of the combined ones.
      const first = new Query(query.meta, query.prefix, query.outer);
      moveInto(query, first);
      queries.push(first);
      for (const other of op.others)
        queries.push(other.buildQuery(query.outer, (r.slots.get(other) as number) + offset));
      const width = (one: Query): number => one.values?.length ?? one.meta.columns.length;
      for (const other of queries)
        if (width(other) !== width(first))
          throw fault('SBY_DB_BAD_QUERY', {
            model: query.meta.label,
            problem: 'is combined with one that selects another number of columns',
            fix: 'Select the same fields with values() in both',
          });
      query.combination = { operator: op.operator, all: op.all, queries };
      return;
    }
    case 'none':
      query.empty = true;
      return;
  }
}

/** only() and defer(): fields of the model, and of relations along a path. */
function deferFields(query: Query, paths: readonly string[], defer: boolean): void {
  const named = new Map<string, Set<string>>([['', new Set()]]);
  const metas = new Map<string, Meta>([['', query.meta]]);
  for (const path of paths) {
    const parts = path.split('__');
    let meta = query.meta;
    let at = '';
    for (const [i, part] of parts.entries()) {
      const field = fieldNamed(meta, part);
      const last = i === parts.length - 1;
      const column = meta.columns.find((one) => one === field);
      const next =
        field instanceof ForeignKeyField || (field instanceof ReverseField && field.single)
          ? metaOf(field.to)
          : null;
      if (last ? column === undefined : next === null)
        throw fault('SBY_DB_UNKNOWN_FIELD', {
          model: meta.label,
          path,
          name: part,
          known: meta.columns.map((one) => one.name),
        });
      // The key of a relation on the way is needed to follow it.
      if (column !== undefined && (last || !defer)) named.get(at)?.add(column.attname);
      if (last || next === null) break;
      at = at === '' ? part : `${at}__${part}`;
      meta = next;
      metas.set(at, meta);
      if (!named.has(at)) named.set(at, new Set());
    }
  }
  const related = new Map(query.deferredRelated);
  for (const [at, names] of named) {
    const meta = metas.get(at) as Meta;
    const before = at === '' ? query.deferred : related.get(at);
    const left = defer
      ? new Set([...(before ?? []), ...names])
      : new Set(meta.columns.map((one) => one.attname).filter((name) => !names.has(name)));
    left.delete(meta.pk.attname);
    if (at === '') query.deferred = left.size > 0 ? left : null;
    else related.set(at, left);
  }
  query.deferredRelated = related.size > 0 ? related : null;
}

function orderItem(query: Query, item: string | OrderBy | Expr, r: Resolver): ReturnType<typeof orderNodes> {
  if (typeof item === 'string') return orderNodes(query, item);
  if (item instanceof Expr) return [item.asc().resolve(r)];
  return [item.resolve(r)];
}

/** Empties `from` into `to`: only what a SELECT of its own needs; values and model stay known to both. */
function moveInto(from: Query, to: Query): void {
  to.adopt(from);
  to.where.push(...from.where.splice(0));
  for (const [name, annotation] of from.annotations) to.annotations.set(name, annotation);
  to.order = from.order;
  to.reversed = from.reversed;
  to.distinct = from.distinct;
  to.limit = from.limit;
  to.offset = from.offset;
  to.values = from.values;
  to.related = from.related;
  to.deferred = from.deferred;
  to.deferredRelated = from.deferredRelated;
  to.combination = from.combination;
  to.groupBy = from.groupBy;
  to.empty = from.empty;
  from.order = [];
  from.reversed = false;
  from.distinct = false;
  from.limit = from.offset = null;
  from.related = null;
  from.groupBy = null;
  from.empty = false;
}
