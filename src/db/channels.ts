import { tracingChannel } from 'node:diagnostics_channel';

/** Message of `sobaya:db.query`: one statement, from being asked for to its answer. */
export interface QueryMessage {
  readonly alias: string;
  readonly vendor: string;
  readonly sql: string;
  readonly params: readonly unknown[];
  /** Whether it ran inside atomic(). */
  readonly transaction: boolean;
  /** Rows returned or changed; known at the end. */
  rows?: number;
  /** Milliseconds between being asked for and going to the database: for a connection, or behind others of a lane. */
  waited?: number;
  error?: unknown;
}

/** Message of `sobaya:db.transaction`: one atomic() block; nested ones are savepoints. */
export interface TransactionMessage {
  readonly alias: string;
  readonly vendor: string;
  readonly savepoint: boolean;
  /** Milliseconds until it had its connection (SQLite: the writer), before BEGIN. */
  waited?: number;
  outcome?: 'committed' | 'rolled back';
  error?: unknown;
}

export const queryChannel = tracingChannel<QueryMessage>('sobaya:db.query');
export const transactionChannel = tracingChannel<TransactionMessage>('sobaya:db.transaction');
