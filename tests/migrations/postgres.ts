/** The real PostgreSQL of this machine through `pg`: a database of its own, dropped at the end. */
import pg from 'pg';
import type { Answer, Backend, BeginOptions, Connection } from '../../src/db/index.ts';
import { Databases } from '../../src/db/index.ts';

const SERVER = process.env['SOBAYA_TEST_POSTGRESQL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

/** Why tests are skipped, or false. */
export async function postgresMissing(): Promise<string | false> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return false;
  } catch (error) {
    return `no PostgreSQL at ${SERVER}: ${(error as Error).message}`;
  }
}

async function ask(client: pg.ClientBase, text: string, values: readonly unknown[]): Promise<Answer> {
  const result = await client.query({ text, values: [...values], rowMode: 'array' });
  return {
    rows: result.rows as unknown[][],
    count: result.rowCount ?? 0,
    columns: result.fields.map((one) => one.name),
  };
}

class PgConnection
  implements Pick<Connection, 'query' | 'script' | 'begin' | 'commit' | 'rollback' | 'release'>
{
  readonly #client: pg.PoolClient;
  #open = false;
  constructor(client: pg.PoolClient) {
    this.#client = client;
  }
  async execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    _shape?: unknown,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    const answer = await ask(this.#client, sql, params);
    return map === undefined ? (answer as T) : map(answer);
  }
  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return ask(this.#client, sql, params);
  }
  async script(sql: string): Promise<void> {
    await this.#client.query(sql);
  }
  async control(sql: string): Promise<void> {
    await this.#client.query(sql);
  }
  async begin(_options: BeginOptions): Promise<void> {
    await this.#client.query('BEGIN');
    this.#open = true;
  }
  async commit(): Promise<void> {
    await this.#client.query('COMMIT');
    this.#open = false;
  }
  async rollback(): Promise<void> {
    if (this.#open) await this.#client.query('ROLLBACK');
    this.#open = false;
  }
  release(): void {
    this.#client.release();
  }
}

export class PostgresDatabase extends Databases {
  readonly name = `sobaya_migrations_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  #pool: pg.Pool | null = null;
  #backend: Backend | null = null;

  constructor() {
    super({ default: 'postgresql://postgres@127.0.0.1/postgres' });
  }

  async create(): Promise<this> {
    await this.#admin(`CREATE DATABASE ${this.name}`);
    const url = new URL(SERVER);
    url.pathname = `/${this.name}`;
    const pool = new pg.Pool({ connectionString: url.href, max: 5 });
    pool.on('error', () => {});
    this.#pool = pool;
    const real = super.get('default');
    const bare = {
      execute: async (
        sql: string,
        params: readonly unknown[] = [],
        _shape?: unknown,
        map?: (answer: Answer) => unknown,
      ) => {
        const client = await pool.connect();
        try {
          const answer = await ask(client, sql, params);
          return map === undefined ? answer : map(answer);
        } finally {
          client.release();
        }
      },
      query: (sql: string, params: readonly unknown[] = []) => bare.execute(sql, params),
      script: async (sql: string) => {
        await pool.query(sql);
      },
      connect: async () => new PgConnection(await pool.connect()),
      vendor: real.vendor,
      alias: 'default',
      features: real.features,
      dialect: real.dialect,
      target: real.target,
      quote: (name: string) => real.quote(name),
      columnType: (...args: Parameters<Backend['columnType']>) => real.columnType(...args),
    };
    this.#backend = bare as unknown as Backend;
    return this;
  }

  override get(): Backend {
    if (this.#backend === null) throw new Error('create() first');
    return this.#backend;
  }

  /** An empty database again. */
  async clear(): Promise<void> {
    await this.#pool?.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  }

  async drop(): Promise<void> {
    await this.#pool?.end();
    await this.#admin(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }

  async #admin(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: SERVER });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}
