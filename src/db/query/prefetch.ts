import { fault } from '../../errors/index.ts';
import { type Instance, isInstance, stateOf } from '../model/base.ts';
import type { PrefetchObject } from '../typing/model.ts';
import { QuerySetImpl } from './queryset.ts';
import { PrefetchSpec, prefetch } from './related.ts';

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

/** Loads relations of instances that are there already, one query for each: what prefetchRelated() does for its rows. */
export async function prefetchRelatedObjects(
  instances: readonly object[],
  ...lookups: readonly (string | PrefetchObject<string, unknown>)[]
): Promise<void> {
  for (const instance of instances)
    if (!isInstance(instance))
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: 'prefetchRelatedObjects()',
        got: instance,
        expected: 'instances of one model',
      });
  const [first] = instances as readonly Instance[];
  if (first !== undefined) await prefetch(instances as readonly Instance[], lookups, stateOf(first).alias);
}
