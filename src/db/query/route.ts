import { tracePromise } from '../../asyncio/index.ts';
import type { Answer, Backend, Executor, StatementShape } from '../backends/base.ts';
import { type QueryMessage, queryChannel } from '../channels.ts';
import { ambient, currentDatabases } from '../databases.ts';
import type { Meta } from '../model/meta.ts';

/** Where a statement goes. */
export interface Route {
  readonly alias: string;
  readonly backend: Backend;
  readonly executor: Executor;
}

/** Bumped by every write of this process: what was fetched ahead for siblings is valid only while it stands still. */
let epoch = 0;
export function writeEpoch(): number {
  return epoch;
}
export function noteWrite(): void {
  epoch++;
}

/** The executor for a model: `using()`, else the router's choice, else 'default'; inside its open transaction. */
export function route(meta: Meta, using: string | null, writes: boolean): Route {
  if (writes) epoch++;
  const found = ambient.get();
  const databases = found ? found.databases : currentDatabases();
  let alias = using;
  if (alias === null) {
    const { router } = databases;
    alias =
      (router === undefined ? undefined : writes ? router.write?.(meta.label) : router.read?.(meta.label)) ??
      'default';
    // Inside a transaction reads see what it wrote.
    if (!writes && router !== undefined) {
      const own = router.write?.(meta.label) ?? 'default';
      if (found?.transactions.get(own)?.includesHere) alias = own;
    }
  }
  const transaction = found?.transactions.get(alias);
  if (transaction?.includesHere) return { alias, backend: transaction.backend, executor: transaction };
  const backend = databases.get(alias);
  return { alias, backend, executor: backend };
}

/** Runs one statement, telling whoever listens. */
export function run<T = Answer>(
  { alias, backend, executor }: Route,
  sql: string,
  params: readonly unknown[],
  shape: StatementShape | undefined,
  map?: (answer: Answer) => T,
): Promise<T> {
  if (!queryChannel.start.hasSubscribers) return executor.execute(sql, params, shape, map);
  const message: QueryMessage = {
    alias,
    vendor: backend.vendor,
    sql,
    params,
    transaction: (executor as unknown) !== backend,
  };
  return tracePromise(
    queryChannel,
    () =>
      executor.execute(sql, params, shape, (answer) => {
        message.rows = answer.rows.length || answer.count;
        if (answer.waited !== undefined) message.waited = answer.waited;
        return (map === undefined ? answer : map(answer)) as T;
      }),
    message,
  ) as Promise<T>;
}
