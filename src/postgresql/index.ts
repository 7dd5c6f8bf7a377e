/** A PostgreSQL client: pipelined, binary, pooled; usable alone. */
export {
  PostgresqlConnectionError,
  PostgresqlDataError,
  PostgresqlError,
  PostgresqlIntegrityError,
  PostgresqlPoolError,
  PostgresqlProgrammingError,
  PostgresqlRollbackError,
  type ServerFields,
} from '../errors/index.ts';
export { type PostgresqlQueryMessage, postgresqlQuery } from './channels.ts';
export { Connection } from './connection.ts';
export type { CopySource } from './copy.ts';
export { arrayShape, objectShape, type Shape } from './decoder.ts';
export { type ListenOptions, Subscription } from './listen.ts';
export type { ConnectOptions, SslMode, TargetSession } from './options.ts';
export { Pool, type PoolOptions, type PoolStatistics } from './pool.ts';
export type { Field } from './protocol/messages.ts';
export type { Result } from './query.ts';
export { quoteIdentifier, quoteLiteral } from './quote.ts';
export { type CursorOptions, type Lent, Session } from './session.ts';
export { Transaction, type TransactionOptions } from './transaction.ts';
export type { AnyCodec, Codec } from './types/codec.ts';
export type { Reading, TypeOptions } from './types/registry.ts';
export { Interval, Range, RawJson } from './types/values.ts';
export type { Notification } from './wire.ts';
