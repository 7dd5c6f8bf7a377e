import { hash } from 'node:crypto';
import { splitList } from './headers.ts';
import type { HttpRequest } from './request.ts';
import { type AnyResponse, HttpResponse, HttpResponseNotModified } from './response.ts';

/** Tags of short texts: pages that do not change are the ones whose tags matter, and are asked for again and again. */
const tags = new Map<string, string>();
const longestTagged = 4096;

/** An entity tag of some bytes: strong, quoted. */
export function etagOf(content: string | Uint8Array): string {
  const short = typeof content === 'string' && content.length <= longestTagged;
  const known = short ? tags.get(content) : undefined;
  if (known !== undefined) return known;
  const tag = `"${hash('sha256', content, 'base64url').slice(0, 27)}"`;
  if (short) {
    if (tags.size >= 200) tags.clear();
    tags.set(content, tag);
  }
  return tag;
}

const weakless = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag);

/** Weak comparison (RFC 9110, 8.8.3.2): for caches. */
export function etagMatches(header: string, etag: string | null): boolean {
  if (header.trim() === '*') return etag !== null;
  return etag !== null && splitList(header).some((tag) => weakless(tag) === weakless(etag));
}

/** Strong comparison: for writing and for parts. */
export function etagMatchesStrongly(header: string, etag: string | null): boolean {
  if (header.trim() === '*') return etag !== null;
  return etag !== null && !etag.startsWith('W/') && splitList(header).includes(etag);
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const clock = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
/** The three forms of RFC 9110, 5.6.7: today's, that of RFC 850, and C's asctime(). */
const dateForms = [
  `[A-Z][a-z]{2}, (?<day>\\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${clock} GMT`,
  `[A-Z][a-z]{5,8}, (?<day>\\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\\d{2}) ${clock} GMT`,
  `[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) ${clock} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** Seconds since 1970 of an HTTP date; null for anything else. */
export function parseHttpDate(text: string | null): number | null {
  if (text === null || text.length > 40) return null;
  for (const form of dateForms) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const month = months.indexOf(parts['month']!);
    const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((name) =>
      Number(parts[name]),
    );
    let year = Number(parts['year']);
    if (year < 100) {
      // Two digits that look more than 50 years ahead are of the century before.
      const now = new Date().getUTCFullYear();
      year += now - (now % 100);
      if (year - now > 50) year -= 100;
    }
    const date = new Date(0);
    date.setUTCFullYear(year, month, day!);
    date.setUTCHours(hour!, minute!, second!);
    // The 30th of February would be a day in March.
    const exists = month !== -1 && date.getUTCDate() === day && date.getUTCHours() === hour;
    return exists && minute! < 60 && second! < 60 ? date.getTime() / 1000 : null;
  }
  return null;
}

export interface Validators {
  readonly etag?: string | null;
  readonly lastModified?: Date | null;
}

/** What the preconditions of a request come to, in the order of RFC 9110, 13.2.2. */
export function evaluatePreconditions(
  request: HttpRequest,
  { etag = null, lastModified = null }: Validators,
): 'proceed' | 'not modified' | 'failed' {
  const modified = lastModified === null ? null : Math.floor(lastModified.getTime() / 1000);
  const safe = request.method === 'GET' || request.method === 'HEAD';
  const ifMatch = request.header('if-match');
  if (ifMatch !== null) {
    if (!etagMatchesStrongly(ifMatch, etag)) return 'failed';
  } else {
    const since = parseHttpDate(request.header('if-unmodified-since'));
    if (since !== null && modified !== null && modified > since) return 'failed';
  }
  const ifNoneMatch = request.header('if-none-match');
  if (ifNoneMatch !== null) {
    if (etagMatches(ifNoneMatch, etag)) return safe ? 'not modified' : 'failed';
  } else if (safe) {
    const since = parseHttpDate(request.header('if-modified-since'));
    if (since !== null && modified !== null && modified <= since) return 'not modified';
  }
  return 'proceed';
}

/** Headers that a 304 repeats (RFC 9110, 15.4.5). */
const kept = [
  'cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
  'set-cookie',
];

export function notModified(from: AnyResponse): HttpResponse {
  const response = new HttpResponseNotModified();
  for (const [name, value] of from.headers)
    if (kept.includes(name) || name.startsWith('access-control-')) response.headers.append(name, value);
  return response;
}

function hasPreconditions(request: HttpRequest): boolean {
  for (const [name] of request.scope.headers) if (name.startsWith('if-')) return true;
  return false;
}

/** The response for a request with preconditions: `response` itself, a 304 or a 412. */
export function applyPreconditions(request: HttpRequest, response: AnyResponse): AnyResponse {
  if (!hasPreconditions(request)) return response;
  const lastModified = response.headers.get('last-modified');
  const outcome = evaluatePreconditions(request, {
    etag: response.headers.get('etag'),
    lastModified: lastModified === null ? null : new Date(lastModified),
  });
  if (outcome === 'proceed') return response;
  const other =
    outcome === 'not modified'
      ? notModified(response)
      : new HttpResponse('Precondition Failed\n', { status: 412, contentType: 'text/plain; charset=utf-8' });
  other.onClose(() => response.close());
  return other;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * The parts of a `Range: bytes=…` header that a thing of `size` bytes has; null when the header is to be ignored,
 * an empty list when none can be served (416). Many or overlapping ranges are not worth it: the whole is (RFC 9110, 14.2).
 */
export function parseRange(header: string, size: number, maxRanges = 10): ByteRange[] | null {
  const found = /^bytes=(.*)$/i.exec(header.trim());
  if (found === null) return null;
  const specs = found[1]!.split(',');
  if (specs.length > maxRanges) return null;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const parts = /^\s*(\d{0,15})-(\d{0,15})\s*$/.exec(spec);
    if (parts === null || (parts[1] === '' && parts[2] === '')) return null;
    const start = parts[1] === '' ? Math.max(0, size - Number(parts[2])) : Number(parts[1]);
    const end = parts[1] === '' || parts[2] === '' ? size - 1 : Math.min(Number(parts[2]), size - 1);
    if (parts[1] !== '' && parts[2] !== '' && Number(parts[2]) < start) return null;
    if (start < size && start <= end) ranges.push({ start, end });
  }
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  if (sorted.some((range, index) => index > 0 && range.start <= sorted[index - 1]!.end)) return null;
  return ranges;
}
