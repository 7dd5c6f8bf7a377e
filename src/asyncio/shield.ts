import { inScope } from './block.ts';
import { notAFunction } from './checks.ts';
import { currentContext } from './context.ts';
import { Scope } from './scope.ts';
import { type Startable, Task } from './task.ts';

/**
 * Runs `fn` to its end even if the scope around it is cancelled meanwhile; only shutdown stops it. For clean-up:
 * inside it waits work, although the scope around is cancelled. Given a task, waits for it without owning it: a
 * cancelled scope stops waiting, the task goes on.
 */
export async function shield<T>(work: Startable<T> | Task<T>): Promise<Awaited<T>> {
  if (work instanceof Task) return (await work) as Awaited<T>;
  if (typeof work !== 'function') throw notAFunction('shield', 1, work);
  return inScope(new Scope(currentContext().scope, 'shield', true), work);
}
