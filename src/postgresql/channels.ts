import { tracingChannel } from 'node:diagnostics_channel';

/** Message of `sobaya:postgresql.query`: one statement, from being given to its answer. */
export interface PostgresqlQueryMessage {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** Rows given or changed; known at the end. */
  rows?: number;
  error?: unknown;
}

/** `tracing:sobaya:postgresql.query:*`. */
export const postgresqlQuery = tracingChannel<object, PostgresqlQueryMessage>('sobaya:postgresql.query');
