import { fault } from '../../errors/index.ts';
import type { Row } from '../backends/base.ts';
import { type Expr, Writer } from '../expressions/expression.ts';
import type { Compiler } from '../sql/compiler.ts';
import {
  AggregateNode,
  CaseNode,
  CombineNode,
  FuncNode,
  LiteralNode,
  type Node,
  WindowNode,
} from '../sql/nodes.ts';
import type { Query } from '../sql/query.ts';
import { selectSql } from '../sql/select.ts';
import { decoder } from './hydrate.ts';
import { asExpr, type QuerySetImpl } from './queryset.ts';
import { run } from './route.ts';

const NAME = /^[A-Za-z][A-Za-z0-9]*(?:_{1,2}[A-Za-z0-9]+)*$/;

/** aggregate({ n: Count('id') }): one row over all rows of the query. */
export async function aggregate(
  set: QuerySetImpl,
  given: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const names = Object.keys(given);
  const exprs: Expr[] = [];
  for (const name of names) {
    if (!NAME.test(name) || name in {}) throw fault('SBY_DB_BAD_NAME', { what: 'aggregate name', got: name });
    exprs.push(asExpr(given[name]));
  }
  if (names.length === 0) return {};
  const vals = set.vals.slice();
  const slots = new Map<object, number>();
  const w = new Writer(vals, slots);
  for (const [i, expr] of exprs.entries()) {
    w.text += `${names[i]}=`;
    expr.write(w);
  }
  const to = set.route();
  const compiled = set.compile(to, `aggregate ${w.text}`, (query, c) => {
    const nodes: Node[] = [];
    for (const [i, expr] of exprs.entries()) {
      const node = expr.resolve({ query, slots, offset: 0, reuse: null, summarize: true });
      if (!node.aggregate)
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: `has "${names[i]}" in aggregate(), which is no aggregate`,
          fix: 'Use Count(), Sum(), …, or annotate()',
        });
      if (nodes.some((other) => node.children.includes(other)))
        throw fault('SBY_DB_BAD_QUERY', {
          model: query.meta.label,
          problem: `has "${names[i]}" in aggregate() over another aggregate of the same call`,
          fix: 'Give the aggregates names that are no fields',
        });
      nodes.push(node);
      // Later ones may refer to earlier ones.
      query.annotations.set(names[i] as string, { node, selected: false });
    }
    return { sql: aggregateSql(query, nodes, c), reads: true, extra: nodes.map((node) => decoder(node)) };
  });
  const decoders = compiled.extra as (((raw: unknown) => unknown) | null)[];
  return run(to, compiled.shape.sql, compiled.bind(vals), compiled.shape, ({ rows }) => {
    const row = rows[0] as Row;
    const out: Record<string, unknown> = {};
    names.forEach((name, i) => {
      const decode = decoders[i];
      out[name] = row[i] === null || decode == null ? (row[i] ?? null) : decode(row[i]);
    });
    return out;
  });
}

function aggregateSql(query: Query, nodes: readonly Node[], c: Compiler): string {
  const nested =
    query.sliced ||
    query.distinct !== false ||
    query.groupBy !== null ||
    query.combination !== null ||
    hasAggregates(query);
  if (!nested) {
    query.order = [];
    return selectSql(query, c, 'subquery', nodes);
  }
  // The rows first, as a table of their own; then the aggregates over its columns.
  const inner: Node[] = [];
  const outer = nodes.map((node) => lift(node, inner));
  const columns = inner.map(
    (node, i) => new FuncNode('as', [node], node.output, false, ([x]) => `${x} AS c${i}`),
  );
  const own =
    query.distinct === true && query.values === null
      ? query.meta.columns.map((field) => query.column(query.base, field))
      : [];
  const base =
    columns.length > 0 || own.length > 0 ? [...columns, ...own] : [query.column(query.base, query.meta.pk)];
  const rows = selectSql(query, c, query.sliced ? 'subquery' : 'count', base.map(grouped));
  return `SELECT ${outer.map((node) => node.sql(c)).join(',')} FROM (${rows}) s`;
}

/** An `x AS c0` groups by x. */
function grouped(node: Node): Node {
  if (!(node instanceof FuncNode) || node.name !== 'as') return node;
  const [child] = node.children as [Node];
  Object.defineProperty(node, 'groupBy', { value: () => child.groupBy() });
  return node;
}

function hasAggregates(query: Query): boolean {
  return query.where.some((node) => node.aggregate);
}

/** Replaces what an aggregate is over by a column of the inner SELECT. */
function lift(node: Node, inner: Node[]): Node {
  if (node instanceof AggregateNode) {
    const column = (child: Node): Node => {
      const at = inner.push(child) - 1;
      return new LiteralNode(`s.c${at}`, child.output);
    };
    const conditions = node.condition === null ? 0 : 1;
    const args = node.children.slice(0, node.children.length - node.order.length - conditions);
    if (node.children.some((child) => child.aggregate) || args.length > 0 || node.condition !== null)
      return new AggregateNode(
        node.name,
        args.map(column),
        node.output,
        node.distinct,
        node.condition === null ? null : column(node.condition),
      );
    return node;
  }
  if (node instanceof CombineNode) {
    const [left, right] = node.children as [Node, Node];
    return new CombineNode(node.operator, lift(left, inner), lift(right, inner), node.output);
  }
  if (node instanceof FuncNode)
    return new FuncNode(
      node.name,
      node.children.map((child) => lift(child, inner)),
      node.output,
      node.strict,
      node.template,
    );
  if (node instanceof CaseNode || node instanceof WindowNode) return node;
  return node;
}
