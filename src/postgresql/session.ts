import { type PostgresqlQueryMessage, postgresqlQuery } from './channels.ts';
import type { Connection } from './connection.ts';
import { type CopySource, copyFrom, copyLines, copyTo } from './copy.ts';
import { Cursor, defaultBatch } from './cursor.ts';
import { arrayShape, objectShape, type Shape } from './decoder.ts';
import { checkSql, type Form, type Forms } from './form.ts';
import type { Operation } from './operation.ts';
import { Query, type Result, Script } from './query.ts';
import { quoteIdentifier } from './quote.ts';
import { idle } from './wire.ts';

/** A connection on loan. */
export interface Lent {
  readonly connection: Connection;
  /** Milliseconds that were waited for it. */
  readonly waited: number;
  giveBack(): void;
}

export interface CursorOptions<R> {
  /** Rows per trip to the server. Default 100. */
  readonly batch?: number | undefined;
  readonly shape?: Shape<R> | undefined;
}

const rowsOf = <R>(result: Result<R>): R[] => result.rows;

/** Anything statements can be given to: a connection, a pool, a transaction. */
export abstract class Session {
  /** For builders: makes of the error of a statement what its caller gets. */
  translate: ((error: unknown, sql: string) => unknown) | null = null;
  /** For builders: what is known of statements. */
  abstract get forms(): Forms;
  /** For builders: sends an operation, or lets it wait. Throws when it cannot even wait. */
  abstract submit(operation: Operation): void;
  /** For builders: a connection that nobody else uses until it is given back. */
  abstract lend(): Promise<Lent>;

  /** Runs `fn` with a connection that nobody else uses meanwhile. */
  async hold<T>(fn: (connection: Connection) => T | PromiseLike<T>): Promise<T> {
    const lent = await this.lend();
    try {
      return await fn(lent.connection);
    } finally {
      lent.giveBack();
    }
  }

  /**
   * Runs one statement. Parameters are `$1`, `$2`, …; rows are objects by column name. Ends with the ambient scope:
   * the statement is then cancelled in the database.
   */
  query<R = Record<string, unknown>>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    return this.#run(sql, params, objectShape as Shape<R>, null);
  }

  /**
   * The same for an ORM: rows are built straight from the wire, as `shape` says. `map` makes of the result what is
   * wanted without another promise; `waited` are the milliseconds until there was a connection. Keep `shape`: its decoders are made once.
   */
  execute<R>(sql: string, params: readonly unknown[], shape: Shape<R>): Promise<R[]>;
  execute<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: (result: Result<R>, waited: number) => T,
  ): Promise<T>;
  execute<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: (result: Result<R>, waited: number) => T = rowsOf as unknown as (result: Result<R>) => T,
  ): Promise<T> {
    return this.#run(sql, params, shape, map);
  }

  #run<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: ((result: Result<R>, waited: number) => T) | null,
  ): Promise<T> {
    let form: Form;
    try {
      form = this.forms.get(sql);
    } catch (error) {
      return Promise.reject(error);
    }
    const query = new Query<R, T>(form, params, shape, map);
    query.translate = this.translate;
    try {
      query.join();
      this.submit(query);
    } catch (error) {
      query.reject(error);
    }
    return postgresqlQuery.start.hasSubscribers ? traced(query) : query.promise;
  }

  /** Runs one or several statements without parameters, separated by semicolons. Rows are arrays of text. */
  async script(sql: string): Promise<Result<unknown[]>[]> {
    checkSql(sql);
    return await this.hold(
      (connection) =>
        new Promise((resolve, reject) => {
          const script = new Script(sql, (results, error) => {
            if (results === null) reject(error);
            else resolve(results);
          });
          try {
            script.join();
            connection.submit(script);
          } catch (error) {
            script.reject(error);
          }
        }),
    );
  }

  /**
   * The rows of a statement one by one, fetched in batches, so that a result of any size needs little memory. Outside
   * of a transaction it makes one for itself. Stop early with `break`.
   */
  async *cursor<R = Record<string, unknown>>(
    sql: string,
    params: readonly unknown[] = [],
    options: CursorOptions<R> = {},
  ): AsyncGenerator<R, void, undefined> {
    for await (const rows of this.batches(sql, params, options)) yield* rows;
  }

  /** The same, a batch at a time. */
  async *batches<R = Record<string, unknown>>(
    sql: string,
    params: readonly unknown[] = [],
    options: CursorOptions<R> = {},
  ): AsyncGenerator<R[], void, undefined> {
    const form = this.forms.get(sql);
    const lent = await this.lend();
    const { wire } = lent.connection;
    // A portal lives as long as its transaction.
    const own = wire.status === idle && wire.load === 0;
    try {
      const shape = options.shape ?? (objectShape as Shape<R>);
      const cursor = new Cursor(wire, form, params, shape, options.batch ?? defaultBatch);
      if (own) lent.connection.control('BEGIN').catch(() => {});
      yield* cursor.batches();
      if (own) await lent.connection.control('COMMIT');
    } finally {
      if (own && wire.down === null && (wire.status !== idle || wire.load > 0))
        await lent.connection.control('ROLLBACK').catch(() => {});
      lent.giveBack();
    }
  }

  /** Sends a message to everybody who listens to `channel`; in a transaction, when that commits. */
  async notify(channel: string, payload = ''): Promise<void> {
    await this.query('SELECT pg_catalog.pg_notify($1, $2)', [channel, payload]);
  }

  /** COPY … FROM STDIN: sends text or bytes, cut anywhere, as fast as the server takes them. Gives the number of rows. */
  async copyFrom(sql: string, source: CopySource): Promise<number> {
    checkSql(sql);
    return await this.hold((connection) => copyFrom(connection.wire, sql, source));
  }

  /** COPY … TO STDOUT: what the server sends; in text and CSV a row per chunk. A slow reader holds the server back. */
  async *copyTo(sql: string): AsyncGenerator<Buffer, void, undefined> {
    checkSql(sql);
    const lent = await this.lend();
    try {
      yield* copyTo(lent.connection.wire, sql);
    } finally {
      lent.giveBack();
    }
  }

  /** Inserts many rows through COPY: the fastest way in. Values are written as the columns' types want them. */
  async copyRows(
    table: string | readonly [schema: string, table: string],
    columns: readonly string[],
    rows: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
  ): Promise<number> {
    const target = typeof table === 'string' ? quoteIdentifier(table) : table.map(quoteIdentifier).join('.');
    const names = columns.map(quoteIdentifier).join(', ');
    return await this.hold(async (connection) => {
      // The types of the columns, and whether they exist.
      const probe = `SELECT ${names} FROM ${target} LIMIT 0`;
      const { fields } = await connection.execute(probe, [], arrayShape, (result) => result);
      const codecs = fields.map((field) => connection.wire.registry.codec(field.oid));
      const sql = `COPY ${target} (${names}) FROM STDIN`;
      return await copyFrom(connection.wire, sql, copyLines(rows, codecs, columns, sql));
    });
  }
}

function traced<R, T>(query: Query<R, T>): Promise<T> {
  const message: PostgresqlQueryMessage = { sql: query.sql, params: query.params };
  query.message = message;
  return postgresqlQuery.tracePromise(() => query.promise, message);
}
