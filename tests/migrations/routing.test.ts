import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Databases, text } from '../../src/db/index.ts';
import {
  addField,
  createModel,
  field,
  Migration,
  MigrationExecutor,
  MigrationLoader,
  MigrationTester,
  runCode,
} from '../../src/db/migrations/index.ts';

const model = (name: string): ReturnType<typeof createModel> =>
  createModel({ name, fields: { id: field.bigAuto({ primaryKey: true }), name: field.text() } });
const memory = { engine: 'sqlite', file: ':memory:', inline: 'always' } as const;

describe('several databases', () => {
  it('a router and `databases` say where migrations do something; they are recorded everywhere', async () => {
    const databases = await new Databases(
      { default: memory, logs: memory },
      { router: { migrate: (alias, app) => (app === 'log' ? alias === 'logs' : undefined) } },
    ).open();
    try {
      const loader = MigrationLoader.of([
        new Migration('log', '0001_initial', { operations: [model('Entry')] }),
        new Migration('shop', '0001_initial', { databases: ['default'], operations: [model('Author')] }),
      ]);
      for (const alias of ['default', 'logs']) {
        const executor = new MigrationExecutor(databases, loader, alias);
        await executor.migrate();
        assert.deepEqual(await executor.plan(), []);
        const { rows } = await databases
          .get(alias)
          .query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY 1",
          );
        assert.deepEqual(rows.flat(), [alias === 'logs' ? 'log_entry' : 'shop_author', 'sobaya_migrations']);
      }
    } finally {
      await databases.close();
    }
  });
});

describe('MigrationTester', () => {
  it('leads a database through its history with rows in it', async () => {
    const databases = await new Databases({ default: memory }).open();
    try {
      const loader = MigrationLoader.of([
        new Migration('shop', '0001_initial', { operations: [model('Author')] }),
        new Migration('shop', '0002_shout', {
          dependencies: ['shop.0001_initial'],
          operations: [
            addField({ model: 'Author', name: 'shout', field: field.text({ null: true }) }),
            runCode({
              async forwards(apps) {
                const Author = apps.model('shop.Author', { name: text(), shout: text({ null: true }) });
                for (const author of await Author.all()) {
                  author.shout = author.name.toUpperCase();
                  await author.save();
                }
              },
              async backwards() {},
            }),
          ],
        }),
      ]);
      const history = new MigrationTester(databases, loader);
      await history.to('shop.0001');
      await history.run(async (apps) => {
        await apps.model('shop.Author', { name: text() }).create({ name: 'Issa' });
      });
      await history.thereAndBack('shop.0002');
      const shouts = await history.run(async (apps) => {
        const rows = await apps.model('shop.Author', { shout: text({ null: true }) }).all();
        return [...rows].map((row) => row.shout);
      });
      assert.deepEqual(shouts, ['ISSA']);
      await assert.rejects(
        history.run((apps) => apps.model('shop.Author', { nme: text() })),
        /shop\.Author has no field "nme" at this point/,
      );
      await assert.rejects(
        history.run((apps) => apps.model('shop.Author', { shout: text() })),
        /shop\.Author\.shout was text, may be null at this point of the migrations, the data step takes it for text/,
      );
      await history.to('shop.zero');
    } finally {
      await databases.close();
    }
  });
});
