import { type PostgresqlQueryMessage, postgresqlQuery } from './channels.ts';
import type { Connection } from './connection.ts';
import { objectShape, type Shape } from './decoder.ts';
import { checkSql, type Form, type Forms } from './form.ts';
import type { Operation } from './operation.ts';
import { Query, type Result, Script } from './query.ts';

const rowsOf = <R>(result: Result<R>): R[] => result.rows;

/** Anything statements can be given to: a connection, a pool, a transaction. */
export abstract class Session {
  /** For builders: what is known of statements. */
  abstract get forms(): Forms;
  /** For builders: sends an operation, or lets it wait. Throws when it cannot even wait. */
  abstract submit(operation: Operation): void;
  /** For builders: runs `fn` with a connection that nobody else uses meanwhile. */
  abstract hold<T>(fn: (connection: Connection) => Promise<T>): Promise<T>;

  /**
   * Runs one statement. Parameters are `$1`, `$2`, …; rows are objects by column name. Ends with the ambient scope:
   * the statement is then cancelled in the database.
   */
  query<R = Record<string, unknown>>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    return this.#run(sql, params, objectShape as Shape<R>, null);
  }

  /**
   * The same for an ORM: rows are built straight from the wire, as `shape` says. `map` makes of the result what is
   * wanted without another promise. Keep `shape`: its decoders are made once.
   */
  execute<R>(sql: string, params: readonly unknown[], shape: Shape<R>): Promise<R[]>;
  execute<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: (result: Result<R>) => T,
  ): Promise<T>;
  execute<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: (result: Result<R>) => T = rowsOf as unknown as (result: Result<R>) => T,
  ): Promise<T> {
    return this.#run(sql, params, shape, map);
  }

  #run<R, T>(
    sql: string,
    params: readonly unknown[],
    shape: Shape<R>,
    map: ((result: Result<R>) => T) | null,
  ): Promise<T> {
    let form: Form;
    try {
      form = this.forms.get(sql);
    } catch (error) {
      return Promise.reject(error);
    }
    const query = new Query<R, T>(form, params, shape, map);
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
}

function traced<R, T>(query: Query<R, T>): Promise<T> {
  const message: PostgresqlQueryMessage = { sql: query.sql, params: query.params };
  query.message = message;
  return postgresqlQuery.tracePromise(() => query.promise, message);
}
