import { fault } from '../errors/index.ts';

/**
 * Parses the JSON of a stranger: depth is bounded before parsing, and "__proto__" stays a plain key that nobody's
 * merge can turn into a prototype: it is refused.
 */
export function parseJson(text: string, maxDepth: number): unknown {
  checkDepth(text, maxDepth);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fault('SBY_HTTP_BAD_BODY', { kind: 'JSON', why: (cause as Error).message }, { cause });
  }
  if (text.includes('__proto__') || text.includes('\\u')) refusePrototypes(value);
  return value;
}

function checkDepth(text: string, maxDepth: number): void {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      // To the end of the string; a backslash hides the character after it.
      for (index++; index < text.length; index++) {
        const inner = text.charCodeAt(index);
        if (inner === 0x5c) index++;
        else if (inner === 0x22) break;
      }
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth)
        throw fault('SBY_HTTP_BAD_BODY', { kind: 'JSON', why: `it is nested deeper than ${maxDepth}` });
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}

function refusePrototypes(value: unknown): void {
  const stack = [value];
  for (let item = stack.pop(); item !== undefined || stack.length > 0; item = stack.pop()) {
    if (typeof item !== 'object' || item === null) continue;
    if (Object.hasOwn(item, '__proto__'))
      throw fault('SBY_HTTP_BAD_BODY', { kind: 'JSON', why: 'it has a key "__proto__"' });
    for (const inner of Object.values(item))
      if (typeof inner === 'object' && inner !== null) stack.push(inner);
  }
}
