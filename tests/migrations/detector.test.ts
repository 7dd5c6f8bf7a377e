import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, describe, it } from 'node:test';
import {
  Autodetector,
  FlagQuestioner,
  field,
  type Migration,
  MigrationGraph,
  MigrationLoader,
  type ModelState,
  ProjectState,
  type Questioner,
  SilentQuestioner,
  TerminalQuestioner,
} from '../../src/db/migrations/index.ts';
import { TestProject } from './project.ts';

const model = (
  key: string,
  fields: Record<string, ReturnType<typeof field.text>>,
  options = {},
): ModelState => {
  const [app = '', name = ''] = key.split('.');
  return {
    app,
    name,
    fields: Object.entries({ id: field.bigAuto({ primaryKey: true }), ...fields }),
    options,
  };
};
async function detect(
  from: ModelState[],
  to: ModelState[],
  questioner: Questioner = new SilentQuestioner(),
): Promise<Migration[]> {
  const run = async (graph: MigrationGraph, state: ModelState[], asked: Questioner): Promise<Migration[]> => {
    const detector = new Autodetector(graph.state(), new ProjectState(state), { questioner: asked });
    return [...(await detector.changes(graph)).values()].flat();
  };
  const first = await run(new MigrationGraph(), from, new SilentQuestioner());
  return run(MigrationLoader.of(first).graph(), to, questioner);
}
const described = (migrations: Migration[]): string[] =>
  migrations.map(
    (one) =>
      `${one.key} [${one.dependencies.join(' ')}]: ${one.operations.map((operation) => operation.describe()).join('; ')}`,
  );

describe('the autodetector', () => {
  it('splits apps that refer to each other in a circle into migrations that do not', async () => {
    const made = await detect(
      [],
      [
        model('a.One', { two: field.foreignKey('b.Two') }),
        model('b.Two', { three: field.foreignKey('a.Three', { null: true }) }),
        model('a.Three', { one: field.foreignKey('a.One', { null: true }) }),
      ],
    );
    const graph = MigrationLoader.of(made).graph();
    assert.equal(graph.conflicts().size, 0);
    assert.deepEqual([...graph.state().models.keys()].sort(), ['a.One', 'a.Three', 'b.Two']);
    assert.deepEqual(made.map((one) => one.key).sort(), [
      'a.0001_initial',
      'a.0002_one_three_one',
      'b.0001_initial',
    ]);
  });

  it('depends on the newest migration of an app that it refers to', async () => {
    const base = [model('a.One', { x: field.text() })];
    const made = await detect(base, [...base, model('b.Two', { one: field.foreignKey('a.One') })]);
    assert.deepEqual(described(made), ['b.0001_initial [a.0001_initial]: Create model Two']);
  });

  it('renames an index that differs in its name alone', async () => {
    const part = (name: string): object => ({
      indexes: [{ kind: 'index', options: { name, fields: ['x'] } }],
    });
    const made = await detect(
      [model('a.One', { x: field.text() }, part('old'))],
      [model('a.One', { x: field.text() }, part('new'))],
    );
    assert.deepEqual(described(made), [
      'a.0002_rename_old_new [a.0001_initial]: Rename index old on One to new',
    ]);
  });

  it('changes options without touching the database', async () => {
    const made = await detect(
      [model('a.One', {})],
      [model('a.One', {}, { ordering: ['-id'], verboseName: 'one' })],
    );
    assert.deepEqual(described(made), ['a.0002_alter_one_options [a.0001_initial]: Change options of One']);
    assert.equal(made[0]?.operations[0]?.touchesDatabase, false);
  });

  it('fills moments with now, and what has a default with it', async () => {
    const made = await detect(
      [model('a.One', {})],
      [model('a.One', { at: field.dateTime({ autoNowAdd: true }), n: field.integer({ default: 3 }) })],
    );
    assert.deepEqual(
      made[0]?.operations.map((operation) => operation.deconstruct()['fill']),
      [{ sql: 'CURRENT_TIMESTAMP' }, undefined],
    );
  });

  it('never guesses a rename', async () => {
    const from = [model('a.One', { name: field.text({ maxLength: 5 }) })];
    const to = [model('a.One', { title: field.text({ maxLength: 5 }) })];
    await assert.rejects(
      detect(from, to),
      /The field a\.One\.name is gone and title is new, of the same kind: was it renamed\?.*--rename a\.One\.name=title; if not, with --no-renames/,
    );
    const flags = (given: ConstructorParameters<typeof FlagQuestioner>[0]): Questioner =>
      new FlagQuestioner(given, new SilentQuestioner());
    assert.deepEqual(described(await detect(from, to, flags({ renames: ['a.One.name=title'] }))), [
      'a.0002_rename_name_one_title [a.0001_initial]: Rename field name on One to title',
    ]);
    assert.match(
      described(await detect(from, to, flags({ noRenames: true, fills: ["a.One.title='x'"] })))[0] ?? '',
      /Remove field name from One; Add field title to One/,
    );
    assert.throws(() => flags({ renames: ['a.One'] }), /--rename got "a\.One"/);
  });
});

describe('questions on a terminal', () => {
  const terminal = (answers: string): { questioner: TerminalQuestioner; seen: () => string } => {
    const input = new PassThrough();
    const output = new PassThrough();
    let text = '';
    // A person answers when asked.
    const lines = answers.split('\n');
    output.on('data', (chunk) => {
      text += chunk;
      if (/(\[y\/N\] |> )$/.test(String(chunk))) {
        const line = lines.shift();
        if (line === undefined) input.end();
        else input.write(`${line}\n`);
      }
    });
    return { questioner: new TerminalQuestioner({ input, output }), seen: () => text };
  };
  const from = [model('a.One', { name: field.text() })];

  it('asks for renames and values', async () => {
    const { questioner, seen } = terminal('perhaps\ny\n"now"');
    const made = await detect(
      from,
      [model('a.One', { title: field.text(), code: field.text({ maxLength: 3 }) })],
      questioner,
    );
    assert.match(seen(), /Was a\.One\.name renamed to title \(text\)\? \[y\/N\]/);
    assert.match(
      seen(),
      /a\.One\.code \(text\) may not be null and has no default\. What do existing rows get\?/,
    );
    assert.deepEqual(
      made[0]?.operations.map((operation) => operation.describe()),
      ['Rename field name on One to title', 'Add field code to One'],
    );
    assert.equal(made[0]?.operations[1]?.deconstruct()['fill'], 'now');
  });

  it('ends with an error, not with a guess, when the terminal is closed', async () => {
    const { questioner } = terminal('');
    await assert.rejects(
      detect(from, [model('a.One', { title: field.text() })], questioner),
      /No answer to: >.*Nothing was written/s,
    );
  });
});

describe('a model moved to another app', () => {
  const project = new TestProject();
  after(() => project.remove());

  it('keeps its rows and what refers to it', async () => {
    const app = (shop: string, people: string): string => `import { createApp, defineApp } from 'sobaya';
import { foreignKey, Model, text } from 'sobaya/db';
class Author extends Model({ name: text(), mail: text() }) {}
class Article extends Model({ title: text(), get author() { return foreignKey(Author); } }) {}
export const application = createApp({ apps: [
  defineApp({ label: 'shop', models: [${shop}], migrations: new URL('./shop/migrations/', import.meta.url) }),
  defineApp({ label: 'people', models: [${people}], migrations: new URL('./people/migrations/', import.meta.url) }),
], databases: { default: 'sqlite:${project.folder}/db.sqlite3' } });
`;
    project.app(app('Author, Article', ''));
    await project.run('makemigrations');
    await project.run('migrate');
    project.sql("INSERT INTO shop_author (name, mail) VALUES ('Issa', 'i@x')");
    project.sql("INSERT INTO shop_article (title, author_id) VALUES ('Snail', 1)");
    project.app(app('Article', 'Author'));
    assert.match(
      (await project.run('makemigrations')).err,
      /--rename shop\.Author=people\.Author; if not, with --no-renames/,
    );
    const made = await project.run('makemigrations', '--rename', 'shop.Author=people.Author');
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /Move model Author here from the app shop/);
    const { code, err } = await project.run('migrate');
    assert.equal(code, 0, err);
    assert.deepEqual(project.sql('SELECT name FROM people_author'), [['Issa']]);
    assert.match(
      String(project.sql("SELECT sql FROM sqlite_schema WHERE name = 'shop_article'")),
      /REFERENCES "people_author"/,
    );
    assert.match((await project.run('makemigrations')).out, /No changes detected/);
    assert.match((await project.run('driftcheck')).out, /2 tables are as the models want them/);
    const back = await project.run('migrate', 'people', 'zero');
    assert.equal(back.code, 0, back.err);
    assert.deepEqual(project.sql('SELECT name FROM shop_author'), [['Issa']]);
  });
});
