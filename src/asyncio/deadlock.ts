import { Parked } from './parking.ts';
import { allTasks } from './programs.ts';
import { DeadlineScope, type Scope, type Waiter } from './scope.ts';
import { type Task, TaskWait } from './task.ts';

/** One task of a circle, and what in it waits for the next one. */
export interface DeadlockLink {
  readonly task: Task<unknown>;
  /** "task "customer 1"", "lock "stove", held by task "customer 1"". */
  readonly waitsFor: string;
}

interface Wait {
  readonly blocker: Task<unknown>;
  readonly what: string;
}

/**
 * Circles of tasks that wait for each other, through awaits, groups and locks. A task counts only when all that it
 * waits for is such a task: no timer, no deadline, nobody else can wake it. Work that is not ours cannot be seen, so a
 * task that also waits for a bare promise is taken for stuck.
 */
export function findDeadlocks(tasks: readonly Task<unknown>[] = allTasks()): DeadlockLink[][] {
  const stuck = new Map<Task<unknown>, readonly Wait[]>();
  for (const task of tasks) {
    const waits = waitsOf(task);
    if (waits !== null) stuck.set(task, waits);
  }
  // Who waits for somebody that can go on is not stuck; that goes through the lines backwards.
  for (let size = -1; size !== stuck.size; ) {
    size = stuck.size;
    for (const [task, waits] of stuck)
      if (!waits.every(({ blocker }) => stuck.has(blocker))) stuck.delete(task);
  }
  const circles: DeadlockLink[][] = [];
  const known = new Set<Task<unknown>>();
  for (const start of stuck.keys()) {
    const line: DeadlockLink[] = [];
    let task = start;
    while (!known.has(task)) {
      known.add(task);
      const [wait] = stuck.get(task) as readonly Wait[];
      line.push({ task, waitsFor: (wait as Wait).what });
      task = (wait as Wait).blocker;
    }
    const at = line.findIndex((link) => link.task === task);
    if (at !== -1) circles.push(line.slice(at));
  }
  return circles;
}

/** The tasks that have to do something before `task` can go on; null when it may go on without them. */
function waitsOf(task: Task<unknown>): readonly Wait[] | null {
  const waits: Wait[] = [];
  const open: Scope[] = [task.scope];
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    if (scope.cancelled || scope.kind === 'signal') return null;
    if (scope instanceof DeadlineScope && scope.deadline?.when !== null) return null;
    for (let waiter = scope.head; waiter !== null; waiter = waiter.next) {
      const blocker = blockerOf(waiter);
      if (blocker === null) return null;
      waits.push({ blocker, what: waiter.describe() });
    }
    for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null) {
      const child = kid.task;
      if (child === null) open.push(kid);
      else if (child.awaitedBy === task || scope !== task.scope)
        waits.push({ blocker: child, what: `task "${child.name}"` });
    }
  }
  return waits.length === 0 ? null : waits;
}

function blockerOf(waiter: Waiter): Task<unknown> | null {
  if (waiter instanceof TaskWait) return waiter.target;
  if (waiter instanceof Parked) return waiter.lot.holder?.() ?? null;
  return null;
}

/** For people. */
export function formatDeadlock(links: readonly DeadlockLink[]): string {
  const lines = links.map(
    ({ task, waitsFor }) =>
      `  ${task.name} #${task.id} waits for ${waitsFor}${task.site === null ? '' : ` · ${task.site}`}`,
  );
  const what = links.length === 1 ? 'A task waits for itself' : `${links.length} tasks wait for each other`;
  return `${what}, for ever unless work that is not ours goes on in one of them\n${lines.join('\n')}`;
}
