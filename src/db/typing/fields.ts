/** What the checker knows of fields. The runtime side is fields/field.ts; the two meet in the field functions. */

/** A field in plain data: what migrations store and compare. */
export interface Deconstructed {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

interface Definition {
  deconstruct(): Deconstructed;
}

/** A column. `V` what a row holds, `Opt` whether create() may leave it out, `Pk` whether it is the primary key. */
export interface Field<V, Opt extends boolean = false, Pk extends boolean = false> extends Definition {
  readonly sort: 'scalar';
  readonly v: V;
  readonly opt: Opt;
  readonly pk: Pk;
}

/** A foreign key, or a one-to-one key, to the model class `M`. */
export interface ForeignKey<M, Null extends boolean = false> extends Definition {
  readonly sort: 'fk';
  readonly model: M;
  readonly nul: Null;
}

/** The key of a model to its row in the table of the model that it extends. */
export interface ParentLink<M> extends ForeignKey<M, false> {
  readonly link: true;
}

/** The other side of a foreign key or of a many-to-many field: many rows. */
export interface Many<M> {
  readonly sort: 'many';
  readonly model: M;
}

/** The other side of a one-to-one key: one row or none. */
export interface One<M> {
  readonly sort: 'one';
  readonly model: M;
  readonly nul: true;
}

/** A many-to-many field. */
export interface ManyToMany<M> extends Definition {
  readonly sort: 'm2m';
  readonly model: M;
}

export interface IdField extends Field<number, true, true> {}

export type OnDelete = 'cascade' | 'protect' | 'restrict' | 'setNull' | 'setDefault' | 'doNothing';

/** Checks a value; throws, or returns a message, when it refuses it. */
export type Validator<V> = (value: V) => string | undefined | void;

/** Options every column takes. */
export interface FieldOptions<V> {
  /** Whether the column may hold NULL. Default false. */
  readonly null?: boolean;
  /** Whether validation accepts an empty value. Default: the value of `null`. */
  readonly blank?: boolean;
  /** The value of rows created without one: a value, or a function called for each row. */
  readonly default?: V | (() => V);
  /** A default kept by the database: a value, or SQL as `sql` text. */
  readonly dbDefault?: V | DatabaseExpression;
  readonly unique?: boolean;
  readonly index?: boolean;
  readonly primaryKey?: boolean;
  /** The column's name. Default: the field's name in snake_case. */
  readonly column?: string;
  readonly validators?: readonly Validator<V>[];
  /** Shown to people: forms, admin. */
  readonly verboseName?: string;
  readonly helpText?: string;
  readonly editable?: boolean;
  readonly comment?: string;
}

/** SQL computed by the database, as a default or a generated column; written by the programmer, never from input. */
export interface DatabaseExpression {
  readonly sql: string;
}
