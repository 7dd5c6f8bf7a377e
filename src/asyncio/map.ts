import { checkCount, notAFunction } from './checks.ts';
import { taskGroup } from './group.ts';

/**
 * Calls `fn` for every item, at most `limit` at a time, and gives the results in order. Items are taken from the
 * iterable only when there is room. The first failure cancels what runs, and is thrown.
 */
export async function mapConcurrent<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  fn: (item: T, index: number) => R | PromiseLike<R>,
): Promise<Awaited<R>[]> {
  checkCount('mapConcurrent', 'limit', limit, 1, true);
  if (typeof fn !== 'function') throw notAFunction('mapConcurrent', 3, fn);
  const results: Awaited<R>[] = [];
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let index = 0;
  let finished = false;
  // An async iterator may be asked once at a time only.
  let turn: Promise<unknown> = Promise.resolve();
  const name = fn.name || 'mapConcurrent';
  const take = async (): Promise<IteratorResult<T>> => {
    const step = turn.then(() => (finished ? { done: true as const, value: undefined } : iterator.next()));
    turn = step.catch(() => {});
    const result = await step;
    if (result.done) finished = true;
    return result as IteratorResult<T>;
  };
  let first: { error: unknown } | null = null;
  try {
    await taskGroup(async (group) => {
      const next = async (): Promise<void> => {
        for (;;) {
          group.scope.throwIfCancelled();
          const { done, value } = await take();
          if (done) return;
          const at = index++;
          if (room > 0) {
            // Somebody may run beside us as soon as there is something to do.
            room--;
            group.start(next, { name: `${name} ${at + 1}` });
          }
          try {
            results[at] = await fn(value, at);
          } catch (error) {
            first ??= { error };
            throw error;
          }
        }
      };
      let room = limit - 1;
      await next();
    });
  } catch (error) {
    throw first === null ? error : (first as { error: unknown }).error;
  } finally {
    if (!finished) await iterator.return?.();
  }
  return results;
}
