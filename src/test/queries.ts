import { ContextVar } from '../asyncio/index.ts';
import { type QueryMessage, queryChannel } from '../db/index.ts';
import { fault } from '../errors/index.ts';

const counting = new ContextVar<QueryMessage[] | null>('captured queries', null);
let listeners = 0;
const bookkeeping = /^\s*(?:BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET TRANSACTION)\b/i;

function note(message: unknown): void {
  const query = message as QueryMessage;
  if (!bookkeeping.test(query.sql)) counting.get()?.push(query);
}

/** The SQL statements that `fn`, and what it starts, sends; others at the same time do not count. */
export async function captureQueries<T>(
  fn: () => T | PromiseLike<T>,
): Promise<{ result: Awaited<T>; queries: QueryMessage[] }> {
  const queries: QueryMessage[] = [];
  if (listeners++ === 0) queryChannel.start.subscribe(note);
  try {
    const result = await counting.run(queries, fn);
    return { result, queries };
  } finally {
    if (--listeners === 0) queryChannel.start.unsubscribe(note);
  }
}

/** Fails unless `fn` sends exactly `count` statements (BEGIN, COMMIT and savepoints not counted), and lists them. */
export async function assertNumQueries<T>(count: number, fn: () => T | PromiseLike<T>): Promise<Awaited<T>> {
  const { result, queries } = await captureQueries(fn);
  if (queries.length !== count)
    throw fault('SBY_TEST_NUM_QUERIES', { expected: count, queries: queries.map((query) => query.sql) });
  return result;
}
