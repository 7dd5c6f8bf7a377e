import { fault } from '../errors/index.ts';
import type { HttpRequest, ViewResult, WebSocketConnection } from '../http/index.ts';
import type { AnyView, LocalConverters, ParamsOf } from './types.ts';

export interface PathOptions<
  N extends string = string,
  C extends LocalConverters = LocalConverters,
  U extends string = string,
> {
  /** For `reverse('name', params)` and templates. */
  readonly name?: N;
  /** Converters only this route knows. */
  readonly converters?: C;
  /**
   * The prefix of the include() that this route stands in, when the view takes parameters of it too:
   * `path('<int:id>/', view, { under: 'shops/<slug:shop>/' })`. Checked when the application is made.
   */
  readonly under?: U;
}

/** One route and its view. `kind` says which connections it is for. */
export interface UrlPattern<R extends string = string, N extends string = string, V = unknown, C = unknown> {
  readonly kind: 'http' | 'websocket';
  readonly route: R;
  /** For rePath: matched from here to the end, after the prefixes of the includes. */
  readonly regex: RegExp | null;
  readonly view: V;
  readonly name: N | undefined;
  readonly converters: LocalConverters | undefined;
  readonly under: string | undefined;
  /** Only for the compiler. */
  readonly ' converters'?: C;
}

/** Patterns under a prefix. */
export interface UrlInclude<R extends string = string, U extends Urls = Urls, NS extends string = string> {
  readonly kind: 'include';
  readonly route: R;
  readonly urls: U;
  readonly namespace: NS | undefined;
  readonly converters: LocalConverters | undefined;
}

export type Urls = readonly (UrlPattern | UrlInclude)[];

/** A view for a route: takes what the route gives. */
export type ViewFor<R extends string, C, U extends string = ''> = (
  request: HttpRequest,
  params: ParamsOf<`${U}${R}`, C>,
) => ViewResult;

/**
 * A route and its view: `path('orders/<int:id>/', orderDetail, { name: 'order-detail' })`. The route has no leading
 * slash; the view's parameters are checked against it by the compiler.
 */
export function path<
  const R extends string,
  V extends ViewFor<R, C, U>,
  const N extends string = never,
  const C extends LocalConverters = Record<never, never>,
  const U extends string = '',
>(route: R, view: V & ViewFor<R, C, U>, options: PathOptions<N, C, U> = {}): UrlPattern<R, N, V, C> {
  checkView(route, view);
  return pattern('http', route, null, view, options as PathOptions) as UrlPattern<R, N, V, C>;
}

/**
 * A route as a regular expression, for what converters cannot say; its named groups become string parameters.
 * Matches the whole rest of the path. Beware of expressions that take exponential time: prefer `path`.
 */
export function rePath<V extends AnyView, const N extends string = never>(
  regex: RegExp,
  view: V,
  options: { readonly name?: N } = {},
): UrlPattern<string, N, V> {
  checkView(String(regex), view);
  if (/[gy]/.test(regex.flags))
    throw fault('SBY_URLS_BAD_ROUTE', {
      route: String(regex),
      why: 'the flags g and y keep state between requests',
      fix: 'Leave them out',
    });
  return pattern('http', regex.source, regex, view, options as PathOptions) as UrlPattern<string, N, V>;
}

export interface WebSocketOptions<N extends string = string> {
  readonly name?: N;
  /**
   * Pages of which origins may connect; a browser sends cookies whatever page it is on. Default: only this site.
   * Programs that send no Origin may always.
   */
  readonly origins?: '*' | readonly string[];
}

/** A route for WebSocket connections: `websocket('chat/<slug:room>/', async (socket, { room }) => { for await (const message of socket) … })`. */
export function websocket<
  const R extends string,
  V extends (socket: WebSocketConnection, params: ParamsOf<R>) => unknown,
  const N extends string = never,
>(
  route: R,
  view: V & ((socket: WebSocketConnection, params: ParamsOf<R>) => unknown),
  options: WebSocketOptions<N> = {},
): UrlPattern<R, N, V> {
  checkView(route, view);
  socketOrigins.set(view, options.origins ?? []);
  return pattern('websocket', route, null, view, options as PathOptions) as UrlPattern<R, N, V>;
}

/** For builders: the origins a WebSocket view takes besides its own site. */
export const socketOrigins = new WeakMap<object, '*' | readonly string[]>();

/** For builders: any kind of pattern. */
export function pattern(
  kind: 'http' | 'websocket',
  route: string,
  regex: RegExp | null,
  view: unknown,
  options: PathOptions,
): UrlPattern {
  return Object.freeze({
    kind,
    route,
    regex,
    view,
    name: options.name,
    converters: options.converters,
    under: options.under,
  });
}

export interface IncludeOptions<NS extends string = string> {
  /** Put before the names inside: `shop:order-detail`. */
  readonly namespace?: NS;
  readonly converters?: LocalConverters;
}

/** Patterns of somewhere else under a prefix: `include('shop/', shop.urls, { namespace: 'shop' })`. */
export function include<const R extends string, const U extends Urls, const NS extends string = never>(
  route: R,
  urls: U,
  options: IncludeOptions<NS> = {},
): UrlInclude<R, U, NS> {
  checkUrls(urls, `include(${JSON.stringify(route)})`);
  return Object.freeze({
    kind: 'include',
    route,
    urls,
    namespace: options.namespace,
    converters: options.converters,
  }) as UrlInclude<R, U, NS>;
}

function checkView(route: string, view: unknown): void {
  if (typeof view !== 'function' || /^class\b/.test(Function.prototype.toString.call(view)))
    throw fault('SBY_URLS_NOT_A_VIEW', { route, got: view });
}

/** Refuses what is no list of patterns, by name of the place it was given to. */
export function checkUrls(urls: unknown, where: string): asserts urls is Urls {
  if (!Array.isArray(urls)) throw fault('SBY_URLS_NOT_URLS', { where, got: urls });
  for (const item of urls) {
    const kind = (item as { kind?: unknown } | null | undefined)?.kind;
    if (kind !== 'http' && kind !== 'websocket' && kind !== 'include')
      throw fault('SBY_URLS_NOT_URLS', { where, got: item });
  }
}
