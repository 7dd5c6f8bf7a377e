/** Models that extend models with tables, in migrations and fixtures. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestProject } from './project.ts';

const MODELS = `class Place extends Model({ name: text({ maxLength: 50 }), get restaurant() { return db.one(Restaurant, 'placePtr'); } }, { ordering: ['name'] }) {}
class Restaurant extends Place.extend({ stars: integer() }) {}
class Sobaya extends Restaurant.extend({ flour: text() }) {}
class Listed extends Place {}`;
const NAMES = ['Place', 'Restaurant', 'Sobaya', 'Listed'];

describe('models with tables that extend others', () => {
  const project = new TestProject().models(MODELS, NAMES);
  after(() => project.remove());
  const ok = async (...words: string[]): Promise<string> => {
    const { code, out, err } = await project.run(...words);
    assert.equal(code, 0, err);
    return out;
  };
  before(async () => {
    await ok('makemigrations');
    await ok('migrate');
  });

  it('have a table each, keyed by the one above; a proxy has none', async () => {
    assert.match(
      project.read('shop/migrations/0001_initial.ts'),
      /placePtr: field\.oneToOne\('shop\.Place', \{ onDelete: 'cascade', parentLink: true, primaryKey: true \}\),\s+stars: field\.integer\(\),\s+\}/,
    );
    assert.doesNotMatch(project.read('shop/migrations/0001_initial.ts'), /Listed/);
    assert.deepEqual(
      project.sql("SELECT name FROM sqlite_schema WHERE name LIKE 'shop%' AND type = 'table' ORDER BY 1"),
      [['shop_place'], ['shop_restaurant'], ['shop_sobaya']],
    );
    assert.match(await ok('makemigrations'), /No changes detected/);
    assert.match(await ok('driftcheck'), /3 tables are as the models want them/);
  });

  it('are dumped and loaded, each table its part of the row', async () => {
    await ok(
      'shell',
      '-c',
      "await Sobaya.create({ name: 'x', stars: 3, flour: 'buckwheat' }); await Place.create({ name: 'y' })",
    );
    const dump = await ok('dumpdata');
    assert.deepEqual(JSON.parse(dump), [
      { model: 'shop.Place', pk: 1, fields: { name: 'x' } },
      { model: 'shop.Place', pk: 2, fields: { name: 'y' } },
      { model: 'shop.Restaurant', pk: 1, fields: { placePtr: 1, stars: 3 } },
      { model: 'shop.Sobaya', pk: 1, fields: { restaurantPtr: 1, flour: 'buckwheat' } },
    ]);
    await ok('flush', '--no-input');
    assert.deepEqual(project.sql('SELECT count(*) FROM shop_place'), [[0]]);
    project.write('dump.json', dump);
    await ok('loaddata', 'dump.json');
    assert.equal(await ok('dumpdata'), dump);
    assert.match(await ok('shell', '-c', 'console.log((await Sobaya.get({ stars: 3 })).name)'), /^x$/m);
  });

  it('are extended in data steps too', async () => {
    project.write(
      'shop/migrations/0002_step.ts',
      `import { migration, runCode } from 'sobaya/db/migrations';
export default migration({ dependencies: ['shop.0001_initial'], operations: [runCode({
  async forwards(apps) {
    const one = await apps.model('shop.Sobaya').get({ stars: 3 });
    one.name = one.name + '!';
    one.flour = 'wheat';
    await one.save();
  },
  async backwards() {},
})] });
`,
    );
    await ok('migrate');
    assert.deepEqual(project.sql('SELECT name FROM shop_place ORDER BY id'), [['x!'], ['y']]);
    assert.deepEqual(project.sql('SELECT flour FROM shop_sobaya'), [['wheat']]);
  });
});

describe('a model that migrations cease to manage', () => {
  const project = new TestProject();
  after(() => project.remove());

  it('keeps its table and rows, and so when they manage it again', async () => {
    project.models('class Place extends Model({ name: text() }) {}', ['Place']);
    await project.run('makemigrations');
    await project.run('migrate');
    project.sql("INSERT INTO shop_place (name) VALUES ('x')");
    for (const option of ['{ managed: false }', '{}']) {
      project.models(`class Place extends Model({ name: text() }, ${option}) {}`, ['Place']);
      assert.equal((await project.run('makemigrations')).code, 0);
      const { code, err } = await project.run('migrate');
      assert.equal(code, 0, err);
      assert.deepEqual(project.sql('SELECT name FROM shop_place'), [['x']]);
    }
    assert.equal((await project.run('migrate', 'shop', '0001')).code, 0);
    assert.deepEqual(project.sql('SELECT name FROM shop_place'), [['x']]);
  });
});
