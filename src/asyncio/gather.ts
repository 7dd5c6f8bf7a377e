import { notAFunction } from './checks.ts';
import { ambient, type Context, currentContext, enter, runInContext } from './context.ts';
import { hooks } from './hooks.ts';
import { reportUnseen } from './never-retrieved.ts';
import { cancelled, leave, Scope } from './scope.ts';
import { callSite, isCancellation, type Startable, Task } from './task.ts';

type Work = Startable<unknown> | Task<unknown>;
type Result<X> = X extends Task<infer T> ? T : X extends () => infer R ? Awaited<R> : never;
type Results<X> = { -readonly [K in keyof X]: Result<X[K]> };
const nothing = (): void => {};
type Settled<X> = { -readonly [K in keyof X]: PromiseSettledResult<Result<X[K]>> };

/** Starts the functions in order, each as a task in `scope`, and resolves when all have ended. */
async function start(
  callee: string,
  work: readonly Work[],
  scope: Scope,
  failFast: boolean,
): Promise<Task<unknown>[]> {
  scope.held = true;
  for (let index = 0; index < work.length; index++) {
    const item = work[index];
    if (typeof item === 'function' || item instanceof Task) continue;
    scope.unlink();
    for (const later of work.slice(index + 1))
      if (typeof later !== 'function') notAFunction(callee, 0, later);
    throw notAFunction(callee, index + 1, item);
  }
  const parent = currentContext();
  const inner = parent.withScope(scope);
  const tasks: Task<unknown>[] = [];
  let failure: { error: unknown; real: boolean } | null = null;
  const fail = (name: string, error: unknown): void => {
    if (!failFast) return;
    const real = !isCancellation(error, scope.reason);
    if (failure === null || (real && !failure.real)) failure = { error, real };
    // gather throws one error; another one would be lost.
    else if (real) reportUnseen({ name, site: null }, error);
    if (!scope.cancelled) scope.cancel(cancelled(`${callee}: "${name}" failed`, { cause: error }));
  };
  let left = 1;
  let allEnded = nothing;
  const onEnd = (task: Task<unknown>): void => {
    if (task.state !== 'done') fail(task.name, task.error);
    if (--left === 0) allEnded();
  };
  let waits: Promise<void>[] | null = null;
  const site = callSite();
  const before = ambient();
  try {
    for (const item of work) {
      if (item instanceof Task) {
        tasks.push(item);
        waits ??= [];
        waits.push(waitFor(item, inner, fail));
        continue;
      }
      left++;
      tasks.push(new Task<unknown>(item, inner, undefined, onEnd, true, '', site));
    }
  } finally {
    enter(before);
  }
  if (--left > 0) {
    await new Promise<void>((resolve) => {
      allEnded = resolve;
    });
  }
  if (waits !== null) for (const wait of waits) await wait;
  const rest = leave(scope, `the ${callee} ended`);
  if (rest !== null) await rest;
  if (failure !== null) throw (failure as { error: unknown }).error;
  // Cancelled from outside: that is what happened here, whatever the children made of it.
  if (parent.scope.cancelled && scope.cancelled) throw parent.scope.reason;
  return tasks;
}

/** A task handed in belongs to somebody else: it is waited for, but neither cancelled nor outlived. */
async function waitFor(
  task: Task<unknown>,
  context: Context,
  fail: (name: string, error: unknown) => void,
): Promise<void> {
  try {
    await runInContext(context, () => task.then());
  } catch (error) {
    if (error !== context.scope.reason) fail(task.name, error);
  }
}

function gatherAll<const X extends readonly Work[]>(...work: X): Promise<Results<X>> {
  const promise = results(work);
  return hooks.watch === null ? promise : hooks.watch(promise, 'gather()');
}

async function results<const X extends readonly Work[]>(work: X): Promise<Results<X>> {
  const tasks = await start('gather', work, new Scope(currentContext().scope, 'gather'), true);
  return tasks.map((task) => task.result()) as Results<X>;
}

async function settled<const X extends readonly Work[]>(...work: X): Promise<Settled<X>> {
  const tasks = await start('gather.settled', work, new Scope(currentContext().scope, 'gather'), false);
  return tasks.map((task) =>
    task.state === 'done'
      ? { status: 'fulfilled', value: task.result() }
      : { status: 'rejected', reason: task.error },
  ) as Settled<X>;
}

/**
 * Runs functions at the same time and gives their results in order. The first failure cancels the others, and
 * gather only returns once all that it started have ended. A bare promise is refused: it already runs, outside
 * this scope. `gather.settled` gives errors as values, in the shape of `Promise.allSettled`.
 */
export const gather: typeof gatherAll & { readonly settled: typeof settled } = Object.assign(gatherAll, {
  settled,
});
