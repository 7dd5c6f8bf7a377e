import { fault } from '../../errors/index.ts';
import type { Row } from '../backends/base.ts';
import { type Expr, Writer } from '../expressions/expression.ts';
import type { Compiler } from '../sql/compiler.ts';
import { Node } from '../sql/nodes.ts';
import type { Query } from '../sql/query.ts';
import { selection, selectSql } from '../sql/select.ts';
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
  if (query.combination !== null)
    throw fault('SBY_DB_BAD_QUERY', {
      model: query.meta.label,
      problem: 'cannot aggregate after union(), intersection() or difference()',
      fix: 'Filter by the keys of the combined rows: filter({ pk__in: … }).aggregate(…)',
    });
  const nested = query.sliced || query.distinct !== false || query.groupBy !== null || hasAggregates(query);
  if (!nested) {
    query.order = [];
    return selectSql(query, c, 'subquery', nodes);
  }
  // The rows first, as a table of their own; then the aggregates over its columns.
  const inner: Node[] = [];
  c.lift = {
    takes: (alias) => alias === query.base || query.joins.has(alias),
    inside: false,
    column(node) {
      let at = inner.indexOf(node as Node);
      if (at < 0) at = inner.push(node as Node) - 1;
      return `s.c${at}`;
    },
  };
  const outer = nodes.map((node) => node.sql(c)).join(',');
  c.lift = null;
  // Which rows are equal is a matter of all that was selected.
  const own = query.distinct === true ? selection(query).columns.map(({ node }) => node) : [];
  const columns: Node[] = [...inner.map((node, i) => new NamedNode(node, `c${i}`)), ...own];
  if (columns.length === 0) columns.push(query.column(query.base, query.meta.pk));
  const rows = selectSql(query, c, query.sliced ? 'subquery' : 'count', columns);
  return `SELECT ${outer} FROM (${rows}) s`;
}

/** `x AS c0`, which groups by x. */
class NamedNode extends Node {
  readonly output: Node['output'];
  readonly name: string;
  constructor(node: Node, name: string) {
    super([node]);
    this.output = node.output;
    this.name = name;
  }
  override groupBy(): readonly Node[] {
    return (this.children[0] as Node).groupBy();
  }
  sql(c: Compiler): string {
    return `${(this.children[0] as Node).sql(c)} AS ${this.name}`;
  }
}

function hasAggregates(query: Query): boolean {
  return query.where.some((node) => node.aggregate);
}
