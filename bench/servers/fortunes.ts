/**
 * Fortunes: twelve rows are read, one is added, all are sorted by message, escaped and rendered as a page. The peers
 * render with template literals and an escape function, which nothing in JavaScript beats; Sobaya with its
 * templates, layout and all.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model, text } from '../../src/db/index.ts';
import { createApp, defineApp, type HttpRequest, type HttpResponse, path } from '../../src/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import { Templates } from '../../src/templates/index.ts';
import type { Served } from '../harness.ts';
import { startPython } from './python.ts';

export interface Options {
  readonly kind: 'sobaya' | 'drizzle' | 'kysely' | 'pg' | 'gunicorn' | 'uvicorn';
  readonly url: string;
}

const TABLE = 'sobaya_bench_fortune';
const messages = [
  'fortune: No such file or directory',
  "A computer scientist is someone who fixes things that aren't broken.",
  'After enough decimal places, nobody gives a damn.',
  'A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1',
  'A computer program does what you tell it to do, not what you want it to do.',
  'Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen',
  'Any program that runs right is obsolete.',
  'A list is only as strong as its weakest link. — Donald Knuth',
  'Feature: A bug with seniority.',
  'Computers make very fast, very accurate mistakes.',
  '<script>alert("This should not be displayed in a browser alert box.");</script>',
  'フレームワークのベンチマーク',
];
const EXTRA = 'Additional fortune added at request time.';

/** The table, made by whoever comes first. */
async function prepare(url: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE TABLE IF NOT EXISTS ${TABLE} (id bigint PRIMARY KEY, message text NOT NULL)`);
  for (const [index, message] of messages.entries())
    await client.query(`INSERT INTO ${TABLE} VALUES ($1, $2) ON CONFLICT DO NOTHING`, [index + 1, message]);
  await client.end();
}

interface Row {
  id: number;
  message: string;
}

async function sobaya(url: string): Promise<Served> {
  class Fortune extends Model({ message: text() }, { table: TABLE }) {}
  const folder = mkdtempSync(join(tmpdir(), 'fortunes-'));
  writeFileSync(
    join(folder, 'base.html'),
    '<!DOCTYPE html><html><head><title>{% block title %}{% endblock %}</title></head><body>{% block main %}{% endblock %}</body></html>',
  );
  writeFileSync(
    join(folder, 'fortunes.html'),
    "{% extends 'base.html' %}{% block title %}Fortunes{% endblock %}{% block main %}<table><tr><th>id</th><th>message</th></tr>{% for fortune in fortunes %}<tr><td>{{ fortune.id }}</td><td>{{ fortune.message }}</td></tr>{% endfor %}</table>{% endblock %}",
  );
  const templates = new Templates({ directories: [folder], debug: false });
  async function view(request: HttpRequest): Promise<HttpResponse> {
    const fortunes: { id: unknown; message: string }[] = [...(await Fortune.all())];
    fortunes.push({ id: 0, message: EXTRA });
    fortunes.sort((a, b) => (a.message < b.message ? -1 : 1));
    return await templates.response(request, 'fortunes.html', { fortunes });
  }
  const app = defineApp({ label: 'bench', models: [Fortune] });
  const application = createApp({
    apps: [app],
    urls: [path('', view)],
    databases: { default: url },
    debug: false,
  });
  const server = await serve(application, { port: 0, log: silentLog });
  return { port: server.port };
}

const risky = /[&<>"']/g;
const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (value: string): string => value.replace(risky, (char) => entities[char] as string);

function page(rows: Row[]): string {
  rows.push({ id: 0, message: EXTRA });
  rows.sort((a, b) => (a.message < b.message ? -1 : 1));
  let html = '';
  for (const { id, message } of rows) html += `<tr><td>${id}</td><td>${escaped(message)}</td></tr>`;
  return `<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>${html}</table></body></html>`;
}

async function withFastify(rows: () => Promise<Row[]>): Promise<Served> {
  const { fastify } = await import('fastify');
  const app = fastify();
  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(page(await rows())));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as AddressInfo).port };
}

export async function start({ kind, url }: Options): Promise<Served> {
  await prepare(url);
  if (kind === 'sobaya') return sobaya(url);
  const env = { FORTUNES_URL: url, FORTUNES_TABLE: TABLE };
  // One process each, as every other side has; the threads of gunicorn keep connections alive, its sync workers do not.
  if (kind === 'gunicorn')
    return startPython(
      (port) =>
        `-m gunicorn -b 127.0.0.1:${port} -w 1 -k gthread --threads 4 --keep-alive 60 fortunes_django:wsgi`.split(
          ' ',
        ),
      env,
    );
  if (kind === 'uvicorn')
    return startPython(
      (port) =>
        `-m uvicorn --port ${port} --no-access-log --log-level warning fortunes_django:asgi`.split(' '),
      env,
    );
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  if (kind === 'pg')
    return withFastify(async () => (await pool.query<Row>(`SELECT id, message FROM ${TABLE}`)).rows);
  if (kind === 'kysely') {
    const { Kysely, PostgresDialect } = await import('kysely');
    const db = new Kysely<{ [TABLE]: Row }>({ dialect: new PostgresDialect({ pool }) });
    return withFastify(() => db.selectFrom(TABLE).select(['id', 'message']).execute());
  }
  const { drizzle } = await import('drizzle-orm/node-postgres');
  const { bigint, pgTable, text: column } = await import('drizzle-orm/pg-core');
  const fortunes = pgTable(TABLE, {
    id: bigint('id', { mode: 'number' }).primaryKey(),
    message: column('message').notNull(),
  });
  const db = drizzle(pool);
  return withFastify(() => db.select().from(fortunes));
}
