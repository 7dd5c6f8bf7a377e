import type { SobayaApplication } from '../application/index.ts';
import { atomic, Databases, setRollback } from '../db/index.ts';

/**
 * A test whose changes to the databases are rolled back: `test('orders', isolate(application, async () => { … }))`, for
 * node:test, Vitest and others. What runs inside, requests of the test client included, shares one transaction per
 * database; parallel queries take turns on it.
 */
export function isolate<A extends unknown[]>(
  target: SobayaApplication | Databases,
  fn: (...args: A) => unknown,
): (...args: A) => Promise<void> {
  return async (...args) => {
    await runIsolated(target, () => fn(...args));
  };
}

/** The same for one block: runs `fn`, gives what it gives, and rolls back. */
export async function runIsolated<T>(
  target: SobayaApplication | Databases,
  fn: () => T | PromiseLike<T>,
): Promise<Awaited<T>> {
  const databases = target instanceof Databases ? target : target.databases;
  await databases.open();
  const nest = async (aliases: readonly string[]): Promise<Awaited<T>> => {
    const [alias, ...rest] = aliases;
    if (alias === undefined) return await fn();
    return await atomic(
      async () => {
        try {
          return await nest(rest);
        } finally {
          setRollback(true, { using: alias });
        }
      },
      { using: alias },
    );
  };
  return await databases.run(() => nest(databases.aliases));
}
