import { splitList } from './headers.ts';

interface Range {
  readonly value: string;
  readonly q: number;
  readonly order: number;
}

/** The ranges of Accept, Accept-Language or Accept-Encoding, best first; those with q=0 last. At most 100 are read. */
export function parseAccept(header: string): Range[] {
  const ranges: Range[] = [];
  for (const item of splitList(header).slice(0, 100)) {
    const [value = '', ...params] = item.split(';');
    let q = 1;
    for (const param of params) {
      const [name = '', text = ''] = param.split('=');
      if (name.trim().toLowerCase() !== 'q') continue;
      const number = Number(text.trim());
      q = Number.isFinite(number) ? Math.min(Math.max(number, 0), 1) : 0;
    }
    ranges.push({ value: value.trim().toLowerCase(), q, order: ranges.length });
  }
  return ranges;
}

/** How well a media range fits: 3 exact, 2 `text/*`, 1 everything, 0 not. */
function mediaFit(range: string, type: string): number {
  if (range === type) return 3;
  if (range === '*/*' || range === '*') return 1;
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1)) ? 2 : 0;
}

/** RFC 4647, 3.4: a range fits a tag it is a prefix of; and `en-GB` is served with `en` where there is no better. */
function languageFit(range: string, tag: string): number {
  if (range === tag) return 4;
  if (tag.startsWith(`${range}-`)) return 3;
  if (range.startsWith(`${tag}-`)) return 2;
  return range === '*' ? 1 : 0;
}

function tokenFit(range: string, token: string): number {
  return range === token ? 2 : range === '*' ? 1 : 0;
}

const fits = { media: mediaFit, language: languageFit, token: tokenFit };

/** The quality of `candidate` for this header: that of the most specific range that fits; 0 when none does. */
function quality(
  ranges: readonly Range[],
  candidate: string,
  fit: (range: string, value: string) => number,
): { q: number; order: number } {
  let best = 0;
  let found = { q: 0, order: Number.MAX_SAFE_INTEGER };
  for (const range of ranges) {
    const how = fit(range.value, candidate);
    if (how > best) {
      best = how;
      found = range;
    }
  }
  return found;
}

/** The candidate the client likes best; among equals the one the client names first (of encodings, whose order browsers do not mean, ours). Null when it takes none. */
export function bestOf<T extends string>(
  header: string | null,
  candidates: readonly T[],
  kind: keyof typeof fits,
): T | null {
  if (header === null || header.trim() === '') return candidates[0] ?? null;
  const ranges = parseAccept(header);
  let best: T | null = null;
  let bestRange = { q: 0, order: Number.MAX_SAFE_INTEGER };
  for (const candidate of candidates) {
    const range = quality(ranges, candidate.toLowerCase(), fits[kind]);
    if (
      range.q > bestRange.q ||
      (range.q === bestRange.q && kind !== 'token' && range.q > 0 && range.order < bestRange.order)
    ) {
      best = candidate;
      bestRange = range;
    }
  }
  return best;
}

export function acceptsAny(header: string | null, mediaType: string): boolean {
  return bestOf(header, [mediaType], 'media') !== null;
}
