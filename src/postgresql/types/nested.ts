import { int32 } from '../protocol/bytes.ts';
import { Undecodable } from './datetime.ts';
import { Range } from './values.ts';

export type FromText = (text: string) => unknown;
export type FromBinary = (b: Buffer, p: number, n: number) => unknown;

/** `{1,NULL,"a \"b\""}` to nested arrays. Lower bounds (`[2:3]={…}`) are dropped: arrays begin at 0 here. */
export function arrayFromText(text: string, element: FromText, delimiter = ','): unknown[] {
  let at = text[0] === '[' ? text.indexOf('=') + 1 : 0;
  const stop = delimiter.charCodeAt(0);
  const level = (): unknown[] => {
    const list: unknown[] = [];
    at++; // {
    if (text[at] === '}') {
      at++;
      return list;
    }
    for (;;) {
      const char = text.charCodeAt(at);
      if (char === 123) list.push(level());
      else if (char === 34) list.push(element(quoted()));
      else {
        const from = at;
        for (let c = text.charCodeAt(at); c !== stop && c !== 125; c = text.charCodeAt(++at))
          if (at >= text.length) throw new Undecodable('an array without its end', 'Report it');
        const word = text.slice(from, at);
        list.push(word === 'NULL' ? null : element(word));
      }
      const next = text[at++];
      if (next === '}') return list;
      if (next === undefined) throw new Undecodable('an array without its end', 'Report it');
    }
  };
  const quoted = (): string => {
    let value = '';
    let from = ++at;
    for (; ; at++) {
      const char = text.charCodeAt(at);
      if (char === 92) {
        value += text.slice(from, at);
        from = ++at;
      } else if (char === 34) {
        value += text.slice(from, at++);
        return value;
      } else if (at >= text.length) throw new Undecodable('a quoted element without its end', 'Report it');
    }
  };
  return level();
}

/** Binary arrays: dimensions, has-nulls, element type, then per dimension length and lower bound, then the elements. */
export function arrayFromBinary(b: Buffer, p: number, n: number, element: FromBinary): unknown[] {
  const dimensions = int32(b, p);
  if (dimensions === 0) return [];
  const end = p + n;
  if (dimensions < 0 || dimensions > 6)
    throw new Undecodable(`an array of ${dimensions} dimensions`, 'Report it');
  let at = p + 12 + dimensions * 8;
  const level = (depth: number): unknown[] => {
    const length = int32(b, p + 12 + depth * 8);
    const list: unknown[] = [];
    for (let i = 0; i < length; i++) {
      if (depth + 1 < dimensions) {
        list.push(level(depth + 1));
        continue;
      }
      if (at + 4 > end) throw new Undecodable('an array that is too short', 'Report it');
      const size = int32(b, at);
      at += 4;
      if (size < 0) list.push(null);
      else {
        list.push(element(b, at, size));
        at += size;
      }
    }
    return list;
  };
  return level(0);
}

const needsQuotes = /[{}",;\\\s]|^$|^null$/i;

/** A JavaScript array as an array literal. `element` gives the text of what is not null and no array. */
export function arrayToText(
  list: readonly unknown[],
  element: (value: unknown) => string,
  delimiter = ',',
): string {
  const parts: string[] = [];
  for (const value of list) {
    if (value === null || value === undefined) parts.push('NULL');
    else if (Array.isArray(value)) parts.push(arrayToText(value, element, delimiter));
    else {
      const text = element(value);
      parts.push(needsQuotes.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text);
    }
  }
  return `{${parts.join(delimiter)}}`;
}

/** The values between the parentheses of a composite value or a range: null where nothing stands. */
function members(text: string, from: number, to: number): (string | null)[] {
  const list: (string | null)[] = [];
  let value = '';
  let any = false;
  let inQuotes = false;
  for (let at = from; at < to; at++) {
    const char = text[at] as string;
    if (char === '\\') {
      value += text[++at] ?? '';
      any = true;
    } else if (char === '"') {
      if (inQuotes && text[at + 1] === '"') {
        value += '"';
        at++;
      } else inQuotes = !inQuotes;
      any = true;
    } else if (char === ',' && !inQuotes) {
      list.push(any ? value : null);
      value = '';
      any = false;
    } else {
      value += char;
      any = true;
    }
  }
  list.push(any ? value : null);
  return list;
}

/** `(1,"a b",)` to the texts of its members. */
export function compositeMembers(text: string): (string | null)[] {
  return text === '()' ? [] : members(text, 1, text.length - 1);
}

export function compositeToText(values: readonly (string | null)[]): string {
  const parts = values.map((text) =>
    text === null ? '' : /[(),"\\\s]|^$/.test(text) ? `"${text.replace(/["\\]/g, '$&$&')}"` : text,
  );
  return `(${parts.join(',')})`;
}

export function rangeFromText(text: string, element: FromText): Range<unknown> {
  if (text === 'empty') return Range.empty();
  const [lower = null, upper = null] = members(text, 1, text.length - 1);
  const bounds = `${text[0]}${text[text.length - 1]}` as '[)';
  return new Range(lower === null ? null : element(lower), upper === null ? null : element(upper), bounds);
}

export function rangeToText(range: Range<unknown>, element: (value: unknown) => string): string {
  if (range.empty) return 'empty';
  const bound = (value: unknown): string =>
    value === null ? '' : `"${element(value).replace(/["\\]/g, '$&$&')}"`;
  return `${range.lowerInclusive ? '[' : '('}${bound(range.lower)},${bound(range.upper)}${range.upperInclusive ? ']' : ')'}`;
}

/** `{[1,3),[5,7)}` to its ranges. */
export function multirangeFromText(text: string, element: FromText): Range<unknown>[] {
  const list: Range<unknown>[] = [];
  let from = 1;
  let inQuotes = false;
  for (let at = 1; at < text.length - 1; at++) {
    const char = text[at] as string;
    if (char === '\\') at++;
    else if (char === '"') inQuotes = !inQuotes;
    else if (inQuotes) continue;
    else if (char === '[' || char === '(') from = at;
    else if (char === ']' || char === ')') list.push(rangeFromText(text.slice(from, at + 1), element));
  }
  return list;
}
