import { describe, fault } from '../errors/index.ts';
import { type Leaf, leavesOf, matchLeaf } from './leaves.ts';
import type { Urls } from './patterns.ts';
import { type Match, RouteTree } from './tree.ts';
import type { AnyView, ParamsOfView } from './types.ts';

export interface ReverseOptions {
  /** Put behind the path; null and undefined leave a name out. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;
  readonly fragment?: string;
  /** Where the application is mounted. Default: the root path of the current request. */
  readonly prefix?: string;
}

/** The routes of an application: from a path to a view, and back. */
export class Resolver {
  /** Every route, in the order of definition. */
  readonly leaves: readonly Leaf[];
  readonly #http: RouteTree;
  readonly #websocket: RouteTree;
  readonly #byName = new Map<string, Leaf[]>();
  readonly #byView = new Map<unknown, Leaf[]>();

  constructor(urls: Urls) {
    this.leaves = leavesOf(urls);
    this.#http = new RouteTree(this.leaves.filter((leaf) => leaf.kind === 'http'));
    this.#websocket = new RouteTree(this.leaves.filter((leaf) => leaf.kind === 'websocket'));
    for (const leaf of this.leaves) {
      if (leaf.name !== null) push(this.#byName, [...leaf.namespaces, leaf.name].join(':'), leaf);
      push(this.#byView, leaf.view, leaf);
    }
  }

  /** The first route, in the order of definition, that matches `path` (decoded, with its leading slash). */
  resolve(path: string): Match | null {
    return this.#http.match(path);
  }

  resolveWebSocket(path: string): Match | null {
    return this.#websocket.match(path);
  }

  /** The path for a view or a name. Throws SBY_URLS_NO_REVERSE. */
  reverse<V extends AnyView>(view: V, params: ParamsOfView<V>, options?: ReverseOptions): string;
  reverse(
    target: string | AnyView,
    params?: Readonly<Record<string, unknown>>,
    options?: ReverseOptions,
  ): string;
  reverse(
    target: string | AnyView,
    params: Readonly<Record<string, unknown>> = {},
    options: ReverseOptions = {},
  ): string {
    const byName = typeof target === 'string';
    const leaves = (byName ? this.#byName.get(target) : this.#byView.get(target)) ?? [];
    const tried: string[] = [];
    // The last definition wins, as in Django: an application can replace a route of an app it includes.
    for (let index = leaves.length - 1; index >= 0; index--) {
      const leaf = leaves[index]!;
      const made = build(leaf, params);
      if ('path' in made) return finish(made.path, options);
      tried.push(`${leaf.route === '' ? "''" : leaf.route}: ${made.why}`);
    }
    const shown = byName ? JSON.stringify(target) : `the view ${(target as Function).name || '(anonymous)'}`;
    const similar = byName ? nearest(target as string, [...this.#byName.keys()]) : null;
    throw fault('SBY_URLS_NO_REVERSE', { target: shown, params: Object.keys(params), tried, similar });
  }

  /** Every name that `reverse` knows. */
  get names(): string[] {
    return [...this.#byName.keys()];
  }
}

function push<K>(map: Map<K, Leaf[]>, key: K, leaf: Leaf): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [leaf]);
  else list.push(leaf);
}

function build(leaf: Leaf, params: Readonly<Record<string, unknown>>): { path: string } | { why: string } {
  if (leaf.tail !== null) return { why: 'a regular expression cannot be reversed' };
  const given = Object.keys(params);
  const wanted = leaf.params.map((param) => param.name);
  const missing = wanted.filter((name) => !given.includes(name));
  const extra = given.filter((name) => !wanted.includes(name));
  if (missing.length > 0) return { why: `${missing.join(', ')} missing` };
  if (extra.length > 0) return { why: `${extra.join(', ')} unknown` };
  let path = '/';
  let plain = '';
  for (const token of leaf.tokens) {
    if (typeof token === 'string') {
      path += encode(token);
      plain += token;
      continue;
    }
    try {
      const text = token.converter.toUrl(params[token.name]);
      if (!new RegExp(`^(?:${token.converter.regex})$`, 's').test(text))
        throw new TypeError(`${describe(text)} is no <${token.kind}>`);
      path += encode(text);
      plain += text;
    } catch (error) {
      return { why: `${token.name}: ${(error as Error).message}` };
    }
  }
  // What is written must be read as the same route.
  if (matchLeaf(leaf, plain) === null) return { why: 'these values do not match the route' };
  return { path };
}

/** Percent-encodes for a path (RFC 3986, 3.3): sub-delims, ":", "@" and "/" stay. */
function encode(text: string): string {
  return encodeURI(text).replace(/[?#]/g, encodeURIComponent);
}

function finish(path: string, options: ReverseOptions): string {
  const prefix = options.prefix ?? '';
  // "//host" would lead to another site.
  let url = prefix + path;
  if (url.startsWith('//')) url = `/%2F${url.slice(2)}`;
  if (options.query !== undefined) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options.query)) {
      if (value === null || value === undefined) continue;
      for (const one of Array.isArray(value) ? (value as readonly string[]) : [value])
        query.append(name, String(one));
    }
    const text = query.toString();
    if (text !== '') url += `?${text}`;
  }
  if (options.fragment) url += `#${encodeURIComponent(options.fragment)}`;
  return url;
}

/** The name that shares the longest beginning or differs by a namespace; null when none is near. */
function nearest(name: string, names: readonly string[]): string | null {
  const last = name.split(':').pop()!;
  const fold = (text: string): string => text.toLowerCase().replace(/[_-]/g, '');
  return (
    names.find((candidate) => candidate.split(':').pop() === last) ??
    names.find((candidate) => fold(candidate) === fold(name)) ??
    names.find(
      (candidate) =>
        last.length > 3 && (candidate.includes(last) || last.includes(candidate.split(':').pop()!)),
    ) ??
    null
  );
}
