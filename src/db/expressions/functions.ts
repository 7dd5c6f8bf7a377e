/** Database functions, by Django's names. A string names a field, as in Django; text itself is Value('text'). */
import { fault } from '../../errors/index.ts';
import type { ValueField } from '../fields/field.ts';
import { FLOAT, INTEGER, JSON_VALUE, type Node, TEXT } from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed } from '../typing/model.ts';
import { type Expr, operand } from './expression.ts';
import { type Argument, argument, call, first } from './func.ts';
import { type OutputKind, outputOf } from './values.ts';

/** Where Django takes plain text as text: delimiters, patterns. */
const literal = (given: unknown): Expr => operand(given);
const known = (nodes: readonly Node[]): ValueField | null =>
  nodes.find((node) => node.output !== null)?.output ?? null;

// ---- text
export const Lower = (x: Argument): Computed<string> => call('LOWER', [argument(x)], TEXT);
export const Upper = (x: Argument): Computed<string> => call('UPPER', [argument(x)], TEXT);
/** Characters. */
export const Length = (x: Argument): Computed<number> => call('LENGTH', [argument(x)], INTEGER);
export const Trim = (x: Argument): Computed<string> => call('TRIM', [argument(x)], TEXT);
export const LTrim = (x: Argument): Computed<string> => call('LTRIM', [argument(x)], TEXT);
export const RTrim = (x: Argument): Computed<string> => call('RTRIM', [argument(x)], TEXT);
export const Reverse = (x: Argument): Computed<string> => call('REVERSE', [argument(x)], TEXT);
/** Texts one after another; NULL counts as empty. */
export const Concat = (...xs: readonly Argument[]): Computed<string> =>
  call('CONCAT', xs.map(argument), TEXT, { strict: false });
/** From `position`, counted from 1. */
export const Substr = (
  x: Argument,
  position: number | Expression<number>,
  length?: number | Expression<number>,
): Computed<string> =>
  call('SUBSTR', [argument(x), operand(position), ...(length === undefined ? [] : [operand(length)])], TEXT);
export const Left = (x: Argument, length: number | Expression<number>): Computed<string> =>
  call('LEFT', [argument(x), operand(length)], TEXT);
export const Right = (x: Argument, length: number | Expression<number>): Computed<string> =>
  call('RIGHT', [argument(x), operand(length)], TEXT);
export const LPad = (
  x: Argument,
  length: number | Expression<number>,
  fill: string | Expression<string> = ' ',
): Computed<string> => call('LPAD', [argument(x), operand(length), literal(fill)], TEXT);
export const RPad = (
  x: Argument,
  length: number | Expression<number>,
  fill: string | Expression<string> = ' ',
): Computed<string> => call('RPAD', [argument(x), operand(length), literal(fill)], TEXT);
export const Repeat = (x: Argument, times: number | Expression<number>): Computed<string> =>
  call('REPEAT', [argument(x), operand(times)], TEXT);
export const Replace = (
  x: Argument,
  from: string | Expression<string>,
  to: string | Expression<string> = '',
): Computed<string> => call('REPLACE', [argument(x), literal(from), literal(to)], TEXT);
/** Position of the first occurrence, counted from 1; 0 if there is none. */
export const StrIndex = (x: Argument, part: string | Expression<string>): Computed<number> =>
  call('STRPOS', [argument(x), literal(part)], INTEGER);
export const Chr = (x: Argument): Computed<string> => call('CHR', [argument(x)], TEXT);
export const Ord = (x: Argument): Computed<number> => call('ORD', [argument(x)], INTEGER);

/** Text compared and ordered by another collation: Collate('name', 'NOCASE'), orderBy(Collate('name', 'C')). */
export const Collate = (x: Argument, collation: string): Computed<string> => {
  if (!/^[A-Za-z][\w-]*$/.test(collation))
    throw fault('SBY_DB_BAD_NAME', { what: 'collation', got: collation });
  return call('COLLATE', [argument(x)], TEXT, {
    detail: collation,
    template: ([sql], c) => `(${sql} COLLATE ${c.quote(collation)})`,
  });
};
const hash =
  (name: string) =>
  (x: Argument): Computed<string> =>
    call(name, [argument(x)], TEXT);
/** The digest of the UTF-8 text, in hexadecimal digits. */
export const MD5 = hash('MD5');
/** PostgreSQL needs its extension pgcrypto for this one. */
export const SHA1 = hash('SHA1');
export const SHA224 = hash('SHA224');
export const SHA256 = hash('SHA256');
export const SHA384 = hash('SHA384');
export const SHA512 = hash('SHA512');

// ---- numbers
export const Abs = (x: Argument): Computed<number> => call('ABS', [argument(x)], first);
export const Ceil = (x: Argument): Computed<number> => call('CEIL', [argument(x)], first);
export const Floor = (x: Argument): Computed<number> => call('FLOOR', [argument(x)], first);
export const Round = (x: Argument, places = 0): Computed<number> =>
  call('ROUND', places === 0 ? [argument(x)] : [argument(x), operand(places)], first);
export const Sqrt = (x: Argument): Computed<number> => call('SQRT', [argument(x)], FLOAT);
export const Exp = (x: Argument): Computed<number> => call('EXP', [argument(x)], FLOAT);
export const Ln = (x: Argument): Computed<number> => call('LN', [argument(x)], FLOAT);
export const Log = (base: Argument, x: Argument): Computed<number> =>
  call('LOG', [argument(base), argument(x)], FLOAT);
export const Power = (x: Argument, exponent: Argument): Computed<number> =>
  call('POWER', [argument(x), argument(exponent)], FLOAT);
export const Mod = (x: Argument, by: Argument): Computed<number> =>
  call('MOD', [argument(x), argument(by)], FLOAT);
export const Sign = (x: Argument): Computed<number> => call('SIGN', [argument(x)], INTEGER);
export const Sin = (x: Argument): Computed<number> => call('SIN', [argument(x)], FLOAT);
export const Cos = (x: Argument): Computed<number> => call('COS', [argument(x)], FLOAT);
export const Tan = (x: Argument): Computed<number> => call('TAN', [argument(x)], FLOAT);
export const Cot = (x: Argument): Computed<number> => call('COT', [argument(x)], FLOAT);
export const ASin = (x: Argument): Computed<number> => call('ASIN', [argument(x)], FLOAT);
export const ACos = (x: Argument): Computed<number> => call('ACOS', [argument(x)], FLOAT);
export const ATan = (x: Argument): Computed<number> => call('ATAN', [argument(x)], FLOAT);
export const ATan2 = (y: Argument, x: Argument): Computed<number> =>
  call('ATAN2', [argument(y), argument(x)], FLOAT);
export const Degrees = (x: Argument): Computed<number> => call('DEGREES', [argument(x)], FLOAT);
export const Radians = (x: Argument): Computed<number> => call('RADIANS', [argument(x)], FLOAT);
export const Pi = (): Computed<number> => call('PI', [], FLOAT);
/** A number from 0 to 1, another for each row. */
export const Random = (): Computed<number> => call('RANDOM', [], FLOAT, { strict: false });

// ---- comparisons
/** The first that is not NULL. */
export const Coalesce = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('COALESCE', xs.map(argument), known, { strict: false });
export const Greatest = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('GREATEST', xs.map(argument), known, { strict: false });
export const Least = <V = unknown>(...xs: readonly Argument[]): Computed<V> =>
  call('LEAST', xs.map(argument), known, { strict: false });
/** NULL where both are equal, else the first. */
export const NullIf = <V = unknown>(a: Argument, b: Argument): Computed<V | null> =>
  call('NULLIF', [argument(a), argument(b)], first, { strict: false });
export function Cast<K extends OutputKind>(x: Argument, to: K): Expression<CastTypes[K]> {
  const output = outputOf(to) as ValueField;
  return call('CAST', [argument(x)], output, {
    detail: to,
    template: ([sql], c) => c.dialect.cast(sql as string, output.spec.family),
  });
}
interface CastTypes {
  text: string;
  integer: number;
  bigInteger: number;
  float: number;
  decimal: string;
  boolean: boolean;
  date: string;
  time: string;
  dateTime: Date;
  duration: number;
  json: unknown;
  binary: Uint8Array;
  uuid: string;
}
/** An object made from fields: JSONObject({ name: 'author__name' }). */
export function JSONObject(
  fields: Readonly<Record<string, Argument>> = {},
): Computed<Record<string, unknown>> {
  const args = Object.entries(fields).flatMap(([name, value]) => [operand(name), argument(value)]);
  return call('JSON_OBJECT', args, JSON_VALUE, { strict: false });
}
