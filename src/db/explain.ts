import type { Backend, Executor, ExplainOptions } from './backends/base.ts';
import { currentDatabases } from './databases.ts';

export interface ExplainStatementOptions extends ExplainOptions {
  /** Which database. Default 'default'. */
  readonly using?: string;
}

/** The plan of a statement, as the database tells it, a line per row. */
export async function explained(
  backend: Backend,
  executor: Executor,
  sql: string,
  params: readonly unknown[],
  options: ExplainOptions,
): Promise<string> {
  const { rows } = await executor.query(backend.explaining(options) + sql, params);
  return rows
    .map((row) =>
      row.map((cell) => (typeof cell === 'object' ? JSON.stringify(cell) : String(cell))).join(' '),
    )
    .join('\n');
}

/**
 * The plan of any one statement: of what `sobaya:db.query` told of (`message.sql`, `message.params`), or one's own. With
 * `analyze` the statement runs, inside a transaction of its own that is rolled back; without it nothing does.
 */
export async function explainStatement(
  sql: string,
  params: readonly unknown[] = [],
  { using = 'default', ...options }: ExplainStatementOptions = {},
): Promise<string> {
  const backend = currentDatabases().get(using);
  // Not in a transaction that may be open here: a statement that does not compile would break it.
  if (options.analyze !== true) return explained(backend, backend, sql, params, options);
  const connection = await backend.connect();
  try {
    await connection.begin({});
    return await explained(backend, connection, sql, params, options);
  } finally {
    await connection.rollback().finally(() => connection.release());
  }
}
