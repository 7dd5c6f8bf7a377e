import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { jsonObjects } from '../../src/cli/data/json-stream.ts';
import { TestProject } from './project.ts';

const MODELS = (extra = ''): string => `
class Author extends Model({ name: text({ maxLength: 100, unique: true }), born: dateTime({ null: true }), active: boolean({ default: true }) }) { static naturalKey = ['name']; }
class Tag extends Model({ name: slug(), data: json({ null: true }), price: decimal({ maxDigits: 8, decimalPlaces: 2, null: true }) }) {}
class Article extends Model({ title: text({ maxLength: 200 }), views: db.bigInteger({ default: 0n }), get author() { return foreignKey(Author); }, get tags() { return manyToMany(Tag); }${extra} }) {}`;
const NAMES = ['Author', 'Tag', 'Article'];

describe('data commands', () => {
  let project: TestProject;
  const rows = (): unknown => [
    project.sql('SELECT id, name, born, active FROM shop_author ORDER BY id'),
    project.sql('SELECT id, name, data, price FROM shop_tag ORDER BY id'),
    project.sql('SELECT id, title, CAST(views AS text), author_id FROM shop_article ORDER BY id'),
    project.sql('SELECT article_id, tag_id FROM shop_article_tags ORDER BY 1, 2'),
  ];
  before(async () => {
    project = new TestProject().models(MODELS(), NAMES);
    await project.run('makemigrations');
    const { code, err } = await project.run('migrate');
    assert.equal(code, 0, err);
    project.sql(
      "INSERT INTO shop_author (name, born, active) VALUES ('Issa', '2020-01-01 10:00:00.250000', 1), ('Buson', NULL, 0)",
    );
    project.sql(
      "INSERT INTO shop_tag (name, data, price) VALUES ('frog', '{\"a\":[1,null,\"é\"]}', '1.50'), ('moon', NULL, NULL)",
    );
    project.sql(
      "INSERT INTO shop_article (title, views, author_id) VALUES ('It''s', 9007199254740993, 2), ('U', 4, 1)",
    );
    project.sql('INSERT INTO shop_article_tags (article_id, tag_id) VALUES (1, 2), (1, 1)');
  });
  after(() => project.remove());

  it('dumps and loads every value unchanged, as an array and as lines', async () => {
    const wanted = rows();
    for (const format of ['json', 'jsonl']) {
      const dumped = await project.run('dumpdata', '--format', format, '-o', `all.${format}`);
      assert.equal(dumped.code, 0, dumped.err);
      const flushed = await project.run('flush', '--no-input');
      assert.equal(flushed.code, 0, flushed.err);
      assert.deepEqual(project.sql('SELECT count(*) FROM shop_article'), [[0]]);
      const loaded = await project.run('loaddata', `all.${format}`);
      assert.deepEqual([loaded.code, loaded.out], [0, `all.${format}: 6 rows\n`], loaded.err);
      assert.deepEqual(rows(), wanted);
      // Once more: rows that are there are changed, not doubled.
      await project.run('loaddata', `all.${format}`);
      assert.deepEqual(rows(), wanted);
    }
  });

  it('refers by natural keys', async () => {
    const { out } = await project.run(
      'dumpdata',
      '--format',
      'jsonl',
      '--natural-foreign',
      '--natural-primary',
    );
    assert.match(out, /"author":\["Buson"\]/);
    assert.doesNotMatch(out, /"model":"shop.Author","pk"/);
    await project.run('flush', '--no-input');
    project.write('natural.jsonl', out);
    project.sql("INSERT INTO shop_author (id, name, active) VALUES (77, 'Buson', 1)");
    const { code, err } = await project.run('loaddata', 'natural.jsonl');
    assert.equal(code, 0, err);
    assert.deepEqual(project.sql("SELECT author_id FROM shop_article WHERE title = 'It''s'"), [[77]]);
  });

  it('loads all of a file or nothing', async () => {
    const before = rows();
    const bad = async (text: string, message: RegExp): Promise<void> => {
      project.write('bad.json', text);
      const { code, err } = await project.run('loaddata', 'bad.json');
      assert.equal(code, 2);
      assert.match(err, message);
      assert.match(err, /Nothing was loaded/);
      assert.deepEqual(rows(), before);
    };
    const good = '{"model":"shop.Tag","pk":90,"fields":{"name":"q"}}';
    await bad(
      `[${good}, {"model":"shop.Tag","pk":91,"fields":{"nme":"q"}}]`,
      /Object 2 cannot be loaded: shop\.Tag has no field "nme"/,
    );
    await bad(`[${good}, {"model":"shop.Dish","pk":91,"fields":{}}]`, /there is no model shop\.Dish/);
    await bad(
      `[${good}, {"model":"shop.Tag","pk":91,"fields":{"name":7}}]`,
      /Object 2 .*shop\.Tag\.name got 7/,
    );
    await bad(`[${good}, {"model":`, /the file ends in the middle/);
    await bad(`${good} nonsense`, /"n" where an object should begin/);
    await bad(
      `[${good}, {"model":"shop.Article","pk":9,"fields":{"title":"q","views":1,"author":4711}}]`,
      /row 9 of shop_article refers to a row of shop_author that does not exist/,
    );
    assert.match((await project.run('loaddata', 'nowhere.json')).err, /cannot be opened: ENOENT/);
    assert.match((await project.run('dumpdata', 'shp')).err, /There is no app labelled "shp"/);
  });

  it('asks before flushing, and refuses where it cannot ask', async () => {
    const { code, err } = await project.run('flush');
    assert.equal(code, 2);
    assert.match(err, /was not confirmed.*\n.*Nothing was changed\. On a script give --no-input/);
  });

  it('finds drift between the models and the live tables', async () => {
    assert.match((await project.run('driftcheck')).out, /4 tables are as the models want them/);
    project.sql('ALTER TABLE shop_tag ADD COLUMN extra text');
    project.sql('CREATE INDEX by_hand ON shop_author (born)');
    const { code, out } = await project.run('driftcheck');
    assert.equal(code, 1);
    assert.match(out, /shop_tag: the column extra \(text\) belongs to no field/);
    assert.match(out, /shop_author: the index by_hand belongs to no field/);
  });

  it('refuses to make a table anew that holds a column of nobody', async () => {
    project.models(MODELS().replace('name: slug()', 'name: slug(), code: integer()'), NAMES);
    await project.run('makemigrations', '--default', 'shop.Tag.code=1', '--name', 'code');
    const { code, err } = await project.run('migrate');
    assert.equal(code, 1);
    assert.match(err, /The table shop_tag has columns that no model knows: extra/);
    assert.deepEqual(project.sql("SELECT count(*) FROM pragma_table_info('shop_tag')"), [[5]]);
  });

  it('writes models for a live database that type-check', async () => {
    project.sql(
      'CREATE TABLE "odd table" (a int, "b c" text NOT NULL DEFAULT \'x\', "class" real, PRIMARY KEY (a, "b c"))',
    );
    const { out, code } = await project.run('inspectdb');
    assert.equal(code, 0);
    assert.match(out, /export class ShopArticle extends Model\(/);
    assert.match(out, /get author\(\) \{\n {6}return foreignKey\(ShopAuthor\);/);
    assert.match(out, /bC: text\(\{ column: 'b c', dbDefault: 'x' \}\)/);
    assert.match(out, /TODO the primary key is \(a, b c\)/);
    project.write('models.ts', out);
    const tsc = resolve(import.meta.dirname, '../../node_modules/.bin/tsc');
    const options =
      '--noEmit --strict --target esnext --module nodenext --allowImportingTsExtensions --erasableSyntaxOnly --skipLibCheck --customConditions sobaya:source --types node --typeRoots node_modules/sobaya/node_modules/@types';
    execFileSync(tsc, [...options.split(' '), 'models.ts', 'shop/migrations/0001_initial.ts'], {
      cwd: project.folder,
    });
    assert.match((await project.run('inspectdb', 'nowhere')).err, /The database has no table "nowhere"/);
  });

  it('runs code with the models in sobaya shell', async () => {
    const one = await project.run(
      'shell',
      '-c',
      'console.log(Author.name, (await currentDatabases().get().query("SELECT 41 + 1")).rows[0][0])',
    );
    assert.equal(one.out, 'Author 42\n', one.err);
    const piped = await project.runWith(['shell'], 'const x = await Promise.resolve(7);\nconsole.log(x);\n');
    assert.equal(piped.out, '7\n');
  });

  it('says when there is nothing to reset', async () => {
    assert.match((await project.run('sqlsequencereset')).out, /SQLite needs none/);
  });
});

describe('the JSON reader', () => {
  it('finds the same objects however the text is cut', async () => {
    const text =
      '[ {"q": 1},\n{"r": 2},{"s": 3}\n,{"a": "}{\\"]"}, {"b": [1, {"c": {}}]}\n,{"é": "\\\\"} ]\n';
    const read = async (size: number): Promise<unknown[]> => {
      async function* chunks(): AsyncGenerator<string> {
        for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
      }
      const found: unknown[] = [];
      for await (const some of jsonObjects(chunks(), 'x')) for (const [object] of some) found.push(object);
      return found;
    };
    for (let size = 1; size <= text.length; size++) assert.deepEqual(await read(size), JSON.parse(text));
  });
});
