import { ContextVar } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import type { UrlInclude, UrlPattern, Urls } from './patterns.ts';
import type { Resolver, ReverseOptions } from './resolver.ts';
import type { AnyView, ParamsOf, ParamsOfView } from './types.ts';

/** The routes that `reverse` uses, and where they are mounted. */
export interface Urlconf {
  readonly resolver: Resolver;
  readonly prefix: string;
}

/** For builders: the application enters it for each request. */
export const currentUrlconf: ContextVar<Urlconf> = new ContextVar<Urlconf>('urlconf');

const known: WeakRef<Resolver>[] = [];

/** For builders: makes `reverse` work outside requests while this is the only application. */
export function registerResolver(resolver: Resolver): void {
  known.push(new WeakRef(resolver));
}

function urlconf(): Urlconf {
  const ambient = currentUrlconf.get();
  if (ambient !== undefined) return ambient;
  const resolvers = known.map((ref) => ref.deref()).filter((resolver) => resolver !== undefined);
  if (resolvers.length !== 1) throw fault('SBY_URLS_NO_RESOLVER', { count: resolvers.length });
  return { resolver: resolvers[0]!, prefix: '' };
}

type NoParams = Record<never, never>;
type Args<P> = keyof P extends never
  ? [params?: NoParams, options?: ReverseOptions]
  : [params: P, options?: ReverseOptions];

/**
 * The path for a view, with parameters checked against it: `reverse(orderDetail, { id: 3 })`; or for a name:
 * `reverse('shop:order-detail', { id: 3 })`. Names checked by the compiler: `reverser(urls)`.
 */
export function reverse<V extends AnyView>(view: V, ...args: Args<ParamsOfView<V>>): string;
export function reverse(
  name: string,
  params?: Readonly<Record<string, unknown>>,
  options?: ReverseOptions,
): string;
export function reverse(target: string | AnyView, params: object = {}, options: ReverseOptions = {}): string {
  const { resolver, prefix } = urlconf();
  return resolver.reverse(target, params as Readonly<Record<string, unknown>>, { prefix, ...options });
}

/** `[name, params]` of every named route of `urls`, as a union. */
export type NamedRoutes<
  U,
  Prefix extends string = '',
  NS extends string = '',
> = U extends readonly (infer Item)[]
  ? Item extends UrlInclude<infer R, infer Inner, infer S>
    ? Urls extends Inner
      ? never
      : NamedRoutes<Inner, `${Prefix}${R}`, [S] extends [never] ? NS : `${NS}${S}:`>
    : Item extends UrlPattern<infer R, infer N, unknown, infer C>
      ? [N] extends [never]
        ? never
        : [`${NS}${N}`, ParamsOf<`${Prefix}${R}`, C>]
      : never
  : never;

/**
 * A `reverse` that knows the names of these urls: a wrong name, a missing or wrong parameter does not compile.
 * `const url = reverser(urls); url('shop:order-detail', { id: 3 })`
 */
export function reverser<const U extends Urls>(
  _urls: U,
): <N extends NamedRoutes<U>[0]>(
  name: N,
  ...args: Args<Extract<NamedRoutes<U>, readonly [N, unknown]>[1]>
) => string {
  return (name, ...args) => reverse(name, ...(args as [Record<string, unknown>?, ReverseOptions?]));
}
