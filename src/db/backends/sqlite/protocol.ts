/** What main thread and SQLite worker say to each other: flat arrays, one message per loop turn. */

/** Operations. Each entry of a batch is [id, operation, statement, params]. */
export const READ = 0;
/** A write that is a transaction of its own; neighbours in one batch are committed together. */
export const WRITE = 1;
/** A write inside a transaction that was begun before. */
export const INSIDE = 2;
/** Several WRITEs of one statement, with all their parameters in one flat array: [rows, width, …parameters]; ids count up. */
export const GROUP = 12;
/** SQL with column names in the answer. */
export const QUERY = 3;
/** Several statements, no parameters. */
export const SCRIPT = 4;
/** Many rows of parameters for one statement, in one go. */
export const MANY = 5;
/** Opens a cursor on a connection of its own / next chunk / close. */
export const CURSOR = 6;
export const FETCH = 7;
export const CURSOR_CLOSE = 8;
/** The same on this connection: in a transaction, whose writes it sees. */
export const CURSOR_INSIDE = 11;
export const FORGET = 9;
export const CLOSE = 10;

/** A statement: its number, with its text the first time; or text alone, for once. */
export type StatementRef = number | readonly [number, string] | string;

export interface WorkerSettings {
  readonly file: string;
  readonly readOnly: boolean;
  readonly pragmas: readonly string[];
  /** Shared with the main thread: [0] is the id of the request to stop. */
  readonly stop: SharedArrayBuffer;
}

export interface SqliteFailure {
  readonly failed: string;
  readonly errcode: number;
  /** Table and column of the foreign key that failed, where it could be found. */
  readonly foreign?: readonly [table: string, column: string];
  /** The thread is gone: whether the statement took effect is not known. */
  readonly lost?: boolean;
}

/**
 * Answers are [id, answer, milliseconds]; an answer is [rows, count, columns?], or a failure, or for a write that changed one
 * row and gave none the key of the last one inserted: a number costs least to send.
 */
export type WireAnswer =
  | number
  | readonly [rows: unknown[][], count: number, columns?: readonly string[]]
  | SqliteFailure;

/** The answer to a GROUP: one for each of its writes. */
export interface GroupAnswer {
  readonly group: readonly WireAnswer[];
}
