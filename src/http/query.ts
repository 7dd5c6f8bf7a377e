import { fault } from '../errors/index.ts';

/**
 * Names with several values, in the order they came: query strings and forms. Django's QueryDict: `get` gives the
 * last value of a name, `getAll` all of them. Nothing that is sent can become a property of an object.
 */
export class QueryDict implements Iterable<[name: string, value: string]> {
  readonly #entries: readonly (readonly [string, string])[];

  constructor(entries: Iterable<readonly [string, string]> = []) {
    this.#entries = [...entries];
  }

  /** Parses `application/x-www-form-urlencoded` text, at most `maxFields` pairs of it. */
  static parse(text: string, maxFields = 1000, what = 'query parameters'): QueryDict {
    if (text === '') return empty;
    let count = 1;
    for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', at + 1)) {
      if (++count > maxFields)
        throw fault('SBY_HTTP_TOO_MANY', { what, limit: maxFields, option: 'maxFields' });
    }
    // Of a text that begins with a question mark it drops that one: a name can begin with one too.
    return new QueryDict(new URLSearchParams(text.startsWith('?') ? `?${text}` : text));
  }

  /** The last value of `name`; `fallback` (null) when there is none. */
  get(name: string): string | null;
  get<D>(name: string, fallback: D): string | D;
  get(name: string, fallback: unknown = null): unknown {
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const entry = this.#entries[index]!;
      if (entry[0] === name) return entry[1];
    }
    return fallback;
  }

  /** All values of `name`, in order. Django's `getlist`. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (const entry of this.#entries) if (entry[0] === name) values.push(entry[1]);
    return values;
  }

  has(name: string): boolean {
    return this.#entries.some((entry) => entry[0] === name);
  }

  /** The number of different names. */
  get size(): number {
    return new Set(this.#entries.map((entry) => entry[0])).size;
  }

  /** The different names, in order of their first value. */
  keys(): string[] {
    return [...new Set(this.#entries.map((entry) => entry[0]))];
  }

  /** Every pair, duplicates included. */
  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const [name, value] of this.#entries) yield [name, value];
  }

  /** The last value of each name, in an object without a prototype. */
  toObject(): Record<string, string> {
    const object = Object.create(null) as Record<string, string>;
    for (const [name, value] of this.#entries) object[name] = value;
    return object;
  }

  /** A copy with some names replaced; null or undefined leaves a name out. For links that change one parameter. */
  with(
    changes: Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>,
  ): QueryDict {
    const kept = this.#entries.filter(([name]) => !Object.hasOwn(changes, name));
    const added: [string, string][] = [];
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined) continue;
      for (const one of Array.isArray(value) ? (value as readonly string[]) : [value])
        added.push([name, String(one)]);
    }
    return new QueryDict([...kept, ...added]);
  }

  /** Encoded again, without a question mark. */
  toString(): string {
    return new URLSearchParams(this.#entries.map(([name, value]) => [name, value])).toString();
  }
}

const empty = new QueryDict();
