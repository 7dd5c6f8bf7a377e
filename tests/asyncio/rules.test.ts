import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

test('every bold sentence of docs/design/concurrency.md is the name of a test', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/design/concurrency.md'), 'utf8');
  const sentences = [...page.matchAll(/^- \*\*([\s\S]+?)\*\*/gm)].map(([, text]) =>
    text?.replaceAll(/\s+/g, ' '),
  );
  assert.ok(sentences.length > 50);
  const names = new Set<string>();
  for (const file of globSync('*.test.ts', { cwd: import.meta.dirname })) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    for (const [, , name] of text.matchAll(/\btest\(\s*(['"`])(.+?)\1,/g)) if (name) names.add(name);
  }
  const missing = sentences.filter((sentence) => sentence && !names.has(sentence));
  assert.deepEqual(missing, []);
});
