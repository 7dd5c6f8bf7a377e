import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { registeredModels } from '../../db/index.ts';
import { readSourceLines } from '../source.ts';

export interface Declared {
  readonly model: string;
  /** Names of fields by column. */
  readonly fields: ReadonlyMap<string, string>;
  /** Lists of fields that have an index, a constraint that brings one, or are one by themselves. */
  readonly indexed: readonly (readonly string[])[];
}

/** The model of a table; null when it is nobody's here (another program's, the table of migrations). */
export function modelOf(table: string): Declared | null {
  for (const meta of registeredModels()) {
    let own: string;
    try {
      own = meta.table;
    } catch {
      continue;
    }
    if (own !== table || meta.concrete !== meta) continue;
    const fields = new Map(meta.local.map((field) => [field.column, field.name]));
    const parts = [...(meta.options.indexes ?? []), ...(meta.options.constraints ?? [])];
    const indexed = parts.flatMap((part) => {
      const { options } = part.deconstruct();
      const of = (options as { fields?: unknown }).fields;
      return Array.isArray(of) ? [of.map(String)] : [];
    });
    return { model: meta.name, fields, indexed };
  }
  return null;
}

const skipped = new Set(['node_modules', 'dist', 'build', 'coverage']);
const MOST_FILES = 3000;

/** Where a model is declared: looked for in the program's own files, when somebody asks. */
export async function declarationOf(
  model: string,
  root = process.cwd(),
): Promise<{ file: string; line: number } | null> {
  const pattern = new RegExp(`\\bclass\\s+${model.replace(/\W/g, '')}\\b[^;{]*\\bextends\\b`);
  let left = MOST_FILES;
  const folders = [root];
  for (let folder = folders.shift(); folder !== undefined && left > 0; folder = folders.shift()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith('.') || skipped.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (/\.[cm]?[jt]s$/.test(entry.name) && !/\.(?:test|d)\.[cm]?ts$/.test(entry.name) && left-- > 0) {
        const at = readSourceLines(path)?.findIndex((line) => pattern.test(line)) ?? -1;
        if (at >= 0) return { file: path, line: at + 1 };
      }
    }
  }
  return null;
}
