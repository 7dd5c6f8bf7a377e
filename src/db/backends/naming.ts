import { fault, type IntegrityError } from '../../errors/index.ts';

/** Turns what a database calls things into what the program calls them; filled in by the room's models. */
export interface Named {
  readonly model: string;
  readonly fields: readonly string[];
}
type Resolve = (table: string, columns: readonly string[], constraint: string, parent: string) => Named;
let resolve: Resolve = (table, columns) => ({ model: table, fields: columns });
export function setNaming(fn: Resolve): void {
  resolve = fn;
}

/**
 * The model of a table and the fields of columns; where no columns are known, those of the constraint of that name, or of
 * the foreign key to the table `parent`.
 */
export function named(table: string, columns: readonly string[], constraint = '', parent = ''): Named {
  return resolve(table, columns, constraint, parent);
}

export interface Violation extends Named {
  /** Its name in the database; empty where that tells none. */
  readonly constraint: string;
  /** What the database said. */
  readonly detail: string;
}

/** The error of a violated constraint, with what it is about on it. */
export function violation(
  code: 'SBY_DB_UNIQUE' | 'SBY_DB_NOT_NULL' | 'SBY_DB_FOREIGN_KEY' | 'SBY_DB_CHECK',
  { model, fields, constraint, detail }: Violation,
  cause: unknown,
): IntegrityError {
  const details = { model: model || 'a row', fields: fields.join(', ') || constraint, constraint, detail };
  if (code === 'SBY_DB_FOREIGN_KEY') details.fields = fields.join(', ');
  const error = fault(code, details, { cause });
  error.model = model;
  error.fields = fields;
  error.constraint = constraint;
  return error;
}
