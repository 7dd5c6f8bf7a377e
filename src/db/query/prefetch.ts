import { fault } from '../../errors/index.ts';
import type { PrefetchObject } from '../typing/model.ts';
import { QuerySetImpl } from './queryset.ts';
import { PrefetchSpec } from './related.ts';

interface Rows<R> {
  then<A>(onRows: (rows: R[]) => A): PromiseLike<A>;
}

/** Which rows prefetchRelated() fetches for a relation, and under which name they are kept. */
export function Prefetch<const P extends string, R>(path: P, queryset?: Rows<R>): PrefetchObject<P, R>;
export function Prefetch<const P extends string, R, const T extends string>(
  path: P,
  queryset: Rows<R>,
  options: { readonly to: T },
): PrefetchObject<T, R>;
export function Prefetch(
  path: string,
  queryset?: unknown,
  options: { readonly to?: string } = {},
): PrefetchObject<string, unknown> {
  if (queryset !== undefined && !(queryset instanceof QuerySetImpl))
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: 'Prefetch()', got: queryset, expected: 'a queryset' });
  return new PrefetchSpec(path, queryset, options.to) as unknown as PrefetchObject<string, unknown>;
}
