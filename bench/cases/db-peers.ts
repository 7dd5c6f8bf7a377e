/** The ORM on PostgreSQL beside the others: what the process of each spends. */

import { Databases } from '../../src/db/index.ts';
import { serverOrSkip } from '../../tests/db/support/postgres.ts';
import type { Case, Side } from '../harness.ts';
import type { Peer } from '../servers/db-clients.ts';
import { seed } from '../servers/db-peers.ts';
import { missingModules } from '../servers/python.ts';

const module = import.meta.resolve('../servers/db-peers.ts');
const base = process.env['SOBAYA_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432';
const url = `${base}/sobaya_bench_peers`;

let seeded: Promise<string | null> | null = null;
async function prepare(): Promise<string | null> {
  const { skip } = serverOrSkip('bench');
  if (skip) return skip;
  await using admin = await new Databases({ default: `${base}/postgres` }).open();
  await admin
    .get()
    .script('CREATE DATABASE sobaya_bench_peers')
    .catch(() => {});
  await using databases = await new Databases({ default: url }).open();
  await databases.get().script(seed);
  return null;
}

const names: (Peer | 'Django')[] = [
  'Sobaya',
  'pg',
  'postgres.js',
  'Kysely',
  'Drizzle',
  'Prisma',
  'MikroORM',
  'TypeORM',
];
if (missingModules(['django', 'psycopg2']) === null) names.push('Django');
const sides: Side[] = names.map((peer) => ({ name: peer, module, options: { peer, url } }));

export default {
  name: 'db: PostgreSQL beside its peers, CPU per operation in µs',
  sides,
  skip: () => (seeded ??= prepare()),
  goals: ['get', 'list', 'insert', 'bulk', 'prefetch', 'transaction'].flatMap((metric) =>
    names.slice(1).map((over) => ({
      text: `${metric} against ${over}`,
      metric,
      of: 'Sobaya',
      over,
      atMost: 1,
    })),
  ),
} satisfies Case;
