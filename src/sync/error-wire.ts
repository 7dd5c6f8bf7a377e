import * as ours from '../errors/index.ts';
import { describe, isSobayaError } from '../errors/index.ts';
import { cloneable } from './wire.ts';

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
  /** The name of a DOMException, which has it in a slot that no other object can have; null for all other errors. */
  readonly dom: string | null;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly sobaya: boolean;
}

const isPacked = (value: unknown): value is PackedError =>
  typeof value === 'object' && value !== null && (value as { packed?: unknown }).packed === true;

/** How many errors one error may bring along: causes and members can refer to each other, in circles too. */
const mostErrors = 100;

/** Turns an error, with its causes, into what can cross to another thread. Other values pass if they can be copied. */
export function packError(error: unknown, module: string, exports: object): unknown {
  return pack(error, module, exports, new Set());
}

function pack(error: unknown, module: string, exports: object, seen: Set<unknown>): unknown {
  try {
    if (!(error instanceof Error)) return cloneable(error) ? error : describe(error);
    if (seen.has(error) || seen.size >= mostErrors) return undefined;
    seen.add(error);
    const deeper = (inner: unknown): unknown => pack(inner, module, exports, seen);
    const classes = classesOf(error);
    const own = Object.getPrototypeOf(error)?.constructor as unknown;
    return {
      packed: true,
      classes,
      home: Object.values(exports).includes(own) ? module : null,
      message: text(error, 'message'),
      stack: text(error, 'stack'),
      props: plainProps(error),
      dom: error instanceof DOMException ? error.name : null,
      sobaya: isSobayaError(error),
      ...('cause' in error ? { cause: deeper(error.cause) } : {}),
      ...(error instanceof AggregateError ? { errors: error.errors.map(deeper) } : {}),
    } satisfies PackedError;
  } catch {
    // A proxy, a getter that throws: it must not take the thread with it.
    return describe(error);
  }
}

/** Names of its classes below Error, its own first. */
function classesOf(error: Error): string[] {
  const classes: string[] = [];
  let proto = Object.getPrototypeOf(error) as { constructor?: { name?: unknown } } | null;
  for (; proto !== null && proto !== Error.prototype && classes.length < 32; ) {
    const name = proto.constructor?.name;
    if (typeof name === 'string') classes.push(name);
    proto = Object.getPrototypeOf(proto);
  }
  return classes;
}

function text(error: Error, key: 'message' | 'stack'): string {
  const value: unknown = error[key];
  return typeof value === 'string' ? value : value === undefined ? '' : describe(value);
}

const apart: ReadonlySet<string> = new Set(['message', 'stack', 'cause', 'errors']);

/** Its own properties that can be copied. */
function plainProps(error: Error): Record<string, unknown> {
  const props: Record<string, unknown> = {};
  for (const key of Object.getOwnPropertyNames(error)) {
    if (apart.has(key)) continue;
    try {
      const value = (error as unknown as Record<string, unknown>)[key];
      if (cloneable(value)) props[key] = value;
    } catch {
      // A getter of somebody else's; what it would have given is not worth the error.
    }
  }
  return props;
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
  const error =
    packed.dom === null ? new Error(packed.message) : new DOMException(packed.message, packed.dom);
  if (packed.dom === null || prototype !== DOMException.prototype) Object.setPrototypeOf(error, prototype);
  Object.assign(error, packed.props);
  const caller = here?.stack?.split('\n').slice(1).join('\n');
  hide(error, 'stack', caller ? `${packed.stack}\n    --- called from ---\n${caller}` : packed.stack);
  return error;
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
