/** A process that migrates is gone at every point at which the database had answered it; the next run must get to the same end. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import pg from 'pg';
import { Databases } from '../../src/db/index.ts';
import { liveTables, MigrationExecutor, MigrationLoader } from '../../src/db/migrations/index.ts';
import { history, watched } from './killed-history.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';

async function look(databases: Databases): Promise<unknown> {
  const backend = databases.get();
  const tables = [...(await liveTables(backend)).values()];
  const recorded = (await backend.query('SELECT name, step FROM sobaya_migrations ORDER BY name')).rows;
  const rows = tables.some((table) => table.name === 'shop_author')
    ? [
        (await backend.query('SELECT * FROM shop_author ORDER BY id')).rows,
        (await backend.query('SELECT * FROM shop_article ORDER BY id')).rows,
      ]
    : null;
  return { tables, recorded, rows };
}

const migrate = (databases: Databases, name?: string): Promise<unknown> =>
  new MigrationExecutor(databases, MigrationLoader.of(history)).migrate(
    name === undefined ? {} : { target: { app: 'shop', name } },
  );
const WAYS = [undefined, 'zero'] as const;
/** On PostgreSQL every point takes a while: CI tries every fourth, `SOBAYA_KILL_STEP=1` all. */
const STEP = Number(process.env['SOBAYA_KILL_STEP'] ?? 4);

/** `sobaya migrate`, dead at the point. */
const killed = (url: string, point: number): Promise<string | null> =>
  new Promise((done) => {
    const file = join(import.meta.dirname, 'killed-process.ts');
    const child = execFile(process.execPath, ['--conditions=sobaya:source', file, url, String(point)]);
    child.once('exit', (_code, signal) => done(signal));
  });

describe('a process that migrates, gone at any point', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-killed-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('on SQLite: what stands on the disk at each point is a database to go on from', async () => {
    const open = (file: string): Promise<Databases> =>
      new Databases({ default: { engine: 'sqlite', file, inline: 'always' } }).open();
    const main = join(folder, 'main.sqlite3');
    const databases = await open(main);
    for (const way of WAYS) {
      const copies: string[] = [];
      watched(databases.get(), async () => {
        const copy = join(folder, `${way}-${copies.length}.sqlite3`);
        for (const end of ['', '-wal']) if (existsSync(main + end)) copyFileSync(main + end, copy + end);
        copies.push(copy);
      });
      await migrate(databases, way);
      const expected = await look(databases);
      const points = [...copies];
      assert.ok(points.length > 30, `only ${points.length} points`);
      for (const [point, copy] of points.entries()) {
        const again = await open(copy);
        await migrate(again, way);
        assert.deepEqual(await look(again), expected, `gone at point ${point} of ${points.length}`);
        await again.close();
      }
    }
    await databases.close();
  });

  it('on PostgreSQL: connections broken at each point', async (t) => {
    const missing = await postgresMissing();
    if (missing) return t.skip(missing);
    const database = await new PostgresDatabase().create();
    const admin = new pg.Client({ connectionString: database.url.replace(/[^/]*$/, 'postgres') });
    await admin.connect();
    try {
      for (const way of WAYS) {
        await database.clear();
        await migrate(database);
        if (way !== undefined) await migrate(database, way);
        const expected = await look(database);
        for (let point = 0, ended = false; !ended; point += STEP) {
          await database.clear();
          if (way !== undefined) await migrate(database);
          const doomed = await new Databases({ default: database.url }).open();
          let passed = 0;
          watched(doomed.get(), async () => {
            if (passed++ !== point) return;
            const pid = await database.get().query('SELECT pg_backend_pid()');
            await admin.query(
              'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2',
              [database.name, pid.rows[0]?.[0]],
            );
          });
          const outcome = await migrate(doomed, way).then(
            () => null,
            (error: Error) => error,
          );
          ended = outcome === null && passed <= point;
          await doomed.close().catch(() => {});
          await migrate(database, way);
          assert.deepEqual(await look(database), expected, `gone at point ${point}: ${outcome?.message}`);
          assert.ok(!ended || point > 30, `only ${point} points`);
        }
      }
    } finally {
      await admin.end();
      await database.drop();
    }
  });

  for (const point of [9, 21])
    it(`killed indeed, at point ${point}`, async (t) => {
      const url = `sqlite:${join(folder, `killed-${point}.sqlite3`)}`;
      assert.equal(await killed(url, point), 'SIGKILL');
      const databases = await new Databases({ default: url }).open();
      await migrate(databases);
      const [, , rows] = Object.values((await look(databases)) as object) as unknown[][][];
      assert.equal(rows?.[0]?.length, 2);
      await databases.close();
      const missing = await postgresMissing();
      if (missing) return t.skip(missing);
      const database = await new PostgresDatabase().create();
      assert.equal(await killed(database.url, point), 'SIGKILL');
      await migrate(database);
      assert.equal(
        (await database.get().query('SELECT count(*) FROM shop_author WHERE age > 20')).rows.length,
        1,
      );
      await database.drop();
    });
});
