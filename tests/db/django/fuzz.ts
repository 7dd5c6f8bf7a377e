/**
 * Asks Django and Sobaya the same generated queries and prints where they disagree:
 * `node --conditions=sobaya:source tests/db/django/fuzz.ts [from] [how many]`. Needs what answers.py needs.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { serverOrSkip } from '../support/postgres.ts';
import { aligned, expected, Missing, openBank, plain, queryset } from './bank.ts';
import { features } from './features.ts';
import { queryOf } from './grammar.ts';
import type { Query } from './queries.ts';

const [from = 1, count = 300] = process.argv.slice(2).map(Number);
const django = spawn('/usr/bin/python3', [new URL('answers.py', import.meta.url).pathname, '--ask'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface(django.stdout)[Symbol.asyncIterator]();
await lines.next();
type Answer = { is?: unknown; raises?: string; fails?: string; sql?: string };
async function ask(query: Query): Promise<Record<string, Answer>> {
  django.stdin.write(`${JSON.stringify(query)}\n`);
  return JSON.parse((await lines.next()).value as string) as Record<string, Answer>;
}
const server = serverOrSkip('fuzz');
const targets = {
  sqlite: await openBank('sqlite::memory:'),
  postgresql: await openBank(await server.url()),
};
let different = 0;
let refused = 0;
const only = process.env['SEEDS']?.split(',').map(Number);
const named = process.env['FEATURES'] === undefined ? null : Object.entries(features);
for (let seed = from; seed < from + (named?.length ?? count); seed++) {
  const query = process.env['QUERY']
    ? (JSON.parse(process.env['QUERY']) as Query)
    : named !== null
      ? (named[seed - from] as [string, Query])[1]
      : queryOf(seed);
  if (only !== undefined && !only.includes(seed)) continue;
  const answers = await ask(query);
  for (const [vendor, databases] of Object.entries(targets)) {
    const answer = answers[vendor] as Answer | undefined;
    if (answer === undefined) continue;
    let ours: unknown;
    let sql = '';
    try {
      ours = await databases.run(async () => {
        const set = queryset(query) as { toSQL?(): { sql: string } };
        sql = typeof set.toSQL === 'function' ? set.toSQL().sql : '';
        return plain(await set);
      });
    } catch (error) {
      ours = error instanceof Missing ? `missing: ${error.message}` : `error: ${(error as Error).message}`;
    }
    if (answer.fails !== undefined || answer.raises !== undefined) {
      refused++;
      if (process.env['SHOW'] && !String(ours).startsWith('error'))
        console.log(seed, vendor, JSON.stringify(query), answer, ours);
      continue;
    }
    const wanted = expected(answer.is);
    const mine = aligned(ours, wanted);
    if (isDeepStrictEqual(mine, wanted)) continue;
    // Rows that the order does not tell apart.
    const sorted = (rows: unknown): unknown =>
      Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)).sort() : rows;
    const sliced = query.some((call) => call[0] === 'slice');
    if (!sliced && isDeepStrictEqual(sorted(mine), sorted(wanted))) continue;
    different++;
    console.log(
      `\n#${seed} ${vendor} ${JSON.stringify(query)}\n  django: ${JSON.stringify(wanted)?.slice(0, Number(process.env['WIDTH'] ?? 400))}\n  ours:   ${JSON.stringify(mine)?.slice(0, Number(process.env['WIDTH'] ?? 400))}\n  ${sql.slice(0, 900)}\n  ${(answer.sql ?? '').slice(0, 1200)}`,
    );
  }
}
console.log(`${count} queries: ${different} answers differ; Django refused ${refused}`);
for (const databases of Object.values(targets)) await databases.close();
await server.drop();
django.stdin.end();
