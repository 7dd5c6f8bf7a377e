import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PostgresDatabase, postgresMissing } from './postgres.ts';
import { TestProject } from './project.ts';

const missing = await postgresMissing();
const NAMES = ['Author', 'Article', 'Tag'];
const MODELS = (author = '', article = ''): string => `
class Author extends Model({ name: text({ maxLength: 100, unique: true }), born: dateTime({ null: true }), big: db.bigInteger({ default: 0n }), words: db.array(text(), { default: [] }), d: db.duration({ null: true }), ip: db.ipAddress({ null: true }), bin: db.binary({ null: true }), u: uuid({ null: true })${author} }, { comment: 'who writes', indexes: [db.index({ fields: ['words'], using: 'gin', name: 'words_gin' })] }) {}
class Article extends Model({ title: text({ maxLength: 200, comment: 'on the cover' }), get author() { return foreignKey(Author); }, get tags() { return manyToMany(Tag); }${article} }) {}
class Tag extends Model({ name: slug(), data: json({ null: true }), price: decimal({ maxDigits: 8, decimalPlaces: 2, null: true }) }) {}`;

describe('the commands on PostgreSQL', { skip: missing }, () => {
  const database = new PostgresDatabase();
  const project = new TestProject();
  const models = (...changes: string[]): void => {
    project.models(MODELS(...changes), NAMES);
    project.app(project.read('app.ts').replace(/'sqlite:[^']*'/, `'${database.url}'`));
  };
  const ok = async (...words: string[]): Promise<string> => {
    const { code, out, err } = await project.run(...words);
    assert.equal(code, 0, err);
    return out;
  };
  before(async () => {
    await database.create();
    models();
  });
  after(async () => {
    project.remove();
    await database.drop();
  });

  it('makes tables that hold what the models hold, and finds them as they should be', async () => {
    await ok('makemigrations');
    assert.match(await ok('migrate'), /applied shop\.0001_initial/);
    assert.match(await ok('migrate'), /Nothing to migrate/);
    assert.match(await ok('driftcheck'), /4 tables are as the models want them/);
    const { rows } = await database
      .get()
      .query(
        "SELECT obj_description('shop_author'::regclass), col_description('shop_article'::regclass, 2), (SELECT amname::text FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname = 'words_gin')",
      );
    assert.deepEqual(rows, [['who writes', 'on the cover', 'gin']]);
  });

  it('dumps and loads every value unchanged, and counts keys on', async () => {
    const code = `const a = await Author.create({ name: 'Issa', born: new Date('2020-01-01T10:00:00.25Z'), big: 9007199254740993n, words: ['x', "it's"], d: 1500.5, ip: '10.0.0.1', bin: new Uint8Array([1, 2, 255]), u: '0f8fad5b-d9cb-469f-a165-70867728950e' });
const t = await Tag.create({ name: 'frog', data: { a: [1, null, 'é'] }, price: '1.50' });
const b = await Article.create({ title: "It's", author: a });
await b.tags.add(t);`;
    await ok('shell', '-c', code);
    await ok('dumpdata', '-o', 'one.json');
    await ok('flush', '--no-input');
    await ok('loaddata', 'one.json');
    await ok('dumpdata', '-o', 'two.json');
    assert.equal(project.read('two.json'), project.read('one.json'));
    assert.match(project.read('one.json'), /"big":"9007199254740993","words":\["x","it's"\],"d":1500\.5/);
    assert.equal(await ok('shell', '-c', "console.log((await Author.create({ name: 'B' })).id)"), '2\n');
    assert.match(
      await ok('sqlsequencereset'),
      /SELECT setval\(pg_get_serial_sequence\('"shop_author"', 'id'\)/,
    );
    project.write('bad.json', '[{"model":"shop.Article","pk":9,"fields":{"title":"q","author":77}}]');
    assert.match(
      (await project.run('loaddata', 'bad.json')).err,
      /Key \(author_id\)=\(77\) is not present.*\n {2}Nothing was loaded/,
    );
  });

  it('changes tables with rows in them, and takes it back', async () => {
    models(', code: integer({ default: 4, unique: false })', ', words: text({ null: true })');
    await ok('makemigrations');
    assert.match(await ok('migrate'), /applied shop\.0002_/);
    assert.deepEqual((await database.get().query('SELECT DISTINCT code FROM shop_author')).rows, [[4]]);
    await ok('migrate', 'shop', '0001');
    assert.match(await ok('showmigrations'), /\[x\] 0001_initial\n \[ \] 0002_/);
  });

  it('leaves the database as it was when a migration fails half-way', async () => {
    await ok('migrate');
    const [, second = ''] = project.files();
    project.write(
      'shop/migrations/0003_broken.ts',
      `import { addField, field, migration, runSql } from 'sobaya/db/migrations';
export default migration({ dependencies: ['shop.${second.replace('.ts', '')}'], operations: [
  addField({ model: 'Tag', name: 'x', field: field.text({ null: true }) }), runSql({ sql: 'SELECT 1/0' }) ] });
`,
    );
    const { code, err } = await project.run('migrate');
    assert.equal(code, 1);
    assert.match(
      err,
      /shop\.0003_broken failed at operation 2 of 2, Run SQL: division by zero \(SQL: SELECT 1\/0\)/,
    );
    assert.deepEqual(
      (
        await database
          .get()
          .query(
            "SELECT 1 FROM information_schema.columns WHERE table_name = 'shop_tag' AND column_name = 'x'",
          )
      ).rows,
      [],
    );
  });

  it('writes models for the live tables', async () => {
    const out = await ok('inspectdb');
    assert.match(out, /words: array\(text\(\)/);
    assert.match(out, /price: decimal\(\{ maxDigits: 8, decimalPlaces: 2, null: true \}\)/);
    assert.match(out, /get author\(\) \{\n {6}return foreignKey\(ShopAuthor\);/);
  });
});
