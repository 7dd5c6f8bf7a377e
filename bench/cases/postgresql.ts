/** The PostgreSQL client against pg and postgres.js. Needs a server at 127.0.0.1:5432 that lets `postgres` in. */
import { Connection } from '../../src/postgresql/index.ts';
import type { Case, Side } from '../harness.ts';
import { type Order, url } from '../servers/postgresql.ts';

const module = import.meta.resolve('../servers/postgresql.ts');

function sides(what: Order['what'], ...clients: Order['client'][]): Side[] {
  return clients.map((client) => ({
    name: client === 'sobaya' ? 'Sobaya' : client,
    module,
    options: { client, what } satisfies Order,
  }));
}

const seed = `
DROP TABLE IF EXISTS article, author, log;
CREATE TABLE author(id int4 PRIMARY KEY, name text NOT NULL, email text NOT NULL, age int4 NOT NULL, bio text, active bool NOT NULL, created timestamptz NOT NULL);
CREATE TABLE article(id int4 PRIMARY KEY, title text NOT NULL, body text NOT NULL, author_id int4 NOT NULL REFERENCES author, views int4 NOT NULL, published bool NOT NULL, created timestamptz NOT NULL);
CREATE UNLOGGED TABLE log(id bigserial PRIMARY KEY, title text NOT NULL, body text NOT NULL, n int4 NOT NULL, created timestamptz NOT NULL DEFAULT now());
INSERT INTO author SELECT i, 'Author '||i, 'author'||i||'@example.com', 18+i%60, CASE WHEN i%3>0 THEN 'Writes about things, no. '||i END, i%2=1, '2026-01-01T10:00:00.123Z'::timestamptz + i*interval '1 minute' FROM generate_series(1,10000) i;
INSERT INTO article SELECT i, 'Title of article '||i, repeat('Body text of the article, some forty chars ',3)||i, 1+(i*7919)%10000, (i*31)%5000, i%2=1, '2026-02-01T10:00:00.456Z'::timestamptz + i*interval '1 minute' FROM generate_series(1,50000) i;
CREATE INDEX ON article(views); ANALYZE`;

let seeded: Promise<string | null> | null = null;

async function prepare(): Promise<string | null> {
  try {
    const admin = await Connection.connect({ url, connectTimeout: 2000 });
    await admin.query('CREATE DATABASE sobaya_bench').catch(() => {});
    await admin.close();
    await using connection = await Connection.connect({ url, database: 'sobaya_bench' });
    await connection.script(seed);
    return null;
  } catch (error) {
    return `no PostgreSQL server: ${(error as Error).message}`;
  }
}

const skip = (): Promise<string | null> => (seeded ??= prepare());

export default [
  {
    name: 'postgresql: get by primary key, 64 callers',
    sides: sides('get', 'sobaya', 'pg', 'postgres.js'),
    skip,
    goals: [
      { text: 'main thread against pg', metric: 'mainMicros', of: 'Sobaya', over: 'pg', atMost: 0.25 },
      {
        text: 'main thread against postgres.js',
        metric: 'mainMicros',
        of: 'Sobaya',
        over: 'postgres.js',
        atMost: 0.5,
      },
    ],
  },
  {
    name: 'postgresql: get by primary key through the ORM, 64 callers',
    sides: sides('get', 'ORM', 'pg'),
    skip,
    goals: [{ text: 'against raw pg', metric: 'perCpuSecond', of: 'ORM', over: 'pg', atLeast: 3 }],
  },
  {
    name: 'postgresql: 20 queries at once',
    sides: sides('fan-out', 'sobaya', 'pg', 'postgres.js'),
    skip,
    goals: [{ text: 'latency against pg', metric: 'p50', of: 'Sobaya', over: 'pg', atMost: 0.4 }],
  },
  {
    name: 'postgresql: 50 rows, 16 callers',
    sides: sides('list', 'sobaya', 'pg', 'postgres.js'),
    skip,
    goals: [{ text: 'main thread against pg', metric: 'mainMicros', of: 'Sobaya', over: 'pg', atMost: 0.5 }],
  },
  {
    name: 'postgresql: COPY of 100,000 rows',
    sides: sides('copy', 'sobaya', 'pg'),
    skip,
    goals: [
      { text: 'against pg-copy-streams', metric: 'rowsPerSecond', of: 'Sobaya', over: 'pg', atLeast: 1 },
    ],
  },
  {
    name: 'postgresql: small queries beside three of 200 ms',
    sides: sides('tail', 'sobaya', 'pg', 'postgres.js'),
    skip,
    rounds: 3,
    goals: [{ text: 'p99.9 in ms', metric: 'p999', of: 'Sobaya', atMost: 100 }],
  },
] satisfies Case[];
