import { currentContext, runInContext } from './context.ts';
import { leave, type Scope } from './scope.ts';
import type { Startable } from './task.ts';

/** Runs `fn` in `scope`, within the current task; what it leaves behind ends with it. */
export async function inScope<T>(scope: Scope, fn: Startable<T>): Promise<Awaited<T>> {
  scope.held = true;
  try {
    if (scope.cancelled) throw scope.reason;
    return await runInContext(currentContext().withScope(scope), fn);
  } finally {
    const left = leave(scope, `the ${scope.kind} ended`);
    if (left !== null) await left;
  }
}
