import { AsyncLocalStorage } from 'node:async_hooks';
import type { Channel } from 'node:diagnostics_channel';
import { Scope } from './scope.ts';
import type { Task } from './task.ts';

/**
 * What is ambient: one immutable object in the one AsyncLocalStorage of Sobaya. Entering costs about 0.5 µs and
 * grows with every further storage in the process, hence one storage and few entries: once per request and task.
 */
export class Context {
  declare readonly scope: Scope;
  declare readonly task: Task<unknown> | null;
  /** User variables, copied on write. */
  declare readonly vars: ReadonlyMap<ContextVar<unknown>, unknown> | null;
  /** The timeline of the current request, for whoever records one; null when nobody does. */
  declare readonly trace: object | null;
  /** The innermost open span in `trace`. */
  declare readonly span: number;

  constructor(
    scope: Scope,
    task: Task<unknown> | null,
    vars: ReadonlyMap<ContextVar<unknown>, unknown> | null,
    trace: object | null,
    span: number,
  ) {
    this.scope = scope;
    this.task = task;
    this.vars = vars;
    this.trace = trace;
    this.span = span;
  }

  withScope(scope: Scope): Context {
    return new Context(scope, this.task, this.vars, this.trace, this.span);
  }

  withVar<T>(variable: ContextVar<T>, value: T): Context {
    const vars = new Map(this.vars ?? []).set(variable as ContextVar<unknown>, value);
    return new Context(this.scope, this.task, vars, this.trace, this.span);
  }

  withSpan(trace: object | null, span: number): Context {
    return new Context(this.scope, this.task, this.vars, trace, span);
  }
}

const storage = new AsyncLocalStorage<Context>();

/** The context outside every request and task. Its scope is cancelled only at shutdown. */
export const rootContext = new Context(new Scope(null, 'program'), null, null, null, -1);
rootContext.scope.held = true;

export function currentContext(): Context {
  return storage.getStore() ?? rootContext;
}

/** For builders: runs `fn` with `context` as the ambient one. */
export function runInContext<A extends unknown[], R>(context: Context, fn: (...args: A) => R, ...args: A): R {
  return storage.run(context, fn, ...args);
}

/** For starting many tasks at once: `enter` costs half of `runInContext`. The caller restores what `ambient` gave. */
export function enter(context: Context | undefined): void {
  storage.enterWith(context as Context);
}

export function ambient(): Context | undefined {
  return storage.getStore();
}

/**
 * For tracing: what runs inside a traced call on `channel` (the `start` of a tracing channel) has the context that
 * `transform` makes of its message. Gives what undoes it.
 */
export function bindContext<M extends object>(
  channel: Channel<M, object>,
  transform: (message: M) => Context,
): () => void {
  channel.bindStore(storage as AsyncLocalStorage<object>, transform);
  transforms.set(channel, transform as (message: object) => Context);
  return () => {
    channel.unbindStore(storage as AsyncLocalStorage<object>);
    transforms.delete(channel);
  };
}

const transforms = new Map<object, (message: object) => Context>();

/** What `bindContext` bound to `channel`. */
export function boundTransform(channel: object): ((message: object) => Context) | undefined {
  return transforms.get(channel);
}

/** The AbortSignal of the current scope, for APIs that want one for longer than a call (else `withSignal`). */
export function currentSignal(): AbortSignal {
  return currentContext().scope.signal;
}

/** Names and values of variables that came from another thread or process. Only there, it is anything but null. */
let arrived: ContextVar<ReadonlyMap<string, unknown>> | null = null;

/** A variable that follows the async context: Python's contextvars. A child never changes what its parent sees. */
export class ContextVar<T> {
  readonly name: string;
  readonly #initial: T | undefined;

  /** Into threads and processes a variable travels by its name, if its value is plain data. */
  constructor(name: string, initial?: T) {
    this.name = name;
    this.#initial = initial;
  }

  get(): T | undefined {
    const vars = currentContext().vars;
    if (vars === null) return this.#initial;
    const value = vars.get(this as ContextVar<unknown>);
    if (value !== undefined || vars.has(this as ContextVar<unknown>)) return value as T;
    if (arrived === null) return this.#initial;
    const names = vars.get(arrived as ContextVar<unknown>) as ReadonlyMap<string, unknown> | undefined;
    return names?.has(this.name) ? (names.get(this.name) as T) : this.#initial;
  }

  /** Runs `fn` with the variable set to `value`, for `fn` and everything it starts. */
  run<R>(value: T, fn: () => R): R {
    return storage.run(currentContext().withVar(this, value), fn);
  }
}

/** For builders of threads: the variables of `context` that are plain data, by name; null when there are none. */
export function portableVars(context: Context): Map<string, unknown> | null {
  if (context.vars === null) return null;
  const portable = new Map<string, unknown>(
    arrived === null
      ? []
      : (context.vars.get(arrived as ContextVar<unknown>) as Map<string, unknown> | undefined),
  );
  for (const [variable, value] of context.vars) if (isPlain(value)) portable.set(variable.name, value);
  return portable.size === 0 ? null : portable;
}

/** For builders of threads: `context` with variables that came from elsewhere. */
export function withArrived(context: Context, vars: ReadonlyMap<string, unknown> | null): Context {
  if (vars === null) return context;
  arrived ??= new ContextVar('');
  return context.withVar(arrived, vars);
}

/** Instances of classes would arrive without their methods, so they do not travel at all. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return true;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return (
    prototype === Object.prototype ||
    prototype === null ||
    value instanceof Date ||
    prototype === Map.prototype ||
    prototype === Set.prototype
  );
}
