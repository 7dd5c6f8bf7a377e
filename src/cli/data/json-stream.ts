/** Objects out of a JSON array, or out of lines of JSON, without reading all of it first. */
import { fault } from '../../errors/index.ts';

const SPACE = /\s/;

/** An object and its number in the file, counted from 1. */
export type Numbered = readonly [object: unknown, number: number];

/** Gives every object at the top of `[{…}, {…}]` or of `{…}\n{…}\n`, those of one chunk of text together. */
export async function* jsonObjects(chunks: AsyncIterable<string>, file: string): AsyncGenerator<Numbered[]> {
  let text = '';
  let at = 0;
  let depth = 0;
  let start = -1;
  let inString = false;
  let escaped = false;
  let number = 0;
  let mode: 'start' | 'array' | 'lines' | 'end' = 'start';
  let many = true;
  const bad = (problem: string): Error => fault('SBY_CLI_BAD_FIXTURE', { file, number: number + 1, problem });
  for await (const chunk of chunks) {
    text = start < 0 ? text.slice(at) + chunk : text.slice(start) + chunk;
    at = start < 0 ? 0 : at - start;
    if (start >= 0) start = 0;
    const found: Numbered[] = [];
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (start >= 0) {
        if (inString) {
          if (escaped) escaped = false;
          else if (char === '\\') escaped = true;
          else if (char === '"') inString = false;
        } else if (char === '"') inString = true;
        else if (char === '{' || char === '[') depth++;
        else if ((char === '}' || char === ']') && --depth === 0) {
          let value: unknown;
          try {
            value = JSON.parse(text.slice(start, at + 1));
          } catch (error) {
            throw bad((error as Error).message);
          }
          number++;
          start = -1;
          found.push([value, number]);
        }
        continue;
      }
      if (SPACE.test(char) || char === '\ufeff') continue;
      if (char === '{' && mode !== 'end') {
        if (mode === 'start') mode = 'lines';
        // Most files hold an object a line: then all that are there are parsed at once.
        if (many) {
          const end = lineEnd(text, at, text.lastIndexOf('\n'));
          const objects = end > at ? manyObjects(text.slice(at, end), mode === 'lines') : null;
          if (objects !== null) {
            for (const object of objects) found.push([object, ++number]);
            at = end - 1;
            continue;
          }
          // An object over several lines, or a line that is not whole yet: one by one from here.
          if (end > at) many = false;
        }
        // Or one at least need not be read character by character.
        const end = lineEnd(text, at, text.indexOf('\n', at));
        if (end > at) {
          try {
            found.push([JSON.parse(text.slice(at, end)), ++number]);
            at = end - 1;
            continue;
          } catch {
            number--;
          }
        }
        start = at;
        depth = 1;
      } else if (char === '[' && mode === 'start') mode = 'array';
      else if (char === ']' && mode === 'array') mode = 'end';
      else if (char !== ',' || mode !== 'array')
        throw bad(`${JSON.stringify(char)} where an object should begin`);
    }
    if (found.length > 0) yield found;
  }
  if (start >= 0 || mode === 'array') throw bad('the file ends in the middle');
}

/** The objects of whole lines, or null: then they are read one by one, and so is what is wrong with them. */
function manyObjects(lines: string, separate: boolean): object[] | null {
  // In lines of their own objects have no commas between them.
  if (separate && /[^}\r]\r?\n|\n[^{]/.test(lines)) return null;
  try {
    const objects = JSON.parse(`[${separate ? lines.replaceAll('\n', ',') : lines}]`) as unknown[];
    const plain = (one: unknown): boolean => typeof one === 'object' && one !== null && !Array.isArray(one);
    return objects.every(plain) ? (objects as object[]) : null;
  } catch {
    return null;
  }
}

/** Behind the brace that ends what begins at `at` and has its last line end at `newline`; -1 when no brace ends it. */
function lineEnd(text: string, at: number, newline: number): number {
  let end = newline;
  if (end < 0) return -1;
  while (end > at && (SPACE.test(text[end - 1] as string) || text[end - 1] === ',')) end--;
  return text[end - 1] === '}' ? end : -1;
}
