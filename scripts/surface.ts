/**
 * The public surface, name by name: writes docs/surface.md from the doors that package.json exports; with
 * --check, fails when the page differs. A name that appears or goes away is thereby a visible, reviewed change.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const page = join(root, 'docs', 'surface.md');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | Record<string, string>>;
};

/** Names that a module exports, values and types; follows `export … from` of types it re-exports whole. */
function exported(file: string): { values: Set<string>; types: Set<string> } {
  const values = new Set<string>();
  const types = new Set<string>();
  const text = readFileSync(file, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  for (const match of text.matchAll(/^export\s+(type\s+)?\{([^}]*)\}/gm)) {
    for (const part of (match[2] ?? '').split(',')) {
      const words = part.trim().split(/\s+/);
      const name = words.at(-1);
      if (!name) continue;
      if (match[1] !== undefined || words[0] === 'type') types.add(name);
      else values.add(name);
    }
  }
  for (const match of text.matchAll(/^export\s+(type\s+)?\*\s+from\s+'([^']+)'/gm)) {
    const inner = exported(resolve(dirname(file), match[2] ?? ''));
    for (const name of inner.types) types.add(name);
    for (const name of inner.values) (match[1] === undefined ? values : types).add(name);
  }
  for (const match of text.matchAll(
    /^export\s+(?:abstract\s+|async\s+|declare\s+)*(const|let|function\*?|class|interface|type)\s+(\w+)/gm,
  ))
    (match[1] === 'interface' || match[1] === 'type' ? types : values).add(match[2] ?? '');
  return { values, types };
}

const lines = [
  '# The public surface',
  '',
  'Every name a user can import, door by door. Written by `npm run surface`; a change here is a change of the API.',
  '',
];
for (const [subpath, target] of Object.entries(manifest.exports)) {
  const source = typeof target === 'string' ? null : target['sobaya:source'];
  if (!source || !existsSync(join(root, source))) continue;
  const { values, types } = exported(join(root, source));
  for (const name of values) types.delete(name);
  lines.push(`## \`sobaya${subpath.slice(1)}\``, '');
  if (values.size > 0)
    lines.push(
      `Values: ${[...values]
        .sort()
        .map((name) => `\`${name}\``)
        .join(', ')}`,
      '',
    );
  if (types.size > 0)
    lines.push(
      `Types: ${[...types]
        .sort()
        .map((name) => `\`${name}\``)
        .join(', ')}`,
      '',
    );
}
const text = lines.join('\n');
if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  console.error(
    'docs/surface.md differs from what the rooms export: run npm run surface and look at what changed',
  );
  process.exitCode = 1;
}
