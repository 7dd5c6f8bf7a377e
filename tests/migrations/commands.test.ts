import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestProject } from './project.ts';

const FIRST = `class Author extends Model({ name: text({ maxLength: 100 }), born: dateTime({ null: true }), active: boolean({ default: true }) }) {}
class Tag extends Model({ name: slug() }) {}
class Article extends Model({ title: text({ maxLength: 200 }), views: integer({ default: 0 }), get author() { return foreignKey(Author); }, get tags() { return manyToMany(Tag); } }) {}`;
const SECOND = `class Writer extends Model({ fullName: text({ maxLength: 100 }), born: dateTime({ null: true }), active: boolean({ default: true }) }) {}
class Tag extends Model({ name: slug() }) {}
class Article extends Model({ title: text({ maxLength: 300, unique: true }), views: text(), code: integer(), get author() { return foreignKey(Writer); }, get tags() { return manyToMany(Tag); } }) {}`;

describe('makemigrations and migrate, end to end on SQLite', () => {
  let project: TestProject;
  before(() => {
    project = new TestProject();
  });
  after(() => project.remove());

  it('writes the first migration, applies it, and finds nothing more to do', async () => {
    project.models(FIRST, ['Author', 'Tag', 'Article']);
    const check = await project.run('makemigrations', '--check');
    assert.equal(check.code, 1);
    assert.match(check.err, /Migrations are missing/);
    const dry = await project.run('makemigrations', '--dry-run');
    assert.match(dry.out, /field\.foreignKey\('shop\.Author', \{ onDelete: 'cascade' \}\)/);
    const made = await project.run('makemigrations');
    assert.deepEqual([made.code, made.err], [0, '']);
    assert.deepEqual(project.files(), ['0001_initial.ts']);
    assert.match((await project.run('showmigrations')).out, /\[ \] 0001_initial/);
    assert.match((await project.run('migrate', '--plan')).out, /\+ Create model Article/);
    const migrated = await project.run('migrate');
    assert.match(migrated.out, /applied shop\.0001_initial/);
    assert.equal(migrated.code, 0);
    assert.match((await project.run('showmigrations')).out, /\[x\] 0001_initial/);
    assert.match((await project.run('migrate')).out, /Nothing to migrate/);
    assert.match((await project.run('makemigrations')).out, /No changes detected/);
    project.sql("INSERT INTO shop_author (name, active) VALUES ('Basho', 1)");
    project.sql("INSERT INTO shop_article (title, views, author_id) VALUES ('Frog', 3, 1)");
    project.sql("INSERT INTO shop_tag (name) VALUES ('haiku')");
    project.sql('INSERT INTO shop_article_tags (article_id, tag_id) VALUES (1, 1)');
  });

  it('asks nothing where there is no terminal, and says which flag answers', async () => {
    project.models(SECOND, ['Writer', 'Tag', 'Article']);
    const asked = await project.run('makemigrations');
    assert.equal(asked.code, 2);
    assert.match(asked.err, /shop\.Author is gone and shop\.Writer is new/);
    assert.match(asked.err, /--rename shop\.Author=Writer; if not, with --no-renames/);
    const fill = await project.run(
      'makemigrations',
      '--rename',
      'shop.Author=Writer',
      '--rename',
      'shop.Writer.name=fullName',
    );
    assert.match(fill.err, /shop\.Article\.code is new, may not be null, and has no default/);
    assert.match(fill.err, /--default 'shop\.Article\.code=VALUE'/);
    assert.deepEqual(project.files(), ['0001_initial.ts']);
    const wrong = await project.run(
      'makemigrations',
      '--rename',
      'shop.Author=Writer',
      '--rename',
      'shop.Writer.nme=fullName',
      '--no-renames',
    );
    assert.match(wrong.err, /--rename shop\.Writer\.nme=fullName fits no change/);
  });

  it('renames, alters and adds without losing a row, and goes back', async () => {
    const made = await project.run(
      'makemigrations',
      '--rename',
      'shop.Author=Writer',
      '--rename',
      'shop.Writer.name=fullName',
      '--default',
      'shop.Article.code=7',
      '--name',
      'writers',
    );
    assert.deepEqual([made.code, made.err], [0, '']);
    assert.match(made.out, /~ Rename model Author to Writer\n\s+~ Rename field name on Writer to fullName/);
    const before = project.sql(
      "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    const forwards = await project.run('migrate');
    assert.deepEqual([forwards.code, forwards.err], [0, '']);
    assert.deepEqual(project.sql('SELECT full_name FROM shop_writer'), [['Basho']]);
    assert.deepEqual(project.sql('SELECT title, views, typeof(views), code, author_id FROM shop_article'), [
      ['Frog', '3', 'text', 7, 1],
    ]);
    assert.deepEqual(project.sql('SELECT article_id, tag_id FROM shop_article_tags'), [[1, 1]]);
    const back = await project.run('migrate', 'shop', '0001');
    assert.match(back.out, /took back shop\.0002_writers/);
    assert.deepEqual(project.sql('SELECT name FROM shop_author'), [['Basho']]);
    assert.deepEqual(project.sql('SELECT title, views, typeof(views), author_id FROM shop_article'), [
      ['Frog', 3, 'integer', 1],
    ]);
    const after = project.sql(
      "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    assert.deepEqual(
      after.map(([name]) => name),
      before.map(([name]) => name),
    );
    const zero = await project.run('migrate', 'shop', 'zero');
    assert.equal(zero.code, 0);
    assert.deepEqual(
      project.sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'shop%'"),
      [],
    );
  });

  it('leaves the database as it was when a migration fails half-way, and says where it stands', async () => {
    await project.run('migrate');
    project.write(
      'shop/migrations/0003_broken.ts',
      `import { addField, field, migration, runSql } from 'sobaya/db/migrations';
export default migration({
  dependencies: ['shop.0002_writers'],
  operations: [
    addField({ model: 'Tag', name: 'colour', field: field.text({ null: true }) }),
    runSql({ sql: 'INSERT INTO nowhere VALUES (1)', reverseSql: '' }),
  ],
});
`,
    );
    const failed = await project.run('migrate');
    assert.equal(failed.code, 1);
    assert.match(failed.err, /shop\.0003_broken failed at operation 2 of 2, Run SQL: no such table: nowhere/);
    assert.match(failed.err, /SQL: INSERT INTO nowhere VALUES \(1\)/);
    assert.match(failed.err, /the database is as it was before shop\.0003_broken/);
    assert.deepEqual(project.sql("SELECT name FROM pragma_table_info('shop_tag')"), [['id'], ['name']]);
    assert.deepEqual(project.sql('SELECT name FROM sobaya_migrations ORDER BY name'), [
      ['0001_initial'],
      ['0002_writers'],
    ]);
  });

  it('prints the SQL of a migration without running it', async () => {
    const { out } = await project.run('sqlmigrate', 'shop', '0001');
    assert.match(out, /^BEGIN;\n-- Create model Author\nCREATE TABLE "shop_author"/);
    assert.match(out, /COMMIT;\n$/);
    assert.match(
      (await project.run('sqlmigrate', 'shop', '0001', '--backwards')).out,
      /DROP TABLE "shop_author"/,
    );
  });
});
