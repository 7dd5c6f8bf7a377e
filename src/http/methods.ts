import { fault } from '../errors/index.ts';
import type { HttpRequest } from './request.ts';
import {
  type AnyResponse,
  fromWebResponse,
  HttpResponseNoContent,
  HttpResponseNotAllowed,
  isResponse,
} from './response.ts';
import type { View, ViewResult } from './view.ts';

/** Where a view that is made of others by method keeps them; tools such as OpenAPI read it. */
export const viewMethods: unique symbol = Symbol.for('sobaya.view.methods') as never;

// biome-ignore lint/suspicious/noExplicitAny: a view of any parameters; the exact ones are inferred
type SomeView = (request: HttpRequest, params: any) => ViewResult;
export type MethodTable = Readonly<
  Partial<Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS', SomeView>>
>;

type Both<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void ? I : never;
type ParamsOf<V> = V extends (request: never, params: infer P) => unknown
  ? unknown extends P
    ? Record<never, never>
    : P
  : never;

/** A view made of one per method. */
export interface MethodsView<T extends MethodTable = MethodTable> {
  (request: HttpRequest, params: Both<ParamsOf<T[keyof T]>>): ViewResult;
  readonly [viewMethods]: T;
}

/**
 * One view per method: `methods({ GET: list, POST: create })`. Others get 405 with Allow; HEAD is answered by GET,
 * OPTIONS by the list of methods.
 */
export function methods<const T extends MethodTable>(views: T): MethodsView<T> {
  const table = new Map<string, View<unknown>>();
  for (const [method, view] of Object.entries(views)) {
    if (typeof view !== 'function' || !/^[A-Z]+$/.test(method))
      throw fault('SBY_HTTP_BAD_METHODS', { method, got: view });
    table.set(method, view as View<unknown>);
  }
  const get = table.get('GET');
  if (get !== undefined && !table.has('HEAD')) table.set('HEAD', get);
  const allow = [...new Set([...table.keys(), 'OPTIONS'])];
  const view = (request: HttpRequest, params: unknown): ViewResult => {
    const found = table.get(request.method);
    if (found !== undefined) return found(request, params);
    if (request.method === 'OPTIONS') {
      const response = new HttpResponseNoContent();
      response.headers.set('allow', allow.join(', '));
      return response;
    }
    return new HttpResponseNotAllowed(allow);
  };
  const name = Object.values(views)
    .map((one) => (one as Function).name)
    .find(Boolean);
  return Object.assign(view, {
    [viewMethods]: views,
    viewName: name ?? 'methods',
  }) as unknown as MethodsView<T>;
}

type Wrapped<V> = V;

/** Keeps what a view is known by when it is wrapped. */
export function wrap<V extends SomeView>(view: V, wrapper: SomeView): Wrapped<V> {
  Object.defineProperty(wrapper, 'name', { value: view.name, configurable: true });
  for (const key of Reflect.ownKeys(view)) {
    if (key === 'length' || key === 'name' || key === 'prototype') continue;
    Object.defineProperty(wrapper, key, Object.getOwnPropertyDescriptor(view, key)!);
  }
  return wrapper as V;
}

/** Only these methods: `requireMethods(['GET', 'POST'], view)`. Django's require_http_methods. */
export function requireMethods<V extends SomeView>(allowed: readonly string[], view: V): V {
  const set = new Set(allowed);
  return wrap(view, (request, params) =>
    set.has(request.method) ? view(request, params) : new HttpResponseNotAllowed([...set]),
  );
}
export function requireGet<V extends SomeView>(view: V): V {
  return requireMethods(['GET'], view);
}
export function requirePost<V extends SomeView>(view: V): V {
  return requireMethods(['POST'], view);
}
/** GET and HEAD. */
export function requireSafe<V extends SomeView>(view: V): V {
  return requireMethods(['GET', 'HEAD'], view);
}

/** Runs `change` on each response of a view: the way to write a decorator. */
export function onResponse<V extends SomeView>(
  view: V,
  change: (response: AnyResponse, request: HttpRequest) => AnyResponse | void,
): V {
  const apply = (response: AnyResponse | Response, request: HttpRequest): AnyResponse => {
    // In this order: to name the global Response makes Node load its fetch.
    const made =
      isResponse(response) || !(response instanceof Response) ? response : fromWebResponse(response);
    return change(made, request) ?? made;
  };
  return wrap(view, (request, params) => {
    const given = view(request, params);
    return given instanceof Promise
      ? given.then((response) => apply(response, request))
      : apply(given, request);
  });
}

export interface CacheControl {
  readonly public?: boolean;
  readonly private?: boolean;
  readonly noCache?: boolean;
  readonly noStore?: boolean;
  readonly noTransform?: boolean;
  readonly mustRevalidate?: boolean;
  readonly immutable?: boolean;
  /** Seconds. */
  readonly maxAge?: number;
  readonly sMaxAge?: number;
  readonly staleWhileRevalidate?: number;
  readonly staleIfError?: number;
}

/** Sets Cache-Control: `cacheControl({ public: true, maxAge: 60 }, view)`. */
export function cacheControl<V extends SomeView>(directives: CacheControl, view: V): V {
  const value = Object.entries(directives)
    .filter(([, given]) => given !== false && given !== undefined)
    .map(([name, given]) => {
      const spelled = name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`);
      return given === true ? spelled : `${spelled}=${given as number}`;
    })
    .join(', ');
  return onResponse(view, (response) => void response.headers.set('cache-control', value));
}

/** No cache keeps the response, no browser shows it again without asking. */
export function neverCache<V extends SomeView>(view: V): V {
  return cacheControl({ private: true, noCache: true, noStore: true, mustRevalidate: true, maxAge: 0 }, view);
}

/** Adds names to Vary: what, besides the address, decides the response. */
export function varyOn<V extends SomeView>(names: readonly string[], view: V): V {
  return onResponse(view, (response) => void response.headers.addToList('vary', ...names));
}
