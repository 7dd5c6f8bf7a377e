/** Sides that measure themselves for cases/sync.ts. */
import { Piscina } from 'piscina';
import { ProcessPool, syncToAsync, ThreadPool } from '../../src/sync/index.ts';
import { type Measured, operationsPerSecond } from '../harness.ts';

const module = import.meta.resolve('./sync-work.ts');

function call(side: string): { fn: () => Promise<unknown>; close: () => unknown } {
  if (side === 'piscina') {
    const pool = new Piscina({ filename: module, minThreads: 1, maxThreads: 1 });
    return { fn: () => pool.run({ a: 1, b: 2 }), close: () => pool.destroy() };
  }
  const pool = side === 'process' ? new ProcessPool({ threads: 1 }) : new ThreadPool({ threads: 1 });
  const work = syncToAsync<typeof import('./sync-work.ts')>(module, {
    pool,
    threadSensitive: side === 'thread-sensitive',
  });
  return { fn: () => work.add(1, 2), close: () => pool.close({ force: true }) };
}

export function start({ side, at }: { side: string; at: number }): Measured {
  const { fn, close } = call(side);
  const many = (): Promise<unknown> => Promise.all(Array.from({ length: at }, fn));
  return {
    round: async () => ({ perSecond: (await operationsPerSecond(at === 1 ? fn : many)) * at }),
    close,
  };
}
