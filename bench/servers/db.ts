/** Sides of bench/cases/db.ts: each measures itself, in CPU time of the JavaScript thread. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import {
  boolean,
  Databases,
  dateTime,
  foreignKey,
  integer,
  Model,
  StatementShape,
  text,
} from '../../src/db/index.ts';
import type { Measured } from '../harness.ts';

class Author extends Model(
  {
    name: text(),
    email: text(),
    age: integer(),
    bio: text({ null: true }),
    active: boolean({ default: true }),
    created: dateTime(),
  },
  { table: 'author' },
) {}
class Log extends Model({ title: text(), n: integer() }, { table: 'log' }) {}
class Article extends Model(
  {
    title: text(),
    views: integer(),
    get author() {
      return foreignKey(Author);
    },
  },
  { table: 'article' },
) {}

const TABLES = (id: string): string => `
CREATE TABLE author (id ${id}, name text NOT NULL, email text NOT NULL, age integer NOT NULL, bio text, active boolean NOT NULL, created ${id.startsWith('bigint') ? 'timestamptz' : 'datetime'} NOT NULL);
CREATE TABLE article (id ${id}, title text NOT NULL, views integer NOT NULL, author_id bigint NOT NULL REFERENCES author (id));
CREATE TABLE log (id ${id}, title text NOT NULL, n integer NOT NULL)`;
const GET = 'SELECT id,name,email,age,bio,active,created FROM author WHERE id=';
const AUTHORS = 1000;

/** Main-thread CPU in µs for one of `n` calls by `callers` that pass through the event loop before each, as requests do. */
async function cost(call: (i: number) => unknown, n: number, callers: number): Promise<number> {
  let left = n;
  const before = process.threadCpuUsage();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        await call(1 + (Math.max(left, 0) % AUTHORS));
      }
    }),
  );
  const used = process.threadCpuUsage(before);
  return (used.user + used.system) / n;
}

async function seed(databases: Databases): Promise<void> {
  const created = new Date(Date.UTC(2026, 0, 1));
  await Author.bulkCreate(
    Array.from({ length: AUTHORS }, (_, i) => ({
      name: `a${i}`,
      email: `a${i}@example.com`,
      age: i % 90,
      created,
    })),
  );
  void databases;
}

const HEAVY =
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2500000) SELECT count(*) FROM n';

/** p99 of how late the event loop is, in ms, while a query of some 300 ms runs and 16 callers get by key. */
async function lateness(heavy: () => unknown, get: (i: number) => unknown): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  let running = true;
  const callers = Array.from({ length: 16 }, async (_, i) => {
    while (running) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      await get(1 + i);
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  await heavy();
  await new Promise((resolve) => setTimeout(resolve, 5));
  running = false;
  await Promise.all(callers);
  histogram.disable();
  return histogram.percentile(99) / 1e6;
}

async function sqlite(side: string): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-bench-'));
  const file = join(folder, 'db.sqlite3');
  const databases = await new Databases({ default: `sqlite:${file}` }).open();
  await databases.get().script(TABLES('integer PRIMARY KEY AUTOINCREMENT'));
  await seed(databases);
  const raw = new DatabaseSync(file);
  raw.exec('PRAGMA synchronous=NORMAL');
  const get = raw.prepare(`${GET}?`);
  const insert = raw.prepare('INSERT INTO log (title, n) VALUES (?, ?)');
  const inline = side === 'inline';
  const heavy = raw.prepare(HEAVY);
  const shape = new StatementShape('INSERT INTO log (title, n) VALUES (?, ?)', false);
  const perSecond = async (call: (i: number) => unknown): Promise<number> => {
    const n = 8000;
    const started = performance.now();
    await cost(call, n, 64);
    return n / ((performance.now() - started) / 1000);
  };
  return {
    async round() {
      return {
        getUs: await cost(inline ? (i) => get.get(i) : (i) => Author.get({ pk: i }), 10_000, 64),
        insertsPerSecond: await perSecond(
          inline ? (i) => insert.run('t', i) : (i) => Log.create({ title: 't', n: i }),
        ),
        backendInsertsPerSecond: await perSecond(
          inline ? (i) => insert.run('t', i) : (i) => databases.get().execute(shape.sql, ['t', i], shape),
        ),
        loopP99: inline
          ? await lateness(
              () => heavy.get(),
              (i) => get.get(i),
            )
          : await lateness(
              () => databases.get().query(HEAVY),
              (i) => Author.get({ pk: i }),
            ),
      };
    },
    async close() {
      raw.close();
      await databases.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function postgres(side: string, url: string): Promise<Measured> {
  const name = `sobaya_bench_${process.pid}`;
  const admin = await new Databases({ default: `${url}/postgres` }).open();
  await admin.get().script(`CREATE DATABASE ${name}`);
  const databases = await new Databases({ default: `${url}/${name}` }).open();
  await databases.get().script(TABLES('bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY'));
  await databases.run(() => seed(databases));
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: `${url}/${name}`, max: 10 });
  const named = { name: 'get', text: `${GET}$1` };
  return {
    round: () =>
      databases.run(async () => ({
        getUs: await cost(
          side === 'pg' ? (i) => pool.query({ ...named, values: [i] }) : (i) => Author.get({ pk: i }),
          4000,
          16,
        ),
      })),
    async close() {
      await pool.end();
      await databases.close();
      await admin.get().script(`DROP DATABASE ${name}`);
      await admin.close();
    },
  };
}

async function compile(): Promise<Measured> {
  const databases = await new Databases({ default: 'sqlite::memory:' }).open();
  return {
    round() {
      const n = 100_000;
      const query = (i: number): unknown =>
        Article.filter({ author__name: 'a', views__gt: i, title__icontains: 'x' }).toSQL();
      for (let i = 0; i < 1000; i++) query(i);
      const started = performance.now();
      for (let i = 0; i < n; i++) query(i);
      return { us: ((performance.now() - started) / n) * 1000 };
    },
    close: () => databases.close(),
  };
}

export function start({ on, side, url }: { on: string; side: string; url: string }): Promise<Measured> {
  if (on === 'compile') return compile();
  return on === 'sqlite' ? sqlite(side) : postgres(side, url);
}
