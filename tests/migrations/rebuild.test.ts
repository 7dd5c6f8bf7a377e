/** Tables made anew on SQLite: what was given to them by hand is kept. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Databases } from '../../src/db/index.ts';
import {
  addField,
  alterField,
  createModel,
  field,
  Migration,
  MigrationExecutor,
  MigrationLoader,
  type Operation,
} from '../../src/db/migrations/index.ts';

const FIRST = new Migration('shop', '0001_initial', {
  initial: true,
  operations: [
    createModel({ name: 'Author', fields: { id: field.bigAuto({ primaryKey: true }), name: field.text() } }),
    createModel({
      name: 'Article',
      fields: {
        code: field.text({ primaryKey: true }),
        title: field.text(),
        pages: field.integer({ null: true }),
        author: field.foreignKey('shop.Author', { null: true }),
      },
    }),
  ],
});

/** The table of Article is made by hand; then operations change it. */
async function changed(
  sql: string,
  operations: readonly Operation[],
  look: (
    read: (sql: string) => Promise<readonly unknown[][]>,
    run: (sql: string) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const databases = await new Databases({
    default: { engine: 'sqlite', file: ':memory:', inline: 'always' },
  }).open();
  try {
    const backend = databases.get();
    const history = (...more: Migration[]): MigrationExecutor =>
      new MigrationExecutor(databases, MigrationLoader.of([FIRST, ...more]));
    await history().migrate();
    await backend.script(`DROP TABLE shop_article; ${sql}`);
    await history(
      new Migration('shop', '0002_change', {
        dependencies: ['shop.0001_initial'],
        operations: [...operations],
      }),
    )
      .migrate()
      .catch(async (error) => {
        // The connection is as it was.
        assert.deepEqual((await backend.query('PRAGMA legacy_alter_table')).rows, [[0]]);
        assert.deepEqual((await backend.query('PRAGMA foreign_keys')).rows, [[1]]);
        throw error;
      });
    await look(
      async (query) => (await backend.query(query)).rows as unknown[][],
      (script) => backend.script(script),
    );
  } finally {
    await databases.close();
  }
}
const LONGER = alterField({ model: 'Article', name: 'title', field: field.text({ maxLength: 100 }) });

describe('a table made anew on SQLite', () => {
  it('stays STRICT and WITHOUT ROWID, with the collations, checks and foreign keys of its owner', async () => {
    await changed(
      `CREATE TABLE shop_article ("code" TEXT NOT NULL PRIMARY KEY, title text NOT NULL COLLATE NOCASE,
         pages integer NULL CHECK (pages > 0), author_id integer NULL REFERENCES shop_author (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
         CONSTRAINT short CHECK (length(title) < 50), FOREIGN KEY (pages) REFERENCES shop_author) STRICT, WITHOUT ROWID;
       INSERT INTO shop_author VALUES (1, 'A'); INSERT INTO shop_article VALUES ('x', 'Title', 1, 1)`,
      [
        LONGER,
        addField({
          model: 'Article',
          name: 'price',
          field: field.decimal({ maxDigits: 5, decimalPlaces: 2, default: '0' }),
        }),
      ],
      async (read, run) => {
        const [[sql]] = (await read("SELECT sql FROM sqlite_schema WHERE name = 'shop_article'")) as [
          [string],
        ];
        assert.match(sql, /STRICT, WITHOUT ROWID$/);
        assert.deepEqual(await read("SELECT code, pages, price FROM shop_article WHERE title = 'TITLE'"), [
          ['x', 1, '0'],
        ]);
        await assert.rejects(
          run("INSERT INTO shop_article VALUES ('y', 'z', 0, NULL, '1')"),
          /CHECK|constraint/i,
        );
        await assert.rejects(run(`UPDATE shop_article SET title = '${'x'.repeat(60)}'`), /short/);
        await assert.rejects(run('UPDATE shop_article SET pages = 7'), /FOREIGN KEY|refers to/i);
        await run('UPDATE shop_article SET pages = NULL; DELETE FROM shop_author');
        assert.deepEqual(await read('SELECT count(*) FROM shop_article'), [[0]]);
      },
    );
  });

  it('keeps partial and expression indexes, triggers that call it, and views on views', async () => {
    await changed(
      `CREATE TABLE shop_article (code text PRIMARY KEY, title text NOT NULL, pages integer NULL, author_id bigint NULL);
       CREATE INDEX partial ON shop_article (pages) WHERE pages > 10;
       CREATE UNIQUE INDEX upper_title ON shop_article (upper(title), code DESC);
       CREATE VIEW long AS SELECT * FROM shop_article WHERE pages > 10;
       CREATE VIEW titles AS SELECT title FROM long;
       CREATE TRIGGER into_view INSTEAD OF INSERT ON titles BEGIN INSERT INTO shop_article (code, title) VALUES (new.title, new.title); END;
       CREATE TRIGGER elsewhere AFTER INSERT ON shop_author BEGIN UPDATE shop_article SET pages = pages + 1; END;
       INSERT INTO shop_article VALUES ('x', 'T', 20, NULL)`,
      [LONGER],
      async (read, run) => {
        await run("INSERT INTO titles VALUES ('new'); INSERT INTO shop_author (name) VALUES ('A')");
        assert.deepEqual(await read('SELECT code, pages FROM shop_article ORDER BY code'), [
          ['new', null],
          ['x', 21],
        ]);
        assert.deepEqual(await read('SELECT title FROM titles'), [['T']]);
        assert.deepEqual(
          await read(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND name IN ('partial', 'upper_title') ORDER BY 1",
          ),
          [['partial'], ['upper_title']],
        );
      },
    );
  });

  it('refuses to leave rows of other tables pointing at nothing', async () => {
    await assert.rejects(
      changed(
        `CREATE TABLE shop_article (code text PRIMARY KEY, title text NOT NULL, pages integer NULL, author_id bigint NULL);
         CREATE TABLE note (code text REFERENCES shop_article (code) DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO shop_article (code, title) VALUES ('0F8FAD5B-D9CB-469F-A165-70867728950E', 'Bond'); INSERT INTO note SELECT code FROM shop_article`,
        [alterField({ model: 'Article', name: 'code', field: field.uuid({ primaryKey: true }) })],
        async () => {},
      ),
      /1 row, the first in note, would point to a row of shop_article/,
    );
  });

  it('that could not be made leaves the connection as it was', async () => {
    await assert.rejects(
      changed(
        'CREATE TABLE shop_article (code text PRIMARY KEY, title text NOT NULL, pages integer NULL, author_id bigint NULL); CREATE VIEW sobaya_new_shop_article AS SELECT 1',
        [LONGER],
        async () => {},
      ),
      /sobaya_new_shop_article.*already exists/,
    );
  });
});
