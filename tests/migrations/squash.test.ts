import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Databases } from '../../src/db/index.ts';
import {
  addField,
  createModel,
  field,
  Migration,
  MigrationExecutor,
  MigrationLoader,
  MigrationRecorder,
  removeField,
  runSql,
  squash,
} from '../../src/db/migrations/index.ts';

const three = [
  new Migration('shop', '0001_initial', {
    initial: true,
    operations: [createModel({ name: 'Author', fields: { id: field.bigAuto({ primaryKey: true }) } })],
  }),
  new Migration('shop', '0002_name', {
    dependencies: ['shop.0001_initial'],
    operations: [
      addField({ model: 'Author', name: 'name', field: field.text({ null: true }) }),
      addField({ model: 'Author', name: 'wrong', field: field.text({ null: true }) }),
      runSql({ sql: 'SELECT 1', reverseSql: '', elidable: true }),
    ],
  }),
  new Migration('shop', '0003_mend', {
    dependencies: ['shop.0002_name'],
    operations: [removeField({ model: 'Author', name: 'wrong' })],
  }),
];
const later = new Migration('shop', '0004_more', {
  dependencies: ['shop.0003_mend'],
  operations: [addField({ model: 'Author', name: 'more', field: field.text({ null: true }) })],
});
const { migration: squashed, before, after } = squash(MigrationLoader.of(three), 'shop', { to: '0003' });

async function withDatabase(work: (databases: Databases) => Promise<void>): Promise<void> {
  const databases = await new Databases({
    default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
  }).open();
  try {
    await work(databases);
  } finally {
    await databases.close();
  }
}
const keys = async (databases: Databases): Promise<string[]> =>
  [...(await new MigrationRecorder(databases.get()).applied()).keys()].sort();
const columns = async (databases: Databases): Promise<unknown[]> =>
  (await databases.get().query("SELECT name FROM pragma_table_info('shop_author')")).rows.flat();

describe('squashing', () => {
  it('makes one operation of what several did', () => {
    assert.deepEqual([before, after], [5, 1]);
    assert.deepEqual(squashed.replaces, ['shop.0001_initial', 'shop.0002_name', 'shop.0003_mend']);
    assert.equal(squashed.name, '0001_squashed_0003_mend');
    assert.deepEqual(
      [...MigrationLoader.of([squashed]).state().models],
      [...MigrationLoader.of(three).state().models],
    );
  });

  it('runs alone on a new database, and what follows finds it', () =>
    withDatabase(async (databases) => {
      const executor = new MigrationExecutor(databases, MigrationLoader.of([...three, squashed, later]));
      await executor.migrate();
      assert.deepEqual(await keys(databases), ['shop.0001_squashed_0003_mend', 'shop.0004_more']);
      assert.deepEqual(await columns(databases), ['id', 'name', 'more']);
      await executor.migrate({ target: { app: 'shop', name: 'zero' } });
      assert.deepEqual(await keys(databases), []);
    }));

  it('counts as applied where all it replaces were, also once their files are gone', () =>
    withDatabase(async (databases) => {
      await new MigrationExecutor(databases, MigrationLoader.of(three)).migrate();
      const plan = await new MigrationExecutor(
        databases,
        MigrationLoader.of([...three, squashed, later]),
      ).migrate();
      assert.deepEqual(
        plan.map((step) => step.migration.key),
        ['shop.0004_more'],
      );
      const alone = new Migration('shop', later.name, {
        dependencies: [squashed.key],
        operations: later.operations,
      });
      assert.deepEqual(
        await new MigrationExecutor(databases, MigrationLoader.of([squashed, alone])).plan(),
        [],
      );
      assert.deepEqual(await columns(databases), ['id', 'name', 'more']);
    }));

  it('steps aside where only some were applied, and refuses when their files are gone', () =>
    withDatabase(async (databases) => {
      const [first, second, third] = three as [Migration, Migration, Migration];
      await new MigrationExecutor(databases, MigrationLoader.of([first])).migrate();
      await assert.rejects(
        new MigrationExecutor(databases, MigrationLoader.of([squashed])).migrate(),
        /has had shop\.0001_initial of what shop\.0001_squashed_0003_mend replaces, but not shop\.0002_name, shop\.0003_mend/,
      );
      await new MigrationExecutor(
        databases,
        MigrationLoader.of([first, second, third, squashed, later]),
      ).migrate();
      assert.deepEqual(await columns(databases), ['id', 'name', 'more']);
      assert.ok((await keys(databases)).includes('shop.0003_mend'));
    }));
});
