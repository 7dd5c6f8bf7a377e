import { channel, tracingChannel } from 'node:diagnostics_channel';

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
  error?: unknown;
}

/** Message of `sobaya:db.transaction`: one atomic() block; nested ones are savepoints. */
export interface TransactionMessage {
  readonly alias: string;
  readonly vendor: string;
  readonly savepoint: boolean;
  outcome?: 'committed' | 'rolled back';
  error?: unknown;
}

/** Message of `sobaya:db.wait`: a wait for a connection or for the writer. */
export interface WaitMessage {
  readonly alias: string;
  readonly waitedMs: number;
  readonly waiting: number;
}

export const queryChannel = tracingChannel<QueryMessage>('sobaya:db.query');
export const transactionChannel = tracingChannel<TransactionMessage>('sobaya:db.transaction');
export const waitChannel = channel('sobaya:db.wait');
