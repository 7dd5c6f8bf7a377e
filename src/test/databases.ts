import { randomBytes } from 'node:crypto';
import type { SobayaApplication } from '../application/index.ts';
import { type DatabaseConfig, type DatabaseOptions, Databases, metaOf } from '../db/index.ts';
import { Autodetector, liveState, MigrationExecutor, MigrationLoader } from '../db/migrations/index.ts';

/** Databases that are there for tests alone. */
export interface TestDatabases extends AsyncDisposable {
  /** Closes them and takes them away. Happens by itself when the process has nothing left to do. */
  close(): Promise<void>;
}

/**
 * Gives the application empty databases for tests in the place of its own, with all migrations applied: in memory for SQLite, a new
 * database `test_…` on the same server for PostgreSQL. Call it once at the top of a test file, before anything else opens the application:
 * `await setupDatabases(application)`. Apps that have no migrations yet get the tables of their models. Django's `setup_databases`.
 */
export async function setupDatabases(application: SobayaApplication): Promise<TestDatabases> {
  const { databases, apps } = application;
  const made = new Map<string, { readonly config: DatabaseOptions; readonly drop: () => Promise<void> }>();
  for (const alias of databases.aliases) made.set(alias, await create(databases.optionsOf(alias)));
  const restore = databases.replace(
    Object.fromEntries([...made].map(([alias, { config }]) => [alias, config as DatabaseConfig])),
  );
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    process.off('beforeExit', leave);
    await databases.close();
    restore();
    for (const { drop } of made.values()) await drop();
  };
  const leave = (): void => void (closing ??= close());
  process.once('beforeExit', leave);
  const result: TestDatabases = {
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
  try {
    await databases.open();
    const loader = await withSynced(await MigrationLoader.load(apps), application);
    for (const alias of databases.aliases) await new MigrationExecutor(databases, loader, alias).migrate();
  } catch (error) {
    await result.close();
    throw error;
  }
  return result;
}

async function create(
  options: DatabaseOptions,
): Promise<{ config: DatabaseOptions; drop: () => Promise<void> }> {
  if (options.engine === 'sqlite') return { config: { ...options, file: ':memory:' }, drop: async () => {} };
  const url = new URL(options.url);
  const own = decodeURIComponent(url.pathname.slice(1)) || 'sobaya';
  // Files of tests run at the same time, each in a process or a thread of its own. A name has 63 bytes at most.
  const name = `test_${own.replace(/\W/g, '_').slice(0, 40)}_${process.pid}_${randomBytes(3).toString('hex')}`;
  const at = (database: string): DatabaseOptions => {
    const other = new URL(url);
    other.pathname = `/${database}`;
    return { ...options, url: other.href };
  };
  const admin = async (sql: string): Promise<void> => {
    await using server = new Databases({ default: at('postgres') });
    await server.open();
    await server.get().script(sql);
  };
  await admin(`CREATE DATABASE "${name}"`);
  return { config: at(name), drop: () => admin(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) };
}

const no = async (): Promise<boolean> => false;

/** With a migration in memory for each app that has none on disk. */
async function withSynced(loader: MigrationLoader, application: SobayaApplication): Promise<MigrationLoader> {
  const graph = loader.graph();
  const known = new Set([...loader.disk.values()].map(({ app }) => app));
  const bare = application.apps.filter(({ label, models }) => models.length > 0 && !known.has(label));
  if (bare.length === 0) return loader;
  const models = new Map(
    bare.flatMap(({ label, models: all }) => all.map((model) => [`${label}.${metaOf(model).name}`, model])),
  );
  const detector = new Autodetector(graph.state(), liveState(application.apps), {
    // What the other apps have no migration for is makemigrations' to ask about.
    questioner: { renamedModel: no, movedModel: no, renamedField: no, fill: async () => undefined },
    callDefault: (model, field) => {
      const found = models.get(model);
      const column = found && metaOf(found).columns.find(({ name }) => name === field);
      return column === undefined ? undefined : { value: column.defaultValue() };
    },
  });
  const changes = await detector.changes(graph);
  const made = bare.flatMap(({ label }) => changes.get(label) ?? []);
  return MigrationLoader.of([...loader.disk.values(), ...made]);
}
