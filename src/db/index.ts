/** Models, querysets, transactions and databases. */
import './query/instance.ts';

export type {
  Answer,
  Backend,
  BeginOptions,
  Connection,
  Dialect,
  Executor,
  ExplainOptions,
  Features,
  Isolation,
  Row,
} from './backends/base.ts';
export { StatementShape } from './backends/base.ts';
export type { Holding, Holdings } from './backends/holdings.ts';
export type { PostgresOptions } from './backends/postgresql/index.ts';
export type { SqliteOptions } from './backends/sqlite/index.ts';
export {
  type QueryMessage,
  queryChannel,
  type TransactionMessage,
  transactionChannel,
} from './channels.ts';
export {
  ambient,
  currentDatabases,
  type DatabaseConfig,
  type DatabaseOptions,
  Databases,
  type Router,
} from './databases.ts';
export { type ExplainStatementOptions, explainStatement } from './explain.ts';
export {
  ArrayAgg,
  Avg,
  BoolAnd,
  BoolOr,
  Count,
  Max,
  Min,
  StdDev,
  StringAgg,
  Sum,
  Variance,
} from './expressions/aggregates.ts';
export {
  type DatePart,
  Extract,
  ExtractDay,
  ExtractHour,
  ExtractIsoWeekDay,
  ExtractIsoYear,
  ExtractMinute,
  ExtractMonth,
  ExtractQuarter,
  ExtractSecond,
  ExtractWeek,
  ExtractWeekDay,
  ExtractYear,
  Now,
  Trunc,
  TruncDate,
  TruncDay,
  TruncHour,
  TruncMinute,
  TruncMonth,
  type TruncPart,
  TruncQuarter,
  TruncSecond,
  TruncTime,
  TruncWeek,
  TruncYear,
  type ZoneOptions,
} from './expressions/dates.ts';
export type { Argument } from './expressions/func.ts';
export * from './expressions/functions.ts';
export * from './expressions/search.ts';
export { Case, Exists, F, OuterRef, Q, rawSql, Subquery, Value, When } from './expressions/values.ts';
export * from './expressions/windows.ts';
export { columnName, tableName } from './fields/field.ts';
export {
  array,
  auto,
  bigAuto,
  bigInteger,
  binary,
  boolean,
  date,
  dateTime,
  decimal,
  duration,
  email,
  float,
  foreignKey,
  generated,
  integer,
  ipAddress,
  json,
  many,
  manyToMany,
  one,
  oneToOne,
  positiveBigInteger,
  positiveInteger,
  positiveSmallInteger,
  slug,
  smallInteger,
  text,
  time,
  url,
  uuid,
} from './fields/functions.ts';
export { type Meta, type ModelState, metaOf, registeredModels, registerModels } from './model/meta.ts';
export { Model } from './model/model.ts';
export type { Deconstructible, ModelOptions } from './model/options.ts';
export {
  type CheckOptions,
  checkConstraint,
  type ExclusionOptions,
  exclusionConstraint,
  type IndexOptions,
  index,
  type PartCondition,
  type UniqueOptions,
  uniqueConstraint,
} from './model/parts.ts';
export { Prefetch, prefetchRelatedObjects } from './query/prefetch.ts';
export { setShapeLimit, shapeCount } from './query/shape.ts';
export {
  m2mChanged,
  postDelete,
  postSave,
  preDelete,
  preSave,
  type RelationMessage,
  Signal,
  type SignalMessage,
} from './query/signals.ts';
export { invalid } from './query/validation.ts';
export {
  type AtomicOptions,
  atomic,
  currentTransaction,
  executorFor,
  type OnCommitOptions,
  onCommit,
  setRollback,
  Transaction,
} from './transaction.ts';
export type {
  Deconstructed,
  Field,
  FieldOptions,
  ForeignKey,
  Many,
  ManyToMany,
  OnDelete,
  One,
} from './typing/fields.ts';
export type { Expression, LookupError, Ref } from './typing/lookups.ts';
export type { Condition, ManyToManyManager, ModelClass, QuerySet, RelatedManager } from './typing/model.ts';
