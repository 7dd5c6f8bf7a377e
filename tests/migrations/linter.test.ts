/** What the linter says of each operation on PostgreSQL, and what it does not say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Databases } from '../../src/db/index.ts';
import * as m from '../../src/db/migrations/index.ts';

const { field } = m;
const databases = new Databases({ default: 'postgresql://nobody@127.0.0.1:1/none', lite: 'sqlite::memory:' });
const START: readonly m.Operation[] = [
  m.createModel({ name: 'Author', fields: { id: field.bigAuto({ primaryKey: true }), name: field.text() } }),
  m.createModel({
    name: 'Article',
    fields: {
      id: field.bigAuto({ primaryKey: true }),
      title: field.text({ maxLength: 20 }),
      pages: field.integer({ null: true }),
      price: field.decimal({ maxDigits: 6, decimalPlaces: 2 }),
      author: field.foreignKey('shop.Author', { constraint: false, index: false }),
    },
  }),
];
function lint(
  alias: string,
  operations: readonly m.Operation[],
  before: readonly m.Operation[] = [],
  atomic = true,
): readonly m.Finding[] {
  const state = new m.ProjectState();
  for (const operation of [...START, ...before]) operation.stateForwards('shop', state);
  const backend = databases.get(alias);
  return m.lintMigration({
    vendor: backend.vendor,
    spec: m.schemaSpec(backend),
    migration: new m.Migration('shop', '0002_x', { operations: [...operations], atomic }),
    before: state,
  });
}
const add = (name: string, one: m.FieldState, fill?: unknown): m.Operation =>
  m.addField({ model: 'Article', name, field: one, ...(fill === undefined ? {} : { fill: fill as string }) });
const alter = (name: string, one: m.FieldState): m.Operation =>
  m.alterField({ model: 'Article', name, field: one });
const sql = (text: string, more: object = {}): m.Operation =>
  m.runSql({ sql: text, reverseSql: '', ...more });
const there = m.check({ name: 'pages_there', check: { pages__isnull: false } });

type Row = readonly [
  what: string,
  operation: m.Operation,
  hazards: string,
  message?: RegExp | undefined,
  before?: readonly m.Operation[],
];
const rows: readonly Row[] = [
  ['a field that may be null', add('x', field.integer({ null: true })), ''],
  [
    'a field with a default in the program alone',
    add('x', field.integer({ default: 1 })),
    'old-code',
    /cannot make rows of shop_article: they do not know x.*dbDefault/,
  ],
  ['a field with a default in the database', add('x', field.integer({ dbDefault: 1 })), ''],
  ['now() is one value', add('x', field.dateTime({ dbDefault: { sql: 'now()' } })), ''],
  [
    'a volatile default',
    add('x', field.uuid({ dbDefault: { sql: 'gen_random_uuid()' } })),
    'rewrite',
    /null: true without a default, fill it in batches/,
  ],
  [
    'a volatile value for the rows that are there',
    add('x', field.float(), { sql: 'random() * 5' }),
    'old-code rewrite',
  ],
  [
    'a generated column',
    add('x', field.integer({ generated: { sql: 'pages * 2', stored: true } })),
    'rewrite',
  ],
  ['a unique field', add('x', field.integer({ null: true, unique: true })), 'lock', /addUniqueConcurrently/],
  [
    'a field with an index',
    add('x', field.integer({ null: true, index: true })),
    'lock',
    /addIndexConcurrently/,
  ],
  [
    'a foreign key',
    add('x', field.foreignKey('shop.Author', { null: true })),
    'lock',
    /constraint: false and index: false now/,
  ],
  [
    'a foreign key without constraint and index',
    add('x', field.foreignKey('shop.Author', { null: true, constraint: false, index: false })),
    '',
  ],
  [
    'the constraint of a foreign key',
    alter('author', field.foreignKey('shop.Author', { index: false })),
    'lock',
    /alterFieldNotValid/,
  ],
  [
    'the constraint of a foreign key, not valid',
    m.alterFieldNotValid({
      model: 'Article',
      name: 'author',
      field: field.foreignKey('shop.Author', { index: false }),
    }),
    '',
  ],
  ['varchar made longer', alter('title', field.text({ maxLength: 30 })), ''],
  ['varchar to text', alter('title', field.text()), ''],
  ['varchar made shorter', alter('title', field.text({ maxLength: 10 })), 'rewrite', /Expand and contract/],
  [
    'text to varchar',
    m.alterField({ model: 'Author', name: 'name', field: field.text({ maxLength: 9 }) }),
    'rewrite',
  ],
  ['numeric with more digits', alter('price', field.decimal({ maxDigits: 9, decimalPlaces: 2 })), ''],
  ['numeric with more places', alter('price', field.decimal({ maxDigits: 9, decimalPlaces: 4 })), 'rewrite'],
  ['integer to bigint', alter('pages', field.bigInteger({ null: true })), 'rewrite'],
  [
    'a number that must be positive',
    alter('pages', field.positiveInteger({ null: true })),
    'lock',
    /new check.*alterFieldNotValid/,
  ],
  ['not null', alter('pages', field.integer()), 'lock', /pages__isnull: false.*addConstraintNotValid/],
  [
    'not null, where a check says so',
    alter('pages', field.integer()),
    '',
    undefined,
    [m.addConstraintNotValid({ model: 'Article', constraint: there })],
  ],
  ['null', alter('price', field.decimal({ maxDigits: 6, decimalPlaces: 2, null: true })), ''],
  [
    'another column',
    alter('title', field.text({ maxLength: 20, column: 'heading' })),
    'old-code',
    /Keep the database's name/,
  ],
  ['a field renamed', m.renameField({ model: 'Article', from: 'title', to: 'heading' }), 'old-code'],
  [
    'a field renamed that keeps its column',
    m.renameField({ model: 'Author', from: 'name', to: 'called' }),
    '',
    undefined,
    [m.alterField({ model: 'Author', name: 'name', field: field.text({ column: 'called' }) })],
  ],
  ['a table renamed', m.alterModelTable({ name: 'Article', table: 'articles' }), 'old-code'],
  ['a model renamed', m.renameModel({ from: 'Article', to: 'Text' }), 'old-code'],
  ['a field removed', m.removeField({ model: 'Article', name: 'pages' }), 'data-loss'],
  ['a model deleted', m.deleteModel({ name: 'Article' }), 'data-loss', /dumpdata/],
  ['an index', m.addIndex({ model: 'Article', index: m.index({ name: 'i', fields: ['pages'] }) }), 'lock'],
  [
    'an index, concurrently',
    m.addIndexConcurrently({ model: 'Article', index: m.index({ name: 'i', fields: ['pages'] }) }),
    '',
  ],
  ['a check', m.addConstraint({ model: 'Article', constraint: there }), 'lock', /addConstraintNotValid now/],
  ['a check, not valid', m.addConstraintNotValid({ model: 'Article', constraint: there }), ''],
  [
    'a unique constraint',
    m.addConstraint({ model: 'Article', constraint: m.unique({ name: 'u', fields: ['title'] }) }),
    'lock',
    /addUniqueConcurrently/,
  ],
  [
    'a unique constraint, concurrently',
    m.addUniqueConcurrently({ model: 'Article', constraint: m.unique({ name: 'u', fields: ['title'] }) }),
    '',
  ],
  [
    'unique together',
    m.alterUniqueTogether({ name: 'Article', uniqueTogether: [['title', 'pages']] }),
    'lock',
    /addUniqueConcurrently/,
  ],
  ['SQL: an index', sql('CREATE INDEX i ON shop_article (pages)'), 'lock', /CONCURRENTLY IF NOT EXISTS/],
  [
    'SQL: an index, concurrently, inside',
    sql('-- why\nCREATE INDEX CONCURRENTLY i ON shop_article (pages)'),
    'lock',
    /cannot run inside a transaction/,
  ],
  ['SQL: a type', sql('alter table shop_article alter column pages type bigint'), 'rewrite'],
  [
    'SQL: a constraint',
    sql('ALTER TABLE shop_article ADD CONSTRAINT c CHECK (pages > 0)'),
    'lock',
    /VALIDATE/,
  ],
  [
    'SQL: a constraint, not valid',
    sql('ALTER TABLE shop_article ADD CONSTRAINT c CHECK (pages > 0) NOT VALID'),
    '',
  ],
  ['SQL: a value of an enum', sql("ALTER TYPE mood ADD VALUE 'glad'"), 'lock', /later migration/],
  ['SQL: rows lost', sql('DELETE FROM shop_article; DROP TABLE x'), 'data-loss data-loss'],
  ['SQL: some rows', sql('DELETE FROM shop_article WHERE pages < 0'), ''],
  ['SQL: all rows at once', sql('UPDATE shop_article SET pages = 1'), 'lock', /in batches/],
  ['SQL that cannot be taken back', m.runSql({ sql: 'SELECT 1' }), 'irreversible', /reverseSql/],
  ['SQL of another database', sql('CREATE INDEX i ON x (y)', { vendor: 'sqlite' }), ''],
];

describe('the linter on PostgreSQL', () => {
  for (const [what, operation, hazards, message, before] of rows)
    it(what, () => {
      const findings = lint('default', [operation], before, operation.atomic);
      assert.equal(
        findings.map((one) => one.hazard).join(' '),
        hazards,
        findings.map((one) => one.message).join('\n'),
      );
      if (message !== undefined) assert.match(findings.map((one) => one.message).join('\n'), message);
    });

  it('says nothing of tables that the migration makes', () => {
    const fresh = m.createModel({ name: 'Fresh', fields: { id: field.bigAuto({ primaryKey: true }) } });
    const more = m.addField({
      model: 'Fresh',
      name: 'x',
      field: field.integer({ unique: true, default: 1 }),
    });
    assert.deepEqual(lint('default', [fresh, more]), []);
  });

  it('on SQLite, speaks of data and of old code alone', () => {
    const speaks = rows
      .filter(([, operation, , , before]) => lint('lite', [operation], before).length > 0)
      .map(([, , hazards]) => hazards);
    assert.ok(
      speaks.every((hazards) => /data-loss|old-code|irreversible/.test(hazards)),
      speaks.join(', '),
    );
  });
});
