/** Writes docs/errors/<room>.md from the catalogue; with --check, fails when a page on disk differs. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogueByRoom, type ErrorCode, fault } from '../src/errors/index.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'errors');
const check = process.argv.includes('--check');
const faults = {
  usage: 'the program',
  configuration: 'the set-up',
  request: 'the client',
  world: 'the outside world',
  flow: 'nobody',
};

mkdirSync(folder, { recursive: true });
for (const [room, entries] of Object.entries(catalogueByRoom)) {
  const lines = [
    `# Errors of \`${room}\``,
    '',
    'Written from the catalogue (`src/errors/catalogue/`) by `npm run docs:errors`.',
    '',
  ];
  for (const code of Object.keys(entries).sort()) {
    const entry = (entries as Record<string, { about: string; example: unknown }>)[code];
    if (entry === undefined) continue;
    const error = fault(code as ErrorCode, entry.example as never);
    lines.push(`## ${code}`, '', `\`${error.constructor.name}\`, at fault: ${faults[error.fault]}.`, '');
    lines.push(entry.about, '', '```text', error.message, '```', '');
  }
  const page = join(folder, `${room}.md`);
  const text = lines.join('\n');
  if (!check) writeFileSync(page, text);
  else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    console.error(`docs/errors/${room}.md differs from the catalogue: run npm run docs:errors`);
    process.exitCode = 1;
  }
}
