/**
 * One entry per kind of column: what values it takes, what the database's answer becomes, which lookups it has.
 * Decoders accept what any driver of ours may give (0/1 and booleans, text and Dates), so that one generated
 * constructor per model serves every backend. A new kind: an entry here, a function in functions.ts, a column
 * type per backend in backends/<name>/types.ts.
 */

/** Kinds that behave alike in lookups, expressions and adapters. */
export type Family =
  | 'text'
  | 'integer'
  | 'float'
  | 'decimal'
  | 'boolean'
  | 'date'
  | 'time'
  | 'dateTime'
  | 'duration'
  | 'json'
  | 'binary'
  | 'uuid'
  | 'array';

export interface KindSpec {
  readonly family: Family;
  /** For messages: "It takes …". */
  expected(options: Readonly<Record<string, unknown>>): string;
  accepts(value: unknown, options: Readonly<Record<string, unknown>>): boolean;
  /** Turns the driver's value, never null, into the field's. Absent: taken as it is. */
  readonly decode?: (raw: never) => unknown;
  /** JavaScript source of `decode` for generated constructors, where a call is not worth it. */
  readonly inline?: (raw: string) => string;
}

const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0');

function integerKind(minimum: number, maximum: number): KindSpec {
  return {
    family: 'integer',
    expected: () =>
      maximum === Number.MAX_SAFE_INTEGER ? 'an integer' : `an integer between ${minimum} and ${maximum}`,
    accepts: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum,
  };
}

const MAX64 = 9223372036854775807n;
const textKind: KindSpec = {
  family: 'text',
  expected: (options) =>
    typeof options['maxLength'] === 'number'
      ? `text of at most ${options['maxLength']} characters, without NUL`
      : 'text without NUL',
  accepts: (value, options) =>
    isText(value) &&
    (typeof options['maxLength'] !== 'number' ||
      value.length <= options['maxLength'] ||
      [...value].length <= options['maxLength']),
};

const DECIMAL = /^-?\d+(\.\d+)?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isRealDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** Digits before and after the point that `decimal` text needs. */
function digits(text: string): [number, number] {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  return [whole.replace(/^0+/, '').length, fraction.replace(/0+$/, '').length];
}

function two(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]`, UTC, as SQLite keeps it; ISO 8601 with an offset is read too. */
export function decodeDateTime(raw: unknown): Date {
  if (typeof raw !== 'string') return raw instanceof Date ? raw : new Date(Number(raw));
  const length = raw.length;
  if (raw.charCodeAt(4) === 45 && raw.charCodeAt(13) === 58 && raw.charCodeAt(16) === 58) {
    const year = two(raw, 0) * 100 + two(raw, 2);
    if (year >= 100) {
      const seconds = Date.UTC(year, two(raw, 5) - 1, two(raw, 8), two(raw, 11), two(raw, 14), two(raw, 17));
      if (length === 19 || (length === 22 && raw.endsWith('+00'))) return new Date(seconds);
      if (raw.charCodeAt(19) === 46) {
        const fraction = /^\.(\d{1,9})(Z|[+-]00(?::?00)?)?$/.exec(raw.slice(19));
        if (fraction !== null)
          return new Date(seconds + Number((fraction[1] as string).slice(0, 3).padEnd(3, '0')));
      }
    }
  }
  if (length === 10) return new Date(`${raw}T00:00:00Z`);
  const iso = raw.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00');
  return new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`);
}

function decodeDate(raw: unknown): string {
  if (raw instanceof Date) return raw.toISOString().slice(0, 10);
  return String(raw).slice(0, 10);
}

/** Without zeros at the end of the fraction, which databases differ about. */
function decodeTime(raw: unknown): string {
  const text = String(raw);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Milliseconds; SQLite keeps microseconds in an integer, PostgreSQL answers ISO-like interval text. */
export function decodeDuration(raw: unknown): number {
  if (typeof raw === 'number') return Math.round(raw) / 1000;
  if (typeof raw === 'bigint') return Number(raw) / 1000;
  const text = String(raw);
  // Microseconds, which doubles hold exactly for 285 years.
  let micros = 0;
  for (const [, amount, unit] of text.matchAll(/(-?\d+) (year|mon|day)s?/g))
    micros += Number(amount) * (unit === 'year' ? 365.25 : unit === 'mon' ? 30 : 1) * 86_400_000_000;
  const clock = /(-)?(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(text);
  if (clock !== null) {
    const [, sign, hours, minutes, seconds] = clock as unknown as [
      string,
      string | undefined,
      string,
      string,
      string,
    ];
    const part =
      Number(hours) * 3_600_000_000 + Number(minutes) * 60_000_000 + Math.round(Number(seconds) * 1e6);
    micros += sign === '-' ? -part : part;
  }
  return micros / 1000;
}

function decodeJson(raw: unknown): unknown {
  return typeof raw === 'string' ? JSON.parse(raw) : raw;
}

const kinds = {
  smallAuto: integerKind(-32768, 32767),
  auto: integerKind(-2147483648, 2147483647),
  bigAuto: integerKind(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  smallInteger: integerKind(-32768, 32767),
  integer: integerKind(-2147483648, 2147483647),
  positiveSmallInteger: integerKind(0, 32767),
  positiveInteger: integerKind(0, 2147483647),
  positiveBigInteger: {
    family: 'integer',
    expected: () => 'a bigint between 0 and 2^63 - 1',
    accepts: (value) => typeof value === 'bigint' && value >= 0n && value <= MAX64,
    decode: (raw: string | number) => BigInt(raw),
  },
  bigInteger: {
    family: 'integer',
    expected: () => 'a bigint of at most 64 bits',
    accepts: (value) => typeof value === 'bigint' && value >= -MAX64 - 1n && value <= MAX64,
    decode: (raw: string | number) => BigInt(raw),
  },
  float: {
    family: 'float',
    expected: () => 'a finite number',
    accepts: (value) => typeof value === 'number' && Number.isFinite(value),
    decode: (raw: number | string) => Number(raw),
    inline: (raw) => `+${raw}`,
  },
  decimal: {
    family: 'decimal',
    expected: (o) =>
      `decimal text such as '12.50', at most ${o['maxDigits']} digits, ${o['decimalPlaces']} after the point`,
    accepts: (value, o) => {
      if (typeof value !== 'string' || !DECIMAL.test(value)) return false;
      const [whole, fraction] = digits(value);
      const places = o['decimalPlaces'] as number;
      return fraction <= places && whole <= (o['maxDigits'] as number) - places;
    },
    decode: (raw: unknown) => String(raw),
  },
  boolean: {
    family: 'boolean',
    expected: () => 'true or false',
    accepts: (value) => typeof value === 'boolean',
    decode: (raw: unknown) => raw === 1 || raw === true || raw === 't',
    inline: (raw) => `(${raw}===1||${raw}===true)`,
  },
  text: textKind,
  email: textKind,
  url: textKind,
  slug: textKind,
  ipAddress: textKind,
  uuid: {
    family: 'uuid',
    expected: () => "a UUID such as '0f8fad5b-d9cb-469f-a165-70867728950e'",
    accepts: (value) => typeof value === 'string' && UUID.test(value),
  },
  date: {
    family: 'date',
    expected: () => "a calendar date such as '2026-04-30'",
    accepts: (value) => typeof value === 'string' && isRealDate(value),
    decode: decodeDate,
  },
  time: {
    family: 'time',
    expected: () => "a time of day such as '12:30' or '12:30:59.5'",
    accepts: (value) => typeof value === 'string' && TIME.test(value),
    decode: decodeTime,
  },
  dateTime: {
    family: 'dateTime',
    expected: () => 'a valid Date between the years 1 and 9999',
    accepts: (value) =>
      value instanceof Date && value.getTime() >= -62135596800000 && value.getTime() <= 253402300799999,
    decode: decodeDateTime,
  },
  duration: {
    family: 'duration',
    expected: () => 'a finite number of milliseconds',
    accepts: (value) => typeof value === 'number' && Number.isFinite(value),
    decode: decodeDuration,
  },
  json: {
    family: 'json',
    expected: () => 'what JSON can hold: null, booleans, finite numbers, text, arrays, plain objects',
    accepts: (value) => isJson(value, 0),
    decode: decodeJson,
  },
  binary: {
    family: 'binary',
    expected: () => 'a Uint8Array',
    accepts: (value) => value instanceof Uint8Array,
  },
  array: {
    family: 'array',
    expected: () => 'an array',
    accepts: (value) => Array.isArray(value),
    decode: (raw: unknown) => raw,
  },
} satisfies Record<string, KindSpec>;

function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'string') return !value.includes('\0');
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth > 500) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  if (value instanceof Date) return true;
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every((item) => item === undefined || isJson(item, depth + 1));
}

export type Kind = keyof typeof kinds | 'foreignKey' | 'oneToOne' | 'manyToMany' | 'many';

const table = new Map<string, KindSpec>(Object.entries(kinds) as [string, KindSpec][]);

export function kindSpec(kind: string): KindSpec {
  const spec = table.get(kind);
  if (spec === undefined) throw new TypeError(`no field kind ${kind}`);
  return spec;
}
