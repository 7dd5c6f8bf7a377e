/** The real PostgreSQL of this machine: a database of its own, dropped at the end. */
import pg from 'pg';
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
    return `no PostgreSQL at ${new URL(SERVER).host}: ${(error as Error).message}`;
  }
}

async function admin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: SERVER });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export class PostgresDatabase extends Databases {
  readonly name: string;
  readonly url: string;

  constructor(name: string = `sobaya_migrations_${process.pid}_${Math.random().toString(36).slice(2, 8)}`) {
    const url = new URL(SERVER);
    url.pathname = `/${name}`;
    super({ default: url.href });
    this.name = name;
    this.url = url.href;
  }

  async create(): Promise<this> {
    await admin(`CREATE DATABASE ${this.name}`);
    return this.open();
  }

  /** An empty database again. */
  async clear(): Promise<void> {
    await this.get().script('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  }

  async drop(): Promise<void> {
    await this.close();
    await admin(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }
}
