import { CancelledError, fault } from '../errors/index.ts';
import { taskChannel } from './channels.ts';
import { notAFunction } from './checks.ts';
import { turnTime } from './clock.ts';
import { ambient, Context, currentContext, enter, rootContext } from './context.ts';
import { hooks } from './hooks.ts';
import { failedUnseen, seen } from './never-retrieved.ts';
import { cancelled, leave, Scope, Waiter } from './scope.ts';

/** Something that can be started: a function, sync or async. */
export type Startable<T> = () => T | PromiseLike<T>;
export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

export interface TaskOptions {
  /** For people: timelines, `sobaya ps`, messages. Default: the function's name. */
  readonly name?: string | undefined;
  /** The task is cancelled when this signal aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Who started a task and hears of its end: a gather, a group. */
export type Supervisor = (task: Task<unknown>) => void;

let lastId = 0;
const nothing = (): void => {};
const { start: taskStart, end: taskEnd } = taskChannel;

/**
 * Work that was started as a child of the current scope. Awaiting it gives its result or throws its error. The
 * outcome is kept inside and becomes a rejection only in the hands of whoever awaits, so a task that fails
 * before it is awaited is no "unhandled rejection".
 */
export class Task<T> implements PromiseLike<T> {
  // Declared, not initialised here: see Waiter.
  declare readonly id: number;
  declare readonly name: string;
  declare readonly scope: Scope;
  /** In which turn of the loop it started, in ms on the loop's clock (`getRunningLoop().time()`). */
  declare readonly startedAt: number;
  /** Where it was started, "file:line:column". Only in debug mode. */
  declare readonly site: string | null;
  /** The task that started this one; null at the top. */
  declare readonly parent: Task<unknown> | null;
  declare private phase: TaskState;
  declare private value: unknown;
  declare private retrieved: boolean;
  /** Settles with the outcome; a failure in it is marked as handled, whoever awaits gets one of their own. */
  declare private readonly outcome: Promise<T> | undefined;
  declare private whenEnded: Promise<void> | null;
  /** The last task that began to wait for this one while it ran. */
  declare awaitedBy: Task<unknown> | null;
  /** Who wants to hear of the end, and can change its mind: a reaction to a promise could not be taken back. */
  declare private listeners: Set<() => void> | null;

  /** For builders. Everybody else: `createTask`. `batched`: the caller restores the ambient context. */
  constructor(
    fn: Startable<T>,
    parent: Context,
    name?: string,
    supervisor?: Supervisor | null,
    batched = false,
    kind = '',
    site: string | null = null,
  ) {
    this.id = ++lastId;
    this.phase = 'running';
    this.value = undefined;
    this.retrieved = false;
    this.whenEnded = null;
    this.listeners = null;
    this.awaitedBy = null;
    this.outcome = undefined;
    this.name = name ?? (fn.name || 'anonymous');
    this.parent = parent.task;
    this.startedAt = turnTime();
    this.site = site;
    const scope = new Scope(parent.scope, kind);
    scope.held = true;
    scope.task = this as Task<unknown>;
    this.scope = scope;
    const context = new Context(scope, this as Task<unknown>, parent.vars, parent.trace, parent.span);
    // `storage.run` by hand: an async function never throws here, and its rest arguments cost.
    const before = batched ? undefined : ambient();
    enter(context);
    this.outcome = this.#run(fn, supervisor);
    if (!batched) enter(before);
    // It failed before there was a promise to be marked.
    if (this.phase !== 'running' && this.phase !== 'done') this.outcome.catch(nothing);
  }

  async #run(fn: Startable<T>, supervisor: Supervisor | null | undefined): Promise<T> {
    const { scope } = this;
    let value: unknown;
    let state: TaskState = 'done';
    // Whoever cares for the end subscribes to the start too (docs/design/tracing.md).
    const traced = taskStart.hasSubscribers;
    if (traced) taskStart.publish({ task: this as Task<unknown> });
    try {
      if (scope.cancelled) throw scope.reason;
      value = await fn();
    } catch (error) {
      value = error;
      state = isOwnCancellation(error, scope) ? 'cancelled' : 'failed';
    }
    // What a task started and did not wait for ends with it (as Swift's `async let`), and before it.
    if (scope.kids !== null || scope.head !== null) {
      const left = leave(scope, `task "${this.name}" ended`);
      if (left !== null) await left;
    } else scope.unlink();
    this.value = value;
    this.phase = state;
    if (traced) taskEnd.publish({ task: this as Task<unknown> });
    if (hooks.ended !== null) hooks.ended(this as Task<unknown>);
    if (supervisor) supervisor(this as Task<unknown>);
    if (this.listeners !== null) for (const listener of this.listeners) listener();
    if (state === 'done') return value as T;
    if (state === 'failed' && supervisor === undefined && !this.retrieved)
      failedUnseen(this as Task<unknown>, value);
    // Undefined while the constructor is still at it.
    this.outcome?.catch(nothing);
    throw value;
  }

  /** `outcome`, once the constructor is through. */
  private get settled(): Promise<T> {
    return this.outcome as Promise<T>;
  }

  /** Resolves when the task and all it started have ended, whichever way; never rejects. */
  get ended(): Promise<void> {
    this.whenEnded ??= this.settled.then(nothing, nothing);
    return this.whenEnded;
  }

  /** For builders: calls back once, when the task ends. Gives what takes that back, and leaves nothing behind. */
  onEnd(listener: () => void): () => void {
    if (this.done) {
      void this.ended.then(listener);
      return nothing;
    }
    this.listeners ??= new Set();
    this.listeners.add(listener);
    return () => this.listeners?.delete(listener);
  }

  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.retrieved = true;
    if (this.phase === 'failed') seen(this as Task<unknown>);
    else if (this.phase === 'running') {
      const { scope, task } = currentContext();
      if (task === (this as unknown)) {
        const error = fault('SBY_ASYNCIO_SELF_AWAIT', { name: this.name });
        return Promise.reject(error).then(null, onError) as Promise<B>;
      }
      this.awaitedBy = task;
      // A task below this scope is cancelled with it, and is waited for to its end. Another one goes on without us.
      if (this.scope.owner !== scope && !this.scope.within(scope))
        return waitForTask(this as Task<unknown>, scope)
          .then(() => this.settled)
          .then(onValue, onError);
    }
    return this.settled.then(onValue, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onError);
  }

  finally(onEnd?: (() => void) | null): Promise<T> {
    return Promise.resolve(this).finally(onEnd);
  }

  #see(): void {
    if (this.retrieved) return;
    this.retrieved = true;
    if (this.phase === 'failed') seen(this as Task<unknown>);
  }

  get state(): TaskState {
    return this.phase;
  }

  get done(): boolean {
    return this.phase !== 'running';
  }

  /** Whether the task has been asked to end. */
  get cancelling(): boolean {
    return this.phase === 'running' && this.scope.cancelled;
  }

  /** The error of a task that failed or was cancelled; undefined otherwise. Reading it counts as looking at it. */
  get error(): unknown {
    if (this.phase !== 'failed' && this.phase !== 'cancelled') return undefined;
    this.#see();
    return this.value;
  }

  /** The result of a task that is done; throws its error, or a UsageError while it is running. */
  result(): T {
    if (this.phase === 'running') throw fault('SBY_ASYNCIO_NOT_DONE', { name: this.name });
    this.#see();
    if (this.phase === 'done') return this.value as T;
    throw this.value;
  }

  /** Asks the task to end: its waits fail with a CancelledError. False when it has ended already. */
  cancel(why?: string): boolean {
    if (this.done) return false;
    this.scope.cancel(cancelled(why ?? `task "${this.name}" was cancelled`));
    return true;
  }
}

/** A wait for a task that is not below the scope that waits. */
export class TaskWait extends Waiter {
  readonly target: Task<unknown>;
  readonly reject: (reason: unknown) => void;
  readonly #unlisten: () => void;
  constructor(target: Task<unknown>, resolve: () => void, reject: (reason: unknown) => void) {
    super();
    this.target = target;
    this.reject = reject;
    this.#unlisten = target.onEnd(() => {
      this.unlink();
      resolve();
    });
  }
  override onCancel(reason: unknown): void {
    this.#unlisten();
    this.reject(reason);
  }
  override describe(): string {
    return `task "${this.target.name}"`;
  }
}

/** Waits for the end of a task of another scope; fails when `scope` is cancelled, the task goes on. */
function waitForTask(task: Task<unknown>, scope: Scope): Promise<void> {
  if (scope.cancelled) return Promise.reject(scope.reason);
  return new Promise<void>((resolve, reject) => {
    scope.link(new TaskWait(task, resolve, reject));
  });
}

/** Whether `error` is what cancelling with `reason` looks like, also after `fetch` and others wrapped it. */
export function isCancellation(error: unknown, reason?: unknown): boolean {
  if (reason !== undefined && (error === reason || (error as Error | null)?.cause === reason)) return true;
  return error instanceof Error && error.name === 'AbortError';
}

/** A CancelledError is always one; an AbortError of somebody else's only if the scope was cancelled. */
function isOwnCancellation(error: unknown, scope: Scope): boolean {
  if (error instanceof CancelledError) return true;
  return scope.cancelled && isCancellation(error, scope.reason);
}

/** Where the user's code called us; only in debug mode. */
export function callSite(): string | null {
  return hooks.site === null ? null : hooks.site();
}

/** Starts `fn` now, as a child of the current task; await the task when its result is needed. */
export function createTask<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('createTask', 1, fn);
  const task = new Task<Awaited<T>>(
    fn as Startable<Awaited<T>>,
    currentContext(),
    options.name,
    undefined,
    false,
    '',
    callSite(),
  );
  if (options.signal !== undefined) cancelWith(task as Task<unknown>, options.signal, 'createTask');
  return task;
}

/** Work that outlives whoever starts it: owned by the program, ended by shutdown, reported if it fails. */
export function background<T>(fn: Startable<T>, options: TaskOptions = {}): Task<Awaited<T>> {
  if (typeof fn !== 'function') throw notAFunction('background', 1, fn);
  const here = currentContext();
  const { program } = here.scope;
  const context = new Context(here === rootContext ? here.scope : program, null, here.vars, null, -1);
  const task = new Task<Awaited<T>>(
    fn as Startable<Awaited<T>>,
    context,
    options.name,
    undefined,
    false,
    'background',
    callSite(),
  );
  if (options.signal !== undefined) cancelWith(task as Task<unknown>, options.signal, 'background');
  return task;
}

/** Cancels `task` when `signal` aborts; the listener is gone when the task has ended. */
export function cancelWith(task: Task<unknown>, signal: AbortSignal, callee: string): void {
  const unlisten = onAbort(signal, callee, (reason) => task.scope.cancel(reason));
  if (unlisten !== null) void task.ended.then(unlisten);
}

/** Calls back when `signal` aborts, at once if it has. Gives what removes the listener. */
export function onAbort(
  signal: AbortSignal,
  callee: string,
  callback: (reason: unknown) => void,
): (() => void) | null {
  if (!(signal instanceof AbortSignal)) throw fault('SBY_ASYNCIO_BAD_SIGNAL', { callee, got: signal });
  const abort = (): void =>
    callback(cancelled(`the signal given to ${callee}() was aborted`, { cause: signal.reason }));
  if (signal.aborted) {
    abort();
    return null;
  }
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

export function currentTask(): Task<unknown> | null {
  return currentContext().task;
}
