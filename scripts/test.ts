/** `npm test`: all tests, or the files and patterns given. Options go to Node's test runner as they are. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

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
    // Node leaves one processor out: with two, files would run one after another, while many of them only wait.
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    ...options,
    ...(files.length > 0 ? files : ['tests/**/*.test.ts']),
  ],
  { stdio: 'inherit' },
);
if (signal !== null) process.kill(process.pid, signal);
process.exitCode = status ?? 1;
