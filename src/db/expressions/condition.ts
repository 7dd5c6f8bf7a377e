import { fault } from '../../errors/index.ts';
import { isInstance } from '../model/base.ts';
import { type Given, isNull, lookupNode, SubNode } from '../sql/lookups.ts';
import { BOOLEAN, ColumnNode, NOTHING, type Node, WhereNode } from '../sql/nodes.ts';
import { type ManyHop, Query } from '../sql/query.ts';
import { selectSql } from '../sql/select.ts';
import { Expr, type Resolver, type Writer } from './expression.ts';

/** A queryset, as conditions see one. */
export interface QuerySource {
  /** Writes its structure and its values. */
  writeQuery(w: Writer): void;
  /** Builds it inside another query. */
  buildQuery(outer: Query, slot: number): Query;
}
export function isQuerySource(value: unknown): value is QuerySource {
  return typeof (value as QuerySource | null)?.writeQuery === 'function';
}

/** What was given to a lookup, as written: how it changes the SQL, and how it is found again when resolved. */
export function writeGiven(w: Writer, key: string, value: unknown): void {
  if (value === undefined)
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: key,
      got: value,
      expected: 'a value; leave the lookup out, or write null',
    });
  if (value === null) {
    w.text += 'n;';
    return;
  }
  if (typeof value === 'boolean' && key.endsWith('__isnull')) {
    w.text += value ? 't;' : 'f;';
    return;
  }
  if (typeof value === 'object' || typeof value === 'function') {
    if (value instanceof Expr) {
      w.text += 'e';
      value.write(w);
      return;
    }
    if (isQuerySource(value) && !isInstance(value)) {
      w.text += 'q';
      w.slots?.set(value, w.values.length);
      value.writeQuery(w);
      w.text += ';';
      return;
    }
    if (Array.isArray(value) && value.some((item) => item instanceof Expr)) {
      w.text += 'l';
      for (const item of value) {
        if (item instanceof Expr) item.write(w);
        else {
          w.text += 'v;';
          w.values.push(item);
        }
      }
      w.text += ';';
      return;
    }
    if (Array.isArray(value) && value.length === 2 && key.endsWith('__range')) {
      w.text += 'r;';
      w.values.push(value[0], value[1]);
      return;
    }
  }
  w.text += 'v;';
  w.values.push(value);
}

/** The same, resolved; `slot` is where its values begin. */
export function resolveGiven(r: Resolver, key: string, value: unknown, slot: number): Given {
  if (value === null) return { tag: 'null' };
  if (typeof value === 'boolean' && key.endsWith('__isnull')) return { tag: 'flag', value };
  if (value instanceof Expr) return { tag: 'nodes', nodes: [value.resolve(r)] };
  if (isQuerySource(value) && !isInstance(value)) return subqueryGiven(r.query, value, slot);
  if (Array.isArray(value) && value.some((item) => item instanceof Expr)) {
    const nodes = value.map((item) => {
      if (item instanceof Expr) return item.resolve(r);
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: key,
        got: item,
        expected: 'either plain values or expressions; wrap plain ones in Value()',
      });
    });
    return { tag: 'nodes', nodes };
  }
  if (Array.isArray(value) && value.length === 2 && key.endsWith('__range')) return { tag: 'range', slot };
  return { tag: 'value', slot };
}

export function subqueryGiven(outer: Query, source: QuerySource, slot: number): Given {
  const inner = source.buildQuery(outer, slot);
  return { tag: 'subquery', sql: (c) => selectSql(inner, c, 'subquery'), children: [] };
}

/** Whether a leaf stands under a negation, and whether under an odd number of them. */
interface Sign {
  readonly current: boolean;
  readonly branch: boolean;
  /** In an expression (a case, the filter of an aggregate) a condition is about the joined rows themselves. */
  readonly whole?: boolean;
}

/** One lookup as SQL. Negated lookups over many rows become EXISTS, as excluding a row must look at all of them. */
export function leaf(r: Resolver, key: string, given: (query: Query) => Given, sign: Sign): Node {
  const { query } = r;
  const hop = sign.branch && sign.whole !== true ? query.manyHop(key) : null;
  if (hop !== null) return splitExclude(r, key, hop, given);
  const target = query.walk(key, r.reuse);
  const site = { path: key, relation: target.relation };
  const value = given(query);
  const { node, lookup } = lookupNode(target.node, target.rest, value, site);
  if (!sign.current || target.annotation !== null || lookup === 'isnull' || value.tag === 'null') return node;
  // NOT (x = 1) is unknown where x is NULL, yet such a row does not have x = 1: it belongs to the answer.
  const extra: Node[] = [];
  const column = innermost(target.node);
  if (column?.nullable) extra.push(isNull(target.node, false));
  for (const side of node.children.slice(1))
    if (side instanceof ColumnNode && side.field.null) extra.push(isNull(side, false));
  return extra.length === 0 ? node : new WhereNode('AND', false, [node, ...extra]);
}

function innermost(node: Node): ColumnNode | null {
  if (node instanceof ColumnNode) return node;
  return node.children.length === 0 ? null : innermost(node.children[0] as Node);
}

function splitExclude(r: Resolver, key: string, hop: ManyHop, given: (query: Query) => Given): Node {
  const { query } = r;
  const alias = query.aliasOf(hop.prefix);
  const prefix = `${query.prefix}${query.joins.size}x`;
  const inner = new Query(hop.meta, prefix, query);
  const remainder = hop.remainder.join('__');
  // What it is compared with belongs to the outer query.
  const outside = given(query);
  const build = (from: Query, path: string): Node => {
    const reuse = new Set<string>();
    return leaf({ ...r, query: from, reuse }, path, () => outside, { current: false, branch: false });
  };
  const condition = build(inner, remainder);
  let restrict: Node;
  let sub: Query;
  // If the same filter() already speaks of one of the many rows, it is that row which is excluded.
  const same = [...query.joins.values()].find(
    (join, at) =>
      join.parent === alias &&
      join.key === hop.key &&
      join.meta === hop.meta &&
      (r.reuse === null || r.reuse.has(join.alias)) &&
      firstOfItsTable(query, hop, at),
  );
  // Every alias of the inner query hangs on its first table.
  const demanded = [...condition.demands()].some((one) => one === inner.base || inner.joins.has(one));
  if (!demanded) {
    // The condition may hold where there is no row at all: the outer join has to be made inside.
    sub = new Query(hop.from, prefix, query);
    const path = key.split('__').slice(hop.prefix.length).join('__');
    sub.where.push(build(sub, path));
    restrict = equal(sub.column(sub.base, hop.from.pk), query.column(alias, hop.from.pk));
  } else {
    sub = inner;
    sub.where.push(condition);
    restrict =
      same === undefined
        ? equal(inner.column(inner.base, hop.back), query.column(alias, hop.back.target))
        : equal(inner.column(inner.base, hop.meta.pk), query.column(same.alias, hop.meta.pk));
  }
  sub.where.unshift(restrict);
  return new ExistsNode(sub);
}

/**
 * Django speaks of the same row only through the first join of a table (its alias is the table's name then), or one
 * that stands at the place where the subquery's own join would.
 */
function firstOfItsTable(query: Query, hop: ManyHop, at: number): boolean {
  const before = [query.meta, ...[...query.joins.values()].slice(0, at).map((join) => join.meta)];
  return !before.includes(hop.meta) || (hop.from === hop.meta && at === hop.prefix.length);
}

function equal(left: ColumnNode, right: ColumnNode): Node {
  return new EqualNode(left, right);
}
class EqualNode extends WhereNode {
  constructor(left: ColumnNode, right: ColumnNode) {
    super('AND', false, [left, right]);
  }
  override sql(c: Parameters<Node['sql']>[0]): string {
    return `${(this.children[0] as Node).sql(c)} = ${(this.children[1] as Node).sql(c)}`;
  }
  override demands(): ReadonlySet<string> {
    return (this.children[0] as Node).demands();
  }
}

export class ExistsNode extends SubNode {
  constructor(query: Query) {
    super((c) => selectSql(query, c, 'exists'), [], BOOLEAN);
  }
  override sql(c: Parameters<Node['sql']>[0]): string {
    return c.lift === null ? `EXISTS ${super.sql(c)}` : c.lift.column(this);
  }
  override demands(): ReadonlySet<string> {
    return NOTHING;
  }
}

type Connector = 'AND' | 'OR' | 'XOR';
type Part = ConditionTree | Expr | Readonly<Record<string, unknown>>;

/** Lookups under and, or, xor, not: Django's Q. Immutable. */
export class ConditionTree {
  readonly connector: Connector;
  readonly negated: boolean;
  readonly parts: readonly Part[];

  constructor(connector: Connector, negated: boolean, parts: readonly Part[]) {
    this.connector = connector;
    this.negated = negated;
    this.parts = parts;
  }

  #with(connector: Connector, other: unknown): ConditionTree {
    const part = asPart(other);
    if (part instanceof ConditionTree && part.parts.length === 0) return this;
    if (this.parts.length === 0) return new ConditionTree('AND', false, [part]);
    if (this.connector === connector && !this.negated)
      return new ConditionTree(connector, false, [...this.parts, part]);
    return new ConditionTree(connector, false, [this, part]);
  }
  and(other: unknown): ConditionTree {
    return this.#with('AND', other);
  }
  or(other: unknown): ConditionTree {
    return this.#with('OR', other);
  }
  xor(other: unknown): ConditionTree {
    return this.#with('XOR', other);
  }
  not(): ConditionTree {
    return new ConditionTree('AND', true, [this]);
  }

  write(w: Writer): void {
    w.text += `[${this.negated ? '!' : ''}${this.connector}`;
    for (const part of this.parts) {
      if (part instanceof ConditionTree) part.write(w);
      else if (part instanceof Expr) {
        w.text += 'x';
        part.write(w);
      } else {
        w.text += '{';
        for (const key of Object.keys(part)) {
          checkKey(key);
          w.text += `${key}:`;
          w.slots?.set(part, w.slots.get(part) ?? w.values.length);
          writeGiven(w, key, part[key]);
        }
        w.text += '}';
      }
    }
    w.text += ']';
  }

  resolveTree(r: Resolver, sign: Sign): Node {
    const current = sign.current !== this.negated;
    const inner: Sign = { ...sign, current, branch: sign.branch || this.negated };
    const children: Node[] = [];
    for (const part of this.parts) {
      if (part instanceof ConditionTree) children.push(part.resolveTree(r, inner));
      else if (part instanceof Expr) children.push(part.resolve(r));
      else {
        // The values of a lookup object stand one after another, from the slot that was noted for it.
        let slot = (r.slots.get(part) ?? 0) + r.offset;
        const lookups: Node[] = [];
        for (const key of Object.keys(part)) {
          const value = part[key];
          const at = slot;
          slot += countValues(key, value);
          lookups.push(leaf(r, key, (query) => resolveGiven({ ...r, query }, key, value, at), inner));
        }
        children.push(lookups.length === 1 ? (lookups[0] as Node) : new WhereNode('AND', false, lookups));
      }
    }
    return new WhereNode(this.connector, this.negated, children);
  }
}

/** How many values writeGiven() pushed. */
function countValues(key: string, value: unknown): number {
  const w = { text: '', values: [] as unknown[], slots: null } as unknown as Writer;
  w.value = (_owner, one) => void w.values.push(one);
  writeGiven(w, key, value);
  return w.values.length;
}

/** Lookup keys come from JSON too: what is no path of names is refused before it goes anywhere. */
const KEY = /^[A-Za-z][\w-]*$/;
export function checkKey(key: string): void {
  if (!KEY.test(key) && !/^[A-Za-z]\w*__[^"'`;\\\0-\x1f]+$/.test(key))
    throw fault('SBY_DB_BAD_NAME', { what: 'lookup', got: key });
}

export function asPart(value: unknown): Part {
  if (value instanceof ConditionTree || value instanceof Expr) return value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isInstance(value))
    return value as Readonly<Record<string, unknown>>;
  throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
    path: 'filter()',
    got: value,
    expected: 'lookups { name: value }, Q(…) or a boolean expression',
  });
}

/** A condition used as a value: annotate({ cheap: Q({ price__lt: 5 }) }), Case, the filter of an aggregate. */
export class ConditionExpr extends Expr {
  readonly tree: ConditionTree;
  constructor(tree: ConditionTree) {
    super();
    this.tree = tree;
  }
  write(w: Writer): void {
    w.text += 'Q';
    this.tree.write(w);
  }
  resolve(r: Resolver): Node {
    return this.tree.resolveTree(r, { current: false, branch: false, whole: true });
  }
}
