/**
 * Runs batches on one SQLite connection. Lives in a worker thread; on the main thread only where inline execution
 * was asked for. Imports nothing of ours but its protocol, so that a worker starts quickly.
 */
import * as sqlite from 'node:sqlite';
import { type Culprit, findCulprit, installDiagnosis } from './diagnosis.ts';
import { installFunctions } from './functions.ts';
import {
  CLOSE,
  CURSOR,
  CURSOR_CLOSE,
  CURSOR_INSIDE,
  FETCH,
  FORGET,
  GROUP,
  type GroupAnswer,
  INSIDE,
  MANY,
  QUERY,
  READ,
  SCRIPT,
  type SqliteFailure,
  type StatementRef,
  type WireAnswer,
  type WorkerSettings,
  WRITE,
} from './protocol.ts';

// Node 26.11 renames DatabaseSync to Database and keeps the old name as a deprecated alias (DEP0210).
const DatabaseClass = ((sqlite as Record<string, unknown>)['Database'] ??
  sqlite.DatabaseSync) as typeof sqlite.DatabaseSync;

/** SQLITE_CONSTRAINT_FOREIGNKEY */
const FOREIGN_KEY = 787;

type Params = sqlite.SQLInputValue[];
interface Cursor {
  readonly database: sqlite.DatabaseSync;
  readonly rows: Iterator<unknown>;
}

export class Engine {
  readonly #database: sqlite.DatabaseSync;
  readonly #settings: WorkerSettings;
  readonly #statements = new Map<number, sqlite.StatementSync>();
  /** Whether a statement gives rows. */
  readonly #returns = new WeakMap<sqlite.StatementSync, boolean>();
  readonly #cursors = new Map<number, Cursor>();
  readonly #stop: Int32Array;
  #running = 0;
  readonly #controls = new Map<string, sqlite.StatementSync>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#stop = new Int32Array(settings.stop);
    this.#database = this.#connect();
  }

  #connect(): sqlite.DatabaseSync {
    const { file, readOnly, pragmas } = this.#settings;
    const database = new DatabaseClass(file, { readOnly });
    try {
      for (const pragma of pragmas) database.exec(pragma);
      installFunctions(database);
      installDiagnosis(database);
      // A statement is stopped from outside through this: SQLite's interrupt is not in Node's API.
      database.function('sobaya_alive', { varargs: true }, () => {
        if (this.#running !== 0 && Atomics.load(this.#stop, 0) === this.#running)
          throw new Error('sobaya: stopped');
        return 1;
      });
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  #statement(ref: StatementRef): sqlite.StatementSync {
    if (typeof ref === 'number') return this.#statements.get(ref) as sqlite.StatementSync;
    const once = typeof ref === 'string';
    const statement = this.#database.prepare(once ? ref : ref[1]);
    statement.setReturnArrays(true);
    if (!once) this.#statements.set(ref[0], statement);
    return statement;
  }

  #run(id: number, operation: number, ref: StatementRef, params: unknown): WireAnswer {
    this.#running = id;
    switch (operation) {
      case READ:
        return [this.#statement(ref).all(...(params as Params)) as unknown as unknown[][], 0];
      case WRITE:
      case INSIDE: {
        const statement = this.#statement(ref);
        if (this.#givesRows(statement)) {
          const rows = statement.all(...(params as Params)) as unknown as unknown[][];
          return [rows, rows.length];
        }
        return written(statement.run(...(params as Params)));
      }
      case MANY: {
        const statement = this.#statement(ref);
        const returns = this.#givesRows(statement);
        const rows: unknown[][] = [];
        let count = 0;
        for (const one of params as Params[]) {
          if (returns) rows.push(...(statement.all(...one) as unknown as unknown[][]));
          else count += Number(statement.run(...one).changes);
        }
        return [rows, returns ? rows.length : count];
      }
      case QUERY: {
        const statement = this.#database.prepare(ref as string);
        statement.setReturnArrays(true);
        const columns = statement.columns().map((column) => column.name);
        if (columns.length > 0) {
          const rows = statement.all(...(params as Params)) as unknown as unknown[][];
          return [rows, rows.length, columns];
        }
        return [[], Number(statement.run(...(params as Params)).changes), columns];
      }
      case SCRIPT:
        this.#database.exec(ref as string);
        return [[], 0];
      case CURSOR:
      case CURSOR_INSIDE: {
        // A connection of its own: an open cursor would pin the snapshot that the lane's other reads see.
        const own = operation === CURSOR && this.#settings.file !== ':memory:';
        const database = own ? this.#connect() : this.#database;
        const statement = database.prepare(ref as string);
        statement.setReturnArrays(true);
        this.#cursors.set(id, { database, rows: statement.iterate(...(params as Params)) });
        return [[], 0];
      }
      case FETCH: {
        const [cursorId, chunk] = params as [number, number];
        const cursor = this.#cursors.get(cursorId);
        const rows: unknown[][] = [];
        while (cursor !== undefined && rows.length < chunk) {
          const next = cursor.rows.next();
          if (next.done === true) break;
          rows.push(next.value as unknown[]);
        }
        return [rows, rows.length];
      }
      case CURSOR_CLOSE:
        this.#closeCursor(params as number);
        return [[], 0];
      case FORGET:
        this.#statements.clear();
        return [[], 0];
      case CLOSE:
        this.close();
        return [[], 0];
    }
    throw new Error(`sobaya: operation ${operation}`);
  }

  #givesRows(statement: sqlite.StatementSync): boolean {
    let gives = this.#returns.get(statement);
    if (gives === undefined) this.#returns.set(statement, (gives = statement.columns().length > 0));
    return gives;
  }

  #closeCursor(id: number): void {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return;
    this.#cursors.delete(id);
    cursor.rows.return?.();
    if (cursor.database !== this.#database) cursor.database.close();
  }

  #attempt(id: number, operation: number, ref: StatementRef, params: unknown): WireAnswer {
    try {
      return this.#run(id, operation, ref, params);
    } catch (error) {
      const failed = failure(error);
      if (failed.errcode !== FOREIGN_KEY) return failed;
      const foreign = this.#culprit(operation, ref, params);
      return foreign === null ? failed : { ...failed, foreign };
    } finally {
      this.#running = 0;
    }
  }

  #culprit(operation: number, ref: StatementRef, params: unknown): Culprit | null {
    const database = this.#database;
    if (operation === SCRIPT) return findCulprit(database, '', null);
    if (operation !== WRITE && operation !== INSIDE && operation !== QUERY) return null;
    const sql = operation === QUERY ? (ref as string) : this.#statement(ref).sourceSQL;
    return findCulprit(database, sql, params as Params);
  }

  one(id: number, operation: number, ref: StatementRef, params: unknown): WireAnswer {
    return this.#attempt(id, operation, ref, params);
  }

  /** `batch` is flat: id, operation, statement, params, id, …; the answers are id, answer, milliseconds, id, …. */
  batch(batch: readonly unknown[]): unknown[] {
    const out: unknown[] = new Array((batch.length / 4) * 3);
    let o = 0;
    let clock = performance.now();
    for (let i = 0; i < batch.length; ) {
      let end = i;
      let writes = 0;
      for (; end < batch.length && (batch[end + 1] === WRITE || batch[end + 1] === GROUP); end += 4)
        writes += batch[end + 1] === GROUP ? ((batch[end + 3] as unknown[])[0] as number) : 1;
      if (writes > 1) {
        const answers = this.#together(batch, i, end);
        const now = performance.now();
        const each = (now - clock) / writes;
        for (const answer of answers) {
          out[o++] = batch[i];
          out[o++] = answer;
          out[o++] = each;
          i += 4;
        }
        clock = now;
        continue;
      }
      out[o++] = batch[i];
      out[o++] = this.#attempt(
        batch[i] as number,
        batch[i + 1] as number,
        batch[i + 2] as StatementRef,
        batch[i + 3],
      );
      const now = performance.now();
      out[o++] = now - clock;
      clock = now;
      i += 4;
    }
    return out;
  }

  /** Each write for itself, one after another. */
  #each(batch: readonly unknown[], from: number, to: number): (WireAnswer | GroupAnswer)[] {
    const answers: (WireAnswer | GroupAnswer)[] = [];
    for (let i = from; i < to; i += 4) {
      const id = batch[i] as number;
      const ref = batch[i + 2] as StatementRef;
      if (batch[i + 1] === WRITE) {
        answers.push(this.#attempt(id, WRITE, ref, batch[i + 3]));
        continue;
      }
      const flat = batch[i + 3] as unknown[];
      const [rows, width] = flat as [number, number];
      const row: unknown[] = new Array(width);
      const group: WireAnswer[] = new Array(rows);
      for (let r = 0, p = 2; r < rows; r++) {
        for (let c = 0; c < width; c++) row[c] = flat[p++];
        group[r] = this.#attempt(id + r, WRITE, ref, row);
      }
      answers.push({ group });
    }
    return answers;
  }

  /**
   * Group commit: autocommit statements that arrived together share one transaction. A statement that fails undoes
   * only itself (SQLite's ABORT). If the COMMIT itself fails, for instance on a deferred foreign key, all is rolled
   * back and each runs alone, so that nobody pays for a neighbour.
   */
  #together(batch: readonly unknown[], from: number, to: number): (WireAnswer | GroupAnswer)[] {
    try {
      this.#exec('BEGIN IMMEDIATE');
    } catch (error) {
      const failed = failure(error);
      const answers: (WireAnswer | GroupAnswer)[] = [];
      for (let i = from; i < to; i += 4)
        answers.push(
          batch[i + 1] === WRITE
            ? failed
            : { group: new Array<WireAnswer>((batch[i + 3] as unknown[])[0] as number).fill(failed) },
        );
      return answers;
    }
    const answers = this.#each(batch, from, to);
    if (this.#database.isTransaction)
      try {
        this.#exec('COMMIT');
        return answers;
      } catch {
        this.#exec('ROLLBACK');
        return this.#each(batch, from, to);
      }
    // A statement ended the transaction itself (ON CONFLICT ROLLBACK): what stood before it is undone.
    return this.#each(batch, from, to);
  }

  /** `exec` compiles each time. */
  #exec(sql: string): void {
    let statement = this.#controls.get(sql);
    if (statement === undefined) this.#controls.set(sql, (statement = this.#database.prepare(sql)));
    statement.run();
  }

  close(): void {
    for (const id of [...this.#cursors.keys()]) this.#closeCursor(id);
    this.#statements.clear();
    this.#controls.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

function written({ changes, lastInsertRowid }: sqlite.StatementResultingChanges): WireAnswer {
  return changes === 1 ? Number(lastInsertRowid) : [[], Number(changes)];
}

function failure(error: unknown): SqliteFailure {
  const { message, errcode } = error as { message?: string; errcode?: number };
  return { failed: String(message), errcode: errcode ?? 0 };
}
