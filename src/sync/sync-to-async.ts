import { fault } from '../errors/index.ts';
import type { OnCancel } from './call.ts';
import { moduleUrl } from './module.ts';
import { defaultPool, Pool } from './pool.ts';
import { sensitiveKey } from './sensitive.ts';

export interface SyncToAsyncOptions {
  /**
   * True, the default: the calls of one context run in order in one thread, so that state in the module stays
   * consistent. False: any thread of the pool.
   */
  readonly threadSensitive?: boolean | undefined;
  /** Default: a pool of the process, one thread per core. */
  readonly pool?: Pool | undefined;
  /**
   * What happens in the thread when the caller is cancelled. `abandon`, the default: the caller stops waiting at once,
   * the function goes on (it can ask `isCancelled()`) and its result is dropped. `wait`: the caller waits until the
   * function has ended, and then fails. `kill`: the thread is ended and replaced.
   */
  readonly onCancel?: OnCancel | undefined;
}

type Functions<M> = {
  readonly [K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never]: M[K];
};

/** The functions of a module, called in a thread. */
export type AsyncModule<M> = {
  readonly [K in keyof Functions<M>]: M[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/**
 * The functions of a module, run in a thread:
 * `const heavy = syncToAsync<typeof import('./heavy.ts')>(import.meta.resolve('./heavy.ts'))`. Arguments and results
 * are copied. Context variables with plain values travel by name; the deadline and the cancellation too.
 */
export function syncToAsync<M extends object>(
  module: string | URL,
  options: SyncToAsyncOptions = {},
): AsyncModule<M> {
  const url = moduleUrl('syncToAsync', module);
  const { threadSensitive = true, pool, onCancel } = options;
  checkOption('pool', pool, pool === undefined || pool instanceof Pool, 'a ThreadPool or a ProcessPool');
  checkOption(
    'onCancel',
    onCancel,
    onCancel === undefined || ways.includes(onCancel),
    `"${ways.join('", "')}"`,
  );
  return functionsOf((name) =>
    Object.defineProperty(
      (...args: unknown[]) =>
        (pool ?? defaultPool()).call(url, name, args, {
          key: threadSensitive ? sensitiveKey() : null,
          onCancel,
        }),
      'name',
      { value: name },
    ),
  ) as AsyncModule<M>;
}

const ways: readonly OnCancel[] = ['abandon', 'wait', 'kill'];

function checkOption(option: string, got: unknown, right: boolean, expected: string): void {
  if (!right) throw fault('SBY_SYNC_BAD_OPTION', { of: 'syncToAsync()', option, got, expected });
}

/** An object that makes a function for every name it is asked for, once. */
export function functionsOf(make: (name: string) => (...args: unknown[]) => unknown): object {
  const made = new Map<string, unknown>();
  return new Proxy(Object.create(null) as object, {
    get(_, name) {
      // `then` would make it awaitable.
      if (typeof name !== 'string' || name === 'then') return undefined;
      let fn = made.get(name);
      if (fn === undefined) made.set(name, (fn = make(name)));
      return fn;
    },
  });
}
