import * as ours from '../errors/index.ts';
import { isSobayaError } from '../errors/index.ts';

/** An error as plain data. */
export interface PackedError {
  readonly packed: true;
  /** Names of its classes, its own first. */
  readonly classes: readonly string[];
  /** The module that exports its class; null when unknown. */
  readonly home: string | null;
  readonly message: string;
  readonly stack: string;
  readonly props: Record<string, unknown>;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly sobaya: boolean;
}

const isPacked = (value: unknown): value is PackedError =>
  typeof value === 'object' && value !== null && (value as { packed?: unknown }).packed === true;

function cloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

/** Turns an error, with its causes, into what can cross to another thread. Other values pass if they can be copied. */
export function packError(error: unknown, module: string, exports: object, depth = 0): unknown {
  if (!(error instanceof Error)) return cloneable(error) ? error : new Error(String(error)).message;
  const classes: string[] = [];
  let home: string | null = null;
  for (
    let proto = Object.getPrototypeOf(error) as object | null;
    proto !== null && proto !== Error.prototype;
  ) {
    const own = (proto as { constructor: { name: string } }).constructor;
    classes.push(own.name);
    if (classes.length === 1) {
      for (const value of Object.values(exports)) if (value === own) home = module;
    }
    proto = Object.getPrototypeOf(proto) as object | null;
  }
  const props: Record<string, unknown> = {};
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === 'message' || key === 'stack' || key === 'cause' || key === 'errors') continue;
    const value = (error as unknown as Record<string, unknown>)[key];
    if (cloneable(value)) props[key] = value;
  }
  const deeper = (inner: unknown): unknown =>
    depth < 8 ? packError(inner, module, exports, depth + 1) : undefined;
  return {
    packed: true,
    classes,
    home,
    message: error.message,
    stack: error.stack ?? '',
    props,
    sobaya: isSobayaError(error),
    ...('cause' in error ? { cause: deeper(error.cause) } : {}),
    ...(error instanceof AggregateError ? { errors: error.errors.map(deeper) } : {}),
  } satisfies PackedError;
}

type ErrorClass = new (message?: string) => Error;

async function findClass(packed: PackedError): Promise<object | null> {
  const [own] = packed.classes;
  if (own === undefined) return Error.prototype;
  if (packed.home !== null) {
    // Whoever can tell its class has imported that module as well, so this evaluates nothing anew.
    const namespace = (await import(packed.home).catch(() => ({}))) as Record<string, unknown>;
    const found = Object.values(namespace).find((value) => typeof value === 'function' && value.name === own);
    if (found !== undefined) return (found as ErrorClass).prototype;
  }
  return known(packed.classes);
}

/** The nearest class that exists here; a class of the same name below it when it is not the error's own. */
function known(classes: readonly string[]): object {
  for (const [index, name] of classes.entries()) {
    const found =
      (ours as Record<string, unknown>)[name] ?? (globalThis as unknown as Record<string, unknown>)[name];
    if (typeof found !== 'function' || !(found.prototype instanceof Error)) continue;
    return index === 0 ? found.prototype : namedLike(classes[0] as string, found as ErrorClass);
  }
  return namedLike(classes[0] as string, Error);
}

function namedLike(name: string, base: ErrorClass): object {
  const made = class extends base {};
  Object.defineProperty(made, 'name', { value: name });
  return made.prototype;
}

/** Makes an error again of what `packError` made; `here` is an error that was made where the call began. */
export async function reviveError(value: unknown, here: Error | null): Promise<unknown> {
  if (!isPacked(value)) return value;
  return assemble(value, (await findClass(value)) ?? Error.prototype, here, (inner) =>
    reviveError(inner, null),
  );
}

/** The same without waiting, for a thread that is blocked. Classes of modules stay unknown. */
export function reviveErrorNow(value: unknown, here: Error | null): unknown {
  if (!isPacked(value)) return value;
  const prototype = value.classes.length === 0 ? Error.prototype : known(value.classes);
  const error = shape(value, prototype, here);
  if ('cause' in value) hide(error, 'cause', reviveErrorNow(value.cause, null));
  if (value.errors !== undefined)
    hide(
      error,
      'errors',
      value.errors.map((inner) => reviveErrorNow(inner, null)),
    );
  return error;
}

async function assemble(
  packed: PackedError,
  prototype: object,
  here: Error | null,
  revive: (inner: unknown) => Promise<unknown>,
): Promise<Error> {
  const error = shape(packed, prototype, here);
  if ('cause' in packed) hide(error, 'cause', await revive(packed.cause));
  if (packed.errors !== undefined) hide(error, 'errors', await Promise.all(packed.errors.map(revive)));
  return error;
}

function shape(packed: PackedError, prototype: object, here: Error | null): Error {
  const error = new Error(packed.message);
  Object.setPrototypeOf(error, prototype);
  Object.assign(error, packed.props);
  const caller = here?.stack?.split('\n').slice(1).join('\n');
  hide(error, 'stack', caller ? `${packed.stack}\n    --- called from ---\n${caller}` : packed.stack);
  return error;
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
