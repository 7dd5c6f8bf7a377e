/** Which migrations a database has had: the table `sobaya_migrations` in that database. */
import type { Backend, Executor } from '../backends/base.ts';

export interface Applied {
  readonly app: string;
  readonly name: string;
  readonly key: string;
  /** ISO 8601, UTC. */
  readonly applied: string;
  /** Fingerprint of what it did, or '' when it was recorded without running. */
  readonly hash: string;
  /** Operations done, for a migration without a transaction that has not come to its end; null when it has. */
  readonly step: number | null;
}

export const RECORDS = 'sobaya_migrations';

export class MigrationRecorder {
  readonly backend: Backend;
  readonly #table: string;

  constructor(backend: Backend) {
    this.backend = backend;
    this.#table = backend.quote(RECORDS);
  }

  #placeholders(count: number): string[] {
    return Array.from({ length: count }, (_, index) => this.backend.dialect.placeholder(index + 1));
  }

  async #exists(executor: Executor): Promise<boolean> {
    const { rows } = await executor.query(
      this.backend.vendor === 'sqlite'
        ? `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '${RECORDS}'`
        : `SELECT 1 WHERE to_regclass('${RECORDS}') IS NOT NULL`,
    );
    return rows.length > 0;
  }

  async ensure(executor: Executor = this.backend): Promise<void> {
    if (await this.#exists(executor)) return;
    await executor.script(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied varchar(32) NOT NULL, hash varchar(64) NOT NULL, step integer NULL, PRIMARY KEY (app, name))`,
    );
  }

  /** In the order in which they were applied. */
  async applied(executor: Executor = this.backend): Promise<Map<string, Applied>> {
    if (!(await this.#exists(executor))) return new Map();
    const { rows } = await executor.query(
      `SELECT app, name, applied, hash, step FROM ${this.#table} ORDER BY applied, app, name`,
    );
    return new Map(
      rows.map((row) => {
        const [app, name, applied, hash, step] = row as [string, string, string, string, number | null];
        const key = `${app}.${name}`;
        return [key, { app, name, key, applied, hash, step: step === null ? null : Number(step) }];
      }),
    );
  }

  async one(executor: Executor, app: string, name: string): Promise<Applied | undefined> {
    return (await this.applied(executor)).get(`${app}.${name}`);
  }

  async record(
    executor: Executor,
    app: string,
    name: string,
    hash: string,
    step: number | null = null,
  ): Promise<void> {
    // One statement: between two, a process that dies would leave no record of what is half done.
    await executor.execute(
      `INSERT INTO ${this.#table} (app, name, applied, hash, step) VALUES (${this.#placeholders(5).join(', ')}) ON CONFLICT (app, name) DO UPDATE SET applied = excluded.applied, hash = excluded.hash, step = excluded.step`,
      [app, name, new Date().toISOString(), hash, step],
    );
  }

  async forget(executor: Executor, app: string, name: string): Promise<void> {
    const [first, second] = this.#placeholders(2);
    await executor.execute(`DELETE FROM ${this.#table} WHERE app = ${first} AND name = ${second}`, [
      app,
      name,
    ]);
  }
}
