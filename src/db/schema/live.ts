/** Tables read back from a live database. */
import type { Backend, Executor } from '../backends/base.ts';
import { postgresTables } from './postgresql/introspect.ts';
import { sqliteTables } from './sqlite/introspect.ts';

export interface LiveColumn {
  readonly name: string;
  /** As the database spells it, in lower case. */
  readonly type: string;
  readonly null: boolean;
  readonly primaryKey: boolean;
  readonly auto: boolean;
  /** SQL. */
  readonly default: string | null;
  readonly generated: string | null;
  /** False: a generated column that is computed when it is read. */
  readonly stored: boolean;
  readonly comment: string | null;
}

export interface LiveForeignKey {
  readonly columns: readonly string[];
  readonly table: string;
  readonly targets: readonly string[];
}

export interface LiveIndex {
  readonly name: string;
  /** Null for an expression. */
  readonly columns: readonly (string | null)[];
  readonly unique: boolean;
  /** Made by the primary key. */
  readonly primary: boolean;
  readonly partial: boolean;
  readonly descending: readonly boolean[];
  readonly method: string;
  /** Each column or expression as SQL. */
  readonly sql: readonly string[];
  /** The condition of a partial index, as SQL. */
  readonly where: string | null;
  readonly include: readonly string[];
}

export interface LiveTable {
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly columns: readonly LiveColumn[];
  readonly foreignKeys: readonly LiveForeignKey[];
  readonly indexes: readonly LiveIndex[];
  readonly checks: readonly { readonly name: string; readonly sql: string }[];
  readonly comment: string | null;
}

/** All tables and views of the database (of PostgreSQL's search path), by name. */
export function liveTables(backend: Backend, executor: Executor = backend): Promise<Map<string, LiveTable>> {
  return backend.vendor === 'sqlite' ? sqliteTables(executor) : postgresTables(executor);
}
