import { inScope } from './block.ts';
import { notAFunction } from './checks.ts';
import { currentContext } from './context.ts';
import { Scope } from './scope.ts';
import { onAbort, type Startable } from './task.ts';

export interface SignalOptions {
  /** Ends the wait with a CancelledError when it aborts; the abort's reason is the cause. */
  readonly signal?: AbortSignal | undefined;
}

/** For the option `signal` of a wait: nothing but the wait when there is none. */
export function waitUnder<T>(
  options: SignalOptions | undefined,
  callee: string,
  wait: () => Promise<T>,
): Promise<T> {
  const signal = options?.signal;
  return signal === undefined ? wait() : (cancelledBy(signal, callee, wait) as Promise<T>);
}

/** Runs `fn` in a scope that is cancelled when `signal` aborts; the abort's reason is the cause of the error. */
export function underSignal<T>(signal: AbortSignal, fn: Startable<T>): Promise<Awaited<T>> {
  return cancelledBy(signal, 'underSignal', fn);
}

/** The same for the option `signal` of other functions, which say who they are. */
export async function cancelledBy<T>(
  signal: AbortSignal,
  callee: string,
  fn: Startable<T>,
): Promise<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction(callee, 2, fn);
  const scope = new Scope(currentContext().scope, 'signal');
  let unlisten: (() => void) | null = null;
  try {
    unlisten = onAbort(signal, callee, (reason) => scope.cancel(reason));
    return await inScope(scope, fn);
  } finally {
    unlisten?.();
    scope.unlink();
  }
}
