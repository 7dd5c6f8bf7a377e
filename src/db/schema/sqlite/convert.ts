/** What becomes of a column's values when its type changes: the value to copy, and a condition for those that have none. */
import type { ColumnSpec } from '../spec.ts';

export interface Conversion {
  readonly value: string;
  /** SQL that is true for rows whose value the new type refuses; null when there can be none. */
  readonly refused: string | null;
}

const INTEGERS: Readonly<Record<string, readonly [min: string, max: string]>> = {
  smallInteger: ['-32768', '32767'],
  smallAuto: ['-32768', '32767'],
  positiveSmallInteger: ['0', '32767'],
  integer: ['-2147483648', '2147483647'],
  auto: ['-2147483648', '2147483647'],
  positiveInteger: ['0', '2147483647'],
  bigInteger: ['-9223372036854775808', '9223372036854775807'],
  bigAuto: ['-9223372036854775808', '9223372036854775807'],
  positiveBigInteger: ['0', '9223372036854775807'],
};
const TEXTS = new Set(['text', 'email', 'url', 'slug', 'ipAddress']);

const isWhole = (x: string): string =>
  `(typeof(${x}) = 'integer' OR (typeof(${x}) = 'real' AND ${x} = CAST(${x} AS INTEGER)) OR (typeof(${x}) = 'text' AND CAST(CAST(${x} AS INTEGER) AS TEXT) = ${x}))`;
const isNumber = (x: string): string =>
  `(typeof(${x}) IN ('integer', 'real') OR (typeof(${x}) = 'text' AND json_valid(${x}) AND json_type(${x}) IN ('integer', 'real')))`;
const unless = (x: string, good: string): string => `${x} IS NOT NULL AND NOT (${good})`;

function maxLength(type: string): number | null {
  const match = /\((\d+)\)$/.exec(type);
  return match === null ? null : Number(match[1]);
}

export function conversion(from: ColumnSpec, to: ColumnSpec, x: string): Conversion {
  const text = (value: string): Conversion => {
    const length = maxLength(to.type);
    const before = TEXTS.has(from.holds) ? maxLength(from.type) : null;
    const shorter = length !== null && TEXTS.has(to.holds) && (before === null || before > length);
    return { value, refused: shorter ? unless(x, `length(${value}) <= ${length}`) : null };
  };
  if (from.holds === to.holds) return TEXTS.has(to.holds) ? text(x) : { value: x, refused: null };
  if (TEXTS.has(to.holds)) {
    if (from.holds === 'boolean')
      return text(`CASE ${x} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE ${x} END`);
    return text(TEXTS.has(from.holds) ? x : `CAST(${x} AS TEXT)`);
  }
  const range = INTEGERS[to.holds];
  if (range !== undefined) {
    const bounds = `CAST(${x} AS INTEGER) BETWEEN ${range[0]} AND ${range[1]}`;
    const old = INTEGERS[from.holds];
    const fits =
      old !== undefined && BigInt(old[0]) >= BigInt(range[0]) && BigInt(old[1]) <= BigInt(range[1]);
    return {
      value: `CAST(${x} AS INTEGER)`,
      refused: fits ? null : unless(x, `${isWhole(x)} AND ${bounds}`),
    };
  }
  switch (to.holds) {
    case 'boolean':
      return {
        value: `CASE lower(${x}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE CAST(${x} AS INTEGER) END`,
        refused: unless(x, `lower(${x}) IN ('0', '1', 'true', 'false')`),
      };
    case 'float':
      return { value: `CAST(${x} AS REAL)`, refused: unless(x, isNumber(x)) };
    case 'decimal':
      return { value: `CAST(${x} AS TEXT)`, refused: unless(x, isNumber(x)) };
    case 'date':
      return { value: `date(${x})`, refused: unless(x, `date(${x}) IS NOT NULL`) };
    case 'dateTime':
      return from.holds === 'date'
        ? { value: `${x} || ' 00:00:00'`, refused: null }
        : { value: x, refused: unless(x, `datetime(${x}) IS NOT NULL`) };
    case 'time':
      return { value: `time(${x})`, refused: unless(x, `time(${x}) IS NOT NULL`) };
    case 'json':
      return { value: x, refused: unless(x, `json_valid(${x})`) };
    case 'uuid':
      return {
        value: `lower(${x})`,
        refused: unless(
          x,
          `length(${x}) = 36 AND ${x} GLOB '[0-9a-fA-F]*' AND length(replace(${x}, '-', '')) = 32`,
        ),
      };
    case 'array':
      return { value: x, refused: unless(x, `json_valid(${x}) AND json_type(${x}) = 'array'`) };
    default:
      return { value: x, refused: null };
  }
}
