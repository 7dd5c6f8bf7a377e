/** What the checker knows of rows, model classes and querysets. */
import type { ModelOptions } from '../model/options.ts';
import type { Field, ForeignKey, Many, ManyToMany, One } from './fields.ts';
import type {
  AllFields,
  Check,
  CheckPath,
  Expression,
  FieldsOf,
  Hints,
  Inst,
  IsFk,
  IsLink,
  IsMany,
  IsNull,
  IsOne,
  IsOptional,
  LoadedMany,
  Lookup,
  LookupError,
  LookupValue,
  Names,
  OrderArg,
  Paths,
  PathValue,
  PkNames,
  PkOf,
  Prefetched,
  Ref,
  Rel,
  Related,
  RelNames,
  Unsigned,
  WithPk,
} from './lookups.ts';

/** What every instance can do. */
export interface Base {
  /** Loads itself: a loaded instance stands wherever an unloaded relation could. */
  load(): Promise<this>;
  /** Inserts the row, or updates the columns whose fields changed. */
  save(options?: SaveOptions): Promise<void>;
  /** Deletes the row and what cascades from it: the number of rows, in all and per model. */
  delete(options?: UsingOptions): Promise<[number, Record<string, number>]>;
  /** Reads the row again. */
  refresh(options?: { readonly fields?: readonly string[]; readonly using?: string }): Promise<this>;
  /** Checks fields, `clean()` and uniqueness; throws a ValidationError that says what is wrong with which field. */
  fullClean(options?: { readonly exclude?: readonly string[]; readonly unique?: boolean }): Promise<void>;
  /** For models to override: checks that involve several fields. */
  clean(): void | Promise<void>;
  /** Names of the fields that differ from the database. */
  changed(): readonly string[];
  /** Whether it came from the database or was saved to it. */
  isSaved(): boolean;
  /** Whether both are the same row: of one model, with one key. Without a key, only an instance itself. */
  equals(other: unknown): boolean;
  /** What people read for the value of a field with choices: its label. */
  getDisplay(field: string): string;
}
export interface UsingOptions {
  readonly using?: string;
}
export interface SaveOptions extends UsingOptions {
  /** Only these fields. Default: those that changed. */
  readonly updateFields?: readonly string[];
  readonly forceInsert?: boolean;
  readonly forceUpdate?: boolean;
}

type Value<X> =
  X extends Field<infer V, boolean, boolean>
    ? V
    : X extends ForeignKey<infer M, infer N>
      ? Ref<Inst<M>, PkOf<M>> | (N extends true ? null : never)
      : X extends Many<infer M>
        ? RelatedManager<M>
        : X extends ManyToMany<infer M>
          ? ManyToManyManager<M>
          : X extends One<infer M>
            ? OneRef<Inst<M>>
            : never;
/** An unloaded row on the other side of a one-to-one key: whether there is one is not known. */
export interface OneRef<I> {
  load(): Promise<I | null>;
}
type FkIds<F> = {
  [P in keyof F as F[P] extends IsFk ? `${P & string}Id` : never]: F[P] extends Rel<infer M>
    ? PkOf<M> | (F[P] extends IsNull ? null : never)
    : never;
};
type AutoId<F> = { [P in 'id' as [PkNames<F>] extends [never] ? P : never]: number };
type PkValue<F> = [PkNames<F>] extends [never]
  ? number
  : F[PkNames<F>] extends Field<infer V, boolean, boolean>
    ? V
    : number;
interface HasPk<F> {
  readonly pk: PkValue<F>;
}
export type Row<F> = { [P in keyof F]: Value<F[P]> } & FkIds<F> & AutoId<F> & HasPk<F> & Base;

// ---- create()
type Input<X> =
  X extends Field<infer V, boolean, boolean>
    ? V
    : X extends ForeignKey<infer M, infer N>
      ? PkOf<M> | WithPk<PkOf<M>> | (N extends true ? null : never)
      : never;
type IsRequired<X> = X extends IsOptional | IsNull ? false : true;
type CreateKeys<F, Required extends boolean> = {
  [P in keyof F]: F[P] extends IsMany | IsOne | IsLink
    ? never
    : IsRequired<F[P]> extends Required
      ? P
      : never;
}[keyof F];
type FkNames<F> = { [P in keyof F]: F[P] extends IsFk ? P : never }[keyof F];
export type CreateInput<F> = { [P in CreateKeys<F, true>]: Input<F[P]> } & {
  [P in CreateKeys<F, false>]?: Input<F[P]>;
};
/** The same, all optional: for update(), new and the like; foreign keys also as `authorId`. */
export type PartialInput<F> = { [P in CreateKeys<F, boolean>]?: Input<F[P]> } & {
  [P in FkNames<F> as `${P & string}Id`]?: Input<F[P]>;
};
type UpdateInput<F> = {
  [P in CreateKeys<F, boolean>]?: Input<F[P]> | Expression<unknown>;
} & {
  [P in FkNames<F> as `${P & string}Id`]?: Input<F[P]> | Expression<unknown>;
};

// ---- conditions
declare const LOOKUPS: unique symbol;
/** Lookups combined with and, or, not. `L` is what was asked, checked where the condition is used. */
export interface Condition<L> {
  readonly [LOOKUPS]?: L;
  and<M>(other: Condition<M>): Condition<L & M>;
  and<const M extends object>(lookups: M): Condition<L & M>;
  or<M>(other: Condition<M>): Condition<L & M>;
  or<const M extends object>(lookups: M): Condition<L & M>;
  xor<M>(other: Condition<M>): Condition<L & M>;
  not(): Condition<L>;
}
type BadKeys<F, L> = {
  [P in keyof L]: L[P] extends LookupValue<F, P & string> ? never : P;
}[keyof L];
type CheckCondition<F, L> = [BadKeys<F, L>] extends [never]
  ? unknown
  : LookupError<`these lookups do not fit the model`, BadKeys<F, L>>;

// ---- annotations
declare const PATH: unique symbol;
/** Stands for "the type of the field at the path", known where the expression is used. */
export interface OfPath {
  readonly [PATH]: true;
}
/** An aggregate over the field at a path. */
export interface Aggregate<V, P extends string> extends Expression<V> {
  readonly path: P;
}
interface NumberOfPath {
  readonly [PATH]: 'number';
}

export type { NumberOfPath };
/** F(): the value of another field of the same row. Fits wherever an expression does. */
export interface FieldReference<P extends string> extends Expression<never>, Arithmetic {
  readonly reference: P;
}
export interface Arithmetic {
  add(other: Operand): Computed<number>;
  sub(other: Operand): Computed<number>;
  mul(other: Operand): Computed<number>;
  div(other: Operand): Computed<number>;
  mod(other: Operand): Computed<number>;
  pow(other: Operand): Computed<number>;
  bitAnd(other: Operand): Computed<number>;
  bitOr(other: Operand): Computed<number>;
  bitXor(other: Operand): Computed<number>;
  asc(options?: NullsOrder): Ordering;
  desc(options?: NullsOrder): Ordering;
}
export interface NullsOrder {
  readonly nullsFirst?: boolean;
  readonly nullsLast?: boolean;
}
declare const ORDER: unique symbol;
export interface Ordering {
  readonly [ORDER]?: true;
}
export type Operand = number | bigint | string | Date | Expression<unknown>;
/** An expression with operators, whose value is `V`. */
export interface Computed<V> extends Expression<V>, Arithmetic {}
interface HasPath<P extends string> {
  readonly path: P;
}
interface HasReference<P extends string> {
  readonly reference: P;
}
type NumberFor<V> = [NonNullable<V>] extends [string] ? string : number;
type AnnotationValue<F, A> =
  A extends HasReference<infer P>
    ? PathValue<F, P>
    : A extends Aggregate<infer V, infer P>
      ? [V] extends [OfPath]
        ? NonNullable<PathValue<F, P>> | null
        : [V] extends [NumberOfPath]
          ? NumberFor<PathValue<F, P>> | null
          : V
      : A extends Expression<infer V>
        ? V
        : A extends Condition<unknown>
          ? boolean
          : never;
export interface AnnotationField<V> extends Field<V, true> {}
type AnnotationFields<F, A> = { readonly [K in keyof A]: AnnotationField<AnnotationValue<F, A[K]>> };
type AnnotationRow<F, A> = { -readonly [K in keyof A]: AnnotationValue<F, A[K]> };
type CheckAnnotations<F, A> = {
  [K in keyof A]: A[K] extends HasPath<infer P>
    ? P extends '*'
      ? unknown
      : CheckPath<F, P>
    : A[K] extends HasReference<infer P>
      ? CheckPath<F, P>
      : unknown;
};
export type Annotation = Expression<unknown> | Condition<unknown>;

export type U2I<U> = (U extends unknown ? (x: U) => void : never) extends (x: infer I) => void ? I : never;
type Flat<R> = { [K in keyof R]: R[K] } & {};
type Columns<F> = {
  [P in keyof F as F[P] extends IsMany | IsOne
    ? never
    : F[P] extends IsFk
      ? `${P & string}Id`
      : P]: PathValue<F, P & string>;
};
type Text = string & {};
/** The names alone, from a list of names. */
type Tuple<F, P extends readonly string[]> = { -readonly [I in keyof P]: PathValue<F, P[I]> };

/** The queryset inside Prefetch: what to fetch, and under which name. */
declare const PREFETCH: unique symbol;
export interface PrefetchObject<P extends string, R> {
  readonly [PREFETCH]?: [P, R];
}
type PrefetchedBy<F, X> =
  X extends PrefetchObject<infer P, infer R>
    ? { readonly [K in P]: LoadedMany<R> }
    : X extends string
      ? Prefetched<F, X>
      : never;

type DateKind = 'year' | 'quarter' | 'month' | 'week' | 'day';
interface DatesOptions {
  readonly order?: 'ASC' | 'DESC';
}
/** A queryset of any model that gives such rows. */
interface RowsOf<R> extends PromiseLike<readonly R[]> {
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] };
}

export interface LockOptions {
  /** Leave out rows that somebody else has locked. */
  readonly skipLocked?: boolean;
  /** Fail at once if a row is locked. */
  readonly noWait?: boolean;
  /** Lock only these of the selected relations; 'self' for the model itself. */
  readonly of?: readonly string[];
  /** FOR NO KEY UPDATE. */
  readonly noKey?: boolean;
}
export interface BulkCreateOptions<F> {
  /** Rows per statement. Default: as many as the database takes. */
  readonly batchSize?: number;
  /** Rows that violate a unique constraint are left out. */
  readonly ignoreConflicts?: boolean;
  /** Rows that violate the constraint on `uniqueFields` update `updateFields` instead. */
  readonly updateConflicts?: boolean;
  readonly updateFields?: readonly Names<F>[];
  readonly uniqueFields?: readonly Names<F>[];
}

/**
 * A lazy, immutable query: every method gives a new one, awaiting it asks the database.
 * `M` is the model class, `X` the fields that annotations added, `R` what one result is.
 */
export interface QuerySet<M, X = {}, R = Inst<M>> extends PromiseLike<R[]>, AsyncIterable<R> {
  filter<L>(
    condition: Condition<L> & CheckCondition<FieldsOf<M> & X, L>,
    ...more: readonly Condition<unknown>[]
  ): QuerySet<M, X, R>;
  filter(condition: Expression<boolean>): QuerySet<M, X, R>;
  filter<const K extends string>(
    lookups: Lookup<FieldsOf<M> & X, K> & Hints<FieldsOf<M>> & Hints<X>,
  ): QuerySet<M, X, R>;
  exclude<L>(
    condition: Condition<L> & CheckCondition<FieldsOf<M> & X, L>,
    ...more: readonly Condition<unknown>[]
  ): QuerySet<M, X, R>;
  exclude(condition: Expression<boolean>): QuerySet<M, X, R>;
  exclude<const K extends string>(
    lookups: Lookup<FieldsOf<M> & X, K> & Hints<FieldsOf<M>> & Hints<X>,
  ): QuerySet<M, X, R>;
  all(): QuerySet<M, X, R>;
  none(): QuerySet<M, X, R>;
  /** '-name' for descending, '?' for random; expressions with asc() and desc(). */
  orderBy(...paths: (OrderArg<FieldsOf<M>> | OrderArg<X> | Ordering)[]): QuerySet<M, X, R>;
  orderBy<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: P[I] & CheckPath<FieldsOf<M> & X, Unsigned<P[I]>> }
  ): QuerySet<M, X, R>;
  reverse(): QuerySet<M, X, R>;
  /** Without arguments: no two equal rows. With names, on PostgreSQL: one row for each of their values. */
  distinct(...paths: Paths<FieldsOf<M>>[]): QuerySet<M, X, R>;
  limit(count: number): QuerySet<M, X, R>;
  offset(count: number): QuerySet<M, X, R>;
  /** Rows from `start` up to, not including, `end`: Django's [start:end]. */
  slice(start: number, end?: number | null): QuerySet<M, X, R>;
  values(): QuerySet<M, X, Flat<Columns<FieldsOf<M>> & { [K in keyof X]: PathValue<X, K & string> }>>;
  values<const P extends Paths<FieldsOf<M>> | Paths<X>>(
    ...paths: P[]
  ): QuerySet<M, X, Flat<{ [K in P]: PathValue<FieldsOf<M> & X, K> }>>;
  values<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: P[I] & CheckPath<FieldsOf<M> & X, P[I]> }
  ): QuerySet<M, X, Flat<{ [K in P[number]]: PathValue<FieldsOf<M> & X, K> }>>;
  valuesList<const P extends string>(
    path: P & CheckPath<FieldsOf<M> & X, P>,
    options: { readonly flat: true },
  ): QuerySet<M, X, PathValue<FieldsOf<M> & X, P>>;
  valuesList<const P extends readonly (Paths<FieldsOf<M>> | Paths<X>)[]>(
    ...paths: P
  ): QuerySet<M, X, Tuple<FieldsOf<M> & X, P>>;
  valuesList<const P extends readonly string[]>(
    ...paths: { [I in keyof P]: P[I] & CheckPath<FieldsOf<M> & X, P[I]> }
  ): QuerySet<M, X, Tuple<FieldsOf<M> & X, P>>;
  annotate<const A extends Readonly<Record<string, Annotation>>>(
    annotations: A & CheckAnnotations<FieldsOf<M> & X, A>,
  ): QuerySet<M, X & AnnotationFields<FieldsOf<M> & X, A>, R & AnnotationRow<FieldsOf<M> & X, A>>;
  /** As annotate, for use in later lookups and orderings only: the rows do not carry it. */
  alias<const A extends Readonly<Record<string, Annotation>>>(
    annotations: A & CheckAnnotations<FieldsOf<M> & X, A>,
  ): QuerySet<M, X & AnnotationFields<FieldsOf<M> & X, A>, R>;
  aggregate<const A extends Readonly<Record<string, Annotation>>>(
    aggregates: A & CheckAnnotations<FieldsOf<M> & X, A>,
  ): Promise<Flat<AnnotationRow<FieldsOf<M> & X, A>>>;
  selectRelated<const P extends readonly (RelNames<FieldsOf<M>, 'fk' | 'one'> | Text)[]>(
    ...paths: { [I in keyof P]: P[I] & Check<Related<FieldsOf<M>, P[I]>> }
  ): QuerySet<M, X, R & U2I<Related<FieldsOf<M>, P[number]>>>;
  prefetchRelated<
    const P extends readonly (
      | RelNames<FieldsOf<M>, 'many' | 'm2m' | 'fk' | 'one'>
      | Text
      | PrefetchObject<string, unknown>
    )[],
  >(
    ...paths: {
      [I in keyof P]: P[I] & (P[I] extends string ? Check<Prefetched<FieldsOf<M>, P[I]>> : unknown);
    }
  ): QuerySet<M, X, R & U2I<PrefetchedBy<FieldsOf<M>, P[number]>>>;
  /** Hands the queryset to a function of yours, and goes on with what it gives: `.use(published).use(by, author)`. */
  use<A extends readonly unknown[], T>(fn: (set: this, ...args: A) => T, ...args: A): T;
  /** The different dates of a field, cut down to the beginning of their year, month, …. */
  dates(field: Names<FieldsOf<M>>, kind: DateKind, options?: DatesOptions): QuerySet<M, X, string>;
  datetimes(
    field: Names<FieldsOf<M>>,
    kind: DateKind | 'hour' | 'minute' | 'second',
    options?: DatesOptions & { readonly timeZone?: string },
  ): QuerySet<M, X, Date>;
  only(...fields: Paths<FieldsOf<M>>[]): QuerySet<M, X, R>;
  defer(...fields: Paths<FieldsOf<M>>[]): QuerySet<M, X, R>;
  using(alias: string): QuerySet<M, X, R>;
  /** 'raise': relations that were not loaded with this query are refused instead of fetched. */
  relations(mode: 'fetch' | 'raise'): QuerySet<M, X, R>;
  selectForUpdate(options?: LockOptions): QuerySet<M, X, R>;
  /** Rows of all of them; the others give rows of the same form. `{ all: true }` first keeps those that are there twice. */
  union(...others: readonly RowsOf<R>[]): QuerySet<M, X, R>;
  union(all: { readonly all: true }, ...others: readonly RowsOf<R>[]): QuerySet<M, X, R>;
  intersection(...others: readonly RowsOf<R>[]): QuerySet<M, X, R>;
  difference(...others: readonly RowsOf<R>[]): QuerySet<M, X, R>;

  /** Exactly one row; else DoesNotExist or MultipleObjectsReturned. */
  get(): Promise<R>;
  get<L>(condition: Condition<L> & CheckCondition<FieldsOf<M> & X, L>): Promise<R>;
  get<const K extends string>(
    lookups: Lookup<FieldsOf<M> & X, K> & Hints<FieldsOf<M>> & Hints<X>,
  ): Promise<R>;
  first(): Promise<R | null>;
  last(): Promise<R | null>;
  latest(...fields: Paths<FieldsOf<M>>[]): Promise<R>;
  earliest(...fields: Paths<FieldsOf<M>>[]): Promise<R>;
  count(): Promise<number>;
  exists(): Promise<boolean>;
  contains(instance: WithPk<PkOf<M>>): Promise<boolean>;
  /** Rows by primary key, or by another unique field. */
  inBulk(keys?: readonly PkOf<M>[]): Promise<Map<PkOf<M>, R>>;
  inBulk<const P extends Names<FieldsOf<M>>>(
    keys: readonly unknown[],
    options: { readonly field: P },
  ): Promise<Map<PathValue<FieldsOf<M>, P>, R>>;
  /** Rows one by one, in chunks from a cursor in the database: for more rows than fit into memory. */
  iterator(options?: { readonly chunkSize?: number }): AsyncIterable<R>;
  explain(options?: {
    readonly format?: string;
    readonly analyze?: boolean;
    readonly verbose?: boolean;
  }): Promise<string>;

  create(values: CreateInput<FieldsOf<M>> & PartialInput<FieldsOf<M>>): Promise<Inst<M>>;
  getOrCreate<const K extends string>(
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
    options?: { readonly defaults?: Defaults<M> },
  ): Promise<[Inst<M>, boolean]>;
  updateOrCreate<const K extends string>(
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
    options?: { readonly defaults?: Defaults<M>; readonly createDefaults?: Defaults<M> },
  ): Promise<[Inst<M>, boolean]>;
  bulkCreate(
    rows: readonly (CreateInput<FieldsOf<M>> | Inst<M>)[],
    options?: BulkCreateOptions<FieldsOf<M>>,
  ): Promise<Inst<M>[]>;
  bulkUpdate(
    rows: readonly Inst<M>[],
    fields: readonly Names<FieldsOf<M>>[],
    options?: { readonly batchSize?: number },
  ): Promise<number>;
  /** Changes all rows of the query in one statement; gives their number. */
  update(values: UpdateInput<FieldsOf<M>>): Promise<number>;
  /** Deletes all rows of the query and what cascades from them. */
  delete(): Promise<[number, Record<string, number>]>;
  /** The SQL and its parameters, for people. */
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] };
}
type Defaults<M> = PartialInput<FieldsOf<M>> | (() => PartialInput<FieldsOf<M>>);

/** The rows on the many side of a foreign key of one instance. */
export interface RelatedManager<M> extends QuerySet<M> {
  create(values: Partial<CreateInput<FieldsOf<M>>>): Promise<Inst<M>>;
  add(...rows: readonly Inst<M>[]): Promise<void>;
  /** Only where the foreign key may be null. */
  remove(...rows: readonly Inst<M>[]): Promise<void>;
  clear(): Promise<void>;
  set(rows: readonly Inst<M>[]): Promise<void>;
}
interface ThroughDefaults {
  readonly throughDefaults: Readonly<Record<string, unknown>>;
}
/** The rows that a many-to-many field of one instance leads to. */
export interface ManyToManyManager<M> extends QuerySet<M> {
  create(values: CreateInput<FieldsOf<M>>, through?: Readonly<Record<string, unknown>>): Promise<Inst<M>>;
  /** Last, for rows of a table between that has fields of its own: `{ throughDefaults: { role: 'head' } }`. */
  add(...rows: readonly (Inst<M> | PkOf<M> | ThroughDefaults)[]): Promise<void>;
  remove(...rows: readonly (Inst<M> | PkOf<M>)[]): Promise<void>;
  clear(): Promise<void>;
  /** `clear`: remove all first, instead of what is not in `rows`. */
  set(
    rows: readonly (Inst<M> | PkOf<M>)[],
    options?: Partial<ThroughDefaults> & { readonly clear?: boolean },
  ): Promise<void>;
}

interface ErrorClass {
  new (...args: never): Error;
  readonly prototype: Error;
}
export interface AnyModelClass {
  new (values?: never): object;
  readonly fields: unknown;
}

/** What `Model({...})` gives: a class to extend. Its query methods know the subclass they are called on. */
export interface ModelClass<F> {
  new (values?: PartialInput<AllFields<F>>): Row<F>;
  readonly fields: F;
  /** No row matched: for `catch` and `instanceof`. */
  readonly DoesNotExist: ErrorClass;
  readonly MultipleObjectsReturned: ErrorClass;
  /** The queryset that all others of this model begin with. Override it for a custom default. */
  objects<M extends AnyModelClass>(this: M): QuerySet<M>;
  all<M extends AnyModelClass>(this: M): QuerySet<M>;
  none<M extends AnyModelClass>(this: M): QuerySet<M>;
  using<M extends AnyModelClass>(this: M, alias: string): QuerySet<M>;
  filter<M extends AnyModelClass, L>(
    this: M,
    condition: Condition<L> & CheckCondition<FieldsOf<M>, L>,
    ...more: readonly Condition<unknown>[]
  ): QuerySet<M>;
  filter<M extends AnyModelClass>(this: M, condition: Expression<boolean>): QuerySet<M>;
  filter<M extends AnyModelClass, const K extends string>(
    this: M,
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
  ): QuerySet<M>;
  exclude<M extends AnyModelClass, L>(
    this: M,
    condition: Condition<L> & CheckCondition<FieldsOf<M>, L>,
    ...more: readonly Condition<unknown>[]
  ): QuerySet<M>;
  exclude<M extends AnyModelClass>(this: M, condition: Expression<boolean>): QuerySet<M>;
  exclude<M extends AnyModelClass, const K extends string>(
    this: M,
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
  ): QuerySet<M>;
  get<M extends AnyModelClass, L>(
    this: M,
    condition: Condition<L> & CheckCondition<FieldsOf<M>, L>,
  ): Promise<Inst<M>>;
  get<M extends AnyModelClass, const K extends string>(
    this: M,
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
  ): Promise<Inst<M>>;
  create<M extends AnyModelClass>(
    this: M,
    values: CreateInput<FieldsOf<M>> & PartialInput<FieldsOf<M>>,
  ): Promise<Inst<M>>;
  getOrCreate<M extends AnyModelClass, const K extends string>(
    this: M,
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
    options?: { readonly defaults?: Defaults<M> },
  ): Promise<[Inst<M>, boolean]>;
  updateOrCreate<M extends AnyModelClass, const K extends string>(
    this: M,
    lookups: Lookup<FieldsOf<M>, K> & Hints<FieldsOf<M>>,
    options?: { readonly defaults?: Defaults<M>; readonly createDefaults?: Defaults<M> },
  ): Promise<[Inst<M>, boolean]>;
  bulkCreate<M extends AnyModelClass>(
    this: M,
    rows: readonly (CreateInput<FieldsOf<M>> | Inst<M>)[],
    options?: BulkCreateOptions<FieldsOf<M>>,
  ): Promise<Inst<M>[]>;
  bulkUpdate<M extends AnyModelClass>(
    this: M,
    rows: readonly Inst<M>[],
    fields: readonly Names<FieldsOf<M>>[],
    options?: { readonly batchSize?: number },
  ): Promise<number>;
  first<M extends AnyModelClass>(this: M): Promise<Inst<M> | null>;
  last<M extends AnyModelClass>(this: M): Promise<Inst<M> | null>;
  count<M extends AnyModelClass>(this: M): Promise<number>;
  exists<M extends AnyModelClass>(this: M): Promise<boolean>;
  /** A class with these fields and more: shares the fields of an abstract model, or the table of another one. */
  extend<G>(fields: G, options?: ModelOptions): ModelClass<F & G>;
}
