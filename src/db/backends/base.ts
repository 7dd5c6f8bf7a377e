/**
 * What stands between the compiler and a database. Shared code asks the flags and calls the interface; it never
 * names a dialect. A driver needs `execute(sql, params, shape)` and may send what it gets in one loop turn
 * together; a new backend is a folder beside the others and a line in databases.ts.
 */
import { fault } from '../../errors/index.ts';
import type { Family } from '../fields/kinds.ts';
import type { Deconstructed } from '../typing/fields.ts';
import type { Holdings } from './holdings.ts';

/** A value as a driver takes and gives it. */
export type DriverValue = null | string | number | bigint | boolean | Uint8Array | Date | readonly unknown[];
export type Row = unknown[];

/** One statement of one form: what a driver may keep about it (names, ids, measured cost). */
export class StatementShape {
  readonly sql: string;
  /** Whether it only reads: then it may run on a reader or a replica. */
  readonly reads: boolean;
  /** The same statement, looking at each row whether it was stopped; where the database cannot be interrupted. */
  stoppable: string | undefined = undefined;
  /** The driver's own notes. */
  note: unknown = undefined;
  /** How often it ran, and the mean of its cost in milliseconds in the database. */
  runs = 0;
  mean = 0;

  constructor(sql: string, reads: boolean) {
    this.sql = sql;
    this.reads = reads;
  }

  measured(ms: number): void {
    this.runs++;
    this.mean += (ms - this.mean) / Math.min(this.runs, 50);
  }
}

export interface Answer {
  /** Rows as arrays, in the order of the columns. */
  readonly rows: Row[];
  /** Rows changed, or rows returned. */
  readonly count: number;
  /** Names of the columns; only from `query()`. */
  readonly columns?: readonly string[] | undefined;
  /** Where `features.insertedKey`: the integer key of the one row that an INSERT without RETURNING made. */
  readonly key?: number | undefined;
  /** Milliseconds it waited: for a connection, for the writer, behind others of its lane. */
  readonly waited?: number | undefined;
}

/** Anything statements can be given to: a backend (each statement for itself) or a transaction. */
export interface Executor {
  /** Runs one statement. Cancelled with the ambient scope. `map` makes the result from the answer, without another hop. */
  execute<T = Answer>(
    sql: string,
    params?: readonly unknown[],
    shape?: StatementShape,
    map?: (answer: Answer) => T,
  ): Promise<T>;
  /** The same with column names, for SQL that is not ours. */
  query(sql: string, params?: readonly unknown[]): Promise<Answer>;
  /** Several statements separated by semicolons, without parameters. */
  script(sql: string): Promise<void>;
  /** Rows of a query in chunks, from a cursor in the database. */
  stream?(sql: string, params: readonly unknown[], chunk: number): AsyncIterable<Row[]>;
}

export type Isolation = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable';

export interface BeginOptions {
  readonly isolation?: Isolation | undefined;
  readonly readOnly?: boolean | undefined;
  /** SQLite: take the write lock only when something is written. */
  readonly deferred?: boolean | undefined;
}

export interface ExplainOptions {
  /** `text` (default), `json`, `xml`, `yaml`; SQLite has only text. */
  readonly format?: string | undefined;
  /** Runs the statement and tells real times and rows. */
  readonly analyze?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

/** An option that is a whole number of at least `least`. */
export function wholeNumber(alias: string, option: string, got: unknown, least: number): number {
  if (typeof got === 'number' && Number.isSafeInteger(got) && got >= least) return got;
  throw fault('SBY_DB_BAD_OPTION', { alias, option, got, expected: `a whole number, ${least} or more` });
}

/** An option that is one of a few words. */
export function oneOf<T extends string>(alias: string, option: string, got: unknown, words: readonly T[]): T {
  if (words.includes(got as T)) return got as T;
  throw fault('SBY_DB_BAD_OPTION', { alias, option, got, expected: words.join(', ') });
}

/** Refuses an isolation level that the database does not have. */
export function checkIsolation({ isolation }: BeginOptions, { isolationLevels }: Features): void {
  if (isolation !== undefined && !isolationLevels.includes(isolation))
    throw fault('SBY_DB_TRANSACTION_OPTION', {
      problem: `there is no isolation level ${JSON.stringify(isolation)}`,
      fix: `Choose one of: ${isolationLevels.join(', ')}`,
    });
}

/** One connection held by one transaction. */
export interface Connection extends Executor {
  /** Milliseconds that were waited for it. */
  readonly waited: number;
  begin(options: BeginOptions): Promise<void>;
  /** A statement that steers the transaction; it is not cancelled with the scope. */
  control(sql: string): Promise<unknown>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Gives the connection back. Idempotent; a connection that is still inside a transaction is rolled back. */
  release(): void;
}

export interface Features {
  /** INSERT/UPDATE/DELETE … RETURNING. */
  readonly returning: boolean;
  /** The answer to an INSERT tells the key that was made; RETURNING it would cost more. */
  readonly insertedKey: boolean;
  readonly selectForUpdate: boolean;
  readonly skipLocked: boolean;
  readonly arrays: boolean;
  readonly fullText: boolean;
  readonly distinctOn: boolean;
  /** Tables can be altered in place: constraints and column types; else they are remade. */
  readonly alterTable: boolean;
  /** DDL takes part in transactions. */
  readonly transactionalDdl: boolean;
  readonly deferrableConstraints: boolean;
  readonly schemas: boolean;
  readonly comments: boolean;
  readonly covering: boolean;
  readonly exclusion: boolean;
  readonly concurrentIndexes: boolean;
  readonly notify: boolean;
  readonly savepoints: boolean;
  readonly isolationLevels: readonly Isolation[];
  readonly maxParameters: number;
  /** Sorting puts NULL first in ascending order. */
  readonly nullsFirst: boolean;
  readonly cursors: boolean;
  /** A function to call for each row, by which a running statement is stopped: `name(column)`. */
  readonly aliveFunction: string | null;
}

export interface Backend extends Executor {
  readonly vendor: 'sqlite' | 'postgresql';
  readonly alias: string;
  readonly features: Features;
  readonly dialect: Dialect;
  /** What was configured, without secrets, for messages. */
  readonly target: string;
  open(): Promise<void>;
  /** Waits for statements that run, then closes. */
  close(): Promise<void>;
  /** A connection of its own, from the pool; waits for one in a bounded queue. */
  connect(options?: BeginOptions): Promise<Connection>;
  /** The type of a column, `varchar(100)`; `related` gives the field a foreign key points to. */
  columnType(field: Deconstructed, related?: (to: string) => Deconstructed): string;
  quote(name: string): string;
  /** What stands before a statement to get its plan instead of its rows. Refuses options that it does not have. */
  explaining(options: ExplainOptions): string;
  /** Who holds a connection now, and since when. */
  readonly holdings: Holdings;
  statistics(): Record<string, number>;
}

/** Text of SQL where databases differ. Pure: it knows no connection. */
export interface Dialect {
  readonly vendor: string;
  readonly features: Features;
  quote(name: string): string;
  /** The placeholder of the n-th parameter, counted from 1. */
  placeholder(n: number): string;
  /** Turns a field's checked value, never null, into the driver's. Null: none needed. */
  adapter(family: Family): ((value: never) => unknown) | null;
  /** A column as it is selected: a 64-bit integer as text, where the driver would lose digits. */
  selectColumn(sql: string, kind: string): string;
  /** A parameter that stands alone, where the database cannot infer its type. */
  typedParameter(sql: string, family: Family | null): string;
  /** `lhs IN (one bound array)`; `field` where the type is more than its family. */
  inArray(lhs: string, parameter: string, family: Family, field?: Deconstructed): string;
  /** Turns a list of adapted values into the one parameter of inArray. */
  adaptArray(values: readonly unknown[], family: Family): unknown;
  /** A text lookup: contains, iexact, regex, …. `rhs` is an escaped pattern already. */
  textLookup(name: string, lhs: string, rhs: string, family: Family): string;
  /** Part of a date or time: year, month, iso_year, week, quarter, hour, …. `zone`: a checked name of a time zone. */
  extract(part: string, sql: string, family: Family, zone?: string): string;
  truncate(part: string, sql: string, family: Family, result: Family, zone?: string): string;
  /** `CAST(sql AS …)` to a family's type. */
  cast(sql: string, family: Family): string;
  /** A database function by its Django name in upper case; null: `NAME(a, b)` as it stands. */
  func(name: string, args: readonly string[], families: readonly (Family | null)[]): string | null;
  combine(
    operator: string,
    left: string,
    right: string,
    families: readonly [Family | null, Family | null],
  ): string;
  limit(limit: string | null, offset: string | null): string;
  /** SQL for a value inside JSON; `asText` for comparing with text. */
  jsonPath(sql: string, path: readonly string[], as: 'json' | 'text'): string;
  /** Wraps an expression where ordering or comparing needs it (decimals kept as text). */
  comparable(sql: string, family: Family | null): string;
}
