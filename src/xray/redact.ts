/**
 * What leaves the recorder has no secrets and no personal data in it, unless the program asks for values. The rule
 * is "show the shape, hide the content"; where content must be shown, what looks like a secret is taken out.
 */
export const HIDDEN = '‹hidden›';

const secretName =
  /pass(word|wd|phrase)?|secret|token|api[-_]?key|auth|credential|session|cookie|signature|csrf|otp|private|^code$|^sig$|^key$/i;
const secretHeaders = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-forwarded-for',
  'forwarded',
  'x-real-ip',
  'cf-connecting-ip',
  'true-client-ip',
]);

const email = /[\p{L}\p{N}._%+-]+(?:@|%40)[\p{L}\p{N}.-]+\.\p{L}{2,}/giu;
const jwt = /\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g;
const bearer = /\b(bearer|basic)\s+[\w+/=.~-]{8,}/gi;
const longToken = /(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{24,}(?![\w-])/g;
const longDigits = /(?<!\d)(?:\d[ -]?){8,}\d(?!\d)/g;

/** Takes out what looks like an address, a token or a long number. */
export function redactText(text: string): string {
  return text
    .replace(email, '‹email›')
    .replace(jwt, '‹token›')
    .replace(bearer, (_all, scheme: string) => `${scheme} ‹token›`)
    .replace(longToken, '‹token›')
    .replace(longDigits, '‹number›');
}

/** A query string: values of secret names are hidden, the rest is looked through. */
export function redactQuery(query: string): string {
  if (query === '') return '';
  return query
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 0) return redactText(pair);
      const name = pair.slice(0, at);
      return `${name}=${secretName.test(decoded(name)) ? HIDDEN : redactText(pair.slice(at + 1))}`;
    })
    .join('&');
}

export function redactUrl(url: string): string {
  const hash = url.indexOf('#');
  const withoutHash = hash < 0 ? url : url.slice(0, hash);
  const mark = withoutHash.indexOf('?');
  const base = (mark < 0 ? withoutHash : withoutHash.slice(0, mark)).replace(
    /^([a-z][\w+.-]*:\/\/)[^/@]*@/i,
    '$1',
  );
  const safe = redactText(base);
  return mark < 0 ? safe : `${safe}?${redactQuery(withoutHash.slice(mark + 1))}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function redactHeader(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (secretHeaders.has(lower) || (secretName.test(lower) && lower !== 'www-authenticate')) return HIDDEN;
  return redactText(cut(lower === 'referer' ? redactUrl(value) : value, 500));
}

/** 192.0.2.7 → 192.0.2.x, 2001:db8:1::2 → 2001:db8:…; this machine stays. */
export function redactAddress(address: string): string {
  if (address === '127.0.0.1' || address === '::1' || address.startsWith('::ffff:127.')) return address;
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+)\.\d+$/.exec(address);
  if (v4 !== null) return `${v4[1]}.x`;
  if (address.includes(':')) return `${address.split(':').slice(0, 2).join(':')}:…`;
  return HIDDEN;
}

/** Cuts a text; a copy, so that the long one can be forgotten. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${Buffer.from(text.slice(0, length), 'utf16le').toString('utf16le')}…`;
}

// ---- values of queries

/** What is shown of a parameter: its kind and size, or, with `values`, its content cut short. */
export function showValue(value: unknown, values: boolean): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (values) return redactText(String(value));
    if (typeof value === 'number' && !Number.isInteger(value)) return 'number';
    return value < 1_000_000 && value > -1_000_000 ? String(value) : 'integer';
  }
  if (typeof value === 'string')
    return values ? JSON.stringify(redactText(cut(value, 80))) : `text(${value.length})`;
  if (value instanceof Date) return values ? safeDate(value) : 'date';
  if (ArrayBuffer.isView(value)) return `bytes(${value.byteLength})`;
  if (Array.isArray(value)) return `list(${value.length})`;
  return 'object';
}

function safeDate(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid date' : date.toISOString();
}

// ---- SQL

const cache = new Map<string, { display: string; shape: string }>();
let cached = 0;

const sqlToken =
  /(?<dollar>\$(?<tag>\w*)\$[\s\S]*?(?:\$\k<tag>\$|$))|(?<text>[eEbBxXnN]?'(?:[^']|'')*(?:'|$))|(?<name>"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[A-Za-z_][^\]]*\])|(?<parameter>\$\d+|\?\d*|[:@][A-Za-z_]\w*)|(?<word>[A-Za-z_]\w*)|(?<number>0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<space>(?:\s|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+)/g;

/**
 * SQL as it may be shown (literals and comments taken out, numbers up to six digits kept), and its shape (parameters
 * and numbers alike, lists of them folded), by which repeated queries are found.
 */
export function readSql(sql: string): { display: string; shape: string } {
  const known = cache.get(sql);
  if (known !== undefined) return known;
  const source = cut(sql, 8000);
  const made = { display: withoutLiterals(source, false), shape: '' };
  made.shape = withoutLiterals(source, true).replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, '(?, …)');
  if (made.shape === made.display) made.shape = made.display;
  cached += sql.length * 3;
  if (cached > 2_000_000) {
    cache.clear();
    cached = sql.length * 3;
  }
  cache.set(sql, made);
  return made;
}

function withoutLiterals(sql: string, shape: boolean): string {
  return sql
    .replace(sqlToken, (all: string, ...rest: unknown[]) => {
      const groups = rest.at(-1) as Record<string, string | undefined>;
      if (groups['space'] !== undefined) return ' ';
      if (groups['text'] !== undefined || groups['dollar'] !== undefined) return shape ? '?' : "'…'";
      if (groups['parameter'] !== undefined) return shape ? '?' : all;
      if (groups['number'] !== undefined) return shape || all.length > 6 ? '?' : all;
      return all;
    })
    .trim();
}
