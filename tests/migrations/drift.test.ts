/** driftcheck: what has the right name and says something else. And constraints that only PostgreSQL has. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Databases } from '../../src/db/index.ts';
import {
  check,
  createModel,
  exclusion,
  field,
  findDrift,
  index,
  Migration,
  MigrationExecutor,
  MigrationLoader,
  schemaSpec,
  tablesOf,
  unique,
} from '../../src/db/migrations/index.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';

const line = (more: readonly ReturnType<typeof check>[] = []): Migration =>
  new Migration('shop', '0001_initial', {
    initial: true,
    operations: [
      createModel({
        name: 'Line',
        fields: {
          id: field.bigAuto({ primaryKey: true }),
          name: field.text({ dbDefault: "it's" }),
          age: field.integer({ dbDefault: 1 }),
          twice: field.integer({ null: true, generated: { sql: 'age * 2', stored: true } }),
        },
        options: {
          indexes: [
            index({ name: 'grown', fields: ['-age'], condition: { age__gte: 18, name__startswith: 'A' } }),
            index({ name: 'lowered', expressions: [{ sql: 'lower(name)' }] }),
          ],
          constraints: [check({ name: 'aged', check: { age__gte: 0, age__lt: 200 } }), ...more],
        },
      }),
    ],
  });

async function drift(databases: Databases, migration: Migration): Promise<string[]> {
  const loader = MigrationLoader.of([migration]);
  await new MigrationExecutor(databases, loader).migrate();
  const look = async (): Promise<string[]> => {
    const state = loader.graph().state();
    const spec = schemaSpec(databases.get());
    const tables = [...state.models.values()].flatMap((model) => tablesOf(state, model, spec));
    return (await findDrift(databases.get(), tables)).map(({ problem }) => problem);
  };
  assert.deepEqual(await look(), []);
  for (const sql of [
    'DROP INDEX grown',
    'CREATE INDEX grown ON shop_line (age DESC) WHERE age > 17',
    'DROP INDEX lowered',
    'CREATE INDEX lowered ON shop_line (upper(name))',
  ])
    await databases.get().script(sql);
  return look();
}

describe('driftcheck', () => {
  it('on SQLite: conditions and expressions of indexes, checks', async () => {
    const databases = await new Databases({
      default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
    }).open();
    const problems = await drift(databases, line());
    assert.equal(problems.length, 2);
    assert.match(
      problems[0] ?? '',
      /^the index grown is CREATE INDEX .* WHERE age > 17, the models want .*"age" >= 18/,
    );
    // A check with the right name: made by hand, in the place of ours.
    const run = (sql: string): Promise<void> => databases.get().script(sql);
    const [[sql]] = (await databases.get().query("SELECT sql FROM sqlite_schema WHERE name = 'shop_line'"))
      .rows as unknown as [[string]];
    await run('DROP TABLE shop_line');
    await run(sql.replace('200', '150').replace('DEFAULT 1', 'DEFAULT 2').replace('age * 2', 'age * 3'));
    const state = MigrationLoader.of([line()]).graph().state();
    const tables = [...state.models.values()].flatMap((model) =>
      tablesOf(state, model, schemaSpec(databases.get())),
    );
    const more = (await findDrift(databases.get(), tables)).map(({ problem }) => problem);
    assert.match(more.join('\n'), /the constraint aged is CHECK .*150.*, the models want CHECK .*200/);
    assert.match(more.join('\n'), /the default of column age is 2, the models want 1/);
    assert.match(more.join('\n'), /the expression of column twice is age \* 3, the models want age \* 2/);
    await databases.close();
  });

  it('on PostgreSQL: in its own words, and constraints that were not validated', async (t) => {
    const missing = await postgresMissing();
    if (missing) return t.skip(missing);
    const database = await new PostgresDatabase().create();
    try {
      await database.get().script('CREATE EXTENSION btree_gist');
      const problems = await drift(
        database,
        line([
          unique({ name: 'one_name', fields: ['name'], include: ['age'], deferrable: 'deferred' }),
          exclusion({ name: 'apart', expressions: [['age', '=']], condition: { age__gt: 100 } }),
        ] as never),
      );
      assert.deepEqual(problems, [
        "the index grown is btree (age DESC) WHERE (age > 17), the models want btree (age DESC) WHERE ((age >= 18) AND (name ~~ like_escape('A%'::text, '\\'::text)))",
        'the index lowered is btree (upper(name)), the models want btree (lower(name))',
      ]);
      const run = (sql: string): Promise<void> => database.get().script(sql);
      await run("INSERT INTO shop_line (name, age) VALUES ('a', 101), ('b', 102)");
      await assert.rejects(run("INSERT INTO shop_line (name, age) VALUES ('c', 101)"), /apart/);
      // Deferred: two names may be swapped inside a transaction.
      await run(
        "BEGIN; UPDATE shop_line SET name = 'b' WHERE age = 101; UPDATE shop_line SET name = 'a' WHERE age = 102; COMMIT",
      );
      await assert.rejects(run("INSERT INTO shop_line (name) VALUES ('a')"), /one_name/);
      await run(
        'ALTER TABLE shop_line DROP CONSTRAINT aged, ADD CONSTRAINT aged CHECK (age >= 0 AND age < 200) NOT VALID, ALTER age SET DEFAULT 2, DROP CONSTRAINT one_name, ADD CONSTRAINT one_name UNIQUE (name)',
      );
      const state = MigrationLoader.of([line()]).graph().state();
      const tables = [...state.models.values()].flatMap((model) =>
        tablesOf(state, model, schemaSpec(database.get())),
      );
      const more = (await findDrift(database.get(), tables)).map(({ problem }) => problem);
      assert.ok(
        more.includes('the constraint aged holds for new rows only: it was not validated'),
        more.join('\n'),
      );
      assert.ok(more.includes('the default of column age is 2, the models want 1'), more.join('\n'));
    } finally {
      await database.drop();
    }
  });
});
