/** Query, sort, escaped render, on PostgreSQL. */
import { type Case, get } from '../harness.ts';
import { missingModules } from '../servers/python.ts';

const module = import.meta.resolve('../servers/fortunes.ts');
const url = process.env['BENCH_DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const side = (name: string, kind: string): Case['sides'][number] => ({
  name,
  module,
  options: { kind, url },
});

async function skip(): Promise<string | null> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return null;
  } catch (error) {
    return `no PostgreSQL at ${url} (BENCH_DATABASE_URL): ${(error as Error).message}`;
  } finally {
    await client.end().catch(() => {});
  }
}

const ahead = (metric: string, over: string): NonNullable<Case['goals']>[number] => ({
  text: `${metric} against ${over}`,
  metric,
  of: 'Sobaya',
  over,
  atLeast: 1,
});

const fortunes: Case = {
  name: 'fortunes: query, sort, escaped render (PostgreSQL)',
  skip,
  seconds: 2,
  sides: [
    side('Sobaya', 'sobaya'),
    side('Fastify and Drizzle', 'drizzle'),
    side('Fastify and Kysely', 'kysely'),
    side('Fastify and pg', 'pg'),
  ],
  load: { requests: [get('/')], connections: 16 },
  goals: [
    ahead('perCpuSecond', 'Fastify and Drizzle'),
    ahead('perSecond', 'Fastify and Drizzle'),
    ahead('perCpuSecond', 'Fastify and Kysely'),
    ahead('perSecond', 'Fastify and Kysely'),
  ],
};

const django: Case = {
  name: 'fortunes: against Django 3.2 (PostgreSQL)',
  skip: async () => missingModules(['django', 'psycopg2', 'gunicorn', 'uvicorn']) ?? (await skip()),
  seconds: 2,
  sides: [
    side('Sobaya', 'sobaya'),
    side('Django 3.2, gunicorn', 'gunicorn'),
    side('Django 3.2, uvicorn', 'uvicorn'),
  ],
  load: { requests: [get('/')], connections: 16 },
  goals: ['Django 3.2, gunicorn', 'Django 3.2, uvicorn'].map((over) => ({
    text: `answers per CPU second against ${over}`,
    metric: 'perCpuSecond',
    of: 'Sobaya',
    over,
    atLeast: 8,
  })),
};

export default [fortunes, django];
