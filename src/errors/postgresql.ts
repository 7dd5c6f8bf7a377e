import { type Fault, OperationalError } from './base.ts';
import { TimeoutError } from './flow.ts';

/** What the server says about an error or a notice (PostgreSQL documentation, "Error and Notice Message Fields"). */
export interface ServerFields {
  /** ERROR, FATAL, PANIC, WARNING, NOTICE, …; never translated. */
  readonly severity: string;
  /** SQLSTATE, five characters. */
  readonly sqlState: string;
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
  /** Position in the statement, in characters counted from 1; 0 when the server gives none. */
  readonly position: number;
  readonly internalPosition: number;
  readonly internalQuery: string;
  /** Call stack of functions and such; the protocol calls it "where". */
  readonly context: string;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly dataType: string;
  readonly constraint: string;
  readonly file: string;
  readonly line: number;
  readonly routine: string;
}

const noFields: ServerFields = {
  severity: '',
  sqlState: '',
  message: '',
  detail: '',
  hint: '',
  position: 0,
  internalPosition: 0,
  internalQuery: '',
  context: '',
  schema: '',
  table: '',
  column: '',
  dataType: '',
  constraint: '',
  file: '',
  line: 0,
  routine: '',
};

/** The server refused or failed. `sqlState` says what exactly; `server` is all that it said. */
export class PostgresqlError extends OperationalError {
  server: ServerFields = noFields;
  /** The statement, as it was sent. */
  sql = '';
  /** Doing the same again, the whole transaction if there is one, may succeed. */
  retryable = false;

  get sqlState(): string {
    return this.server.sqlState;
  }
  get detail(): string {
    return this.server.detail;
  }
  get hint(): string {
    return this.server.hint;
  }
  get constraint(): string {
    return this.server.constraint;
  }
  get schema(): string {
    return this.server.schema;
  }
  get table(): string {
    return this.server.table;
  }
  get column(): string {
    return this.server.column;
  }
}

/** SQLSTATE class 23: a constraint was violated. */
export class PostgresqlIntegrityError extends PostgresqlError {}

/** SQLSTATE class 22: a value is out of range, malformed, too long. Also values that cannot be sent or read. */
export class PostgresqlDataError extends PostgresqlError {}

/** SQLSTATE classes 42, 26, 3D, 3F and others: the statement is wrong, or what it names does not exist. */
export class PostgresqlProgrammingError extends PostgresqlError {
  static override readonly fault: Fault = 'usage';
}

/** SQLSTATE class 40: serialization failure or deadlock. Run the whole transaction again. */
export class PostgresqlRollbackError extends PostgresqlError {}

/** No connection, or it broke, or the server ended it. `retryable` says whether trying again makes sense. */
export class PostgresqlConnectionError extends PostgresqlError {
  /** Whether the statement had been sent: then it is not known whether it took effect. */
  sent = false;
}

/** The pool had no connection in time, or no place in its queue. Answer 503. */
export class PostgresqlPoolError extends TimeoutError {
  retryable = true;
}
