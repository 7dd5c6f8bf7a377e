/**
 * Every TypeScript block of README and docs/*.md compiles. A block is a module of its own; blocks of one page that name
 * files (```ts app.ts) see each other; a page that shows no app.ts may still import `application` from one. What is only a part of something is marked ```ts fragment.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { codeBlocks } from './blocks.ts';

const root = join(import.meta.dirname, '../..');

test('every TypeScript block of the documentation compiles', async (t) => {
  // Inside the project, so that `sobaya/…` means this source.
  const folder = mkdtempSync(join(import.meta.dirname, '.blocks-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const origin = new Map<string, string>();
  for (const [page, file] of ['README.md', ...globSync('docs/*.md', { cwd: root })].entries()) {
    for (const [index, { where, language, info, code }] of codeBlocks(join(root, file), file).entries()) {
      if (!['ts', 'typescript'].includes(language) || info === 'fragment') continue;
      // Named behind the fence, or by a comment in its first line.
      const [, comment] = /^\/\/ ([\w./-]+\.ts)\n/.exec(code) ?? [];
      const name = /^[\w./-]+\.ts$/.test(info) ? info : (comment ?? `block-${index}.ts`);
      const first = join(folder, `page-${page}`, name);
      const path = existsSync(first) ? join(folder, `page-${page}`, `again-${index}`, name) : first;
      mkdirSync(dirname(path), { recursive: true });
      // A block without imports would be a script, whose names meet those of the others.
      writeFileSync(path, /^(?:import|export)\b/m.test(code) ? code : `${code}export {};\n`);
      origin.set(relative(root, path), where);
    }
  }
  for (const page of globSync('page-*', { cwd: folder })) {
    const app = join(folder, page, 'app.ts');
    if (existsSync(app)) continue;
    writeFileSync(app, "import { createApp } from 'sobaya';\nexport const application = createApp({});\n");
  }
  assert.ok(origin.size > 3, 'there are blocks to compile');
  const config = join(folder, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['**/*.ts'], exclude: [] }),
  );
  const output = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-p', config, '--pretty', 'false'],
      { cwd: root },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    );
  });
  const problems = output
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) =>
      line.replace(/^([^\s(]+)\((\d+),/, (_, file: string, at: string) => {
        const where = origin.get(file);
        if (where === undefined) return `${file}(${at},`;
        const [page, from] = where.split(':') as [string, string];
        return `${page}:${Number(from) + Number(at) - 1} (`;
      }),
    );
  assert.deepEqual(problems, []);
});
