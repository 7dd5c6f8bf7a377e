/**
 * The talk, lesson by lesson, each in a process of its own.
 *
 *     npm run talk               all of them
 *     npm run talk -- 3          one, by its number
 *     npm run talk -- gather     one, by its name
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const lessons = readdirSync(import.meta.dirname)
  .filter((file) => /^\d\d_.*\.ts$/.test(file))
  .sort();
const wanted = process.argv.slice(2);
const chosen =
  wanted.length === 0 ? lessons : lessons.filter((file) => wanted.some((word) => isNamed(file, word)));

function isNamed(file: string, word: string): boolean {
  return /^\d+$/.test(word) ? Number(file.slice(0, 2)) === Number(word) : file.includes(word);
}

if (chosen.length === 0) {
  console.error(`There is no lesson named ${wanted.map((word) => `"${word}"`).join(' or ')}. There are:`);
  for (const file of lessons) console.error(`  ${Number(file.slice(0, 2))}  ${file}`);
  process.exitCode = 1;
}

for (const file of chosen) {
  const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, file)], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) {
    console.error(`\n${file} ended with ${code}`);
    process.exitCode = 1;
    break;
  }
}
