/** Random schema A → migrations → B on a live database: what is there equals what B makes from nothing, and back again. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { Databases } from '../../src/db/index.ts';
import {
  Autodetector,
  type Migration,
  MigrationExecutor,
  MigrationGraph,
  MigrationLoader,
  type ProjectState,
} from '../../src/db/migrations/index.ts';
import { findDrift, type LiveTable, liveTables, schemaSpec, tablesOf } from '../../src/db/schema/index.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';
import { questioner, schema } from './schemas.ts';

const RUNS = Number(process.env['SOBAYA_PROPERTY_RUNS'] ?? 60);

async function detect(graph: MigrationGraph, to: ProjectState, renames: boolean): Promise<Migration[]> {
  const detector = new Autodetector(graph.state(), to, { questioner: questioner(renames) });
  return [...(await detector.changes(graph)).values()].flat();
}

/** Everything but the order of columns, which history may change. */
async function picture(databases: Databases): Promise<Map<string, LiveTable>> {
  const tables = await liveTables(databases.get());
  tables.delete('sobaya_migrations');
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return new Map(
    [...tables].map(([name, table]) => [
      name,
      {
        ...table,
        columns: [...table.columns].sort(byName),
        foreignKeys: [...table.foreignKeys].sort(byText),
        indexes: [...table.indexes]
          .filter((index) => !index.name.startsWith('sqlite_autoindex'))
          .sort(byName),
        checks: [...table.checks].sort(byName),
      },
    ]),
  );
}

interface Place {
  /** An empty database. */
  fresh(): Promise<{ databases: Databases; done: () => Promise<void> }>;
}

async function check(place: Place, a: ProjectState, b: ProjectState, renames: boolean): Promise<void> {
  const first = await detect(new MigrationGraph(), a, renames);
  const one = MigrationLoader.of(first);
  const second = await detect(one.graph(), b, renames);
  const both = MigrationLoader.of([...first, ...second]);
  // The history ends where the models are: nothing more to do.
  assert.deepEqual(await detect(both.graph(), b, renames), []);

  let wanted: Map<string, LiveTable>;
  {
    const { databases, done } = await place.fresh();
    try {
      await new MigrationExecutor(
        databases,
        MigrationLoader.of(await detect(new MigrationGraph(), b, renames)),
      ).migrate();
      wanted = await picture(databases);
    } finally {
      await done();
    }
  }
  const { databases, done } = await place.fresh();
  try {
    await new MigrationExecutor(databases, one).migrate();
    const before = await picture(databases);
    const executor = new MigrationExecutor(databases, both);
    await executor.migrate();
    assert.deepEqual(await picture(databases), wanted);
    const spec = schemaSpec(databases.get());
    const tables = [...b.models.values()].flatMap((model) => tablesOf(b, model, spec));
    assert.deepEqual(await findDrift(databases.get(), tables), []);
    const apps = new Set(second.map((migration) => migration.app));
    for (const app of apps) {
      const last = first.filter((migration) => migration.app === app).at(-1);
      await executor.migrate({ target: { app, name: last?.name ?? 'zero' } });
    }
    assert.deepEqual(await picture(databases), before);
    for (const app of new Set(
      both
        .graph()
        .migrations()
        .map((migration) => migration.app),
    ))
      await executor.migrate({ target: { app, name: 'zero' } });
    assert.deepEqual([...(await picture(databases)).keys()], []);
  } finally {
    await done();
  }
}

const cases = fc.tuple(schema, schema, fc.boolean());

describe('random schema A to B and back', () => {
  it('on SQLite', async () => {
    const place: Place = {
      async fresh() {
        const databases = new Databases({
          default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
        });
        await databases.open();
        return { databases, done: () => databases.close() };
      },
    };
    await fc.assert(
      fc.asyncProperty(cases, async ([a, b, renames]) => {
        await check(place, a, b, renames);
      }),
      { numRuns: RUNS },
    );
  });
});

const missing = await postgresMissing();
describe('random schema A to B and back, on PostgreSQL', { skip: missing }, () => {
  const database = new PostgresDatabase();
  before(async () => {
    await database.create();
  });
  after(() => database.drop());

  it('on PostgreSQL', async () => {
    const place: Place = {
      async fresh() {
        await database.clear();
        return { databases: database, done: async () => {} };
      },
    };
    await fc.assert(
      fc.asyncProperty(cases, async ([a, b, renames]) => {
        await check(place, a, b, renames);
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  });
});
