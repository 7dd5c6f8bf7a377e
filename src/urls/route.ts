import { fault } from '../errors/index.ts';
import { type Converter, findConverter } from './converters.ts';
import type { LocalConverters } from './types.ts';

export interface RouteParam {
  readonly name: string;
  readonly kind: string;
  readonly converter: Converter<unknown>;
}
/** Literal text, or a parameter. */
export type Token = string | RouteParam;

/** Reads `orders/<int:id>/` into its pieces. */
export function parseRoute(route: string, local: LocalConverters | undefined): Token[] {
  const tokens: Token[] = [];
  const bad = (why: string, fix: string): Error =>
    fault('SBY_URLS_BAD_ROUTE', { route: String(route), why, fix });
  if (typeof route !== 'string') throw bad('it is no text', 'Write it as text, as in "orders/<int:id>/"');
  let at = 0;
  while (at < route.length) {
    const open = route.indexOf('<', at);
    const literal = open === -1 ? route.slice(at) : route.slice(at, open);
    if (literal.includes('>')) throw bad('a ">" has no "<"', 'Write <kind:name>, as in "orders/<int:id>/"');
    if (literal !== '') tokens.push(literal);
    if (open === -1) break;
    const close = route.indexOf('>', open);
    if (close === -1) throw bad('a "<" is never closed', 'Write <kind:name>, as in "orders/<int:id>/"');
    const text = route.slice(open + 1, close);
    const colon = text.indexOf(':');
    const kind = colon === -1 ? 'str' : text.slice(0, colon);
    const name = text.slice(colon + 1);
    if (/\s/.test(text)) throw bad(`"<${text}>" has spaces`, `Write <${text.replace(/\s+/g, '')}>`);
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === '__proto__')
      throw bad(
        `"${name}" is no name of a parameter`,
        'Use letters, digits and "_", beginning with a letter',
      );
    if (tokens.some((token) => typeof token !== 'string' && token.name === name))
      throw bad(
        `the parameter "${name}" is there twice`,
        'Give each parameter of a route, prefixes included, its own name',
      );
    tokens.push({ name, kind, converter: findConverter(kind, local, route) });
    at = close + 1;
  }
  return tokens;
}

export function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** The source of the expression that matches these tokens; one capturing group per parameter. */
export function tokensToRegex(tokens: readonly Token[]): string {
  return tokens
    .map((token) => (typeof token === 'string' ? escapeRegex(token) : `(${token.converter.regex})`))
    .join('');
}

/** Whether what this converter matches can hold a slash. Says yes whenever it is not sure. */
export function mayHoldSlash(converter: Converter<unknown>): boolean {
  const { regex } = converter;
  if (regex === '[^/]+') return false;
  return !/^(?:[A-Za-z0-9_{},|?:+*()-]|\\[dwb]|\[(?!\^)(?:[A-Za-z0-9_]|-(?!-))*\])*$/.test(regex);
}

/**
 * The segments between slashes, each a list of tokens; null from where a parameter may hold a slash and the rest
 * can only be matched as a whole.
 */
export function segmentsOf(tokens: readonly Token[]): (Token[] | null)[] {
  const segments: (Token[] | null)[] = [];
  let current: Token[] = [];
  for (const token of tokens) {
    if (typeof token !== 'string') {
      if (mayHoldSlash(token.converter)) return [...segments, null];
      current.push(token);
      continue;
    }
    const parts = token.split('/');
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        segments.push(current);
        current = [];
      }
      if (part !== '') current.push(part);
    }
  }
  segments.push(current);
  return segments;
}

/** Whether text that this converter matches can hold `char`, as far as trying shows. */
function canHold({ regex }: Converter<unknown>, char: string): boolean {
  const whole = new RegExp(`^(?:${regex})$`, 's');
  return ['', 'a', '1', 'aaa', '111'].some(
    (side) => whole.test(side + char + side) || whole.test(side + char),
  );
}

/** How many steps matching one path may take, so that no path of a stranger holds up the process. */
const stepBudget = 2e7;

/**
 * The longest path that is tried on these tokens. `<slug:a>-<slug:b>` can be cut at every "-", so matching takes
 * time with the square of the length, and one power more with each further such parameter.
 */
export function longestPath(tokens: readonly Token[]): number {
  let ambiguous = 0;
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (typeof token === 'string' || next === undefined) continue;
    if (typeof next !== 'string' || canHold(token.converter, next[0]!)) ambiguous++;
  }
  return ambiguous === 0 ? Number.POSITIVE_INFINITY : Math.floor(stepBudget ** (1 / (ambiguous + 1)));
}
