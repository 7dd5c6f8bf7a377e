/**
 * Which results a later call used is told by values: the hashes of distinctive values that one call returned are
 * looked for among those that a later one was given. Only hashes are kept.
 */
const MOST = 64;

export function hashOf(value: unknown): number {
  const text = String(value);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length && i < 256; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

function distinctive(value: unknown): boolean {
  if (typeof value === 'string') return value.length > 2;
  if (typeof value === 'number') return value > 1 || value < -1;
  return typeof value === 'bigint';
}

/** Hashes of distinctive values in a result, at most 64. Looks at plain data and instances, calls no methods. */
export function returned(value: unknown): number[] {
  const into: number[] = [];
  collect(value, into, 0);
  return into;
}

function collect(value: unknown, into: number[], depth: number): void {
  if (into.length >= MOST || value === null || value === undefined) return;
  if (distinctive(value)) {
    into.push(hashOf(value));
    if (typeof value === 'string' && value.length <= 4096 && /^\s*[[{]/.test(value)) words(value, into);
    return;
  }
  if (typeof value !== 'object' || depth > 3 || ArrayBuffer.isView(value)) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && i < 16; i++) collect(value[i], into, depth + 1);
    return;
  }
  let seen = 0;
  for (const key in value) {
    if (++seen > 16) return;
    // A getter may have effects: only data is looked at.
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property !== undefined && 'value' in property) collect(property.value, into, depth + 1);
  }
}

/** The words of a text such as a JSON body or a URL. */
export function words(text: string, into: number[] = []): number[] {
  // The names of JSON fields are no values.
  for (const match of text.slice(0, 16384).matchAll(/[\p{L}\p{N}_.@-]{2,}(?!["\p{L}\p{N}_.@-]*"\s*:)/gu)) {
    if (into.length >= MOST) break;
    const word = match[0];
    if (/^\d+$/.test(word) ? Number(word) > 1 : word.length > 2) into.push(hashOf(word));
  }
  return into;
}

/** Of the parameters of a query. */
export function given(params: readonly unknown[]): number[] {
  const into: number[] = [];
  for (let i = 0; i < params.length && i < 32; i++) collect(params[i], into, 2);
  return into;
}
