/** `npm test`: all tests, or the files and patterns given. Options go to Node's test runner as they are. */
import { spawnSync } from 'node:child_process';

const given = process.argv.slice(2);
const files = given.filter((argument) => !argument.startsWith('-'));
const options = given.filter((argument) => argument.startsWith('-'));
const { status, signal } = spawnSync(
  process.execPath,
  [
    '--conditions=sobaya:source',
    '--import=./tests/setup.ts',
    '--test',
    '--test-timeout=120000',
    ...options,
    ...(files.length > 0 ? files : ['tests/**/*.test.ts']),
  ],
  { stdio: 'inherit' },
);
if (signal !== null) process.kill(process.pid, signal);
process.exitCode = status ?? 1;
