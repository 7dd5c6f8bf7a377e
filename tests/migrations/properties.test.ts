/** Properties of writing, optimising and carrying rows along, over random schemas. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { Databases } from '../../src/db/index.ts';
import {
  Autodetector,
  type FieldState,
  Migration,
  type MigrationDefinition,
  MigrationExecutor,
  MigrationGraph,
  MigrationLoader,
  MigrationWriter,
  type ModelState,
  optimize,
  ProjectState,
  tableOf,
} from '../../src/db/migrations/index.ts';
import { columnOf, primaryKeyOf } from '../../src/db/schema/index.ts';
import { isSobayaError } from '../../src/errors/index.ts';
import { TestProject } from './project.ts';
import { questioner, schema } from './schemas.ts';

const RUNS = Number(process.env['SOBAYA_PROPERTY_RUNS'] ?? 60);

async function detect(from: MigrationGraph, to: ProjectState, renames = false): Promise<Migration[]> {
  const changes = await new Autodetector(from.state(), to, { questioner: questioner(renames) }).changes(from);
  return [...changes.values()].flat();
}

/** States without the order of fields and of models. */
function plain(state: ProjectState): unknown {
  return Object.fromEntries(
    [...state.models].map(([key, model]) => [key, { ...model, fields: Object.fromEntries(model.fields) }]),
  );
}

describe('files', () => {
  const project = new TestProject();
  after(() => project.remove());

  it('a written migration, imported, does the same', async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(schema, schema, fc.boolean(), async (a, b, renames) => {
        const first = await detect(new MigrationGraph(), a);
        const second = await detect(MigrationLoader.of(first).graph(), b, renames);
        for (const migration of [...first, ...second]) {
          const name = `m${++number}.ts`;
          const { operations, dependencies } = migration;
          project.write(name, new MigrationWriter({ operations, dependencies }).text());
          const module = (await import(pathToFileURL(join(project.folder, name)).href)) as {
            default: MigrationDefinition;
          };
          const read = new Migration(migration.app, migration.name, module.default);
          assert.equal(read.hash, migration.hash);
          assert.deepEqual(read.dependencies, dependencies);
        }
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});

describe('the optimiser', () => {
  it('gives fewer operations that lead to the same state, and leaves nothing more to merge', async () => {
    const oneApp = schema.map((state) => {
      const models = [...state.models.values()].filter((model) => model.app === 'one');
      const keys = new Set(models.map((model) => `one.${model.name}`));
      return new ProjectState(
        models.map((model) => ({
          ...model,
          fields: model.fields.filter(([, field]) => {
            const { to } = field.options;
            return typeof to !== 'string' || keys.has(to);
          }),
          options: {},
        })),
      );
    });
    await fc.assert(
      fc.asyncProperty(oneApp, oneApp, oneApp, fc.boolean(), async (a, b, c, renames) => {
        const operations = [];
        let from = new ProjectState();
        for (const to of [a, b, c]) {
          const detector = new Autodetector(from, to, { questioner: questioner(renames) });
          operations.push(...(await detector.operations()).map((step) => step.operation));
          from = to;
        }
        const state = new ProjectState();
        for (const operation of operations) operation.stateForwards('one', state);
        const fewer = optimize(operations, 'one');
        const optimised = new ProjectState();
        for (const operation of fewer) operation.stateForwards('one', optimised);
        assert.deepEqual(plain(optimised), plain(state));
        assert.ok(fewer.length <= operations.length);
      }),
      { numRuns: RUNS * 3 },
    );
  });
});

/** The n-th value of a column, different for each n. */
function value(field: FieldState, n: number): string | number | null {
  switch (field.kind) {
    case 'boolean':
      return n % 2;
    case 'float':
      return n + 0.5;
    case 'decimal':
      return `${n}.25`;
    case 'date':
      return `2020-01-0${n}`;
    case 'time':
      return `10:00:0${n}`;
    case 'dateTime':
      return `2020-01-0${n} 10:00:00`;
    case 'json':
    case 'array':
      return `["${n}"]`;
    case 'uuid':
      return `00000000-0000-0000-0000-00000000000${n}`;
    case 'text':
    case 'slug':
    case 'email':
      return `t${n}`;
    case 'ipAddress':
      return `127.0.0.${n}`;
    case 'binary':
      return `b${n}`;
    default:
      return n;
  }
}

describe('rows', () => {
  it('come along unchanged, or the migration fails and the database is as it was', async () => {
    let succeeded = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(schema, schema, fc.boolean(), async (a, b, renames) => {
        const first = await detect(new MigrationGraph(), a);
        const second = await detect(MigrationLoader.of(first).graph(), b, renames);
        const databases = await new Databases({
          default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
        }).open();
        try {
          const backend = databases.get();
          await new MigrationExecutor(databases, MigrationLoader.of(first)).migrate();
          await backend.script('PRAGMA foreign_keys = OFF');
          for (const model of a.models.values()) await fill(model);
          await backend.script('PRAGMA foreign_keys = ON');
          const read = async (model: ModelState, columns: readonly string[]): Promise<unknown[][]> => {
            const pk = primaryKeyOf(model) as readonly [string, FieldState];
            const { rows } = await backend.query(
              `SELECT ${columns.map((column) => backend.quote(column)).join(', ')} FROM ${backend.quote(tableOf(model))} ORDER BY ${backend.quote(columnOf(...pk))}`,
            );
            return rows;
          };
          const columnsOf = (model: ModelState): string[] =>
            model.fields
              .filter(([, field]) => field.kind !== 'manyToMany')
              .map(([name, field]) => columnOf(name, field));
          const before = new Map<ModelState, unknown[][]>();
          for (const model of a.models.values()) before.set(model, await read(model, columnsOf(model)));
          try {
            await new MigrationExecutor(databases, MigrationLoader.of([...first, ...second])).migrate();
          } catch (error) {
            assert.ok(isSobayaError(error) && error.code === 'SBY_MIGRATIONS_FAILED', String(error));
            refused++;
            if (second.length > 1) return;
            for (const [model, rows] of before) assert.deepEqual(await read(model, columnsOf(model)), rows);
            assert.equal(
              (await backend.query("SELECT 1 FROM sqlite_schema WHERE name LIKE 'sobaya\\_new%' ESCAPE '\\'"))
                .rows.length,
              0,
            );
            return;
          }
          succeeded++;
          for (const [model, rows] of before) {
            const now = b.get(`${model.app}.${model.name}`);
            if (now === undefined || renames) continue;
            const old = columnsOf(model);
            const same = model.fields.filter(([name, field]) => {
              const other = now.fields.find(([otherName]) => otherName === name)?.[1];
              return (
                other !== undefined &&
                field.kind !== 'manyToMany' &&
                other.kind === field.kind &&
                other.options['to'] === field.options['to']
              );
            });
            if (same.length === 0) continue;
            const kept = await read(
              now,
              same.map(([name]) =>
                columnOf(name, now.fields.find(([other]) => other === name)?.[1] as FieldState),
              ),
            );
            // Values of foreign keys follow their target's type.
            const text = (all: unknown[][]): string[][] => all.map((row) => row.map(String));
            assert.deepEqual(
              text(kept),
              text(rows.map((row) => same.map(([name, field]) => row[old.indexOf(columnOf(name, field))]))),
            );
          }

          async function fill(model: ModelState): Promise<void> {
            const fields = model.fields.filter(([, field]) => field.kind !== 'manyToMany');
            for (let n = 1; n <= 3; n++) {
              const values = fields.map(([, field]) => {
                let current = field;
                while (typeof current.options['to'] === 'string')
                  current = (
                    primaryKeyOf(a.get(current.options['to']) as ModelState) as readonly [string, FieldState]
                  )[1];
                return value(current, n);
              });
              const names = fields.map(([name, field]) => backend.quote(columnOf(name, field)));
              await backend
                .execute(
                  `INSERT INTO ${backend.quote(tableOf(model))} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
                  values,
                )
                // Two booleans cannot be three different values: such a table has two rows.
                .catch(() => {});
            }
          }
        } finally {
          await databases.close();
        }
      }),
      { numRuns: RUNS * 3 },
    );
    assert.ok(succeeded > 0 && refused > 0, `${succeeded} succeeded, ${refused} refused`);
  });
});
