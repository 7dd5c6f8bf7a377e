import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverOrSkip, type TestServer } from './postgres.ts';

function onFile(): TestServer {
  const folders: string[] = [];
  return {
    skip: false,
    async url() {
      const folder = mkdtempSync(join(tmpdir(), 'sobaya-db-'));
      folders.push(folder);
      return `sqlite:${folder}/db.sqlite3`;
    },
    async drop() {
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
    },
  };
}

/** What the tests of every backend run over: a name for the suite, and a database of its own. */
export function backends(name: string): readonly (readonly ['sqlite' | 'postgresql', TestServer])[] {
  return [
    ['sqlite', onFile()],
    ['postgresql', serverOrSkip(name)],
  ];
}
