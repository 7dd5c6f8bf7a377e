import { tracingChannel } from 'node:diagnostics_channel';
import { sleep } from 'sobaya/asyncio';
import { ignoreSites } from 'sobaya/xray';

ignoreSites(import.meta.url);

/** Stand-ins for the rooms that publish: they wait on a real timer and tell it on the channels of the contract. */
interface QueryMessage {
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly database: string;
  rows?: number;
  waited?: number;
}
const queries = tracingChannel<QueryMessage, object>('sobaya:db.query');
const transactions = tracingChannel<{ savepoint: string | null; outcome?: string }, object>(
  'sobaya:db.transaction',
);
const requests = tracingChannel<
  { method: string; url: string; headers: Map<string, string>; status?: number },
  object
>('sobaya:client.request');
const views = tracingChannel<{ name: string; route: string }, object>('sobaya:http.view');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const database = {
  query<T>(
    sql: string,
    params: readonly unknown[] = [],
    rows: T[] = [],
    ms = 12,
    waited?: number,
  ): Promise<T[]> {
    const work = async (): Promise<T[]> => {
      await pause(ms);
      return rows;
    };
    if (!queries.start.hasSubscribers) return work();
    const message: QueryMessage = { sql, params, database: 'default' };
    return queries.tracePromise(async () => {
      const result = await work();
      message.rows = result.length;
      if (waited !== undefined) message.waited = waited;
      return result;
    }, message);
  },
  atomic<T>(fn: () => Promise<T>): Promise<T> {
    const message: { savepoint: null; outcome?: string } = { savepoint: null };
    return transactions.tracePromise(async () => {
      const result = await fn();
      message.outcome = 'commit';
      return result;
    }, message);
  },
};

export function api(path: string, ms = 12, body = ''): Promise<{ body: string }> {
  const message: { method: string; url: string; headers: Map<string, string>; status?: number } = {
    method: 'GET',
    url: `http://supplier.test${path}`,
    headers: new Map(),
  };
  return requests.tracePromise(async () => {
    await pause(ms);
    message.status = 200;
    return { body };
  }, message);
}

export function view<T>(name: string, fn: () => Promise<T>): Promise<T> {
  return views.tracePromise(fn, { name, route: `${name}/` });
}

export { sleep };
