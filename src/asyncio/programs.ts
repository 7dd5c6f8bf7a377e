import { rootContext } from './context.ts';
import type { Scope } from './scope.ts';
import type { Task } from './task.ts';

/** The tops of the scope trees: one per `run()`, and the one for everything outside of it. */
export const programs = new Set<Scope>([rootContext.scope]);

/** Every scope that has not ended, parents first. */
export function* liveScopes(top?: Scope): Generator<Scope> {
  const open: Scope[] = top === undefined ? [...programs] : [top];
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    yield scope;
    for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null) open.push(kid);
  }
}

/** All tasks of the process that have not ended, oldest first. */
export function allTasks(): Task<unknown>[] {
  const tasks: Task<unknown>[] = [];
  for (const scope of liveScopes()) if (scope.task !== null) tasks.push(scope.task);
  return tasks.sort((a, b) => a.id - b.id);
}
