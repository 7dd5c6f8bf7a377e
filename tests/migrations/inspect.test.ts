/** inspectdb there and back: the models it writes want the tables that it read. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { Databases } from '../../src/db/index.ts';
import {
  Autodetector,
  findDrift,
  inspectModels,
  type liveState,
  liveTables,
  MigrationExecutor,
  MigrationGraph,
  MigrationLoader,
  schemaSpec,
  tablesOf,
} from '../../src/db/migrations/index.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';
import { TestProject } from './project.ts';
import { questioner, schema } from './schemas.ts';

const project = new TestProject();
after(() => project.remove());
let number = 0;

/** What differs between the live tables and the models that inspectdb writes for them. */
async function thereAndBack(databases: Databases): Promise<{ source: string; drift: string[] }> {
  const backend = databases.get();
  const source = inspectModels(await liveTables(backend), { vendor: backend.vendor });
  const file = `models${++number}.ts`;
  project.write(file, source.replaceAll(', managed: false', ''));
  const models = Object.values(
    (await import(pathToFileURL(join(project.folder, file)).href)) as Record<string, unknown>,
  );
  const { registerModels } = await import('sobaya/db');
  registerModels(`inspected${number}`, models as never);
  const migrations = await import('sobaya/db/migrations');
  const state = (migrations as { liveState: typeof liveState }).liveState([
    { label: `inspected${number}`, models },
  ]);
  const spec = schemaSpec(backend);
  const tables = [...state.models.values()].flatMap((model) => tablesOf(state, model, spec));
  const drift = (await findDrift(backend, tables)).map(({ table, problem }) => `${table}: ${problem}`);
  return { source, drift };
}

async function property(
  fresh: () => Promise<{ databases: Databases; done(): Promise<void> }>,
  numRuns: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(schema, async (state) => {
      const { databases, done } = await fresh();
      try {
        const detector = new Autodetector(new MigrationGraph().state(), state, {
          questioner: questioner(false),
        });
        const made = [...(await detector.changes(new MigrationGraph())).values()].flat();
        await new MigrationExecutor(databases, MigrationLoader.of(made)).migrate();
        const { source, drift } = await thereAndBack(databases);
        assert.deepEqual(drift, [], source);
      } finally {
        await done();
      }
    }),
    { numRuns },
  );
}

describe('inspectdb there and back', () => {
  it('on SQLite', async () => {
    await property(async () => {
      const databases = await new Databases({
        default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
      }).open();
      return { databases, done: () => databases.close() };
    }, 40);
  });

  it('on PostgreSQL', async (t) => {
    const missing = await postgresMissing();
    if (missing) return t.skip(missing);
    const database = await new PostgresDatabase().create();
    try {
      await property(async () => {
        await database.clear();
        return { databases: database, done: async () => {} };
      }, 20);
    } finally {
      await database.drop();
    }
  });

  it('on PostgreSQL, of tables made by hand', async (t) => {
    const missing = await postgresMissing();
    if (missing) return t.skip(missing);
    const database = await new PostgresDatabase().create();
    try {
      await database
        .get()
        .script(`CREATE TABLE "Select" (id serial primary key, "class" text not null default 'it''s', "order by" int default 1 + 2, "2nd" varchar(20) default 'x', "ünï" text, "constructor" text, "a-b" text, a_b text, "save" boolean default false not null, n bigint default 9007199254740993);
CREATE TABLE person (uid uuid primary key, tags text[] not null default '{}', grid int[], price numeric(8,2) not null default 1.5, tz timestamptz default now(), iv interval, jb jsonb default '{"a": 1}', b bytea, gen int generated always as (price * 2) stored, born date, CONSTRAINT priced CHECK (price > 0 AND price < 1000));
CREATE TABLE child (id int generated always as identity primary key, parent int references child(id), owner uuid not null unique references person(uid) on delete cascade, check (parent <> id));
CREATE INDEX child_some ON child (parent DESC) WHERE parent > 3; CREATE INDEX tags_gin ON person USING gin (tags); CREATE UNIQUE INDEX cover ON person (born) INCLUDE (price);
CREATE INDEX lowered ON "Select" (lower(a_b), "class"); CREATE INDEX upper_class ON "Select" (upper("class")); CREATE INDEX two ON "Select" ("class", "2nd" DESC);
COMMENT ON TABLE person IS 'who''s who'; COMMENT ON COLUMN person.born IS 'day';
CREATE TABLE "weird ""q'\`\${x}\\" (id bigserial primary key, v text); CREATE VIEW grown AS SELECT uid FROM person;
CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE of_pair (id bigserial primary key, a int, b int, FOREIGN KEY (a, b) REFERENCES pair);`);
      const { source, drift } = await thereAndBack(database);
      assert.match(source, /class: text\(\{ dbDefault: 'it\\'s' \}\)/);
      assert.match(source, /gen: generated\(integer\(\), \{ sql: 'price \* .*2.*' \}\)/);
      assert.match(source, /TODO the primary key is \(a, b\); a model has one column as its key/);
      assert.match(source, /TODO \(a, b\) refers to pair: a foreign key has one column here/);
      assert.match(source, /TODO the index lowered has expressions before columns/);
      assert.doesNotMatch(source, /grown/i);
      assert.deepEqual(
        drift.filter((one) => !/^pair|^of_pair: the foreign key from a, b|lowered/.test(one)),
        [],
        source,
      );
    } finally {
      await database.drop();
    }
  });
});
