import assert from 'node:assert/strict';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { TestProject } from './project.ts';

const projects: TestProject[] = [];
function project(): TestProject {
  const made = new TestProject();
  projects.push(made);
  return made;
}
after(() => {
  for (const one of projects) one.remove();
});

const BASE = `class Author extends Model({ name: text({ maxLength: 100 }) }) {}
class Article extends Model({ title: text(), pages: text({ default: '1' }), get author() { return foreignKey(Author); } }) {}`;
const NAMES = ['Author', 'Article'];

async function ready(): Promise<TestProject> {
  const made = project().models(BASE, NAMES);
  assert.equal((await made.run('makemigrations')).code, 0);
  const { code, err } = await made.run('migrate');
  assert.equal(code, 0, err);
  return made;
}

const file = (operations: string, rest = '', dependency = 'shop.0001_initial'): string =>
  `import * as m from 'sobaya/db/migrations';
const { field } = m;
export default m.migration({ dependencies: ['${dependency}'], ${rest} operations: [${operations}] });
`;
const tags = (name: string): string =>
  `m.addField({ model: 'Author', name: '${name}', field: field.text({ null: true }) })`;

describe('a table made anew on SQLite loses nothing', () => {
  it('keeps rows, keys, counters, triggers, views and indexes made by hand', async () => {
    const made = await ready();
    made.sql("INSERT INTO shop_author (id, name) VALUES (1, 'A'), (2, 'B'), (50, 'gone')");
    made.sql('DELETE FROM shop_author WHERE id = 50');
    made.sql("INSERT INTO shop_article (title, pages, author_id) VALUES ('x', '3', 1), ('y', '4', 2)");
    made.sql('CREATE TABLE log (author_id integer REFERENCES shop_author (id) ON DELETE CASCADE, note text)');
    made.sql("INSERT INTO log VALUES (1, 'by hand')");
    made.sql('CREATE INDEX by_hand ON shop_author (name COLLATE NOCASE)');
    made.sql('CREATE VIEW names AS SELECT name FROM shop_author');
    made.sql(
      "CREATE TRIGGER noted AFTER UPDATE ON shop_author BEGIN INSERT INTO log VALUES (new.id, 'updated'); END",
    );
    made.models(BASE.replace('maxLength: 100', "maxLength: 120, dbDefault: 'nobody'"), NAMES);
    await made.run('makemigrations');
    const { code, err } = await made.run('migrate');
    assert.equal(code, 0, err);
    assert.match(
      String(made.sql("SELECT sql FROM sqlite_schema WHERE name = 'shop_author'")[0]),
      /varchar\(120\) NOT NULL DEFAULT 'nobody'/,
    );
    assert.deepEqual(made.sql('SELECT id, name FROM shop_author ORDER BY id'), [
      [1, 'A'],
      [2, 'B'],
    ]);
    assert.deepEqual(made.sql('SELECT author_id, note FROM log'), [[1, 'by hand']]);
    assert.deepEqual(made.sql('SELECT name FROM names ORDER BY 1'), [['A'], ['B']]);
    assert.deepEqual(made.sql("SELECT seq FROM sqlite_sequence WHERE name = 'shop_author'"), [[50]]);
    made.sql("UPDATE shop_author SET name = 'C' WHERE id = 2");
    assert.deepEqual(made.sql('SELECT count(*) FROM log'), [[2]]);
    assert.equal(made.sql("SELECT 1 FROM sqlite_schema WHERE name = 'by_hand'").length, 1);
    assert.deepEqual(made.sql('PRAGMA foreign_key_check'), []);
    // Renaming a column takes triggers and views along.
    made.models(
      BASE.replace(
        'name: text({ maxLength: 100 })',
        "fullName: text({ maxLength: 120, dbDefault: 'nobody' })",
      ),
      NAMES,
    );
    assert.equal((await made.run('makemigrations', '--rename', 'shop.Author.name=fullName')).code, 0);
    assert.equal((await made.run('migrate')).code, 0);
    assert.deepEqual(made.sql('SELECT * FROM names ORDER BY 1'), [['A'], ['C']]);
  });

  it('refuses values that the new type cannot hold, and names one', async () => {
    const made = await ready();
    made.sql("INSERT INTO shop_author (name) VALUES ('A')");
    made.sql("INSERT INTO shop_article (title, pages, author_id) VALUES ('x', '3', 1), ('y', 'many', 1)");
    made.models(BASE.replace("pages: text({ default: '1' })", 'pages: integer({ default: 1 })'), NAMES);
    await made.run('makemigrations');
    const { code, err } = await made.run('migrate');
    assert.equal(code, 1);
    assert.match(
      err,
      /1 row of shop_article holds a value in pages that integer cannot hold, such as "many"/,
    );
    assert.match(err, /the database is as it was before shop\.0002/);
    assert.deepEqual(made.sql('SELECT pages FROM shop_article ORDER BY id'), [['3'], ['many']]);
    made.sql("UPDATE shop_article SET pages = '5' WHERE pages = 'many'");
    assert.equal((await made.run('migrate')).code, 0);
    assert.deepEqual(made.sql('SELECT pages, typeof(pages) FROM shop_article ORDER BY id'), [
      [3, 'integer'],
      [5, 'integer'],
    ]);
  });
});

describe('what goes wrong with files', () => {
  it('names conflicting leaves, and merges them', async () => {
    const made = await ready();
    made.write('shop/migrations/0002_a.ts', file(tags('a')));
    made.write('shop/migrations/0002_b.ts', file(tags('b')));
    const failed = await made.run('migrate');
    assert.equal(failed.code, 2);
    assert.match(failed.err, /The app "shop" has several last migrations: 0002_a, 0002_b/);
    assert.match(failed.err, /sobaya makemigrations --merge\. Nothing was changed in the database/);
    assert.equal((await made.run('makemigrations', '--merge')).code, 0);
    assert.deepEqual(made.files(), ['0001_initial.ts', '0002_a.ts', '0002_b.ts', '0003_merge_a_b.ts']);
    const { code, out } = await made.run('migrate');
    assert.equal(code, 0);
    assert.match(out, /applied shop\.0003_merge_a_b/);
  });

  it('refuses to merge branches that change the same field', async () => {
    const made = await ready();
    const alter = (length: number): string =>
      `m.alterField({ model: 'Author', name: 'name', field: field.text({ maxLength: ${length} }) })`;
    made.write('shop/migrations/0002_a.ts', file(alter(1)));
    made.write('shop/migrations/0002_b.ts', file(alter(2)));
    assert.match(
      (await made.run('makemigrations', '--merge')).err,
      /do not go together: "Alter field name on Author" and "Alter field name on Author"/,
    );
  });

  it('names missing parents, cycles, what is no migration, and what does not parse', async () => {
    const made = await ready();
    const path = 'shop/migrations/0002_a.ts';
    const fails = async (text: string, message: RegExp): Promise<void> => {
      made.write(path, text);
      const { code, err } = await made.run('migrate');
      assert.equal(code, 2, err);
      assert.match(err, message);
    };
    await fails(
      file(tags('a'), '', 'shop.0001_intial'),
      /shop\.0002_a depends on shop\.0001_intial, which does not exist.*\n.*0001_initial, 0002_a\. Bring the file back/,
    );
    made.write('shop/migrations/0003_b.ts', file(tags('b'), '', 'shop.0002_a'));
    await fails(
      file(tags('a'), '', 'shop.0003_b'),
      /wait for each other: shop\.0002_a → shop\.0003_b → shop\.0002_a|wait for each other: shop\.0003_b → shop\.0002_a → shop\.0003_b/,
    );
    rmSync(join(made.folder, 'shop/migrations/0003_b.ts'));
    await fails('export default { operations: [] };', /The migration file exports an object as its default/);
    await fails('export default {', /The migration file cannot be imported: SyntaxError/);
    await fails(
      file("m.addField({ model: 'Autor', name: 'x', field: field.text({ null: true }) })"),
      /There is no model shop\.Autor/,
    );
    assert.deepEqual(made.sql('SELECT name FROM sobaya_migrations'), [['0001_initial']]);
  });

  it('notices an applied file that was edited, but not one that was formatted', async () => {
    const made = await ready();
    const path = 'shop/migrations/0001_initial.ts';
    const text = made.read(path);
    made.write(path, `// a comment\n${text.replaceAll('  ', '    ')}`);
    assert.match((await made.run('migrate')).out, /Nothing to migrate/);
    made.write(path, text.replace('maxLength: 100', 'maxLength: 90'));
    const { code, err } = await made.run('migrate');
    assert.equal(code, 1);
    assert.match(err, /Edited since the database "default" had it: shop\.0001_initial/);
    assert.match(err, /--accept-edited/);
    assert.match((await made.run('showmigrations')).out, /edited since/);
    assert.equal((await made.run('migrate', '--accept-edited')).code, 0);
    assert.equal((await made.run('migrate')).code, 0);
  });

  it('refuses to go back over what cannot be undone, before anything is done', async () => {
    const made = await ready();
    made.write('shop/migrations/0002_a.ts', file(tags('a')));
    made.write(
      'shop/migrations/0003_b.ts',
      file('m.runSql({ sql: "UPDATE shop_author SET name = \'x\'" })', '', 'shop.0002_a'),
    );
    assert.equal((await made.run('migrate')).code, 0);
    const { code, err } = await made.run('migrate', 'shop', 'zero');
    assert.equal(code, 2);
    assert.match(err, /shop\.0003_b cannot be taken back: "Run SQL" is not reversible/);
    assert.equal(made.sql('SELECT count(*) FROM sobaya_migrations')[0]?.[0], 3);
  });
});

describe('deployment', () => {
  it('two deployers at once apply each migration once', async () => {
    const made = project().models(BASE, NAMES);
    await made.run('makemigrations');
    for (let n = 2; n < 12; n++)
      made.write(
        `shop/migrations/${String(n).padStart(4, '0')}_f${n}.ts`,
        file(
          tags(`f${n}`),
          '',
          n === 2 ? 'shop.0001_initial' : `shop.${String(n - 1).padStart(4, '0')}_f${n - 1}`,
        ),
      );
    const outcomes = await Promise.all([made.run('migrate'), made.run('migrate'), made.run('migrate')]);
    for (const { code, err } of outcomes) assert.equal(code, 0, err);
    assert.equal(made.sql("SELECT count(*) FROM pragma_table_info('shop_author')")[0]?.[0], 12);
    assert.equal(made.sql('SELECT count(*) FROM sobaya_migrations')[0]?.[0], 11);
  });

  it('a process killed between two statements leaves the database as it was', async () => {
    const made = await ready();
    made.write(
      'shop/migrations/0002_killed.ts',
      file(
        `${tags('a')}, m.runCode({ forwards: async () => { if (process.env['SOBAYA_KILL']) process.kill(process.pid, 'SIGKILL'); } }), ${tags('b')}`,
      ),
    );
    process.env['SOBAYA_KILL'] = '1';
    try {
      assert.notEqual((await made.run('migrate')).code, 0);
    } finally {
      delete process.env['SOBAYA_KILL'];
    }
    assert.deepEqual(made.sql("SELECT name FROM pragma_table_info('shop_author')"), [['id'], ['name']]);
    assert.equal((await made.run('migrate')).code, 0);
    assert.equal(made.sql("SELECT count(*) FROM pragma_table_info('shop_author')")[0]?.[0], 4);
  });

  it('a migration without one transaction goes on where it stopped, forwards and backwards', async () => {
    const made = await ready();
    made.write(
      'shop/migrations/0002_steps.ts',
      file(
        `${tags('a')}, m.runSql({ sql: 'INSERT INTO log VALUES (1)', reverseSql: '' }), ${tags('b')}`,
        'atomic: false,',
      ),
    );
    const failed = await made.run('migrate');
    assert.equal(failed.code, 1);
    assert.match(failed.err, /at operation 2 of 3, Run SQL: no such table: log/);
    assert.match(failed.err, /1 of its 3 operations is applied and recorded, the failed one was rolled back/);
    assert.match((await made.run('showmigrations')).out, /\[~\] 0002_steps \(1 of 3 operations\)/);
    made.sql('CREATE TABLE log (x)');
    const { out, code } = await made.run('migrate');
    assert.equal(code, 0);
    assert.match(out, /going on after its first 1 operations/);
    assert.deepEqual(made.sql('SELECT x FROM log'), [[1]]);
    assert.equal((await made.run('migrate', 'shop', '0001')).code, 0);
    assert.deepEqual(made.sql("SELECT name FROM pragma_table_info('shop_author')"), [['id'], ['name']]);
  });

  it('records without running: --fake and --fake-initial', async () => {
    const made = await ready();
    made.sql('DROP TABLE sobaya_migrations');
    assert.match((await made.run('migrate')).err, /table "shop_author" already exists/);
    assert.match(
      (await made.run('migrate', '--fake-initial')).out,
      /applied shop\.0001_initial \(recorded only\)/,
    );
    assert.match(
      (await made.run('migrate', '--fake', 'shop', 'zero')).out,
      /took back shop\.0001_initial \(recorded only\)/,
    );
    assert.equal((await made.run('migrate', '--fake')).code, 0);
    assert.deepEqual(made.sql('SELECT count(*) FROM shop_author'), [[0]]);
  });

  it('says what to do without the right to write', {
    skip: process.getuid?.() === 0 ? 'root may write everything' : false,
  }, async () => {
    const made = project().models(BASE, NAMES);
    await made.run('makemigrations');
    made.sql('CREATE TABLE x (y)');
    chmodSync(join(made.folder, 'db.sqlite3'), 0o444);
    assert.match((await made.run('migrate')).err, /cannot keep its record of migrations/);
  });

  it('says what to do when the disk is full', async () => {
    const made = project().models(BASE, NAMES);
    await made.run('makemigrations');
    made.app(
      made
        .read('app.ts')
        .replace(
          "{ default: 'sqlite:",
          "{ default: { engine: 'sqlite', pragmas: ['PRAGMA max_page_count = 4'], file: '",
        )
        .replace(".sqlite3' }", ".sqlite3' } }"),
    );
    const { code, err } = await made.run('migrate');
    assert.equal(code, 1);
    assert.match(err, /shop\.0001_initial failed at operation .*database or disk is full/);
    assert.match(err, /the database is as it was/);
    assert.deepEqual(made.sql("SELECT name FROM sqlite_schema WHERE name LIKE 'shop%'"), []);
  });
});

describe('data steps and options', () => {
  afterEach(() => {});

  it('gives historical models with queries, inside the transaction of the migration', async () => {
    const made = await ready();
    made.sql("INSERT INTO shop_author (name) VALUES ('Issa'), ('Buson')");
    made.models(
      BASE.replace(
        'name: text({ maxLength: 100 })',
        'name: text({ maxLength: 100 }), shout: text({ null: true })',
      ),
      NAMES,
    );
    await made.run('makemigrations');
    made.write(
      'shop/migrations/0003_shout.ts',
      `import { migration, runCode } from 'sobaya/db/migrations';
import { text } from 'sobaya/db';
export default migration({ dependencies: ['shop.0002_author_shout'], operations: [runCode({
  async forwards(apps) {
    const Author = apps.model('shop.Author', { name: text({ maxLength: 100 }), shout: text({ null: true }) });
    for (const author of await Author.all()) {
      author.shout = author.name.toUpperCase();
      await author.save();
    }
    await Author.create({ name: 'New', shout: null });
    if ((await Author.count()) !== 3) throw new Error('not inside');
    if (process.env['SOBAYA_FAIL']) throw new Error('on purpose');
  },
  async backwards(apps) {
    await apps.model('shop.Author', { name: text({ maxLength: 100 }) }).filter({ name: 'New' }).delete();
  },
})] });
`,
    );
    process.env['SOBAYA_FAIL'] = '1';
    try {
      const { err } = await made.run('migrate');
      assert.match(err, /shop\.0003_shout failed at operation 1 of 1, Run code: on purpose/);
    } finally {
      delete process.env['SOBAYA_FAIL'];
    }
    assert.deepEqual(made.sql('SELECT name, shout FROM shop_author'), [
      ['Issa', null],
      ['Buson', null],
    ]);
    const { code, err } = await made.run('migrate');
    assert.equal(code, 0, err);
    assert.deepEqual(made.sql('SELECT name, shout FROM shop_author'), [
      ['Issa', 'ISSA'],
      ['Buson', 'BUSON'],
      ['New', null],
    ]);
    assert.equal((await made.run('migrate', 'shop', '0002')).code, 0);
    assert.deepEqual(made.sql('SELECT count(*) FROM shop_author'), [[2]]);
  });

  it('makes indexes, constraints and tables between models', async () => {
    const made = project().models(
      `class Author extends Model({ name: text({ maxLength: 100 }), age: integer() }, {
  indexes: [db.index({ fields: ['-age', 'name'] }), db.index({ name: 'lower_idx', expressions: [{ sql: 'lower(name)' }] }), db.index({ name: 'adults_idx', fields: ['name'], condition: { age__gte: 18 } })],
  constraints: [db.checkConstraint({ name: 'age_ok', check: db.Q({ age__gte: 0 }).and({ age__lt: 200 }) }), db.uniqueConstraint({ name: 'name_age', fields: ['name', 'age'] })],
}) {}
class Group extends Model({ name: text(), get members() { return manyToMany(Author, { through: () => Membership }); } }) {}
class Membership extends Model({ get group() { return foreignKey(Group); }, get author() { return foreignKey(Author); }, since: date() }) {}`,
      ['Author', 'Group', 'Membership'],
    );
    const first = await made.run('makemigrations');
    assert.equal(first.code, 0, first.err);
    const { code, err } = await made.run('migrate');
    assert.equal(code, 0, err);
    const sql = made
      .sql("SELECT sql FROM sqlite_schema WHERE tbl_name LIKE 'shop%' AND sql IS NOT NULL")
      .map(String)
      .join('\n');
    assert.match(sql, /CHECK \(\("age" >= 0\) AND \("age" < 200\)\)/);
    assert.match(sql, /ON "shop_author" \("age" DESC, "name"\)/);
    assert.match(sql, /"lower_idx" ON "shop_author" \(\(lower\(name\)\)\)/);
    assert.match(sql, /"adults_idx" ON "shop_author" \("name"\) WHERE "age" >= 18/);
    assert.throws(() => made.sql("INSERT INTO shop_author (name, age) VALUES ('x', 200)"), /age_ok/);
    assert.match((await made.run('makemigrations')).out, /No changes detected/);
    assert.match((await made.run('driftcheck')).out, /3 tables are as the models want them/);
  });
});
