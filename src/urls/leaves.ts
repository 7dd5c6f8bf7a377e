import { fault } from '../errors/index.ts';
import type { UrlPattern, Urls } from './patterns.ts';
import { checkUrls } from './patterns.ts';
import { longestPath, parseRoute, type RouteParam, type Token, tokensToRegex } from './route.ts';
import type { LocalConverters } from './types.ts';

/** A route with everything the includes around it add; in the order of definition. */
export interface Leaf {
  readonly index: number;
  readonly kind: 'http' | 'websocket';
  /** As written, prefixes included. */
  readonly route: string;
  readonly tokens: readonly Token[];
  /** For rePath: the expression for what follows the tokens. */
  readonly tail: RegExp | null;
  readonly params: readonly RouteParam[];
  /** Longer paths do not match; see `longestPath`. */
  readonly longest: number;
  /** Matches the whole path, without its leading slash. */
  readonly regex: RegExp;
  readonly view: unknown;
  readonly name: string | null;
  readonly namespaces: readonly string[];
  /** `shop:order-detail`, or the name of the view's function. */
  readonly viewName: string;
}

/** Unfolds includes into one list. */
export function leavesOf(urls: Urls): Leaf[] {
  const leaves: Leaf[] = [];
  walk(urls, '', [], undefined, leaves, []);
  return leaves;
}

function walk(
  urls: Urls,
  prefix: string,
  namespaces: readonly string[],
  converters: LocalConverters | undefined,
  leaves: Leaf[],
  above: readonly Urls[],
): void {
  checkUrls(urls, prefix === '' ? 'createApp({ urls })' : `include(${JSON.stringify(prefix)})`);
  if (above.includes(urls))
    throw fault('SBY_URLS_BAD_ROUTE', {
      route: prefix,
      why: 'the include includes itself',
      fix: 'Include a list that does not contain this include',
    });
  for (const item of urls) {
    const local = item.converters === undefined ? converters : { ...converters, ...item.converters };
    if (item.kind === 'include') {
      const inner = item.namespace === undefined ? namespaces : [...namespaces, item.namespace];
      walk(item.urls, prefix + item.route, inner, local, leaves, [...above, urls]);
    } else leaves.push(leaf(item, prefix, namespaces, local, leaves.length));
  }
}

function leaf(
  item: UrlPattern,
  prefix: string,
  namespaces: readonly string[],
  local: LocalConverters | undefined,
  index: number,
): Leaf {
  const route = item.regex === null ? prefix + item.route : `${prefix}${item.regex.source}`;
  if (route.startsWith('/') && item.regex === null)
    throw fault('SBY_URLS_BAD_ROUTE', {
      route,
      why: 'it begins with a slash, which would never match',
      fix: `Write ${JSON.stringify(route.replace(/^\/+/, ''))}`,
    });
  if (item.under !== undefined && !prefix.endsWith(item.under))
    throw fault('SBY_URLS_BAD_ROUTE', {
      route,
      why: `it says { under: ${JSON.stringify(item.under)} }, but stands under ${JSON.stringify(prefix)}`,
      fix: 'Give the prefix of the include() around it',
    });
  const tokens = parseRoute(item.regex === null ? route : prefix, local);
  const params = tokens.filter((token) => typeof token !== 'string');
  const tail = item.regex === null ? null : new RegExp(stripAnchors(item.regex.source), item.regex.flags);
  const source = tokensToRegex(tokens) + (tail === null ? '' : `(?:${tail.source})`);
  const regex = new RegExp(`^${source}$`, tail === null ? 's' : tail.flags);
  const name = item.name ?? null;
  const named =
    name ?? ((item.view as { viewName?: string }).viewName || (item.view as Function).name || 'view');
  return {
    index,
    kind: item.kind,
    route,
    tokens,
    tail,
    params,
    longest: longestPath(tokens),
    regex,
    view: item.view,
    name,
    namespaces,
    viewName: [...namespaces, named].join(':'),
  };
}

function stripAnchors(source: string): string {
  let text = source.startsWith('^') ? source.slice(1) : source;
  if (text.endsWith('$') && !/(?:^|[^\\])(?:\\\\)*\\\$$/.test(text)) text = text.slice(0, -1);
  return text;
}

/** The values of a leaf from the captured texts; null when a converter says no. */
export function valuesOf(
  leaf: Leaf,
  texts: ArrayLike<string | undefined>,
  from: number,
): Record<string, unknown> | null {
  const { params } = leaf;
  const values: Record<string, unknown> = {};
  for (let index = 0; index < params.length; index++) {
    const { name, converter } = params[index]!;
    const value = converter.toValue(texts[from + index] as string);
    if (value === undefined) return null;
    values[name] = value;
  }
  return values;
}

/** Matches one leaf alone, without any tree: the definition of what a match is. */
export function matchLeaf(leaf: Leaf, path: string): Record<string, unknown> | null {
  if (path.length >= leaf.longest) return null;
  const found = leaf.regex.exec(path);
  if (found === null) return null;
  const values = valuesOf(leaf, found, 1);
  if (values === null || leaf.tail === null) return values;
  if (found.groups !== undefined) {
    for (const [name, text] of Object.entries(found.groups)) if (text !== undefined) values[name] = text;
  } else {
    for (let index = 1 + leaf.params.length; index < found.length; index++)
      if (found[index] !== undefined) values[String(index - 1 - leaf.params.length)] = found[index];
  }
  return values;
}
