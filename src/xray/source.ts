import { readFileSync, statSync } from 'node:fs';

const sources = new Map<string, { changed: number; lines: string[] }>();

/** A line of a source file, from 1. Only TypeScript and JavaScript up to 2 MB; undefined otherwise. */
export function readSourceLine(file: string, line: number): string | undefined {
  return readSourceLines(file)?.[line - 1];
}

/** All lines of one. */
export function readSourceLines(file: string): readonly string[] | undefined {
  if (!/\.[cm]?[jt]sx?$/.test(file)) return undefined;
  try {
    const { mtimeMs, size } = statSync(file);
    let known = sources.get(file);
    if (known === undefined || known.changed !== mtimeMs) {
      if (size > 2_000_000) return undefined;
      known = { changed: mtimeMs, lines: readFileSync(file, 'utf8').split('\n') };
      if (sources.size > 50) sources.clear();
      sources.set(file, known);
    }
    return known.lines;
  } catch {
    return undefined;
  }
}
