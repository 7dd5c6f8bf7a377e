import { describe } from '../../errors/index.ts';
import { type Bytes, int32 } from '../protocol/bytes.ts';
import type { Writer } from '../protocol/writer.ts';
import {
  dateFromBinary,
  dateFromText,
  dateToText,
  dayFromBinary,
  dayToText,
  intervalFromBinary,
  intervalFromText,
  isoFromBinary,
  isoFromText,
  timeFromBinary,
  Undecodable,
} from './datetime.ts';
import { Interval, RawJson } from './values.ts';

/**
 * How values of one type are read and written. Give one under the type's name in `types`, or for one column in a
 * shape. Text is always possible; binary where `decodeBinary` is there.
 */
export interface Codec<T = unknown> {
  /** From the text form. */
  readonly decode: (text: string) => T;
  /** From the binary form, `bytes.subarray(start, end)`. When present the server is asked for binary. Copy what is kept. */
  readonly decodeBinary?: (bytes: Buffer, start: number, end: number) => T;
  /** To the text form, or to bytes, which are sent as the binary form. */
  readonly encode: (value: T) => string | Uint8Array;
}

/** A codec of any type. */
export interface AnyCodec {
  readonly decode: (text: string) => unknown;
  readonly decodeBinary?: (bytes: Buffer, start: number, end: number) => unknown;
  readonly encode: (value: never) => string | Uint8Array;
}

/** Raised by encoders; the caller makes a catalogue error of it. */
export class Unencodable extends Error {}

/** How a value is written when it can be done faster than through text. */
export const fast = {
  none: 0,
  int2: 1,
  int4: 2,
  int8: 3,
  float8: 4,
  bool: 5,
  text: 6,
  timestamp: 7,
  bytes: 8,
} as const;

/** A type as the client works with it. */
export interface TypeCodec {
  readonly name: string;
  readonly text: (text: string) => unknown;
  readonly binary: ((b: Bytes, p: number, n: number) => unknown) | null;
  /** Code for generated decoders, over b, p, n and H (`inline`); null: the functions are called. */
  readonly textCode: string | null;
  readonly binaryCode: string | null;
  readonly fast: number;
  /** The binary form is the text, so it is never asked for. */
  readonly sameInBinary?: boolean;
  readonly encode: (value: unknown) => string | Uint8Array;
}

const minSafe = -2_097_152;
const maxSafe = 2_097_151;

function unsafeInteger(text: string): never {
  throw new Undecodable(
    `${text} is no safe integer`,
    "Read it as a bigint: types: { int8: 'bigint' }",
    'int8',
  );
}

/** What generated code may call. */
export const inline = {
  int8(b: Bytes, p: number): number {
    const high = int32(b, p);
    if (high < minSafe || high > maxSafe) unsafeInteger(String(b.readBigInt64BE(p)));
    return high * 4294967296 + (int32(b, p + 4) >>> 0);
  },
  float8: (b: Bytes, p: number): number => b.readDoubleBE(p),
  date: dateFromBinary,
  bytea: (b: Bytes, p: number, n: number): Buffer => Buffer.from(b.subarray(p, p + n)),
  uuid(b: Bytes, p: number): string {
    const hex = b.hexSlice(p, p + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  },
};

function bigintFromText(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : unsafeInteger(text);
}

/** The text of values that every type reads: what has only one reasonable form. */
export function plainText(value: unknown, expected: string): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value instanceof Date) return validDate(value).toISOString();
      throw new Unencodable(expected);
  }
}

function validDate(date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new Unencodable('a valid Date');
  return date;
}

const numberText = (expected: string) => (value: unknown) => {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string')
    // String(-0) is '0'; PostgreSQL's floats keep the sign.
    return Object.is(value, -0) ? '-0' : String(value);
  throw new Unencodable(expected);
};

function bytesText(value: unknown): string {
  if (typeof value === 'string') return value;
  const bytes = asBytes(value);
  if (bytes === null) throw new Unencodable('bytes (Buffer, Uint8Array, ArrayBuffer)');
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

export function asBytes(value: unknown): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return null;
}

function momentText(value: unknown): string {
  if (value instanceof Date) return dateToText(validDate(value));
  if (value === Number.POSITIVE_INFINITY) return 'infinity';
  if (value === Number.NEGATIVE_INFINITY) return '-infinity';
  if (typeof value === 'string') return value;
  throw new Unencodable('a Date, or text as PostgreSQL reads it');
}

function jsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new Unencodable('a value that JSON can say', { cause });
  }
  if (text === undefined) throw new Unencodable('a value that JSON can say');
  return text;
}

const asIs = (text: string): string => text;

function define(name: string, parts: Partial<TypeCodec>): TypeCodec {
  return {
    name,
    text: asIs,
    binary: null,
    textCode: null,
    binaryCode: null,
    fast: fast.none,
    encode: (value) => plainText(value, `a value of type ${name} as text`),
    ...parts,
  };
}

/** Any type, read as the text that the server writes. */
export function textCodec(name: string): TypeCodec {
  return define(name, { textCode: 'b.utf8Slice(p,p+n)', fast: fast.text });
}

const int4Code = '(b[p]<<24)|(b[p+1]<<16)|(b[p+2]<<8)|b[p+3]';

/** How types can be read: the first mode is the default. `text` works for every type besides. */
export const modes: Record<string, Record<string, TypeCodec>> = {
  bool: {
    boolean: define('bool', {
      text: (text) => text === 't',
      binary: (b, p) => b[p] === 1,
      textCode: 'b[p]===116',
      binaryCode: 'b[p]===1',
      fast: fast.bool,
      encode: (value) => {
        if (typeof value === 'boolean' || typeof value === 'string') return String(value);
        throw new Unencodable('true or false');
      },
    }),
  },
  int2: {
    number: define('int2', {
      text: Number,
      binary: (b, p) => b.readInt16BE(p),
      binaryCode: '((b[p]<<24)>>16)|b[p+1]',
      fast: fast.int2,
      encode: numberText('an integer'),
    }),
  },
  int4: {
    number: define('int4', {
      text: Number,
      binary: (b, p) => int32(b, p),
      binaryCode: int4Code,
      fast: fast.int4,
      encode: numberText('an integer'),
    }),
  },
  oid: {
    number: define('oid', {
      text: Number,
      binary: (b, p) => int32(b, p) >>> 0,
      binaryCode: `(${int4Code})>>>0`,
      encode: numberText('an integer'),
    }),
  },
  int8: {
    number: define('int8', {
      text: bigintFromText,
      binary: inline.int8,
      binaryCode: 'H.int8(b,p)',
      fast: fast.int8,
      encode: numberText('an integer or a bigint'),
    }),
    bigint: define('int8', {
      text: BigInt,
      binary: (b, p) => b.readBigInt64BE(p),
      binaryCode: 'b.readBigInt64BE(p)',
      fast: fast.int8,
      encode: numberText('an integer or a bigint'),
    }),
    string: define('int8', {
      textCode: 'b.latin1Slice(p,p+n)',
      fast: fast.int8,
      encode: numberText('an integer or a bigint'),
    }),
  },
  float4: {
    // Text: 0.1 as a float4 is 0.1 to people, and 0.10000000149011612 when its bits are widened.
    number: define('float4', { text: floatFromText, encode: numberText('a number') }),
  },
  float8: {
    number: define('float8', {
      text: floatFromText,
      binary: inline.float8,
      binaryCode: 'H.float8(b,p)',
      fast: fast.float8,
      encode: numberText('a number'),
    }),
  },
  numeric: {
    // Text: exact, whatever its precision.
    string: define('numeric', {
      textCode: 'b.latin1Slice(p,p+n)',
      encode: numberText('a number or its digits as text'),
    }),
    number: define('numeric', { text: floatFromText, encode: numberText('a number or its digits as text') }),
  },
  bytea: {
    bytes: define('bytea', {
      text: (text) => byteaFromText(text),
      binary: inline.bytea,
      binaryCode: 'H.bytea(b,p,n)',
      fast: fast.bytes,
      encode: bytesText,
    }),
  },
  uuid: {
    string: define('uuid', { binary: inline.uuid, binaryCode: 'H.uuid(b,p)', fast: fast.text }),
  },
  timestamptz: {
    date: define('timestamptz', {
      text: dateFromText,
      binary: dateFromBinary,
      binaryCode: 'H.date(b,p)',
      fast: fast.timestamp,
      encode: momentText,
    }),
    iso: define('timestamptz', {
      text: (text) => isoFromText(text, 'Z'),
      binary: (b, p) => isoFromBinary(b, p, 'Z'),
      fast: fast.timestamp,
      encode: momentText,
    }),
  },
  timestamp: {
    date: define('timestamp', {
      text: dateFromText,
      binary: dateFromBinary,
      binaryCode: 'H.date(b,p)',
      fast: fast.timestamp,
      encode: momentText,
    }),
    iso: define('timestamp', {
      text: (text) => isoFromText(text, ''),
      binary: (b, p) => isoFromBinary(b, p, ''),
      fast: fast.timestamp,
      encode: momentText,
    }),
  },
  date: {
    string: define('date', {
      binary: dayFromBinary,
      encode: (value) => (value instanceof Date ? dayToText(validDate(value)) : momentText(value)),
    }),
    date: define('date', {
      text: (text) =>
        dateFromText(`${text.replace(/ BC$/, '')} 00:00:00${text.endsWith(' BC') ? ' BC' : ''}`),
      encode: (value) => (value instanceof Date ? dayToText(validDate(value)) : momentText(value)),
    }),
  },
  time: { string: define('time', { binary: timeFromBinary }) },
  interval: {
    interval: define('interval', {
      text: intervalFromText,
      binary: intervalFromBinary,
      encode: (value) => {
        if (value instanceof Interval || typeof value === 'string') return String(value);
        throw new Unencodable("an Interval, or text such as '90 minutes'");
      },
    }),
  },
  json: { value: define('json', { text: JSON.parse, encode: jsonText, sameInBinary: true }) },
  jsonb: { value: define('jsonb', { text: JSON.parse, encode: jsonText }) },
};
for (const name of ['text', 'varchar', 'bpchar', 'name', 'char', 'unknown', 'xml', 'citext'])
  modes[name] = {
    string: define(name, {
      textCode: 'b.utf8Slice(p,p+n)',
      fast: fast.text,
      sameInBinary: true,
      encode: (value) => plainText(value, 'text'),
    }),
  };

function floatFromText(text: string): number {
  return text === '-Infinity' ? Number.NEGATIVE_INFINITY : Number(text);
}

function byteaFromText(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex');
  // bytea_output = escape
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\\') bytes.push(text.charCodeAt(at));
    else if (text[at + 1] === '\\') bytes.push(text.charCodeAt(++at));
    else {
      bytes.push(Number.parseInt(text.slice(at + 1, at + 4), 8));
      at += 3;
    }
  }
  return Buffer.from(bytes);
}

/** A codec of the user's, for the type `name`. */
export function customCodec(name: string, codec: Codec): TypeCodec {
  const { decodeBinary } = codec;
  return define(name, {
    text: codec.decode,
    binary: decodeBinary === undefined ? null : (b, p, n) => decodeBinary(b, p, p + n),
    encode: (value) => {
      const result = codec.encode(value);
      if (typeof result === 'string' || result instanceof Uint8Array) return result;
      throw new Unencodable(`a value that the codec of ${name} can encode; it gave ${describe(result)}`);
    },
  });
}

/** Writes a value that is not null into a Bind message: its length and bytes. Gives its format, 0 text or 1 binary. */
export function writeValue(writer: Writer, codec: TypeCodec, value: unknown): 0 | 1 {
  if (typeof value === 'number') {
    switch (codec.fast) {
      case fast.int4:
        if ((value | 0) === value) {
          writer.reserve(8);
          writer.int32(4);
          writer.int32(value);
          return 1;
        }
        break;
      case fast.int8:
        if (Number.isSafeInteger(value)) {
          writer.reserve(12);
          writer.int32(8);
          writer.int32(Math.floor(value / 4294967296));
          writer.int32(value);
          return 1;
        }
        break;
      case fast.float8:
        writer.reserve(12);
        writer.int32(8);
        writer.bytes.writeDoubleBE(value, writer.at);
        writer.at += 8;
        return 1;
      case fast.int2:
        if ((value << 16) >> 16 === value) {
          writer.reserve(6);
          writer.int32(2);
          writer.int16(value);
          return 1;
        }
    }
  } else if (typeof value === 'string') {
    if (codec.fast !== fast.none) {
      writer.textValue(value);
      return 0;
    }
  } else if (typeof value === 'boolean') {
    if (codec.fast === fast.bool) {
      writer.reserve(5);
      writer.int32(1);
      writer.int8(value ? 1 : 0);
      return 1;
    }
  } else if (codec.fast === fast.timestamp && value instanceof Date) {
    const ms = validDate(value).getTime() - 946_684_800_000;
    const micros = ms * 1000;
    writer.reserve(12);
    writer.int32(8);
    if (Number.isSafeInteger(micros)) {
      writer.int32(Math.floor(micros / 4294967296));
      writer.int32(micros);
    } else {
      writer.bytes.writeBigInt64BE(BigInt(ms) * 1000n, writer.at);
      writer.at += 8;
    }
    return 1;
  } else if (codec.fast === fast.bytes) {
    const bytes = asBytes(value);
    if (bytes !== null) {
      writer.bytesValue(bytes);
      return 1;
    }
  }
  const encoded = codec.encode(value);
  if (typeof encoded === 'string') {
    writer.textValue(encoded);
    return 0;
  }
  writer.bytesValue(encoded);
  return 1;
}
