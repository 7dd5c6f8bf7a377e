import { fallbacks } from './catalogue.ts';

/**
 * The language that suits an Accept-Language header best, of those that there are; null when none does. RFC 4647
 * lookup: `ja-JP` is content with `ja`; `q=0` refuses.
 */
export function bestLanguage(acceptLanguage: string | null, available: readonly string[]): string | null {
  if (acceptLanguage === null || acceptLanguage.length > 1000) return null;
  const byTag = new Map(available.map((tag) => [tag.toLowerCase(), tag]));
  const wanted: { tag: string; q: number; index: number }[] = [];
  for (const [index, item] of acceptLanguage.split(',').entries()) {
    const match =
      /^\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*$/.exec(
        item,
      );
    if (match !== null)
      wanted.push({ tag: (match[1] as string).toLowerCase(), q: Number(match[2] ?? 1), index });
  }
  wanted.sort((a, b) => b.q - a.q || a.index - b.index);
  const refused = new Set(wanted.filter(({ q }) => q === 0).map(({ tag }) => tag));
  for (const { tag, q } of wanted) {
    if (q === 0) continue;
    if (tag === '*') {
      const any = available.find((one) => !refused.has(one.toLowerCase()));
      if (any !== undefined) return any;
      continue;
    }
    for (const shorter of fallbacks(tag)) {
      const found = byTag.get(shorter);
      if (found !== undefined && !refused.has(shorter)) return found;
    }
  }
  return null;
}
