import { fault } from '../errors/index.ts';

export type HeaderValue = string | number | readonly (string | number)[] | null | undefined;
/** What can be given as headers: an object (null and undefined are left out), pairs, or a `Headers`. */
export type HeadersInput =
  | Readonly<Record<string, HeaderValue>>
  | Iterable<readonly [name: string, value: string | number]>;

// RFC 9110 5.6.2 token, and 5.5 field-value without its obsolete line folding.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers of a request or a response: names in any case, several values per name, in the order they came. */
export class HeaderList implements Iterable<[name: string, value: string]> {
  /** `[name, value, name, value…]`, names in lower case. */
  readonly #flat: string[] = [];

  constructor(input?: HeadersInput | HeaderList | null) {
    if (input) this.update(input);
  }

  /** For builders: takes what is known to be right, names in lower case already. */
  static trusted(flat: Iterable<string>): HeaderList {
    const list = new HeaderList();
    for (const text of flat) list.#flat.push(text);
    return list;
  }

  /** The value; several are joined with ", ", as RFC 9110 5.2 allows for all but Set-Cookie. Null when absent. */
  get(name: string): string | null {
    const values = this.getAll(name);
    return values.length === 0 ? null : values.length === 1 ? (values[0] as string) : values.join(', ');
  }

  getAll(name: string): string[] {
    const key = name.toLowerCase();
    const values: string[] = [];
    for (let i = 0; i < this.#flat.length; i += 2)
      if (this.#flat[i] === key) values.push(this.#flat[i + 1] as string);
    return values;
  }

  getSetCookie(): string[] {
    return this.getAll('set-cookie');
  }

  has(name: string): boolean {
    const key = name.toLowerCase();
    for (let i = 0; i < this.#flat.length; i += 2) if (this.#flat[i] === key) return true;
    return false;
  }

  append(name: string, value: string | number): void {
    const text = typeof value === 'string' ? value.trim() : String(value);
    if (!TOKEN.test(name) || !VALUE.test(text)) throw fault('SBY_CLIENT_BAD_HEADER', { name, value });
    this.#flat.push(name.toLowerCase(), text);
  }

  set(name: string, value: string | number): void {
    this.delete(name);
    this.append(name, value);
  }

  delete(name: string): void {
    const key = name.toLowerCase();
    for (let i = this.#flat.length - 2; i >= 0; i -= 2) if (this.#flat[i] === key) this.#flat.splice(i, 2);
  }

  /** Sets what `input` has; what is null or undefined in it is removed. */
  update(input: HeadersInput | HeaderList): void {
    if (Symbol.iterator in input) {
      // Pairs replace what was there, but not each other: two set-cookie in one input are both meant.
      const pairs = [...input];
      for (const [name] of pairs) this.delete(name);
      for (const [name, value] of pairs) this.append(name, value);
      return;
    }
    for (const [name, value] of Object.entries(input)) {
      this.delete(name);
      if (value === null || value === undefined) continue;
      if (typeof value === 'object') for (const one of value) this.append(name, one);
      else this.append(name, value);
    }
  }

  /** `[name, value, name, value…]`. */
  flat(): readonly string[] {
    return this.#flat;
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let i = 0; i < this.#flat.length; i += 2)
      yield [this.#flat[i] as string, this.#flat[i + 1] as string];
  }

  keys(): string[] {
    return [...new Set([...this].map(([name]) => name))];
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.keys().map((name) => [name, this.get(name) as string]));
  }
}
