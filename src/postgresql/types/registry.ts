import { fault } from '../../errors/index.ts';
import type { Bytes } from '../protocol/bytes.ts';
import { builtinRanges, builtinTypes } from './builtin.ts';
import {
  type AnyCodec,
  type Codec,
  customCodec,
  fast,
  modes,
  plainText,
  type TypeCodec,
  textCodec,
  Unencodable,
} from './codec.ts';
import {
  arrayFromBinary,
  arrayFromText,
  arrayToText,
  compositeMembers,
  compositeToText,
  multirangeFromText,
  rangeFromText,
  rangeToText,
} from './nested.ts';
import { Range } from './values.ts';

/** How a type is to be read: a mode by name ('bigint', 'iso', 'text', …) or a codec of your own. */
export type Reading = string | AnyCodec;

/** By name of the type. */
export interface TypeOptions {
  /** Default `number`, which refuses values that are no safe integer. */
  readonly int8?: 'number' | 'bigint' | 'string' | 'text' | AnyCodec;
  /** Default `string`: exact. */
  readonly numeric?: 'string' | 'number' | 'text' | AnyCodec;
  /** Default `date`: a Date, cut to milliseconds; `iso` is text with all microseconds. */
  readonly timestamptz?: 'date' | 'iso' | 'text' | AnyCodec;
  /** Default `date`: as if it were UTC. */
  readonly timestamp?: 'date' | 'iso' | 'text' | AnyCodec;
  /** Default `string`, `2026-01-31`; `date` is a Date at midnight UTC. */
  readonly date?: 'string' | 'date' | 'text' | AnyCodec;
  readonly [type: string]: Reading | undefined;
}

/** What is known of a type: from the list of built-in ones, or from the server's catalogue. */
export interface TypeInfo {
  readonly oid: number;
  readonly name: string;
  readonly kind: 'base' | 'array' | 'composite' | 'domain' | 'enum' | 'range' | 'multirange';
  /** Element of an array, base of a domain, what a range is of. */
  readonly of: number;
  readonly delimiter: string;
  readonly attributes: readonly { readonly name: string; readonly oid: number }[];
}

const builtin = new Map<number, TypeInfo>();
function add(oid: number, name: string, kind: TypeInfo['kind'], of = 0): void {
  if (oid !== 0) builtin.set(oid, { oid, name, kind, of, delimiter: ',', attributes: [] });
}
for (const [name, oid, arrayOid] of builtinTypes) {
  add(oid, name, 'base');
  add(arrayOid, `_${name}`, 'array', oid);
}
for (const [name, oid, arrayOid, of, multi, multiArray] of builtinRanges) {
  add(oid, name, 'range', of);
  add(arrayOid, `_${name}`, 'array', oid);
  const multiName = name.replace('range', 'multirange');
  add(multi, multiName, 'multirange', oid);
  add(multiArray, `_${multiName}`, 'array', multi);
}

/** The types of one database: codecs by OID. Types of the user's own are learned from the catalogue when they are met. */
export class TypeRegistry {
  readonly #options: TypeOptions;
  readonly #known = new Map<number, TypeInfo>();
  readonly #codecs = new Map<number, TypeCodec>();
  readonly #read = new Map<string, TypeCodec>();

  constructor(options: TypeOptions = {}) {
    this.#options = options;
    for (const [name, reading] of Object.entries(options)) {
      if (typeof reading !== 'string') {
        if (reading !== undefined && (typeof reading !== 'object' || typeof reading.decode !== 'function'))
          throw fault('SBY_POSTGRESQL_BAD_OPTION', {
            option: `types.${name}`,
            got: reading,
            expected: 'the name of a mode, or a codec { decode, encode }',
          });
      } else if (reading !== 'text' && modes[name]?.[reading] === undefined)
        throw fault('SBY_POSTGRESQL_BAD_OPTION', {
          option: `types.${name}`,
          got: reading,
          expected: `one of ${[...Object.keys(modes[name] ?? {}), 'text'].join(', ')}, or a codec`,
        });
    }
  }

  knows(oid: number): boolean {
    return builtin.has(oid) || this.#known.has(oid) || oid === 0;
  }

  info(oid: number): TypeInfo | null {
    return builtin.get(oid) ?? this.#known.get(oid) ?? null;
  }

  /** Adds what the catalogue says. OIDs that it does not know count as text from now on. */
  learn(types: readonly TypeInfo[], asked: Iterable<number>): void {
    for (const info of types) this.#known.set(info.oid, info);
    for (const oid of asked)
      if (!this.knows(oid))
        this.#known.set(oid, {
          oid,
          name: `oid ${oid}`,
          kind: 'base',
          of: 0,
          delimiter: ',',
          attributes: [],
        });
    this.#codecs.clear();
    this.#read.clear();
  }

  /** Drops what was learned: after types were dropped and made anew. */
  forget(): void {
    this.#known.clear();
    this.#codecs.clear();
    this.#read.clear();
  }

  name(oid: number): string {
    return this.info(oid)?.name ?? (oid === 0 ? '' : `oid ${oid}`);
  }

  codec(oid: number): TypeCodec {
    let codec = this.#codecs.get(oid);
    if (codec === undefined) this.#codecs.set(oid, (codec = this.#make(oid, 0)));
    return codec;
  }

  /** The codec of a column for which a shape says how it is to be read. */
  reading(oid: number, reading: Reading): TypeCodec {
    const name = this.name(oid);
    if (typeof reading !== 'string') return customCodec(name, reading as Codec);
    const key = `${oid} ${reading}`;
    let codec = this.#read.get(key);
    if (codec === undefined) {
      const base = this.#base(oid);
      const mode = modes[base]?.[reading];
      if (mode !== undefined) codec = mode;
      else if (reading === 'text') codec = textCodec(name);
      else
        throw fault('SBY_POSTGRESQL_BAD_OPTION', {
          option: `The reading of a column of type ${name}`,
          got: reading,
          expected: `one of ${[...Object.keys(modes[base] ?? {}), 'text'].join(', ')}, or a codec`,
        });
      this.#read.set(key, codec);
    }
    return codec;
  }

  #base(oid: number): string {
    let info = this.info(oid);
    for (let depth = 0; info?.kind === 'domain' && depth < 32; depth++) info = this.info(info.of);
    return info?.name ?? '';
  }

  #make(oid: number, depth: number): TypeCodec {
    const info = this.info(oid);
    if (info === null || depth > 16) return textCodec(this.name(oid));
    const chosen = this.#options[info.name];
    if (chosen !== undefined) {
      if (typeof chosen !== 'string') return customCodec(info.name, chosen as Codec);
      if (chosen === 'text') return textCodec(info.name);
      const mode = modes[info.name]?.[chosen];
      if (mode !== undefined) return mode;
    }
    switch (info.kind) {
      case 'array':
        return arrayCodec(info, this.#make(info.of, depth + 1));
      case 'domain':
        return this.#make(info.of, depth + 1);
      case 'range':
        return rangeCodec(info, this.#make(info.of, depth + 1));
      case 'multirange': {
        const of = this.info(info.of)?.of ?? 25;
        return multirangeCodec(info, this.#make(of, depth + 1));
      }
      case 'composite':
        return compositeCodec(
          info,
          info.attributes.map((attribute) => this.#make(attribute.oid, depth + 1)),
        );
      default: {
        const known = modes[info.name];
        return known === undefined ? textCodec(info.name) : (Object.values(known)[0] as TypeCodec);
      }
    }
  }
}

/** The text of a value inside an array, a range or a composite. */
function innerText(codec: TypeCodec, value: unknown): string {
  const encoded = codec.encode(value);
  if (typeof encoded === 'string') return encoded;
  throw new Unencodable(
    `values that the codec of ${codec.name} writes as text: it is used inside of another type`,
  );
}

function arrayCodec(info: TypeInfo, element: TypeCodec): TypeCodec {
  const { binary } = element;
  // Text is the same in both forms, and needs no unquoting in the binary one.
  const asText =
    element.textCode === 'b.utf8Slice(p,p+n)' && element.fast === fast.text
      ? (b: Buffer, p: number, n: number) => (b as Bytes).utf8Slice(p, p + n)
      : null;
  const read = (binary ?? asText) as ((b: Buffer, p: number, n: number) => unknown) | null;
  return {
    name: info.name,
    text: (text) => arrayFromText(text, element.text, info.delimiter),
    binary: read === null ? null : (b, p, n) => arrayFromBinary(b, p, n, read),
    textCode: null,
    binaryCode: null,
    fast: fast.none,
    encode: (value) => {
      if (Array.isArray(value)) return arrayToText(value, (item) => innerText(element, item), info.delimiter);
      if (typeof value === 'string') return value;
      // A typed array is a list of numbers, unless bytes are what is wanted.
      if (ArrayBuffer.isView(value) && Symbol.iterator in value)
        return arrayToText([...(value as unknown as Iterable<unknown>)], (item) => innerText(element, item));
      throw new Unencodable('an array');
    },
  };
}

function rangeCodec(info: TypeInfo, element: TypeCodec): TypeCodec {
  return {
    name: info.name,
    text: (text) => rangeFromText(text, element.text),
    binary: null,
    textCode: null,
    binaryCode: null,
    fast: fast.none,
    encode: (value) =>
      value instanceof Range
        ? rangeToText(value, (item) => innerText(element, item))
        : plainText(value, 'a Range, or its text'),
  };
}

function multirangeCodec(info: TypeInfo, element: TypeCodec): TypeCodec {
  const one = (value: unknown): string => {
    if (value instanceof Range) return rangeToText(value, (item) => innerText(element, item));
    throw new Unencodable('a list of Ranges, or its text');
  };
  return {
    name: info.name,
    text: (text) => multirangeFromText(text, element.text),
    binary: null,
    textCode: null,
    binaryCode: null,
    fast: fast.none,
    encode: (value) =>
      Array.isArray(value)
        ? `{${value.map(one).join(',')}}`
        : plainText(value, 'a list of Ranges, or its text'),
  };
}

function compositeCodec(info: TypeInfo, codecs: readonly TypeCodec[]): TypeCodec {
  const names = info.attributes.map((attribute) => attribute.name);
  return {
    name: info.name,
    text: (text) => {
      const members = compositeMembers(text);
      return Object.fromEntries(
        names.map((name, i) => {
          const member = members[i] ?? null;
          return [name, member === null ? null : codecs[i]!.text(member)];
        }),
      );
    },
    binary: null,
    textCode: null,
    binaryCode: null,
    fast: fast.none,
    encode: (value) => {
      if (typeof value === 'string') return value;
      if (typeof value !== 'object' || value === null || value instanceof Date)
        throw new Unencodable(`an object with ${names.join(', ')}`);
      const values = Array.isArray(value)
        ? value
        : names.map((name) => (value as Record<string, unknown>)[name]);
      return compositeToText(
        values.map((member: unknown, i) =>
          member === null || member === undefined ? null : innerText(codecs[i] ?? codecs[0]!, member),
        ),
      );
    },
  };
}

/** Asks the catalogue about types. Plain SQL with numbers only, for the simple query protocol. */
export function typeQuery(oids: readonly number[]): string {
  return `SELECT t.oid::int8, t.typname, t.typtype, t.typcategory, t.typelem::int8, t.typbasetype::int8, t.typdelim,
 COALESCE(r.rngsubtype, 0)::int8, COALESCE(m.rngtypid, 0)::int8,
 (SELECT json_agg(json_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_catalog.pg_range m ON (pg_catalog.to_jsonb(m) ->> 'rngmultitypid') = t.oid::text
WHERE t.oid IN (${oids.join(',')})`;
}

/** Rows of `typeQuery`, all text. */
export function typeInfos(rows: readonly (readonly (string | null)[])[]): TypeInfo[] {
  return rows.map((row) => {
    const [oid, name, type, category, element, base, delimiter, subtype, multi, attributes] = row;
    let kind: TypeInfo['kind'] = 'base';
    let of = 0;
    if (type === 'b' && category === 'A' && element !== '0') [kind, of] = ['array', Number(element)];
    else if (type === 'd') [kind, of] = ['domain', Number(base)];
    else if (type === 'r') [kind, of] = ['range', Number(subtype)];
    else if (type === 'm') [kind, of] = ['multirange', Number(multi)];
    else if (type === 'e') kind = 'enum';
    else if (type === 'c') kind = 'composite';
    const list =
      attributes === null || attributes === undefined ? [] : (JSON.parse(attributes) as [string, number][]);
    return {
      oid: Number(oid),
      name: name as string,
      kind,
      of,
      delimiter: delimiter ?? ',',
      attributes: kind === 'composite' ? list.map(([n, o]) => ({ name: n, oid: o })) : [],
    };
  });
}

/** The types that `infos` speak of. */
export function referred(infos: readonly TypeInfo[]): number[] {
  return infos.flatMap((info) => [info.of, ...info.attributes.map((attribute) => attribute.oid)]);
}
