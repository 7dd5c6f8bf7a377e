/** Reads plans of queries: what is read whole, and which columns of it the query asked by. Pure functions of texts. */

/** A table that the database reads from the first row to the last. */
export interface Scan {
  readonly table: string;
  /** Rows that were read and thrown away, where that is known (EXPLAIN ANALYZE). */
  readonly removed: number | null;
  /** Columns that the database itself made an index on for the moment. */
  readonly columns?: readonly string[];
}

export interface Plan {
  readonly vendor: string;
  /** For people, a line per step. */
  readonly lines: readonly string[];
  readonly scans: readonly Scan[];
  /** Rows are sorted by hand, for want of an index in that order. */
  readonly sorts: boolean;
  /** Whether it ran, so that times and rows in it are real. */
  readonly analyzed: boolean;
}

/** SQLite: lines of "id parent unused detail" (https://www.sqlite.org/eqp.html). */
export function readSqlitePlan(text: string): Plan {
  const depth = new Map<string, number>();
  const lines: string[] = [];
  const scans: Scan[] = [];
  let sorts = false;
  for (const line of text.split('\n')) {
    const match = /^(\d+) (\d+) \d+ (.*)$/.exec(line);
    if (match === null) continue;
    const [, id = '', parent = '', detail = ''] = match;
    const level = (depth.get(parent) ?? -1) + 1;
    depth.set(id, level);
    lines.push(`${'  '.repeat(level)}${detail}`);
    // An index of the moment is made and thrown away by every such query: the table is read whole for it.
    const scan =
      /^SCAN (?!CONSTANT ROW)(?:TABLE )?["`[]?([^\s"`\]]+)["`\]]?(.*)$/.exec(detail) ??
      /^SEARCH (?:TABLE )?["`[]?([^\s"`\]]+)["`\]]? (USING AUTOMATIC .*)$/.exec(detail);
    if (scan !== null && !/^ USING (?:COVERING )?INDEX|VIRTUAL TABLE/.test(scan[2] ?? '')) {
      const made = /USING AUTOMATIC .*\(([^)]*)\)/.exec(scan[2] ?? '')?.[1];
      const columns = made?.match(/\w+(?=[=<>])/g);
      scans.push({ table: scan[1] ?? '', removed: null, ...(columns ? { columns } : {}) });
    }
    if (/^USE TEMP B-TREE FOR (?:LAST TERM OF |RIGHT PART OF |LAST \d+ TERMS OF )?ORDER BY/.test(detail))
      sorts = true;
  }
  return { vendor: 'sqlite', lines, scans, sorts, analyzed: false };
}

interface Node {
  readonly [field: string]: unknown;
}

const most = 500;

/** PostgreSQL: EXPLAIN (FORMAT JSON). */
export function readPostgresPlan(text: string): Plan {
  const lines: string[] = [];
  const scans: Scan[] = [];
  let sorts = false;
  let analyzed = false;
  const visit = (node: Node, level: number): void => {
    if (lines.length >= most) return;
    const type = String(node['Node Type'] ?? '?');
    const table = node['Relation Name'];
    const filter = node['Filter'];
    const removed = node['Rows Removed by Filter'];
    const loops = Number(node['Actual Loops'] ?? 1);
    if ('Actual Rows' in node) analyzed = true;
    const rows =
      'Actual Rows' in node
        ? `${Number(node['Actual Rows'])} rows${loops > 1 ? ` × ${loops}` : ''}, ${Number(node['Actual Total Time'])} ms`
        : `about ${Number(node['Plan Rows'] ?? 0)} rows, cost ${Number(node['Total Cost'] ?? 0)}`;
    const index = node['Index Name'] === undefined ? '' : ` using ${String(node['Index Name'])}`;
    lines.push(
      `${'  '.repeat(level)}${type}${index}${table === undefined ? '' : ` on ${String(table)}`}  (${rows})`,
    );
    for (const field of ['Index Cond', 'Hash Cond', 'Filter', 'Sort Key'])
      if (node[field] !== undefined)
        lines.push(`${'  '.repeat(level + 2)}${field}: ${withoutValues(String(node[field]))}`);
    if (removed !== undefined)
      lines.push(
        `${'  '.repeat(level + 2)}Rows removed by filter: ${Number(removed)}${loops > 1 ? ` × ${loops}` : ''}`,
      );
    if (type === 'Seq Scan' && typeof table === 'string' && filter !== undefined)
      scans.push({ table, removed: removed === undefined ? null : Number(removed) * loops });
    if (type === 'Sort') sorts = true;
    for (const child of (node['Plans'] as Node[] | undefined) ?? []) visit(child, level + 1);
  };
  try {
    const data = JSON.parse(text) as unknown;
    const top = (Array.isArray(data) ? data[0] : data) as
      | { Plan?: Node; 'Execution Time'?: unknown }
      | undefined;
    if (top?.Plan) visit(top.Plan, 0);
    if (top?.['Execution Time'] !== undefined)
      lines.push(`Execution time: ${Number(top['Execution Time'])} ms`);
  } catch {
    lines.push(...text.split('\n').slice(0, most).map(withoutValues));
  }
  return { vendor: 'postgresql', lines, scans, sorts, analyzed };
}

/** PostgreSQL shows the values of parameters in its conditions. */
function withoutValues(condition: string): string {
  return condition.replace(/'(?:[^']|'')*'/g, "'…'");
}

const NAME = '["`]?(\\w+)["`]?';
const after = '(?:\\s+AS)?\\s+["`]?(\\w+)["`]?';

/** The names under which a table stands in a statement: its own, or what it is called there. */
function aliases(sql: string): Map<string, string> {
  const found = new Map<string, string>();
  const keywords =
    /^(?:where|inner|left|right|full|cross|join|on|order|group|limit|offset|set|using|having|union|for|window)$/i;
  for (const match of sql.matchAll(
    new RegExp(`\\b(?:FROM|JOIN)\\s+(?:${NAME}\\.)?${NAME}(?:${after})?`, 'gi'),
  )) {
    const table = match[2] ?? '';
    const alias = match[3] !== undefined && !keywords.test(match[3]) ? match[3] : table;
    found.set(alias, table);
  }
  return found;
}

/**
 * The columns by which an index on `table` could answer: those compared with =, IN or IS NULL, then one that is compared
 * by range, then those of ORDER BY (with "-" where descending) if the rows are sorted by hand. Empty: the query asks by nothing an index knows.
 */
export function indexColumns(sql: string, table: string, sorts = true): string[] {
  const names = aliases(sql);
  const real = names.get(table) ?? table;
  const sole = new Set(names.values()).size <= 1;
  const mine = (qualifier: string | undefined): boolean =>
    qualifier === undefined ? sole : qualifier === table || names.get(qualifier) === real;
  // OR needs an index for each side: nothing that one declaration mends.
  const where =
    /\bWHERE\b([\s\S]*?)(?=\b(?:GROUP BY|ORDER BY|LIMIT|OFFSET|FOR UPDATE|RETURNING|UNION)\b|$)/i.exec(
      sql,
    )?.[1] ?? '';
  if (/\bOR\b/i.test(where)) return [];
  const equal: string[] = [];
  const range: string[] = [];
  const comparison =
    /(?:["`]?(\w+)["`]?\.)?["`]?(\w+)["`]?\s*(=|<=|>=|<|>|\bIN\b\s*\(|\bIS\s+NULL\b|\bBETWEEN\b)/gi;
  // What is inside of a function, or negated, an index on the column does not know.
  const plain = where
    .replace(/\bNOT\s*\([^()]*\)/gi, ' ')
    .replace(/\b(?!AND\b|IN\b|WHERE\b)[a-z_]\w*\s*\([^()]*\)\s*(?:=|<|>|LIKE|IN)/gi, ' ');
  for (const [, qualifier, column = '', operator = ''] of plain.matchAll(comparison)) {
    if (!mine(qualifier) || /^\d/.test(column)) continue;
    const list = /^(?:=|in|is)/i.test(operator) ? equal : range;
    if (!equal.includes(column) && !range.includes(column)) list.push(column);
  }
  const order: string[] = [];
  const by = /\bORDER BY\b([\s\S]*?)(?=\b(?:LIMIT|OFFSET|FOR UPDATE|UNION)\b|$)/i.exec(sql)?.[1];
  for (const part of (sorts && by?.split(',')) || []) {
    const match = /^\s*(?:["`]?(\w+)["`]?\.)?["`]?(\w+)["`]?\s*(ASC|DESC)?(?:\s+NULLS\s+\w+)?\s*$/i.exec(
      part,
    );
    // An index knows the order only up to the first thing that is not its own.
    if (match === null || !mine(match[1])) break;
    const column = match[2] ?? '';
    if (!equal.includes(column) && !/^\d/.test(column))
      order.push(match[3]?.toUpperCase() === 'DESC' ? `-${column}` : column);
  }
  const ranged = range[0];
  return ranged === undefined
    ? [...equal, ...order].slice(0, 4)
    : [...equal, ...(order[0]?.replace('-', '') === ranged ? order : [ranged])].slice(0, 4);
}

/** The table that a name in a plan stands for. */
export function tableOf(sql: string, name: string): string {
  return aliases(sql).get(name) ?? name;
}
