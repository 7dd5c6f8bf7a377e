/**
 * Lookups: keys such as `author__company__name__icontains`, checked against the fields at any depth.
 * Rules that keep the checker fast: named interfaces in conditional types, `M` never constrained, hints as an
 * intersection of optional `unknown` keys (they give completion; the types come from Lookup).
 */
import type { Field, ForeignKey, IdField, Many, ManyToMany, One } from './fields.ts';

declare const MESSAGE: unique symbol;
/** No value fits it; its text says why, and what there is instead. */
export interface LookupError<Message extends string, Known = never> {
  readonly [MESSAGE]: [Message, Known];
}

declare const RESULT: unique symbol;
/** An expression that the database computes; `V` is what it gives. */
export interface Expression<V> {
  readonly [RESULT]?: V;
  resolve(context: never): unknown;
}

/** What an unloaded relation holds: the key, and a way to load it. A loaded instance is a Ref of itself. */
export interface Ref<I, K = number> {
  readonly pk: K;
  load(): Promise<I>;
}

export interface Rel<M> {
  readonly model: M;
}
export interface IsNull {
  readonly nul: true;
}
export interface IsOptional {
  readonly opt: true;
}
export interface IsFk {
  readonly sort: 'fk';
}
export interface IsMany {
  readonly sort: 'many' | 'm2m';
}
export interface IsOne {
  readonly sort: 'one';
}
export interface IsLink {
  readonly link: true;
}
export interface IsPk {
  readonly pk: true;
}
export interface WithPk<V> {
  readonly pk: V;
}

export type Inst<M> = M extends abstract new (...args: never) => infer I ? I : never;
interface HasFields<F> {
  readonly fields: F;
}
export type PkNames<F> = { [P in keyof F]: F[P] extends IsPk ? P : never }[keyof F];
interface WithId {
  readonly id: IdField;
}
export type AllFields<F> = [PkNames<F>] extends [never] ? F & WithId : F;
export type FieldsOf<M> = M extends HasFields<infer F> ? AllFields<F> : never;
export type PkOf<M> = Inst<M> extends WithPk<infer V> ? V : number;

/** What a lookup that compares with rows of `M` takes: a key or an instance. */
export type RefValue<M> = PkOf<M> | WithPk<PkOf<M>>;

type Compare = 'exact' | 'gt' | 'gte' | 'lt' | 'lte';
type TextLookup =
  | 'iexact'
  | 'contains'
  | 'icontains'
  | 'startswith'
  | 'istartswith'
  | 'endswith'
  | 'iendswith'
  | 'regex'
  | 'iregex'
  | 'search';
type DatePart = 'year' | 'iso_year' | 'month' | 'day' | 'week' | 'week_day' | 'iso_week_day' | 'quarter';
type TimePart = 'hour' | 'minute' | 'second';
type Moment = DatePart | TimePart;
type NumberLookup<V, R extends string> = R extends Compare
  ? V | Expression<V>
  : R extends 'in'
    ? readonly V[]
    : R extends 'range'
      ? readonly [V, V]
      : R extends 'isnull'
        ? boolean
        : LookupError<`'${R}' is not a lookup of a number`>;

/** Values from a list, an expression, or the rows of another queryset. */
type Subquery<V> = Expression<V> | PromiseLike<readonly unknown[]>;
type OpValue<V, R extends string> = R extends Compare
  ? V | Expression<V>
  : R extends 'in'
    ? readonly V[] | Subquery<V>
    : R extends 'isnull'
      ? boolean
      : R extends 'range'
        ? readonly [V | Expression<V>, V | Expression<V>]
        : [V] extends [string]
          ? R extends TextLookup
            ? string | Expression<string>
            : TextPart<R>
          : [V] extends [Date]
            ? R extends Moment
              ? number | Expression<number>
              : R extends `${Moment}__${infer Rest}`
                ? NumberLookup<number, Rest>
                : R extends 'date' | 'time' | `date__${Compare}` | `time__${Compare}`
                  ? string
                  : LookupError<`'${R}' is not a lookup of a date and time`>
            : [V] extends [number | bigint | boolean]
              ? LookupError<`'${R}' is not a lookup of this field`>
              : JsonLookup<V, R>;
/** date and time fields are text for the program, so their parts are allowed on text. */
type TextPart<R extends string> = R extends Moment
  ? number | Expression<number>
  : R extends `${Moment}__${infer Rest}`
    ? NumberLookup<number, Rest>
    : LookupError<`'${R}' is not a lookup of a text field`>;
type JsonLookup<V, R extends string> = [V] extends [Uint8Array]
  ? LookupError<`'${R}' is not a lookup of a binary field`>
  : R extends 'has_key'
    ? string
    : R extends 'has_keys' | 'has_any_keys'
      ? readonly string[]
      : unknown;

type Exact<X> =
  X extends Field<infer V, boolean, boolean>
    ? V | Expression<NonNullable<V>>
    : X extends Rel<infer M>
      ? RefValue<M> | Expression<PkOf<M>> | (X extends IsNull ? null : never)
      : never;
export type Names<F> = Extract<keyof F, string>;
type Deep<X, R extends string> =
  X extends Rel<infer M>
    ? R extends 'in'
      ? readonly RefValue<M>[] | Expression<PkOf<M>> | PromiseLike<readonly Inst<M>[]>
      : R extends 'isnull'
        ? boolean
        : R extends 'exact'
          ? RefValue<M> | null
          : LookupValue<FieldsOf<M>, R>
    : X extends Field<infer V, boolean, boolean>
      ? OpValue<NonNullable<V>, R>
      : never;
type PkField<F> = [PkNames<F>] extends [never] ? IdField : F[PkNames<F>];

/** The type of the value that the lookup `P` takes on a model with the fields `F`. */
export type LookupValue<F, P extends string> = P extends keyof F
  ? Exact<F[P]>
  : P extends `${infer H}__${infer R}`
    ? H extends keyof F
      ? Deep<F[H], R>
      : H extends 'pk'
        ? Deep<PkField<F>, R>
        : H extends `${infer B}Id`
          ? B extends keyof F
            ? F[B] extends IsFk
              ? F[B] extends Rel<infer M>
                ? OpValue<PkOf<M>, R>
                : never
              : LookupError<`no field '${H}'`, Names<F>>
            : LookupError<`no field '${H}'`, Names<F>>
          : LookupError<`no field '${H}'`, Names<F>>
    : P extends 'pk'
      ? Exact<PkField<F>>
      : P extends `${infer H}Id`
        ? H extends keyof F
          ? F[H] extends IsFk
            ? F[H] extends Rel<infer M>
              ? PkOf<M> | Expression<PkOf<M>> | (F[H] extends IsNull ? null : never)
              : never
            : LookupError<`no field '${P}'`, Names<F>>
          : LookupError<`no field '${P}'`, Names<F>>
        : LookupError<`no field '${P}'`, Names<F>>;

/** Keys the editor offers: the fields, their lookups, and the fields one relation away. */
type OpsFor<X> =
  X extends Field<infer V, boolean, boolean>
    ?
        | 'in'
        | 'gt'
        | 'gte'
        | 'lt'
        | 'lte'
        | 'isnull'
        | ([NonNullable<V>] extends [string]
            ? 'iexact' | 'contains' | 'icontains' | 'startswith'
            : [NonNullable<V>] extends [Date]
              ? 'year'
              : never)
    : 'in' | 'isnull';
export type Suggest<F> = {
  [P in Names<F>]:
    | P
    | `${P}__${OpsFor<F[P]>}`
    | (F[P] extends Rel<infer M> ? `${P}__${Names<FieldsOf<M>>}` : never);
}[Names<F>];
export type Lookup<F, K extends string> = { [P in K]: LookupValue<F, P> };
/** Lists known keys for completion only. */
export type Hints<F> = { readonly [P in Suggest<F>]?: unknown };

/** The value at a path of values(), with null where a nullable relation or a reverse one is on the way. */
export type PathValue<F, P extends string> = P extends keyof F
  ? F[P] extends Rel<infer M>
    ? PkOf<M> | (F[P] extends IsFk ? (F[P] extends IsNull ? null : never) : null)
    : F[P] extends Field<infer V, boolean, boolean>
      ? V
      : never
  : P extends `${infer H}__${infer R}`
    ? H extends keyof F
      ? F[H] extends Rel<infer M>
        ? PathValue<FieldsOf<M>, R> | (F[H] extends IsNull | IsMany ? null : never)
        : F[H] extends Field<infer V, boolean, boolean>
          ? PartValue<V, R>
          : never
      : LookupError<`no field '${H}'`, Names<F>>
    : P extends 'pk'
      ? PathValue<F, Names<F> & PkNames<F> extends never ? 'id' & Names<F> : Extract<PkNames<F>, string>>
      : P extends `${infer H}Id`
        ? H extends keyof F
          ? F[H] extends IsFk
            ? F[H] extends Rel<infer M>
              ? PkOf<M> | (F[H] extends IsNull ? null : never)
              : never
            : LookupError<`no field '${P}'`, Names<F>>
          : LookupError<`no field '${P}'`, Names<F>>
        : LookupError<`no field '${P}'`, Names<F>>;
type PartValue<V, R extends string> = R extends Moment
  ? number | (null extends V ? null : never)
  : R extends 'date' | 'time'
    ? string | (null extends V ? null : never)
    : [NonNullable<V>] extends [string | number | bigint | boolean | Date | Uint8Array]
      ? LookupError<`'${R}' is not a part of this field`>
      : unknown;
export type Paths<F> = {
  [P in Names<F>]: P | (F[P] extends Rel<infer M> ? `${P}__${Names<FieldsOf<M>>}` : never);
}[Names<F>];
export type OrderArg<F> = {
  [P in Names<F>]:
    | P
    | `-${P}`
    | (F[P] extends Rel<infer M> ? `${P}__${Names<FieldsOf<M>>}` | `-${P}__${Names<FieldsOf<M>>}` : never);
}[Names<F>];
export type Check<V> =
  V extends LookupError<infer Message, infer Known> ? LookupError<Message, Known> : unknown;
export type CheckPath<F, P extends string> = P extends '?' ? unknown : Check<PathValue<F, P>>;
export type Unsigned<P extends string> = P extends `-${infer R}` ? R : P;

/** What selectRelated() loads: foreign keys and one-to-one relations, either way. */
export type Related<F, P extends string> = P extends keyof F
  ? F[P] extends ForeignKey<infer M, infer N>
    ? { readonly [K in P]: Inst<M> | (N extends true ? null : never) }
    : F[P] extends One<infer M>
      ? { readonly [K in P]: Inst<M> | null }
      : LookupError<`'${P}' is not a foreign key`, RelNames<F, 'fk' | 'one'>>
  : P extends `${infer H}__${infer R}`
    ? H extends keyof F
      ? F[H] extends ForeignKey<infer M, infer N>
        ? { readonly [K in H]: (Inst<M> & Related<FieldsOf<M>, R>) | (N extends true ? null : never) }
        : F[H] extends One<infer M>
          ? { readonly [K in H]: (Inst<M> & Related<FieldsOf<M>, R>) | null }
          : LookupError<`'${H}' is not a foreign key`, RelNames<F, 'fk' | 'one'>>
      : LookupError<`no field '${H}'`, RelNames<F, 'fk' | 'one'>>
    : LookupError<`no field '${P}'`, RelNames<F, 'fk' | 'one'>>;

/** What a prefetched relation adds to a row. */
export interface LoadedMany<I> extends Iterable<I> {
  readonly items: readonly I[];
  readonly length: number;
}
export type Prefetched<F, P extends string> = P extends keyof F
  ? F[P] extends Many<infer M> | ManyToMany<infer M>
    ? { readonly [K in P]: LoadedMany<Inst<M>> }
    : F[P] extends ForeignKey<infer M, infer N>
      ? { readonly [K in P]: Inst<M> | (N extends true ? null : never) }
      : F[P] extends One<infer M>
        ? { readonly [K in P]: Inst<M> | null }
        : LookupError<`'${P}' is not a relation`, RelNames<F, 'many' | 'm2m' | 'fk' | 'one'>>
  : P extends `${infer H}__${infer R}`
    ? H extends keyof F
      ? F[H] extends Many<infer M> | ManyToMany<infer M>
        ? { readonly [K in H]: LoadedMany<Inst<M> & Prefetched<FieldsOf<M>, R>> }
        : F[H] extends ForeignKey<infer M, infer N>
          ? { readonly [K in H]: (Inst<M> & Prefetched<FieldsOf<M>, R>) | (N extends true ? null : never) }
          : LookupError<`'${H}' is not a relation`, RelNames<F, 'many' | 'm2m' | 'fk' | 'one'>>
      : LookupError<`no field '${H}'`, RelNames<F, 'many' | 'm2m' | 'fk' | 'one'>>
    : LookupError<`no field '${P}'`, RelNames<F, 'many' | 'm2m' | 'fk' | 'one'>>;
export type RelNames<F, Sort> = {
  [P in keyof F]: F[P] extends { readonly sort: Sort } ? P & string : never;
}[keyof F];
