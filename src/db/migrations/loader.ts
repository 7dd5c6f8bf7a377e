/** Finds migration files, imports them, and builds the graph that fits what a database has had. */
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fault } from '../../errors/index.ts';
import { MigrationGraph } from './graph.ts';
import { isMigrationDefinition, Migration } from './migration.ts';
import type { Applied } from './recorder.ts';
import type { ProjectState } from './state.ts';

/** What the loader needs of an app; `defineApp` gives it. */
export interface MigrationApp {
  readonly label: string;
  /** The folder of its migrations: a path or a file: URL. Null: the app has none. */
  readonly migrations: string | null;
}

const FILE = /^([a-z0-9]\w*)\.(ts|mts|js|mjs)$/i;
/** What is preferred where a folder holds both source and built files. */
const PREFERENCE = ['ts', 'mts', 'mjs', 'js'];

export function folderOf(app: MigrationApp): string | null {
  if (app.migrations === null) return null;
  if (app.migrations.startsWith('file:')) return fileURLToPath(app.migrations);
  return isAbsolute(app.migrations) ? app.migrations : resolve(app.migrations);
}

const imported = new Map<string, number>();

/** Node caches modules by URL: a file that was edited since gets another one. */
async function importFresh(file: string): Promise<Record<string, unknown>> {
  const url = pathToFileURL(file).href;
  const { mtimeMs } = await stat(file);
  const known = imported.get(url);
  if (known === undefined) imported.set(url, mtimeMs);
  return (await import(
    known === undefined || known === mtimeMs ? url : `${url}?edited=${mtimeMs}`
  )) as Record<string, unknown>;
}

export class MigrationLoader {
  readonly apps: readonly MigrationApp[];
  /** Everything on disk, by key. */
  readonly disk: ReadonlyMap<string, Migration>;

  private constructor(apps: readonly MigrationApp[], disk: ReadonlyMap<string, Migration>) {
    this.apps = apps;
    this.disk = disk;
  }

  static async load(apps: readonly MigrationApp[]): Promise<MigrationLoader> {
    const disk = new Map<string, Migration>();
    const perApp = await Promise.all(apps.map((app) => loadApp(app)));
    for (const migrations of perApp) for (const one of migrations) disk.set(one.key, one);
    return new MigrationLoader(apps, disk);
  }

  /** For tests and tools: migrations that come from no file. */
  static of(migrations: readonly Migration[]): MigrationLoader {
    const apps = [...new Set(migrations.map((one) => one.app))].map((label) => ({ label, migrations: null }));
    return new MigrationLoader(apps, new Map(migrations.map((one) => [one.key, one])));
  }

  /** The graph for a database that has had these; without any, the one of a new database. */
  graph(applied: ReadonlyMap<string, Applied> = new Map()): MigrationGraph {
    const graph = new MigrationGraph();
    for (const one of this.disk.values()) graph.add(one);
    for (const one of this.disk.values()) {
      for (const parent of one.dependencies) {
        const key = this.#resolve(parent, one);
        if (key !== null) graph.depend(one.key, key);
      }
      for (const child of one.runBefore) graph.depend(child, one.key);
    }
    for (const one of this.disk.values()) {
      if (one.replaces.length === 0) continue;
      const done = one.replaces.filter((key) => applied.get(key)?.step === null);
      const all = done.length === one.replaces.length;
      if (done.length === 0 || all || applied.get(one.key)?.step === null)
        graph.replaceBy(one.key, one.replaces);
      else {
        const missing = one.replaces.filter((key) => !this.disk.has(key) && !applied.has(key));
        if (missing.length > 0)
          throw fault('SBY_MIGRATIONS_HALF_SQUASHED', { squashed: one.key, applied: done, missing });
        graph.withdraw(one.key, one.replaces);
      }
    }
    graph.validate();
    return graph;
  }

  /** Squashed migrations whose replaced ones have all been applied: they only have to be recorded. */
  squashedDone(applied: ReadonlyMap<string, Applied>): Migration[] {
    return [...this.disk.values()].filter(
      (one) =>
        one.replaces.length > 0 &&
        !applied.has(one.key) &&
        one.replaces.every((key) => applied.get(key)?.step === null),
    );
  }

  #resolve(dependency: string, of: Migration): string | null {
    const at = dependency.indexOf('.');
    const app = dependency.slice(0, at);
    const name = dependency.slice(at + 1);
    if (name !== 'first' && name !== 'latest' && name !== '__first__' && name !== '__latest__')
      return dependency;
    if (app === of.app) return null;
    const ofApp = [...this.disk.values()].filter((one) => one.app === app);
    if (ofApp.length === 0) {
      if (this.apps.some((known) => known.label === app)) return null;
      return dependency;
    }
    const inApp = (key: string): boolean => key.startsWith(`${app}.`);
    const ends = name.includes('first')
      ? ofApp.filter((one) => !one.dependencies.some(inApp))
      : ofApp.filter((one) => !ofApp.some((other) => other.dependencies.includes(one.key)));
    return ends.map((one) => one.key).sort()[0] ?? dependency;
  }

  /** The state after all migrations on disk. */
  state(): ProjectState {
    return this.graph().state();
  }

  /** The one migration of an app whose name begins so. */
  find(app: string, prefix: string): Migration {
    const ofApp = [...this.disk.values()].filter((one) => one.app === app);
    const exact = ofApp.find((one) => one.name === prefix);
    if (exact !== undefined) return exact;
    const found = ofApp.filter((one) => one.name.startsWith(prefix));
    if (found.length === 1) return found[0] as Migration;
    const known = ofApp.map((one) => one.name).sort();
    if (found.length === 0) throw fault('SBY_MIGRATIONS_UNKNOWN', { migration: `${app}.${prefix}`, known });
    throw fault('SBY_MIGRATIONS_AMBIGUOUS', { app, prefix, found: found.map((one) => one.name).sort() });
  }
}

async function loadApp(app: MigrationApp): Promise<Migration[]> {
  const folder = folderOf(app);
  if (folder === null) return [];
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fault(
      'SBY_MIGRATIONS_CANNOT_READ',
      { path: folder, reason: (error as Error).message },
      { cause: error },
    );
  }
  const files = new Map<string, string>();
  for (const file of names.sort()) {
    const match = FILE.exec(file);
    if (match === null || file.endsWith('.d.ts')) continue;
    const [, name, extension] = match as unknown as [string, string, string];
    const other = files.get(name);
    if (
      other === undefined ||
      PREFERENCE.indexOf(extension) < PREFERENCE.indexOf(other.split('.').pop() as string)
    )
      files.set(name, file);
  }
  const loaded: Migration[] = [];
  for (const [name, file] of files) {
    const path = join(folder, file);
    let exports: Record<string, unknown>;
    try {
      exports = await importFresh(path);
    } catch (error) {
      throw fault(
        'SBY_MIGRATIONS_IMPORT_FAILED',
        { file: path, reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) },
        { cause: error },
      );
    }
    const definition = exports['default'];
    if (!isMigrationDefinition(definition))
      throw fault('SBY_MIGRATIONS_NOT_A_MIGRATION', { file: path, got: definition });
    loaded.push(new Migration(app.label, name, definition, path));
  }
  return loaded;
}
