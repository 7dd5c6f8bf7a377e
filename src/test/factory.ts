import type { QuerySet } from '../db/index.ts';

type Values<M> = Parameters<QuerySet<M>['create']>[0];
type Made<M> = Awaited<ReturnType<QuerySet<M>['create']>>;

/** Makes rows for tests, with values for all that a test does not care about. */
export interface Factory<M> {
  (values?: Partial<Values<M>>): Promise<Made<M>>;
  /** Several, one after another. */
  many(count: number, values?: Partial<Values<M>> | ((n: number) => Partial<Values<M>>)): Promise<Made<M>[]>;
  /** The values alone, without a row. */
  values(values?: Partial<Values<M>>): Promise<Values<M>>;
}

/** `const dish = factory(Dish, (n) => ({ name: `dish ${n}`, price: 500 }))`, then `await dish({ price: 700 })`. `n` counts from 1. */
export function factory<M>(
  model: M,
  defaults: (n: number) => Values<M> | PromiseLike<Values<M>>,
): Factory<M> {
  let count = 0;
  const values = async (given: Partial<Values<M>> = {}): Promise<Values<M>> => ({
    ...(await defaults(++count)),
    ...given,
  });
  const make = async (given?: Partial<Values<M>>): Promise<Made<M>> =>
    await (model as { create(values: Values<M>): Promise<Made<M>> }).create(await values(given));
  return Object.assign(make, {
    values,
    async many(
      number: number,
      given?: Partial<Values<M>> | ((n: number) => Partial<Values<M>>),
    ): Promise<Made<M>[]> {
      const rows: Made<M>[] = [];
      for (let n = 1; n <= number; n++)
        rows.push(
          await make(typeof given === 'function' ? (given as (n: number) => Partial<Values<M>>)(n) : given),
        );
      return rows;
    },
  });
}
