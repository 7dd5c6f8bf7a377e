import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  addConstraintNotValid,
  addField,
  addIndex,
  addIndexConcurrently,
  alterField,
  check,
  createModel,
  field,
  index,
  type MigrateEvent,
  Migration,
  type MigrationArgs,
  MigrationExecutor,
  MigrationLoader,
  removeField,
  runSql,
  validateConstraint,
} from '../../src/db/migrations/index.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';

const missing = await postgresMissing();

describe('migrations on PostgreSQL', { skip: missing }, () => {
  const database = new PostgresDatabase();
  before(async () => {
    await database.create();
  });
  after(() => database.drop());
  afterEach(() => database.clear());

  const rows = async (sql: string): Promise<unknown[][]> => (await database.get().query(sql)).rows;
  const first = new Migration('shop', '0001_initial', {
    initial: true,
    operations: [
      createModel({
        name: 'Article',
        fields: {
          id: field.bigAuto({ primaryKey: true }),
          title: field.text({ maxLength: 20 }),
          pages: field.text({ null: true }),
        },
      }),
    ],
  });
  const next = (name: string, args: Omit<MigrationArgs, 'dependencies'>, after = first): Migration =>
    new Migration('shop', name, { dependencies: [after.key], ...args });
  const executor = (...migrations: Migration[]): MigrationExecutor =>
    new MigrationExecutor(database, MigrationLoader.of([first, ...migrations]));

  it('makes an index while others write, outside of a transaction, and begins anew after a failure', async () => {
    const second = next('0002_index', {
      atomic: false,
      operations: [
        addIndexConcurrently({ model: 'Article', index: index({ name: 'title_idx', fields: ['title'] }) }),
        addField({ model: 'Article', name: 'code', field: field.integer({ default: 3 }) }),
      ],
    });
    const run = executor(second);
    await run.migrate();
    assert.deepEqual(await rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'title_idx'::regclass"), [
      [true],
    ]);
    await run.migrate({ target: { app: 'shop', name: '0001' } });
    assert.deepEqual(await rows("SELECT to_regclass('title_idx')"), [[null]]);
    // What an attempt leaves that broke off: an invalid index of this name.
    await database.get().script('CREATE INDEX title_idx ON shop_article (title)');
    await run.migrate();
    const plain = next('0002_index', { operations: [second.operations[0] as never] });
    await run.migrate({ target: { app: 'shop', name: 'zero' } });
    await assert.rejects(executor(plain).migrate(), /cannot run inside a transaction.*Write atomic: false/s);
  });

  it('adds a check for new rows first, and for old ones later', async () => {
    const constraint = check({ name: 'title_ok', check: { sql: "title <> ''" } });
    const second = next('0002_check', {
      operations: [addConstraintNotValid({ model: 'Article', constraint })],
    });
    const third = next(
      '0003_valid',
      { operations: [validateConstraint({ model: 'Article', name: 'title_ok' })] },
      second,
    );
    const run = executor(second, third);
    await run.migrate({ target: { app: 'shop', name: '0001' } });
    await database.get().script("INSERT INTO shop_article (title) VALUES ('')");
    await run.migrate({ target: { app: 'shop', name: '0002' } });
    assert.deepEqual(await rows("SELECT convalidated FROM pg_constraint WHERE conname = 'title_ok'"), [
      [false],
    ]);
    await assert.rejects(
      run.migrate(),
      /0003_valid failed at operation 1 of 1, Validate constraint title_ok on Article: check constraint "title_ok".*is violated by some row/,
    );
    await database.get().script("UPDATE shop_article SET title = 'x'");
    await run.migrate();
    assert.deepEqual(await rows("SELECT convalidated FROM pg_constraint WHERE conname = 'title_ok'"), [
      [true],
    ]);
  });

  it('converts what fits, refuses what does not, and rolls back', async () => {
    const second = next('0002_pages', {
      operations: [
        alterField({ model: 'Article', name: 'pages', field: field.integer(), fill: 0 }),
        alterField({ model: 'Article', name: 'title', field: field.text({ maxLength: 3 }) }),
      ],
    });
    const run = executor(second);
    await run.migrate({ target: { app: 'shop', name: '0001' } });
    await database
      .get()
      .script("INSERT INTO shop_article (title, pages) VALUES ('a', '12'), ('long title', NULL)");
    await assert.rejects(
      run.migrate(),
      /operation 2 of 2, Alter field title on Article: value too long for type character varying\(3\).*the database is as it was before shop\.0002_pages/s,
    );
    assert.deepEqual(await rows('SELECT pages FROM shop_article ORDER BY id'), [['12'], [null]]);
    await database.get().script("UPDATE shop_article SET title = 'b' WHERE id = 2");
    await run.migrate();
    assert.deepEqual(await rows('SELECT pages FROM shop_article ORDER BY id'), [[12], [0]]);
  });

  it('two deployers at once apply each migration once; the second waits for the lock', async () => {
    const steps: Migration[] = [];
    for (let n = 2; n < 8; n++)
      steps.push(
        next(
          `000${n}_f`,
          {
            operations: [addField({ model: 'Article', name: `f${n}`, field: field.integer({ null: true }) })],
          },
          steps.at(-1) ?? first,
        ),
      );
    const events: MigrateEvent[] = [];
    const done = await Promise.all([
      executor(...steps).migrate({ onEvent: (event) => void events.push(event) }),
      executor(...steps).migrate({ onEvent: (event) => void events.push(event) }),
    ]);
    assert.deepEqual(done.map((plan) => plan.length).sort(), [0, 7]);
    assert.equal(events.filter((event) => event.type === 'waiting').length, 1);
  });

  it('gives up on a lock in time, tries again, and says so when it was in vain', async () => {
    const second = next('0002_code', {
      operations: [addField({ model: 'Article', name: 'code', field: field.integer({ null: true }) })],
    });
    const run = executor(second);
    await run.migrate({ target: { app: 'shop', name: '0001' } });
    const other = await database.get().connect();
    await other.begin({});
    await other.script('LOCK TABLE shop_article IN ACCESS SHARE MODE');
    await assert.rejects(run.migrate({ lockTimeout: 50, retries: 1 }), /lock timeout/);
    const waits: string[] = [];
    await run.migrate({
      lockTimeout: 50,
      onEvent(event) {
        if (event.type !== 'waiting') return;
        waits.push(event.what);
        void other.rollback().then(() => other.release());
      },
    });
    assert.match(waits[0] ?? '', /a lock, for shop\.0002_code; attempt 2/);
    assert.deepEqual(
      await rows(
        "SELECT count(*)::int FROM information_schema.columns WHERE table_name = 'shop_article' AND column_name = 'code'",
      ),
      [[1]],
    );
  });

  it('changes rows and then the table in one transaction', async () => {
    const second = next('0002_mix', {
      operations: [
        runSql({
          sql: "INSERT INTO shop_article (title) VALUES ('x'); UPDATE shop_article SET title = 'y'",
          reverseSql: '',
        }),
        addField({
          model: 'Article',
          name: 'parent',
          field: field.foreignKey('shop.Article', { null: true }),
        }),
        runSql({ sql: 'UPDATE shop_article SET parent_id = id', reverseSql: '' }),
        alterField({ model: 'Article', name: 'parent', field: field.foreignKey('shop.Article') }),
        removeField({ model: 'Article', name: 'pages' }),
      ],
    });
    await executor(second).migrate();
    assert.deepEqual(await rows('SELECT title, parent_id = id FROM shop_article'), [['y', true]]);
  });

  it('warns of locks, rewrites and lost data, with the recipe, and not about tables made in the same migration', async () => {
    const second = next('0002_bad', {
      operations: [
        addIndex({ model: 'Article', index: index({ name: 'title_idx', fields: ['title'] }) }),
        alterField({ model: 'Article', name: 'title', field: field.text({ maxLength: 30 }) }),
        alterField({ model: 'Article', name: 'pages', field: field.integer({ null: true }) }),
        addField({
          model: 'Article',
          name: 'at',
          field: field.dateTime({ dbDefault: { sql: 'clock_timestamp()' } as never }),
        }),
        addField({ model: 'Article', name: 'fine', field: field.integer({ default: 1 }) }),
        removeField({ model: 'Article', name: 'pages' }),
        createModel({ name: 'Fresh', fields: { id: field.bigAuto({ primaryKey: true }) } }),
        addField({ model: 'Fresh', name: 'x', field: field.integer({ index: true, default: 1 }) }),
      ],
    });
    const run = executor(second);
    const findings = await run.lint(await run.plan());
    assert.deepEqual(
      findings.map((finding) => [finding.hazard, finding.operation]),
      [
        ['lock', 'Create index title_idx on Article'],
        ['rewrite', 'Alter field pages on Article'],
        ['rewrite', 'Add field at to Article'],
        ['old-code', 'Add field fine to Article'],
        ['data-loss', 'Remove field pages from Article'],
      ],
    );
    assert.match(findings[0]?.message ?? '', /Use addIndexConcurrently in a migration with atomic: false/);
    assert.match(findings[1]?.message ?? '', /Expand and contract/);
  });
});
