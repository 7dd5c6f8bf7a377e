import { cancelled, currentContext } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { currentInside } from './inside.ts';
import { moduleUrl } from './module.ts';
import { functionsOf } from './sync-to-async.ts';

/** The async functions of a module, called from a thread that waits for them. */
export type SyncModule<M> = {
  readonly [K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never]: M[K] extends (
    ...args: infer A
  ) => infer R
    ? (...args: A) => Awaited<R>
    : never;
};

/**
 * The async functions of a module, for synchronous code in a thread of ours: the main loop runs them, in the context
 * of whoever called into the thread, while the thread waits. On the loop's own thread it is refused, because there it
 * would wait for itself.
 */
export function asyncToSync<M extends object>(module: string | URL): SyncModule<M> {
  const url = moduleUrl('asyncToSync', module);
  return functionsOf((name) => (...args) => {
    const inside = currentInside();
    if (inside === null) throw fault('SBY_SYNC_ON_LOOP', { name });
    return inside.ask(url, name, args);
  }) as SyncModule<M>;
}

/** In a thread: whether the caller of the function that runs has been cancelled. For long loops. */
export function isCancelled(): boolean {
  return currentInside()?.isCancelled ?? currentContext().scope.cancelled;
}

/** In a thread: throws a CancelledError if the caller of the function that runs has been cancelled. */
export function checkCancelled(): void {
  if (isCancelled()) throw cancelled('the caller was cancelled');
}
