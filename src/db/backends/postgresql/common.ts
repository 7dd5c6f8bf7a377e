/** What both drivers of PostgreSQL have in common. */
import { currentContext } from '../../../asyncio/index.ts';
import { fault } from '../../../errors/index.ts';
import type { Deconstructed } from '../../typing/fields.ts';
import {
  type Answer,
  type BeginOptions,
  type Connection,
  checkIsolation,
  type ExplainOptions,
  type Row,
  type StatementShape,
  wholeNumber,
} from '../base.ts';
import { Holdings } from '../holdings.ts';
import { postgresDialect, postgresFeatures } from './dialect.ts';
import { columnType } from './types.ts';

export interface PostgresOptions {
  readonly engine: 'postgresql';
  /** postgres://user:password@host:port/database, with what libpq understands in its query (sslmode, …). */
  readonly url: string;
  /** Default `sobaya`: the client of our own, `sobaya/postgresql`. `pg`: the package of that name. */
  readonly driver?: 'sobaya' | 'pg' | undefined;
  readonly pool?:
    | {
        /** Connections at most. Default 10. */
        readonly size?: number | undefined;
        /** Statements and transactions that may wait for one. Default 1000. */
        readonly queue?: number | undefined;
        /** How long one may wait, in ms. Default 5000. */
        readonly timeout?: number | undefined;
      }
    | undefined;
  /** The server stops statements that run longer, in ms. Default: none. */
  readonly statementTimeout?: number | undefined;
  /** False for poolers that do not keep prepared statements. Default true. */
  readonly prepare?: boolean | undefined;
  readonly applicationName?: string | undefined;
}

const FORMATS = ['text', 'json', 'xml', 'yaml'];

/** The part of a backend that does not depend on who speaks the protocol. */
export abstract class PostgresBase {
  readonly vendor = 'postgresql' as const;
  readonly alias: string;
  readonly features = postgresFeatures;
  readonly dialect = postgresDialect;
  readonly target: string;
  protected readonly options: PostgresOptions;
  readonly holdings = new Holdings();
  protected state: 'new' | 'open' | 'closed' = 'new';

  constructor(alias: string, options: PostgresOptions) {
    this.alias = alias;
    this.options = options;
    this.target = options.url.replace(/\/\/[^@/]*@/, '//…@');
    if (options.statementTimeout !== undefined)
      wholeNumber(alias, 'statementTimeout', options.statementTimeout, 1);
    for (const name of ['size', 'queue', 'timeout'] as const) {
      const value = options.pool?.[name];
      if (value !== undefined) wholeNumber(alias, `pool.${name}`, value, name === 'queue' ? 0 : 1);
    }
  }

  abstract connect(): Promise<Connection>;
  abstract execute(sql: string, params: readonly unknown[]): Promise<Answer>;

  async script(sql: string): Promise<void> {
    const connection = await this.connect();
    try {
      await connection.script(sql);
    } finally {
      connection.release();
    }
  }

  /** Sends a message to all who listen to `channel`. */
  async notify(channel: string, payload = ''): Promise<void> {
    await this.execute('SELECT pg_notify($1, $2)', [channel, payload]);
  }

  columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string {
    return columnType(field, related);
  }
  quote(name: string): string {
    return postgresDialect.quote(name);
  }

  explaining({ format = 'text', analyze, verbose }: ExplainOptions): string {
    if (!FORMATS.includes(format.toLowerCase()))
      throw fault('SBY_DB_UNSUPPORTED', {
        what: `The format ${JSON.stringify(format)} of explain()`,
        engine: this.vendor,
        fix: 'Use text, json, xml or yaml',
      });
    const flags = [analyze ? 'ANALYZE, ' : '', verbose ? 'VERBOSE, ' : '', `FORMAT ${format.toUpperCase()}`];
    return `EXPLAIN (${flags.join('')}) `;
  }
}

/** A connection lent to one transaction. */
export abstract class PostgresTransaction implements Connection {
  readonly waited: number;
  protected open = false;
  #released = false;
  #begun: Promise<unknown> | null = null;

  constructor(waited: number) {
    this.waited = waited;
  }

  abstract execute<T = Answer>(
    sql: string,
    params?: readonly unknown[],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T>;
  abstract query(sql: string, params?: readonly unknown[]): Promise<Answer>;
  abstract script(sql: string): Promise<void>;
  /** Gives the command that was carried out. */
  abstract control(sql: string): Promise<string>;
  abstract stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]>;
  protected abstract giveBack(): void;

  async begin(options: BeginOptions): Promise<void> {
    checkIsolation(options, postgresFeatures);
    const { isolation, readOnly } = options;
    const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
    currentContext().scope.throwIfCancelled();
    this.#begun = this.control(`BEGIN${level}${readOnly ? ' READ ONLY' : ''}`);
    this.open = true;
    // A bare BEGIN fails only with the connection, and then so does what comes behind it: both leave in one write.
    if (level === '' && !readOnly) this.#begun.catch(() => {});
    else await this.#begun;
  }
  async commit(): Promise<void> {
    // Whatever COMMIT answers, the transaction is over.
    this.open = false;
    await this.#begun;
    // COMMIT of a transaction in which something failed is a ROLLBACK, and no error.
    if ((await this.control('COMMIT')) !== 'COMMIT') throw fault('SBY_DB_TRANSACTION_BROKEN', { began: '' });
  }
  async rollback(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.control('ROLLBACK');
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.giveBack();
  }
}
