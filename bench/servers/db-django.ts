import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Measured } from '../harness.ts';

/** Django measures itself in its own process: a line for a round, a line of numbers back. */
export async function djangoRounds(url: string): Promise<Measured> {
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'db_django.py')], {
    env: { ...process.env, BENCH_URL: url, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGTERM'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async round() {
      child.stdin.write('\n');
      const { value, done } = await lines.next();
      if (done) throw new Error(`Django ended with ${child.exitCode}`);
      return JSON.parse(value) as Record<string, number>;
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}
