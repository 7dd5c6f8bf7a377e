import type { Backend, Features } from '../backends/base.ts';
import type { FieldState } from '../migrations/state.ts';

/** What the specification of a table asks a database: types, literals, checks that come with a kind of field. */
export interface SchemaBackend {
  readonly vendor: Backend['vendor'];
  readonly features: Features;
  quote(name: string): string;
  /** The type of a column that holds this field's values; never a foreign key or an automatic key. */
  columnType(field: FieldState): string;
  /** The type of a key that the database counts up, from the kind of its values. */
  autoType(kind: string): string;
  /** A default as SQL: a value in its stored form, or `{ sql }`. */
  literal(value: unknown, field: FieldState): string;
  /** A check that comes with the kind of field, as `>= 0` for positive integers. */
  columnCheck(field: FieldState, column: string): string | null;
}
