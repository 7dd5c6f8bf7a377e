import { BadRequest, type Fault, OperationalError, SobayaError, UsageError } from './base.ts';

/** A query names a field, lookup or alias that does not exist, or uses one where it cannot be used. */
export class FieldError extends UsageError {}

/** The database refused or failed. Its subclasses are PEP 249's, as in Django. */
export class DatabaseError extends OperationalError {}

/** A constraint was violated: unique, foreign key, not null, check. `model` and `field` say whose. */
export class IntegrityError extends DatabaseError {
  /** Label of the model whose row was refused, as far as the database told: `shop.Author`, else its table. */
  model = '';
  /** Names of the fields concerned. */
  fields: readonly string[] = [];
  /** The constraint's name, where the database gives one. */
  constraint = '';
}

/** A value does not fit its column: out of range, too long, not a number. */
export class DataError extends DatabaseError {}

/** The database does not understand the statement: a missing table or column, a syntax error. */
export class ProgrammingError extends DatabaseError {}

/** Deleting was refused by a foreign key with onDelete 'protect' or 'restrict'. */
export class ProtectedError extends DatabaseError {}

/** A transaction was used after its end, left broken, or asked for what it cannot do. */
export class TransactionManagementError extends UsageError {}

/** No row matched. Every model has its own subclass, `Article.DoesNotExist`. */
export class ObjectDoesNotExist extends SobayaError {
  static override readonly fault: Fault = 'request';
}

/** More than one row matched `get()`. Every model has its own subclass. */
export class MultipleObjectsReturned extends SobayaError {
  static override readonly fault: Fault = 'usage';
}

/** Values that a field, a validator or `clean()` refused; `errors` maps field names to messages. */
export class ValidationError extends BadRequest {
  errors: Record<string, readonly string[]> = {};
}
