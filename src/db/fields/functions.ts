import { fault } from '../../errors/index.ts';
import type {
  DatabaseExpression,
  Field,
  FieldOptions,
  ForeignKey,
  Many,
  ManyToMany,
  OnDelete,
  One,
  ParentLink,
} from '../typing/fields.ts';
import { type Options, ValueField } from './field.ts';
import type { Kind } from './kinds.ts';
import { ForeignKeyField, ManyToManyField, ReverseField } from './relations.ts';

interface MayBeNull {
  readonly null: true;
}
interface Fills {
  readonly default: unknown;
}
interface DatabaseFills {
  readonly dbDefault: unknown;
}
interface IsPrimary {
  readonly primaryKey: true;
}
type Column<V, O> = Field<
  O extends MayBeNull ? V | null : V,
  O extends MayBeNull ? true : O extends Fills ? true : O extends DatabaseFills ? true : false,
  O extends IsPrimary ? true : false
>;

function column<T>(kind: Kind, options: object | undefined): T {
  return new ValueField(kind, Object.freeze({ ...options }) as Options) as unknown as T;
}

/** `V` narrowed to the values of `choices`, where they are given. */
interface HasChoices {
  readonly choices: unknown;
}
type Choice<O, V> = O extends { readonly choices: readonly (infer C)[] }
  ? C extends readonly [infer K, string]
    ? K
    : C
  : V;
type Choices<V> = readonly V[] | readonly (readonly [V, string])[];

export interface TextOptions extends FieldOptions<string> {
  /** Characters at most (Unicode code points). Default: no limit. */
  readonly maxLength?: number;
  readonly minLength?: number;
  /** Allowed values, alone or as [value, label]; the row's type narrows to them. */
  readonly choices?: Choices<string>;
  readonly collation?: string;
}

/** Text, with or without `maxLength`. */
export function text<const O extends TextOptions = {}>(
  options?: O,
): Column<O extends HasChoices ? Choice<O, string> : string, O> {
  return column('text', options);
}

export interface NumberOptions extends FieldOptions<number> {
  readonly min?: number;
  readonly max?: number;
  readonly choices?: Choices<number>;
}

/** A 32-bit integer. */
export function integer<const O extends NumberOptions = {}>(
  options?: O,
): Column<O extends HasChoices ? Choice<O, number> : number, O> {
  return column('integer', options);
}
/** A 16-bit integer. */
export function smallInteger<const O extends NumberOptions = {}>(options?: O): Column<number, O> {
  return column('smallInteger', options);
}
/** A 32-bit integer that is zero or more. */
export function positiveInteger<const O extends NumberOptions = {}>(options?: O): Column<number, O> {
  return column('positiveInteger', options);
}
/** A 16-bit integer that is zero or more. */
export function positiveSmallInteger<const O extends NumberOptions = {}>(options?: O): Column<number, O> {
  return column('positiveSmallInteger', options);
}
/** A 64-bit integer, as a bigint: a number would lose digits above 2^53. */
export function bigInteger<const O extends FieldOptions<bigint> = {}>(options?: O): Column<bigint, O> {
  return column('bigInteger', options);
}
/** A 64-bit integer that is zero or more, as a bigint. */
export function positiveBigInteger<const O extends FieldOptions<bigint> = {}>(
  options?: O,
): Column<bigint, O> {
  return column('positiveBigInteger', options);
}
/** A double-precision number. NaN and infinities are refused. */
export function float<const O extends NumberOptions = {}>(options?: O): Column<number, O> {
  return column('float', options);
}

export interface DecimalOptions extends FieldOptions<string> {
  /** Digits in all. */
  readonly maxDigits: number;
  /** Digits after the point. */
  readonly decimalPlaces: number;
}
/** An exact decimal, as text such as '12.50': a JavaScript number would round it. */
export function decimal<const O extends DecimalOptions>(options: O): Column<string, O> {
  return column('decimal', options);
}

export function boolean<const O extends FieldOptions<boolean> = {}>(options?: O): Column<boolean, O> {
  return column('boolean', options);
}

interface AutoNow {
  readonly autoNow: true;
}
interface AutoNowAdd {
  readonly autoNowAdd: true;
}
export interface MomentOptions<V> extends FieldOptions<V> {
  /** Set to now at every save. */
  readonly autoNow?: boolean;
  /** Set to now at creation. */
  readonly autoNowAdd?: boolean;
}
type Moment<V, O> = O extends AutoNow | AutoNowAdd ? Field<V, true> : Column<V, O>;

/** A moment in time, as a Date, kept in UTC with milliseconds. */
export function dateTime<const O extends MomentOptions<Date> = {}>(options?: O): Moment<Date, O> {
  return column('dateTime', options);
}
/** A calendar date without a time zone, as text 'YYYY-MM-DD'. */
export function date<const O extends MomentOptions<string> = {}>(options?: O): Moment<string, O> {
  return column('date', options);
}
/** A time of day, as text 'HH:MM:SS[.ffffff]'. */
export function time<const O extends MomentOptions<string> = {}>(options?: O): Moment<string, O> {
  return column('time', options);
}
/** A length of time in milliseconds, exact to the microsecond. */
export function duration<const O extends FieldOptions<number> = {}>(options?: O): Column<number, O> {
  return column('duration', options);
}

/** Any JSON value; give its type as the type argument. */
export function json<V = unknown>(
  options: FieldOptions<V> & { readonly default: V | (() => V) },
): Field<V, true>;
export function json<V = unknown>(options: FieldOptions<V> & { readonly null: true }): Field<V | null, true>;
export function json<V = unknown>(options?: FieldOptions<V> & { readonly null?: false }): Field<V, false>;
export function json(options?: object): Field<unknown, boolean> {
  return column('json', options);
}

/** Bytes. */
export function binary<const O extends FieldOptions<Uint8Array> = {}>(options?: O): Column<Uint8Array, O> {
  return column('binary', options);
}
/** A UUID as lower-case text. `uuid({ primaryKey: true, default: randomUUID })` for keys made by the program. */
export function uuid<const O extends FieldOptions<string> = {}>(options?: O): Column<string, O> {
  return column('uuid', options);
}
/** Text checked to be an e-mail address. Default `maxLength` 254 (RFC 5321, 4.5.3.1.3). */
export function email<const O extends TextOptions = {}>(options?: O): Column<string, O> {
  return column('email', { maxLength: 254, ...options });
}
/** Text checked to be an http, https, ftp or ftps URL. Default `maxLength` 200. */
export function url<const O extends TextOptions = {}>(options?: O): Column<string, O> {
  return column('url', { maxLength: 200, ...options });
}
/** Letters, digits, underscores and hyphens. Default `maxLength` 50, indexed. */
export function slug<const O extends TextOptions = {}>(options?: O): Column<string, O> {
  return column('slug', { maxLength: 50, index: true, ...options });
}
/** An IPv4 or IPv6 address as text. */
export function ipAddress<const O extends FieldOptions<string> = {}>(options?: O): Column<string, O> {
  return column('ipAddress', options);
}
/** An array of another field's values. PostgreSQL keeps it as an array, SQLite as JSON text. */
export function array<V, const O extends FieldOptions<readonly V[]> = {}>(
  of: Field<V, boolean, boolean>,
  options?: O,
): Column<V[], O> {
  return column('array', { ...options, of });
}

/** A number the database counts up, as another primary key than the default `id`. */
export function auto(options: {
  readonly primaryKey: true;
  readonly column?: string;
}): Field<number, true, true> {
  return column('auto', options);
}
/** The same with 64 bits; what every model has as `id` unless it declares a primary key. */
export function bigAuto(options: {
  readonly primaryKey: true;
  readonly column?: string;
}): Field<number, true, true> {
  return column('bigAuto', options);
}

/** A column the database computes from others; `of` gives its type, `expression` the SQL over column names. */
export function generated<V>(
  of: Field<V, boolean, boolean>,
  expression: DatabaseExpression,
  options: { readonly stored?: boolean; readonly column?: string } = {},
): Field<V | null, true> {
  const base = of as unknown as ValueField;
  return column(base.kind, {
    ...base.options,
    ...(options.column === undefined ? {} : { column: options.column }),
    null: true,
    editable: false,
    generated: { sql: expression.sql, stored: options.stored ?? true },
  });
}

export interface RelationOptions {
  readonly null?: boolean;
  readonly blank?: boolean;
  /** What happens to this row when the one it points to is deleted. Default 'cascade'. */
  readonly onDelete?: OnDelete;
  readonly unique?: boolean;
  readonly primaryKey?: boolean;
  /** Default true: reverse lookups need it. */
  readonly index?: boolean;
  readonly column?: string;
  /** A unique field of the target to point to instead of its primary key. */
  readonly toField?: string;
  readonly default?: unknown;
  /** Of a model that extends one with a table: the key to the row there. Default: a key of its own, `<parent>Ptr`. */
  readonly parentLink?: boolean;
  /** Default true: the database checks it. */
  readonly constraint?: boolean;
  readonly verboseName?: string;
  readonly helpText?: string;
  readonly comment?: string;
}
type NullOf<O> = O extends MayBeNull ? true : false;

function relation<T>(kind: 'foreignKey' | 'oneToOne', to: unknown, options: object | undefined): T {
  const checked = Object.freeze({ ...options }) as Options;
  if (checked['onDelete'] === 'setNull' && checked['null'] !== true)
    throw fault('SBY_DB_BAD_MODEL', {
      model: modelName(to),
      problem: `a ${kind} to it has onDelete 'setNull' but may not be null`,
      fix: 'Add null: true, or choose another onDelete',
    });
  return new ForeignKeyField(kind, to, checked) as unknown as T;
}
const modelName = (model: unknown): string => (typeof model === 'function' ? model.name : String(model));

/**
 * Many rows of this model to one of `to`. Declared in a getter, so that models may refer to each other:
 * `get author() { return foreignKey(Author); }`. `M` is unconstrained: a constraint would resolve the class
 * while its own base is being resolved.
 */
export function foreignKey<M, const O extends RelationOptions = {}>(
  to: M,
  options?: O,
): ForeignKey<M, NullOf<O>> {
  return relation('foreignKey', to, options);
}
/** The key to the row above, of a model that extends `to`. */
export function oneToOne<M>(
  to: M,
  options: RelationOptions & { readonly parentLink: true; readonly primaryKey: true },
): ParentLink<M>;
/** At most one row of this model for each of `to`. */
export function oneToOne<M, const O extends RelationOptions = {}>(
  to: M,
  options?: O,
): ForeignKey<M, NullOf<O>>;
export function oneToOne(to: unknown, options?: RelationOptions): ForeignKey<unknown, boolean> {
  return relation('oneToOne', to, options);
}

export interface ManyToManyOptions {
  /** The model between, when it has fields of its own; a function, since it is declared later. */
  readonly through?: () => unknown;
  /** Its foreign keys to this model and to the target, where there are several. */
  readonly throughFields?: readonly [string, string];
  /** The name of the automatic table. */
  readonly table?: string;
  /** For a relation to itself: whether a → b means b → a. Default true. */
  readonly symmetrical?: boolean;
  readonly verboseName?: string;
}
/** Any number of rows on both sides, through a table between. */
export function manyToMany<M>(to: M, options: ManyToManyOptions = {}): ManyToMany<M> {
  return new ManyToManyField(to, Object.freeze({ ...options }) as Options) as unknown as ManyToMany<M>;
}
/** The other side of the foreign key or many-to-many field `via` of `to`. */
export function many<M>(to: M, via: string): Many<M> {
  return new ReverseField(to, via, false) as unknown as Many<M>;
}
/** The other side of the one-to-one key `via` of `to`. */
export function one<M>(to: M, via: string): One<M> {
  return new ReverseField(to, via, true) as unknown as One<M>;
}
