/** The catalogue of errors: stable codes, classes by who is at fault, messages that say what to do. */
export {
  BadRequest,
  type ErrorParts,
  type Fault,
  ImproperlyConfigured,
  isSobayaError,
  OperationalError,
  SobayaError,
  UsageError,
} from './base.ts';
export { describe } from './catalogue/define.ts';
export { catalogue, catalogueByRoom } from './catalogue/index.ts';
export {
  ClientProtocolError,
  ClientStatusError,
  ClientTimeoutError,
  ClientTransportError,
  type FailedRequest,
} from './client.ts';

export {
  DatabaseError,
  DataError,
  FieldError,
  IntegrityError,
  MultipleObjectsReturned,
  ObjectDoesNotExist,
  ProgrammingError,
  ProtectedError,
  TransactionManagementError,
  ValidationError,
} from './database.ts';

export { type ErrorCode, fault } from './fault.ts';
export {
  BrokenBarrierError,
  CancelledError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  TimeoutError,
} from './flow.ts';
export {
  ContentTooLarge,
  Http404,
  HttpError,
  PermissionDenied,
  SuspiciousOperation,
  TooManyRequests,
  UnsupportedMediaType,
} from './http.ts';
export {
  PostgresqlConnectionError,
  PostgresqlDataError,
  PostgresqlError,
  PostgresqlIntegrityError,
  PostgresqlPoolError,
  PostgresqlProgrammingError,
  PostgresqlRollbackError,
  type ServerFields,
} from './postgresql.ts';
