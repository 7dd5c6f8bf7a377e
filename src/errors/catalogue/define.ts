import type { ErrorParts, SobayaError } from '../base.ts';

// biome-ignore lint/suspicious/noExplicitAny: a constructor of any catalogue error, whatever its extra arguments
type ErrorClass = new (parts: ErrorParts, options?: ErrorOptions) => any;

export interface Entry<C extends ErrorClass, D> {
  readonly class: C;
  /** Builds the message from details: what was got, where, what to do. */
  readonly parts: (details: D) => { what: string; where?: string; fix?: string };
  /** Details of a real case; the documentation page and the tests render the message with them. */
  readonly example: D;
  /** A paragraph for docs/errors/: when this happens and why it is an error. */
  readonly about: string;
}

/** One entry of the catalogue. */
export function entry<C extends ErrorClass, D>(
  errorClass: C,
  definition: Omit<Entry<C, D>, 'class'>,
): Entry<C, D> {
  return { class: errorClass, ...definition };
}

/** Says what a value is in a few words, for the "what was got" part of a message. Never prints secrets: strings are cut short. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'undefined';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(value)))
      return `class ${value.name || '(anonymous)'}`;
    return `function ${value.name || '(anonymous)'}`;
  }
  if (typeof value === 'symbol') return value.toString();
  if (typeof value !== 'object') return String(value);
  try {
    return describeObject(value);
  } catch {
    // A getter or a proxy that throws: an error about an error helps nobody.
    return 'an object that cannot be looked at';
  }
}

function describeObject(value: object): string {
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor
    ?.name;
  return name && name !== 'Object' ? `an instance of ${name}` : 'an object';
}

export type { SobayaError };
