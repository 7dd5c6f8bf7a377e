import type { Header } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible latin-1, space and tab (RFC 9110, 5.5). No line end can pass: that is what keeps headers apart. */
const notValue = /[^\t\x20-\x7e\x80-\xff]/;

/** Names seen to be good: responses use the same few again and again. Bounded, since names can come from data. */
const known = new Map<string, string>();

/** The lower-case form of a header name; throws when it is no token. */
export function headerName(name: string): string {
  const found = known.get(name);
  if (found !== undefined) return found;
  if (typeof name !== 'string' || !token.test(name))
    throw fault('SBY_HTTP_BAD_HEADER', { name: String(name), got: name });
  const lower = name.toLowerCase();
  if (known.size < 500) known.set(name, lower);
  return lower;
}

export function headerValue(name: string, value: string | number): string {
  const text = typeof value === 'string' ? value : String(value);
  if (text.length > 24 ? notValue.test(text) : !isPlain(text))
    throw fault('SBY_HTTP_BAD_HEADER', { name, got: value });
  return text;
}

/** For short text, which most values are: a loop costs less than entering the regular expression. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 ? code !== 0x09 : code > 0x7e && (code < 0x80 || code > 0xff)) return false;
  }
  return true;
}

/** The headers of a request: names in any case. Made only when somebody asks for more than one name. */
export class RequestHeaders implements Iterable<[name: string, value: string]> {
  readonly #list: readonly Header[];
  #map: Map<string, string> | null = null;

  constructor(list: readonly Header[]) {
    this.#list = list;
  }

  /** The value; several lines of one name joined by ", " (cookies by "; "), null when there is none. */
  get(name: string): string | null {
    this.#map ??= this.#join();
    return this.#map.get(name) ?? this.#map.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Each line of `name` for itself. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#list.filter((header) => header[0] === lower).map((header) => header[1]);
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    this.#map ??= this.#join();
    yield* this.#map;
  }

  #join(): Map<string, string> {
    const map = new Map<string, string>();
    for (const [name, value] of this.#list) {
      const before = map.get(name);
      map.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
    }
    return map;
  }
}

/** The headers of a response: a short list, since most responses have five or so. Names in any case. */
export class ResponseHeaders implements Iterable<[name: string, value: string]> {
  /** As it goes to the server. For builders: names must be lower-case tokens, values checked. */
  readonly list: Header[] = [];

  constructor(init?: HeaderValues) {
    if (init !== undefined) this.update(init);
  }

  get(name: string): string | null {
    const lower = headerName(name);
    let value: string | null = null;
    for (const header of this.list) {
      if (header[0] === lower) value = value === null ? header[1] : `${value}, ${header[1]}`;
    }
    return value;
  }

  has(name: string): boolean {
    const lower = headerName(name);
    for (const header of this.list) if (header[0] === lower) return true;
    return false;
  }

  /** Sets the one value of `name`. */
  set(name: string, value: string | number): this {
    const lower = headerName(name);
    const header: Header = [lower, headerValue(lower, value)];
    const { list } = this;
    let at = -1;
    for (let index = 0; index < list.length; index++) {
      if (list[index]![0] !== lower) continue;
      if (at === -1) list[(at = index)] = header;
      else list.splice(index--, 1);
    }
    if (at === -1) list.push(header);
    return this;
  }

  /** Sets `name` unless it has a value. */
  setDefault(name: string, value: string | number): this {
    return this.has(name) ? this : this.set(name, value);
  }

  /** For builders: adds each pair whose name has no value yet. The pairs are shared: lower-case tokens, values checked. */
  addMissing(pairs: readonly Header[]): void {
    const { list } = this;
    const before = list.length;
    next: for (const pair of pairs) {
      for (let index = 0; index < before; index++) if (list[index]![0] === pair[0]) continue next;
      list.push(pair);
    }
  }

  /** One more line of `name`. */
  append(name: string, value: string | number): this {
    const lower = headerName(name);
    this.list.push([lower, headerValue(lower, value)]);
    return this;
  }

  delete(name: string): boolean {
    const lower = headerName(name);
    let deleted = false;
    for (let index = this.list.length - 1; index >= 0; index--) {
      if (this.list[index]![0] !== lower) continue;
      this.list.splice(index, 1);
      deleted = true;
    }
    return deleted;
  }

  /** Adds names to a comma-separated list header, such as Vary, without repeating one. */
  addToList(name: string, ...values: readonly string[]): this {
    const now = this.get(name);
    if (now === null) {
      this.list.push([headerName(name), values.includes('*') ? '*' : headerValue(name, values.join(', '))]);
      return this;
    }
    const items = splitList(now);
    if (items.includes('*')) return this;
    for (const value of values) {
      if (!items.some((item) => item.toLowerCase() === value.toLowerCase())) items.push(value);
    }
    return this.set(name, items.includes('*') ? '*' : items.join(', '));
  }

  update(init: HeaderValues): this {
    const entries = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of entries as Iterable<readonly [string, string | number | readonly string[]]>) {
      if (Array.isArray(value)) for (const one of value as readonly string[]) this.append(name, one);
      else this.set(name, value as string | number);
    }
    return this;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const [name, value] of this.list) yield [name, value];
  }
}

/** Pairs, or an object; an array as value makes several lines. */
export type HeaderValues =
  | Iterable<readonly [name: string, value: string | number]>
  | Readonly<Record<string, string | number | readonly string[]>>;

/** The items of a comma-separated header; commas in quoted strings do not separate. */
export function splitList(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index <= text.length; index++) {
    const char = text[index];
    if (quoted && char === '\\') index++;
    else if (char === '"') quoted = !quoted;
    else if ((char === ',' && !quoted) || char === undefined) {
      const item = text.slice(start, index).trim();
      if (item !== '') items.push(item);
      start = index + 1;
    }
  }
  return items;
}
