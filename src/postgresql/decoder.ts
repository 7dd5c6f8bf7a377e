import { type Bytes, int32 } from './protocol/bytes.ts';
import type { Field } from './protocol/messages.ts';
import { inline, type TypeCodec } from './types/codec.ts';
import { Undecodable } from './types/datetime.ts';
import type { Reading, TypeRegistry } from './types/registry.ts';

/**
 * How the rows of a statement become values: what an ORM gives to have its instances made straight from the wire.
 * Keep the object: decoders are made once per shape and description.
 */
export interface Shape<R> {
  /** Called with the values of one row, in the order of the columns. Default: objects by column name. */
  readonly row?: ((...values: never[]) => R) | 'object' | 'array';
  /** A class instead, made with `new` and the values. */
  readonly construct?: new (
    ...values: never[]
  ) => R;
  /** By position, how to read a column where the type's own way is not wanted: 'bigint', 'iso', 'text', a codec. */
  readonly read?: readonly (Reading | undefined)[];
}

export const objectShape: Shape<Record<string, unknown>> = Object.freeze({ row: 'object' });
export const arrayShape: Shape<unknown[]> = Object.freeze({ row: 'array' });

/** Reads the columns of a DataRow that begin at `p`, behind their count; `e` is the end of the message. */
export type RowDecoder = (b: Bytes, p: number, e: number) => unknown;

/** How the rows of one description are asked for and read, for one shape. */
export interface Plan {
  readonly decode: RowDecoder;
  /** Per column the format asked for: 1 is binary. */
  readonly formats: readonly number[];
  /** The end of a Bind message: the formats. */
  readonly formatBytes: Uint8Array;
}

/** What a statement takes and gives, as the server described it. Shared by the connections of a pool. */
export class Description {
  readonly parameters: readonly number[];
  readonly codecs: readonly TypeCodec[];
  readonly fields: readonly Field[] | null;
  readonly #registry: TypeRegistry;
  /** Formats that were asked for before it was known what comes. */
  readonly #sent: readonly number[] | undefined;
  #lastShape: Shape<unknown> | null = null;
  #lastPlan: Plan | null = null;
  readonly #plans = new WeakMap<Shape<unknown>, Plan>();

  constructor(
    registry: TypeRegistry,
    parameters: readonly number[],
    fields: readonly Field[] | null,
    sent?: readonly number[],
  ) {
    this.#registry = registry;
    this.parameters = parameters;
    this.codecs = parameters.map((oid) => registry.codec(oid));
    this.fields = fields;
    this.#sent = sent;
  }

  /** The same parameters, and a result that turned out to be another. */
  withFields(fields: readonly Field[] | null, sent: readonly number[]): Description {
    return new Description(this.#registry, this.parameters, fields, sent);
  }

  /** Whether a result described so can be read by what was expected. */
  sameFields(fields: readonly Field[] | null): boolean {
    const mine = this.fields;
    if (mine === null || fields === null) return mine === fields;
    return (
      mine.length === fields.length &&
      mine.every((field, i) => field.oid === fields[i]!.oid && field.name === fields[i]!.name)
    );
  }

  plan(shape: Shape<unknown>): Plan {
    if (shape === this.#lastShape) return this.#lastPlan as Plan;
    let plan = this.#plans.get(shape);
    if (plan === undefined) this.#plans.set(shape, (plan = this.#plan(shape)));
    this.#lastShape = shape;
    this.#lastPlan = plan;
    return plan;
  }

  #plan(shape: Shape<unknown>): Plan {
    const fields = this.fields ?? [];
    const codecs = fields.map((field, i) => {
      const reading = shape.read?.[i];
      return reading === undefined
        ? this.#registry.codec(field.oid)
        : this.#registry.reading(field.oid, reading);
    });
    const formats = this.#sent ?? codecs.map((codec) => (codec.binary === null ? 0 : 1));
    const names = fields.map((field) => field.name);
    // What was asked for in binary and turned out to be text: its binary form is the same.
    const read = formats.map((format, i) => (format === 1 && codecs[i]?.sameInBinary === true ? 0 : format));
    return { decode: rowDecoder(names, codecs, read, shape), formats, formatBytes: formatBytes(formats) };
  }
}

/** All alike: one for all columns, and none at all for text. */
function formatBytes(formats: readonly number[]): Uint8Array {
  const first = formats[0] ?? 0;
  const alike = formats.every((format) => format === first);
  const list = alike ? (first === 0 ? [] : [1]) : formats;
  const bytes = Buffer.alloc(2 + list.length * 2);
  bytes.writeUInt16BE(list.length, 0);
  list.forEach((format, i) => {
    bytes.writeUInt16BE(format, 2 + i * 2);
  });
  return bytes;
}

function notBinary(name: string): never {
  throw new Undecodable(
    'the result of the statement changed while it was under way',
    'Run the statement again',
    name,
    true,
  );
}

function malformed(): never {
  throw new RangeError('a row whose length does not fit its columns');
}

let canGenerate: boolean | null = null;

/** Whether this process may make functions from text; `--disallow-code-generation-from-strings` forbids it. */
function mayGenerate(): boolean {
  if (canGenerate === null) {
    try {
      canGenerate = new Function('return true')() as boolean;
    } catch {
      canGenerate = false;
    }
  }
  return canGenerate;
}

/** A decoder for rows with these columns: generated where that is allowed, else a loop that does the same. */
export function rowDecoder(
  names: readonly string[],
  codecs: readonly TypeCodec[],
  formats: readonly number[],
  shape: Shape<unknown>,
  generate: boolean = mayGenerate(),
): RowDecoder {
  return generate
    ? generatedDecoder(names, codecs, formats, shape)
    : loopDecoder(names, codecs, formats, shape);
}

function generatedDecoder(
  names: readonly string[],
  codecs: readonly TypeCodec[],
  formats: readonly number[],
  shape: Shape<unknown>,
): RowDecoder {
  const lines: string[] = [];
  const values: string[] = [];
  codecs.forEach((codec, i) => {
    const binary = formats[i] === 1;
    const text = codec.textCode ?? `C[${i}].text(b.utf8Slice(p,p+n))`;
    const call = codec.binary === null ? `notBinary(C[${i}].name)` : `C[${i}].binary(b,p,n)`;
    const code = binary ? (codec.binaryCode ?? call) : text;
    // Names stand in string literals only, made by JSON.stringify; nothing else in the code comes from outside.
    lines.push(
      `let v${i}=null;n=(b[p]<<24)|(b[p+1]<<16)|(b[p+2]<<8)|b[p+3];p+=4;if(n>=0){if(p+n>e)bad();v${i}=${code};p+=n;}`,
    );
    values.push(`v${i}`);
  });
  let make: string;
  if (shape.construct !== undefined) make = `new K(${values})`;
  else if (typeof shape.row === 'function') make = `F(${values})`;
  else if (shape.row === 'array') make = `[${values}]`;
  // A computed key, because a plain __proto__ in a literal sets the prototype.
  else
    make = `{${names.map((name, i) => `[${JSON.stringify(name)}]:v${i}`)}}`.replace(
      /\[("(?!__proto__")[^"\\]*")\]:/g,
      '$1:',
    );
  const source = `return function(b,p,e){let n;${lines.join('')}if(p!==e)bad();return ${make};}`;
  return new Function('H', 'C', 'K', 'F', 'bad', 'notBinary', source)(
    inline,
    codecs,
    shape.construct,
    shape.row,
    malformed,
    notBinary,
  ) as RowDecoder;
}

function loopDecoder(
  names: readonly string[],
  codecs: readonly TypeCodec[],
  formats: readonly number[],
  shape: Shape<unknown>,
): RowDecoder {
  const count = codecs.length;
  const { construct } = shape;
  const row = shape.row as unknown;
  return (b, start, e) => {
    const values: unknown[] = new Array(count);
    let p = start;
    for (let i = 0; i < count; i++) {
      const n = int32(b, p);
      p += 4;
      if (n < 0) {
        values[i] = null;
        continue;
      }
      if (p + n > e) malformed();
      const codec = codecs[i] as TypeCodec;
      if (formats[i] !== 1) values[i] = codec.text(b.utf8Slice(p, p + n));
      else values[i] = codec.binary === null ? notBinary(codec.name) : codec.binary(b, p, n);
      p += n;
    }
    if (p !== e) malformed();
    if (construct !== undefined) return new construct(...(values as never[]));
    if (typeof row === 'function') return (row as (...values: unknown[]) => unknown)(...values);
    if (row === 'array') return values;
    // Own properties in every case, as in the generated code.
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  };
}
