import { currentContext, shield } from '../../../asyncio/index.ts';
import { fault, PostgresqlError, PostgresqlPoolError } from '../../../errors/index.ts';
import {
  type AnyCodec,
  type Lent,
  Pool,
  type Connection as Raw,
  type Result,
  type Session,
  type Shape,
  type Subscription,
} from '../../../postgresql/index.ts';
import type { Deconstructed } from '../../typing/fields.ts';
import type { Answer, Backend, BeginOptions, Connection, Row, StatementShape } from '../base.ts';
import type { PostgresOptions } from './backend.ts';
import { postgresDialect, postgresFeatures } from './dialect.ts';
import { postgresError } from './failures.ts';
import { columnType } from './types.ts';

/** A 64-bit integer as the fields' decoders take it: a number, or its digits where a number would lose some. */
const int8: AnyCodec = {
  decode: (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text),
  decodeBinary(bytes, start) {
    const value = bytes.readInt32BE(start) * 4294967296 + bytes.readUInt32BE(start + 4);
    return Number.isSafeInteger(value) ? value : String(bytes.readBigInt64BE(start));
  },
  encode: (value: unknown) => String(value),
};

/** What the fields decode by themselves comes as the server's text. */
const types = {
  int8,
  timestamptz: 'text',
  timestamp: 'text',
  date: 'text',
  time: 'text',
  interval: 'text',
  json: 'text',
  jsonb: 'text',
} as const;

const arrays: Shape<Row> = Object.freeze({ row: 'array' as const });

function answerOf(result: Result<Row>): Answer {
  return { rows: result.rows, count: result.count };
}

function answerWithColumns(result: Result<Row>): Answer {
  return { rows: result.rows, count: result.count, columns: result.fields.map((field) => field.name) };
}

/** Statements of the ORM on a session of `sobaya/postgresql`. */
function execute<T>(
  session: Session,
  sql: string,
  params: readonly unknown[],
  map: ((answer: Answer) => T) | undefined,
): Promise<T> {
  const values = params.includes(undefined) ? params.map((value) => value ?? null) : params;
  const make = map === undefined ? (answerOf as (r: Result<Row>) => T) : (r: Result<Row>) => map(answerOf(r));
  return session.execute(sql, values, arrays, make);
}

/** PostgreSQL through the client of our own: shared pipelined connections, one for each transaction. */
export class NativePostgresBackend implements Backend {
  readonly vendor = 'postgresql' as const;
  readonly alias: string;
  readonly features = postgresFeatures;
  readonly dialect = postgresDialect;
  readonly target: string;
  readonly #pool: Pool;
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(alias: string, options: PostgresOptions) {
    this.alias = alias;
    this.target = options.url.replace(/\/\/[^@/]*@/, '//…@');
    const { size, queue, timeout } = options.pool ?? {};
    const settings: Record<string, string | number> = { TimeZone: 'UTC', IntervalStyle: 'postgres' };
    if (options.statementTimeout !== undefined)
      settings['statement_timeout'] = Math.trunc(options.statementTimeout);
    this.#pool = new Pool({
      url: options.url,
      applicationName: options.applicationName ?? 'sobaya',
      size,
      queue,
      queueTimeout: timeout ?? 5000,
      prepare: options.prepare,
      settings,
      types,
    });
    this.#pool.translate = (error, sql) => this.translate(error, sql, options);
  }

  /** What the ORM calls an error of the client. */
  translate(error: unknown, sql: string, options: PostgresOptions): unknown {
    const { alias } = this;
    if (error instanceof PostgresqlPoolError) {
      const { leased, waiting, size } = this.#pool.statistics();
      if (error.code === 'SBY_POSTGRESQL_POOL_FULL')
        return fault('SBY_DB_POOL_FULL', { alias, waiting }, { cause: error });
      const waited = options.pool?.timeout ?? 5000;
      const holders = leased === 0 ? '' : `${leased} transactions`;
      return fault('SBY_DB_POOL_TIMEOUT', { alias, waited, size, holders }, { cause: error });
    }
    if (!(error instanceof PostgresqlError)) return error;
    if (/_(CONNECT|REFUSED|TLS|AUTH|SESSION|CONNECT_TIMEOUT)$/.test(error.code))
      return fault(
        'SBY_DB_CANNOT_OPEN',
        { alias, target: this.target, reason: error.what },
        { cause: error },
      );
    if (/_(BAD_PARAMETER|DECODE)$/.test(error.code))
      return fault('SBY_DB_OUT_OF_RANGE', { detail: error.message }, { cause: error });
    const { sqlState, detail, table, column, constraint } = error;
    const cause = new Error(error.server.message || error.what, { cause: error });
    return postgresError(
      Object.assign(cause, { code: sqlState, detail, table, column: column || undefined, constraint }),
      sql,
      alias,
      options.statementTimeout ?? 0,
    );
  }

  async open(): Promise<void> {
    if (this.#state === 'open') return;
    try {
      await this.#pool.open();
    } catch (error) {
      throw this.#pool.translate?.(error, '') ?? error;
    }
    this.#state = 'open';
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#pool.close();
  }

  #closed(): Promise<never> | null {
    return this.#state === 'open' ? null : Promise.reject(fault('SBY_DB_CLOSED', { alias: this.alias }));
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    _shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    return this.#closed() ?? execute(this.#pool, sql, params, map);
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return this.#closed() ?? this.#pool.execute(sql, params, arrays, answerWithColumns);
  }

  async script(sql: string): Promise<void> {
    const connection = await this.connect();
    try {
      await connection.script(sql);
    } finally {
      connection.release();
    }
  }

  async connect(): Promise<Connection> {
    await this.#closed();
    const lent = await this.#pool.lend().catch((error) => {
      throw this.#pool.translate?.(error, '') ?? error;
    });
    return new NativeConnection(lent, this.#pool.translate as (error: unknown, sql: string) => unknown);
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    await this.#closed();
    try {
      yield* this.#pool.batches(sql, params, { batch: chunk, shape: arrays });
    } catch (error) {
      throw this.#pool.translate?.(error, sql) ?? error;
    }
  }

  /** Calls `fn` for every NOTIFY on a channel, over a connection of its own that is renewed when lost. Gives a function that stops it. */
  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    const subscription: Subscription = await this.#pool.listen(channel, ({ payload }) => fn(payload));
    return () => subscription.close();
  }

  async notify(channel: string, payload = ''): Promise<void> {
    await this.execute('SELECT pg_notify($1, $2)', [channel, payload]);
  }

  columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string {
    return columnType(field, related);
  }
  quote(name: string): string {
    return postgresDialect.quote(name);
  }
  statistics(): Record<string, number> {
    const { open, opening, leased, running, waiting } = this.#pool.statistics();
    return { connections: open, connecting: opening, exclusive: leased, running, waiting };
  }
}

/** A connection lent to one transaction. */
class NativeConnection implements Connection {
  readonly #lent: Lent;
  readonly #raw: Raw;
  readonly #translate: (error: unknown, sql: string) => unknown;
  #open = false;
  #released = false;

  constructor(lent: Lent, translate: (error: unknown, sql: string) => unknown) {
    this.#lent = lent;
    this.#raw = lent.connection;
    this.#raw.translate = translate;
    this.#translate = translate;
  }

  execute<T = Answer>(
    sql: string,
    params: readonly unknown[] = [],
    _shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T> {
    return execute(this.#raw, sql, params, map);
  }
  query(sql: string, params: readonly unknown[] = []): Promise<Answer> {
    return this.#raw.execute(sql, params, arrays, answerWithColumns);
  }
  async script(sql: string): Promise<void> {
    await this.#raw.script(sql).catch((error) => {
      throw this.#translate(error, sql);
    });
  }
  async control(sql: string): Promise<void> {
    await shield(() => this.#raw.control(sql)).catch((error) => {
      throw this.#translate(error, sql);
    });
  }

  async begin({ isolation, readOnly }: BeginOptions): Promise<void> {
    if (isolation !== undefined && !postgresFeatures.isolationLevels.includes(isolation))
      throw fault('SBY_DB_TRANSACTION_OPTION', {
        problem: `there is no isolation level ${JSON.stringify(isolation)}`,
        fix: `Choose one of: ${postgresFeatures.isolationLevels.join(', ')}`,
      });
    const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
    currentContext().scope.throwIfCancelled();
    await this.control(`BEGIN${level}${readOnly ? ' READ ONLY' : ''}`);
    this.#open = true;
  }
  async commit(): Promise<void> {
    await this.control('COMMIT');
    this.#open = false;
  }
  async rollback(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.control('ROLLBACK');
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    try {
      yield* this.#raw.batches(sql, params, { batch: chunk, shape: arrays });
    } catch (error) {
      throw this.#translate(error, sql);
    }
  }

  /** The pool rolls back what was left open. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#raw.translate = null;
    this.#lent.giveBack();
  }
}
