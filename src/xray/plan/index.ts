import { brief, type Hint, list, ms, place } from '../analysis/hints.ts';
import { mayWrite } from '../analysis/sequential.ts';
import { Kind } from '../kinds.ts';
import { Sized } from '../observers.ts';
import type { SpanRecord } from '../records.ts';
import { readSql } from '../redact.ts';
import { snapshot } from '../snapshot.ts';
import type { Trace } from '../trace.ts';
import { indexColumns, type Plan, readPostgresPlan, readSqlitePlan, tableOf } from './read.ts';

export type { Plan, Scan } from './read.ts';

export interface Planned {
  readonly plan: Plan | null;
  /** Why there is none. */
  readonly problem: string | null;
  readonly hints: readonly Hint[];
}

/** The databases of the application that x-ray is around, as far as it has any. */
export type Databases = import('../../db/index.ts').Databases;

/** Rows that are thrown away before it is worth a word. */
const MANY = 500;

/**
 * The plan of one recorded query, and whether an index would help. Only when somebody asks. With `analyze` a query that
 * only reads is carried out once more (PostgreSQL), in a transaction that is rolled back.
 */
export async function planOf(
  trace: Trace,
  seq: number,
  databases: Databases | null,
  analyze: boolean,
): Promise<Planned> {
  const none = (problem: string): Planned => ({ plan: null, problem, hints: [] });
  const slot = trace.find(seq);
  const { columns } = trace;
  if (slot < 0 || columns === null) return none('This query was forgotten meanwhile.');
  if (columns.kind[slot] !== Kind.query) return none('This is no query.');
  const sql = columns.name[slot] ?? '';
  const span = snapshot(trace)?.spans.find(({ id }) => id === seq);
  if (span === undefined) return none('This query was forgotten meanwhile.');
  if (!/^[\s(]*(?:select|with|values|insert|update|delete|merge)\b/i.test(sql) || sql.endsWith('…'))
    return none(
      'Only SELECT, INSERT, UPDATE and DELETE have a plan, and only when they were recorded whole.',
    );
  const { ambient, currentDatabases, explainStatement } = await import('../../db/index.ts');
  const using = columns.detail[slot] ?? 'default';
  const recorded = columns.params[slot] ?? null;
  try {
    const chosen = databases ?? currentDatabases();
    const { vendor } = chosen.get(using);
    // SQLite plans without values; elsewhere a plan for no value at all would be that of another question.
    const known = recorded?.every((value) => !(value instanceof Sized) && !isCut(value)) ?? false;
    const asked = (sql.match(/\$\d+|\?/g)?.length ?? 0) > 0;
    if (vendor !== 'sqlite' && asked && !known)
      return none(
        recorded === null
          ? 'Its parameters were not recorded, and without them the plan would be another one: call sites (debug mode) record them.'
          : 'A parameter was too long to be kept, and without it the plan would be another one.',
      );
    const params = vendor === 'sqlite' && !known ? [] : (recorded ?? []);
    const run = analyze && vendor === 'postgresql' && !mayWrite(span);
    const text = await ambient.run({ databases: chosen, transactions: new Map() }, () =>
      explainStatement(sql, params, {
        using,
        ...(vendor === 'sqlite' ? {} : { format: 'json', analyze: run }),
      }),
    );
    const plan = vendor === 'sqlite' ? readSqlitePlan(text) : readPostgresPlan(text);
    return { plan, problem: null, hints: await advice(plan, sql, seq) };
  } catch (error) {
    const { message } = error as Error;
    return none(`The database gives no plan: ${readSql(message).display.slice(0, 500)}`);
  }
}

function isCut(value: unknown): boolean {
  return typeof value === 'string' && value.length > 200;
}

/** What to declare so that a table needs not be read whole. */
async function advice(plan: Plan, sql: string, seq: number): Promise<Hint[]> {
  const { declarationOf, modelOf } = await import('./models.ts');
  const hints: Hint[] = [];
  for (const scan of plan.scans) {
    const table = tableOf(sql, scan.table);
    const columns = scan.columns ?? indexColumns(sql, scan.table, plan.sorts);
    // Whoever asks for all rows gets them quickest by reading the table.
    if (columns.length === 0 || (scan.removed !== null && scan.removed < MANY)) continue;
    const declared = modelOf(table);
    const fields = columns.map((column) => {
      const down = column.startsWith('-');
      const bare = down ? column.slice(1) : column;
      return `${down ? '-' : ''}${declared?.fields.get(bare) ?? bare}`;
    });
    // It is there already: the planner thinks that reading all is cheaper, and it counts better than we do.
    if (
      declared?.indexed.some(
        (one) => one.length >= fields.length && fields.every((field, at) => one[at] === field),
      )
    )
      continue;
    const found = declared === null ? null : await declarationOf(declared.model);
    const call = `index({ fields: [${fields.map((field) => `'${field}'`).join(', ')}] })`;
    hints.push({
      rule: 'index',
      weight: (scan.removed ?? 0) >= 10_000 ? 3 : 2,
      title: `${table} is read whole: an index on ${list(fields)} would spare that`,
      text: `The query asks ${table} by ${list(fields)}, and the database reads ${
        scan.removed === null
          ? 'every row of it to answer'
          : `${scan.removed.toLocaleString('en')} rows only to throw them away`
      }.${declared === null ? '' : ` Add it to ${declared.model}, then \`sobaya makemigrations\`.`}`,
      unknown: `An index costs a little at every write, and space. ${
        scan.removed === null
          ? 'How many rows the table has in production is not known here: below some hundreds an index gains nothing.'
          : 'These are the rows of this database; ask again where the data is of real size.'
      }`,
      saves: null,
      spans: [seq],
      site:
        found === null
          ? null
          : { file: found.file, line: found.line, column: 1, function: declared?.model ?? '' },
      change:
        declared === null
          ? {
              before: `-- ${brief(readSql(sql).shape, 120)}`,
              after: `CREATE INDEX ON ${table} (${columns.map((column) => (column.startsWith('-') ? `${column.slice(1)} DESC` : column)).join(', ')});`,
            }
          : {
              before: `class ${declared.model} extends Model({ … }) {}`,
              after: `class ${declared.model} extends Model({ … }, {\n  indexes: [${call}],\n}) {}`,
            },
    });
  }
  return hints;
}

/** For a terminal: a query, its plan, and what to declare. */
export function planText({ plan, problem, hints }: Planned, span: SpanRecord, took: number): string[] {
  const lines = [`${brief(span.name, 160)}  (${ms(took)}${place(span.site) ? `, ${place(span.site)}` : ''})`];
  if (plan === null) return [...lines, `  ${problem}`];
  for (const line of plan.lines) lines.push(`    ${line}`);
  for (const hint of hints) {
    lines.push(`  ○ ${hint.title}`, `    ${hint.text}`);
    if (hint.site !== null) lines.push(`    ${hint.site.file}:${hint.site.line}`);
    for (const line of hint.change?.before.split('\n') ?? []) lines.push(`    - ${line}`);
    for (const line of hint.change?.after.split('\n') ?? []) lines.push(`    + ${line}`);
    lines.push(`    ${hint.unknown}`);
  }
  if (hints.length === 0 && plan.scans.length === 0) lines.push('  Every table is read through an index.');
  return lines;
}
