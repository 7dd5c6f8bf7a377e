/** The tutorial, carried out from its first page to its last, in one folder. */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { Reader } from './follow.ts';

const root = join(import.meta.dirname, '../..');

suite('the tutorial', () => {
  // Inside the project, so that `sobaya` means this checkout.
  const folder = mkdtempSync(join(root, 'tests/docs/.blocks-'));
  const reader = new Reader(folder);
  after(async () => {
    await reader[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  for (const page of globSync('docs/tutorial/*.md', { cwd: root }).sort()) {
    test(page, async () => await reader.follow(page));
  }
});
