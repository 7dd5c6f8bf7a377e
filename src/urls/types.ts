import type { HttpRequest, ViewResult } from '../http/index.ts';
import type { Converter } from './converters.ts';

/**
 * The converters a route can name, and the type of what each gives. Add your own with `registerConverter` and
 * `declare module 'sobaya/urls' { interface ConverterTypes { year: number } }`, or per route (`converters`).
 */
export interface ConverterTypes {
  int: number;
  str: string;
  slug: string;
  uuid: string;
  path: string;
}

/** What stands in place of the parameters when a route cannot be read; the text is the message. */
export interface RouteError<Message extends string> {
  readonly ' route error': Message;
}

type TypeOf<Kind extends string, C> = Kind extends (string extends keyof C ? never : keyof C)
  ? C[Kind] extends Converter<infer T>
    ? T
    : never
  : Kind extends keyof ConverterTypes
    ? ConverterTypes[Kind]
    : RouteError<`There is no converter "${Kind}". Write one of int, str, slug, uuid, path, or give it in { converters }`>;

/** `<kind:name>` or `<name>`, the text between the brackets. */
type Param<Text extends string, C> = Text extends `${infer Kind}:${infer Name}`
  ? { [K in Name]: TypeOf<Kind, C> }
  : { [K in Text]: string };

type Walk<Route extends string, C> = Route extends `${string}<${infer Text}>${infer Rest}`
  ? Param<Text, C> & Walk<Rest, C>
  : unknown;

/** Intersections shown as one object where people hover. */
type Flat<T> = { [K in keyof T]: T[K] };

/**
 * The parameters of a route: `ParamsOf<'orders/<int:id>/'>` is `{ id: number }`. Of a route that is only known as
 * `string`, anything.
 */
export type ParamsOf<Route extends string, C = Record<never, never>> = string extends Route
  ? Record<string, never>
  : Flat<Walk<Route, C>>;

/** Converters of one route or include, by name. */
// biome-ignore lint/suspicious/noExplicitAny: a converter takes and gives its type, so only any stands for all of them
export type LocalConverters = Readonly<Record<string, Converter<any>>>;

/** Any view, whatever its parameters. */
// biome-ignore lint/suspicious/noExplicitAny: parameters of a function are contravariant; every view fits only here
export type AnyView = (request: HttpRequest, params: any) => ViewResult;

/** The parameters a view takes: what `reverse(view, params)` asks for. */
export type ParamsOfView<V> = V extends (request: never, params: infer P) => unknown
  ? unknown extends P
    ? Record<never, never>
    : P
  : Record<never, never>;
