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
import type { Answer, Backend, Connection, Row, StatementShape } from '../base.ts';
import { PostgresBase, type PostgresOptions, PostgresTransaction } from './common.ts';
import { postgresError } from './failures.ts';

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

function answerOf(result: Result<Row>, waited: number): Answer {
  return { rows: result.rows, count: result.count, waited };
}

function answerWithColumns(result: Result<Row>, waited: number): Answer {
  return {
    rows: result.rows,
    count: result.count,
    waited,
    columns: result.fields.map((field) => field.name),
  };
}

/** Statements of the ORM on a session of `sobaya/postgresql`. */
function execute<T>(
  session: Session,
  sql: string,
  params: readonly unknown[],
  map: ((answer: Answer) => T) | undefined,
): Promise<T> {
  const values = params.includes(undefined) ? params.map((value) => value ?? null) : params;
  const make =
    map === undefined
      ? (answerOf as unknown as (r: Result<Row>, waited: number) => T)
      : (r: Result<Row>, waited: number) => map(answerOf(r, waited));
  return session.execute(sql, values, arrays, make);
}

/** PostgreSQL through the client of our own: shared pipelined connections, one for each transaction. */
export class NativePostgresBackend extends PostgresBase implements Backend {
  #pool: Pool;

  constructor(alias: string, options: PostgresOptions) {
    super(alias, options);
    this.#pool = this.#make();
  }

  #make(): Pool {
    const { options } = this;
    const { size, queue, timeout } = options.pool ?? {};
    const settings: Record<string, string | number> = { TimeZone: 'UTC', IntervalStyle: 'postgres' };
    if (options.statementTimeout !== undefined)
      settings['statement_timeout'] = Math.trunc(options.statementTimeout);
    const pool = new Pool({
      url: options.url,
      applicationName: options.applicationName ?? 'sobaya',
      size,
      queue,
      queueTimeout: timeout ?? 5000,
      prepare: options.prepare,
      settings,
      types,
    });
    pool.translate = this.#translate;
    return pool;
  }

  /** What the ORM calls an error of the client. */
  readonly #translate = (error: unknown, sql: string): unknown => {
    const { alias, options } = this;
    if (error instanceof PostgresqlPoolError) {
      const { waiting, size } = this.#pool.statistics();
      if (error.code === 'SBY_POSTGRESQL_POOL_FULL')
        return fault('SBY_DB_POOL_FULL', { alias, waiting }, { cause: error });
      const waited = options.pool?.timeout ?? 5000;
      const holders = String(this.holdings);
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
  };

  async open(): Promise<void> {
    if (this.state === 'open') return;
    // A pool that was closed stays so; databases may be opened again.
    if (this.state === 'closed') this.#pool = this.#make();
    try {
      await this.#pool.open();
    } catch (error) {
      throw this.#translate(error, '');
    }
    this.state = 'open';
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'closed';
    await this.#pool.close();
  }

  #closed(): Promise<never> | null {
    return this.state === 'open' ? null : Promise.reject(fault('SBY_DB_CLOSED', { alias: this.alias }));
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

  async connect(): Promise<Connection> {
    await this.#closed();
    let lent: Lent;
    try {
      lent = await this.#pool.lend();
    } catch (error) {
      throw this.#translate(error, '');
    }
    const holding = this.holdings.take();
    return new NativeConnection(lent, this.#translate, () => this.holdings.release(holding));
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    await this.#closed();
    try {
      yield* this.#pool.batches(sql, params, { batch: chunk, shape: arrays });
    } catch (error) {
      throw this.#translate(error, sql);
    }
  }

  /** Calls `fn` for every NOTIFY on a channel, over a connection of its own that is renewed when lost. Gives a function that stops it. */
  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    const subscription: Subscription = await this.#pool.listen(channel, ({ payload }) => fn(payload));
    return () => subscription.close();
  }

  statistics(): Record<string, number> {
    const { open, opening, leased, running, waiting } = this.#pool.statistics();
    return { connections: open, connecting: opening, exclusive: leased, running, waiting };
  }
}

/** A connection lent to one transaction. */
class NativeConnection extends PostgresTransaction {
  readonly #lent: Lent;
  readonly #raw: Raw;
  readonly #translate: (error: unknown, sql: string) => unknown;
  readonly #gone: () => void;

  constructor(lent: Lent, translate: (error: unknown, sql: string) => unknown, gone: () => void) {
    super(lent.waited);
    this.#lent = lent;
    this.#raw = lent.connection;
    this.#raw.translate = translate;
    this.#translate = translate;
    this.#gone = gone;
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
  control(sql: string): Promise<string> {
    // Not cancelled with the scope: what steers a transaction has to arrive.
    return this.#raw.control(sql).catch((error) => {
      throw this.#translate(error, sql);
    });
  }

  async *stream(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]> {
    try {
      yield* this.#raw.batches(sql, params, { batch: chunk, shape: arrays });
    } catch (error) {
      throw this.#translate(error, sql);
    }
  }

  /** The pool rolls back what was left open. */
  protected giveBack(): void {
    this.#gone();
    this.#raw.translate = null;
    this.#lent.giveBack();
  }
}
