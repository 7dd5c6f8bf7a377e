import { after } from 'node:test';
import { Connection, type ConnectOptions } from 'sobaya/postgresql';

const url = process.env['SOBAYA_TEST_POSTGRESQL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

/** A database of this file's own, dropped at the end; `skip` says why there is none. */
export const { database, skip } = await create();

/** Options for a connection to it. */
export const options: ConnectOptions = { url, database };

async function create(): Promise<{ database: string; skip: string | false }> {
  const name = `sobaya_test_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  let admin: Connection;
  try {
    admin = await Connection.connect({ url, connectTimeout: 3000 });
  } catch (error) {
    return { database: '', skip: `no PostgreSQL server: ${(error as Error).message}` };
  }
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.close();
  after(async () => {
    await using connection = await Connection.connect({ url });
    await connection.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
  return { database: name, skip: false };
}

/** A connection that ends with the test. */
export async function connect(
  t: { after(fn: () => unknown): void },
  more: ConnectOptions = {},
): Promise<Connection> {
  const connection = await Connection.connect({ ...options, ...more });
  t.after(() => connection.destroy());
  return connection;
}

/** Resolves when `condition` holds; asked again and again, for what only another session can see. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > 20_000) throw new Error('what was waited for did not happen');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
