import { constants } from 'node:os';
import { fault } from '../errors/index.ts';
import { checkTime, notAFunction } from './checks.ts';
import { startTimer, stopTimer } from './clock.ts';
import { Context, currentContext, rootContext } from './context.ts';
import type { DebugOptions } from './debug/mode.ts';
import { hooks } from './hooks.ts';
import { getRunningLoop } from './loop.ts';
import { programs } from './programs.ts';
import { abandoned, cancelled, Patience, Scope } from './scope.ts';
import { cancelWith, type Startable, Task } from './task.ts';

export interface RunOptions {
  /** Loop blame, never-awaited and never-retrieved reports, creation sites. Default: `SOBAYA_DEBUG`. */
  readonly debug?: boolean | undefined;
  /** The signals that cancel main. Default: SIGINT and SIGTERM. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** main is cancelled when this signal aborts. */
  readonly signal?: AbortSignal | undefined;
  /** For people. Default: the function's name. */
  readonly name?: string | undefined;
  /** How long what main left behind may take to clean up, in ms. Default: 5000. */
  readonly grace?: number | undefined;
}

/**
 * Runs a program: `main` in a scope of its own. SIGINT and SIGTERM cancel it; once all has been cleaned up the
 * process ends as the signal would have ended it. A second signal ends it at once. When main has ended, background
 * tasks and whatever else is left is cancelled and waited for.
 */
export async function run<T>(main: Startable<T>, options: RunOptions = {}): Promise<Awaited<T>> {
  if (typeof main !== 'function') throw notAFunction('run', 1, main);
  const here = currentContext();
  // Variables and spans of the outside are no scope.
  if (here.scope !== rootContext.scope) throw fault('SBY_ASYNCIO_NESTED_RUN', {});
  const { signals = ['SIGINT', 'SIGTERM'], grace = 5000, name = main.name || 'main' } = options;
  checkTime('run', grace);
  const scope = new Scope(null, 'program');
  scope.held = true;
  programs.add(scope);
  const stopDebug = (options.debug ?? debugWanted()) ? await debugMode() : null;
  let got: NodeJS.Signals | null = null;
  const context = new Context(scope, null, here.vars, here.trace, here.span);
  let task: Task<Awaited<T>> | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (got !== null) die(signal, onSignal, signals);
    got = signal;
    const heard = task?.done === false && task.scope.cancel(cancelled(`the program got ${signal}`));
    // main sits in a promise that is not ours, and may never hear of it.
    if (task?.done === false && !heard) patience = new Patience(task.scope, grace, giveUp);
  };
  let patience: Patience | null = null;
  let giveUp: () => void = () => {};
  const givenUp = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  // Before main starts: it may be told to stop while it runs for the first time.
  for (const signal of signals) process.on(signal, onSignal);
  task = new Task<Awaited<T>>(main as Startable<Awaited<T>>, context, name, null);
  if (options.signal !== undefined) cancelWith(task as Task<unknown>, options.signal, 'run');
  try {
    await Promise.race([task.ended, givenUp]);
    if (task.done) await shutDown(scope, name, grace);
    else leaveBehind(task, got, grace);
  } finally {
    (patience as Patience | null)?.end();
    programs.delete(scope);
    await stopDebug?.();
    for (const signal of signals) process.off(signal, onSignal);
  }
  if (got !== null && task.state !== 'done' && task.state !== 'failed') die(got, onSignal, signals);
  if (!task.done) throw task.scope.reason;
  return task.result();
}

/** Ends the process as the signal would have, unless somebody else listens to it. */
function die(
  signal: NodeJS.Signals,
  listener: (signal: NodeJS.Signals) => void,
  signals: readonly NodeJS.Signals[],
): void {
  process.exitCode = 128 + (constants.signals[signal] ?? 0);
  for (const each of signals) process.off(each, listener);
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

/** Says what a main waits for that does not end, and is not waited for any longer. */
function leaveBehind(task: Task<unknown>, signal: string | null, grace: number): void {
  getRunningLoop().callExceptionHandler({
    message: `"${task.name}" has not ended ${grace} ms after ${signal}: it waits for something that does not hear of cancellation. until() and withSignal() do`,
  });
  abandoned(task.scope);
}

async function shutDown(scope: Scope, name: string, grace: number): Promise<void> {
  if (scope.kids === null) return;
  scope.cancel(cancelled(`program "${name}" ended`));
  await new Promise<void>((resolve) => {
    const timer = startTimer(() => {
      // Now the shields too; whoever does not listen even then is left behind.
      scope.cancel(cancelled(`program "${name}" ended`), true);
      startTimer(() => {
        for (let kid = scope.kids; kid !== null; kid = kid.next as Scope | null) abandoned(kid);
        resolve();
      }, 0);
    }, grace);
    scope.whenEmpty(() => {
      stopTimer(timer);
      resolve();
    });
  });
}

/** Whether the environment asks for debug mode: `SOBAYA_DEBUG=1`. */
export function debugWanted(): boolean {
  const value = process.env['SOBAYA_DEBUG'];
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}

/**
 * Switches debug mode on, and gives what switches it off: who blocks the event loop, awaitables that nobody awaited,
 * work that outlived its scope, each with its place in the source. `run(main, { debug: true })` and `SOBAYA_DEBUG=1`
 * do it for a program; this is for servers.
 */
export async function debugMode(options: DebugOptions = {}): Promise<() => Promise<void>> {
  // Nothing of it is loaded before somebody wants it.
  const { startDebugMode } = await import('./debug/mode.ts');
  return startDebugMode(options);
}

/**
 * For what should be awaited and often is forgotten: gives `promise` back, in debug mode one that is reported, with the
 * place of the call, if nobody has awaited it when the task ends. `what` is its name for people: "order.save()".
 */
export function toBeAwaited<T>(promise: Promise<T>, what: string): Promise<T> {
  return hooks.watch === null ? promise : hooks.watch(promise, what);
}
