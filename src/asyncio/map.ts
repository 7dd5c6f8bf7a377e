import { fault } from '../errors/index.ts';
import { checkCount, notAFunction } from './checks.ts';
import { taskGroup } from './group.ts';
import { until } from './until.ts';

export interface MapOptions {
  /** Cancels all of it when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls `fn` for every item, at most `limit` at a time, and gives the results in order. Items are taken from the
 * iterable only when there is room. The first failure cancels what runs, and is thrown.
 */
export async function mapConcurrent<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  fn: (item: T, index: number) => R | PromiseLike<R>,
  options: MapOptions = {},
): Promise<Awaited<R>[]> {
  checkCount('mapConcurrent', 'limit', limit, 1, true);
  if (typeof fn !== 'function') throw notAFunction('mapConcurrent', 3, fn);
  const source = new Source(items);
  const results: Awaited<R>[] = [];
  const name = fn.name || 'mapConcurrent';
  let index = 0;
  let first: { error: unknown } | null = null;
  try {
    await taskGroup(async (group) => {
      const next = async (): Promise<void> => {
        for (;;) {
          group.scope.throwIfCancelled();
          const { done, value } = await source.take();
          if (done) return;
          const at = index++;
          if (room > 0) {
            // Somebody may run beside us as soon as there is something to do.
            room--;
            group.start(remembering, { name: `${name} ${at + 1}` });
          }
          results[at] = await fn(value, at);
        }
      };
      const remembering = async (): Promise<void> => {
        try {
          await next();
        } catch (error) {
          first ??= { error };
          throw error;
        }
      };
      let room = limit - 1;
      await remembering();
    }, options);
  } catch (error) {
    await source.leave().catch(() => {});
    throw first === null ? error : (first as { error: unknown }).error;
  }
  await source.leave();
  return results;
}

/** Gives the items of an iterable, which may be asked for one at a time only, to many. */
class Source<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  #turn: Promise<unknown> = Promise.resolve();
  #asking = 0;
  #finished = false;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    const asked = items as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined;
    const make = asked?.[Symbol.asyncIterator] ?? asked?.[Symbol.iterator];
    if (typeof make !== 'function')
      throw fault('SBY_ASYNCIO_NOT_ITERABLE', { callee: 'mapConcurrent', got: items });
    this.#iterator = Reflect.apply(make, items, []) as Iterator<T> | AsyncIterator<T>;
  }

  async take(): Promise<IteratorResult<T>> {
    this.#asking++;
    const step = this.#turn.then(async () => {
      try {
        return this.#finished ? { done: true as const, value: undefined } : await this.#iterator.next();
      } catch (error) {
        this.#finished = true;
        throw error;
      } finally {
        this.#asking--;
      }
    });
    this.#turn = step.catch(() => {});
    // An iterator of somebody else's may never answer.
    const result = await until(step, 'the next item');
    if (result.done) this.#finished = true;
    return result as IteratorResult<T>;
  }

  /** Tells an iterator that is not at its end that nobody will ask for more. */
  async leave(): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    const left = this.#iterator.return?.();
    // A generator that still works on an item hears of it only after that.
    if (this.#asking === 0) await left;
    else if (left !== undefined) Promise.resolve(left as PromiseLike<unknown>).catch(() => {});
  }
}
