import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { createApp, defineApp, JsonResponse, path } from 'sobaya';
import { Databases, Model, positiveInteger, text } from 'sobaya/db';
import { Client, isolate, setupDatabases } from 'sobaya/test';
import { serverOrSkip } from '../db/support/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

class Bowl extends Model({ name: text({ maxLength: 20 }), size: positiveInteger({ default: 1 }) }) {}
class Cup extends Model({ name: text({ maxLength: 20 }) }) {}

/** One app whose migration makes a row: that it ran can be seen. One app without migrations. */
function application(url: string) {
  return createApp({
    debug: false,
    apps: [
      defineApp({
        label: 'tableware',
        models: [Bowl],
        migrations: new URL('./fixtures/tableware/', import.meta.url),
      }),
      defineApp({ label: 'cups', models: [Cup] }),
    ],
    urls: [path('', async () => new JsonResponse(await Bowl.all().count()))],
    databases: { default: url },
  });
}

for (const engine of ['sqlite', 'postgresql'] as const) {
  const server = serverOrSkip('setup');
  suite(`test databases, ${engine}`, { skip: engine === 'postgresql' && server.skip }, () => {
    test('are empty but for what migrations put there, and the own ones are left alone', async () => {
      const url = engine === 'sqlite' ? `sqlite:${join(folder, 'own.sqlite3')}` : await server.url();
      const app = application(url);
      const own = app.databases.get();
      const databases = await setupDatabases(app);
      try {
        assert.notEqual(app.databases.get(), own);
        await isolate(app, async () => {
          await using client = new Client(app);
          await Bowl.create({ name: 'of the test' });
          await Cup.create({ name: 'without migrations' });
          assert.equal((await client.get('/')).text, '2');
        })();
        await app.databases.run(async () => {
          assert.deepEqual(await Bowl.all().valuesList('name', { flat: true }), ['from the migration']);
          assert.equal(await Cup.all().count(), 0);
        });
        await assert.rejects(setupDatabases(app), { code: 'SBY_DB_OPEN' });
      } finally {
        await databases.close();
      }
      assert.deepEqual(
        app.databases.optionsOf(),
        own === app.databases.get() ? {} : app.databases.optionsOf(),
      );
      const mine = await new Databases({ default: url }).open();
      try {
        await assert.rejects(
          mine.run(async () => await Bowl.all().count()),
          /no such table|does not exist/,
        );
      } finally {
        await mine.close();
      }
      if (engine === 'postgresql') await server.drop();
    });
  });
}
