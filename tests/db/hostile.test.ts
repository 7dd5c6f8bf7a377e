import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type Databases, integer, json, Model, metaOf, Q, setShapeLimit, shapeCount, text } from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { Article, Author, openShop, Tag } from './support/shop.ts';

const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
for (const [vendor, server] of [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('hostile')],
] as const)
  describe(vendor, { skip: server.skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await openShop(await server.url());
    });
    after(async () => {
      await databases.close();
      await server.drop();
    });
    const within = (name: string, fn: () => Promise<void>): void => void test(name, () => databases.run(fn));

    within('any text is stored, found and read back as it is', async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (name) => {
          if (name.includes('\0') || !name.isWellFormed()) return;
          const { id } = await Author.create({ name });
          assert.equal((await Author.get({ id })).name, name);
          assert.ok(await Author.filter({ id, name }).exists());
          assert.ok(await Author.filter({ id, name__contains: name }).exists());
          assert.ok(
            await Author.filter({
              id,
              name__startswith: name.slice(0, 3).toWellFormed() === name.slice(0, 3) ? name.slice(0, 3) : '',
            }).exists(),
          );
        }),
        { numRuns: 60 },
      );
    });

    within('any JSON key is an error of ours or a query, never an error of the database', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string(),
            fc.constantFrom(
              '__proto__',
              'constructor',
              '_connector',
              'title__',
              '__title',
              "title'--",
              'meta__a"b',
              'author__',
              'pk__pk',
              'title__regex',
            ),
          ),
          fc.oneof(fc.jsonValue(), fc.constant(undefined)),
          async (key, value) => {
            try {
              await Article.filter(
                JSON.parse(`{${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}}`) as never,
              );
              await Article.exclude(Q({ [key]: value }) as never);
            } catch (error) {
              assert.match(
                (error as { code?: string }).code ?? String(error),
                /^SBY_DB_(UNKNOWN|BAD|UNSUPPORTED)/,
              );
            }
          },
        ),
        { numRuns: 300 },
      );
    });

    within('values that do not fit are refused with model and field', async () => {
      const refuse = (values: object, message: RegExp): Promise<void> =>
        assert.rejects(Author.create({ name: 'x', ...values } as never), { name: 'DataError', message });
      await refuse({ age: 2 ** 31 }, /shop\.Author\.age got 2147483648\. It takes an integer between/);
      await refuse({ age: Number.NaN }, /shop\.Author\.age got NaN/);
      await refuse({ age: '3' }, /shop\.Author\.age got "3"/);
      await refuse({ age: 1n }, /shop\.Author\.age got 1n/);
      await refuse({ name: 'a\0b' }, /text of at most 50 characters, without NUL/);
      await refuse({ name: 'x'.repeat(51) }, /at most 50 characters/);
      await assert.rejects(
        Article.create({ title: 'x', author: 1, price: '1.234' }),
        /decimal text such as '12\.50'/,
      );
      await assert.rejects(
        Article.create({ title: 'x', author: 1, published: new Date(Number.NaN) }),
        /a valid Date/,
      );
      await assert.rejects(async () => Article.filter({ views__in: 3 } as never), /It takes an array/);
      await assert.rejects(async () => Article.filter({ title__regex: '(' }), /a regular expression/);
    });

    within('violations name model and field', async () => {
      await Tag.create({ name: 'twice' });
      await assert.rejects(Tag.create({ name: 'twice' }), {
        name: 'IntegrityError',
        code: 'SBY_DB_UNIQUE',
        model: 'shop.Tag',
        fields: ['name'],
      });
      await assert.rejects(Author.create({ name: null } as never), {
        code: 'SBY_DB_NOT_NULL',
        model: 'shop.Author',
        fields: ['name'],
      });
      await assert.rejects(Article.create({ title: 'x', author: 987654 }), { code: 'SBY_DB_FOREIGN_KEY' });
    });
  });

test('keys made by users cannot grow the tree of shapes without end', async () => {
  const databases = await openShop();
  await databases.run(async () => {
    setShapeLimit(500);
    for (let i = 0; i < 5000; i++) void Article.filter({ [`meta__k${i}`]: 1 } as never);
    setShapeLimit(10_000);
    assert.ok(shapeCount() <= 600, `${shapeCount()} shapes are kept`);
    assert.equal(await Article.filter({ title: 't1' }).count(), 1);
  });
  await databases.close();
});

test('models that cannot work say why', () => {
  const refuse = (model: unknown, message: RegExp): void => {
    assert.throws(() => metaOf(model), { code: 'SBY_DB_BAD_MODEL', message });
  };
  refuse(class A extends Model({ a__b: text() }) {}, /the field name "a__b" is malformed/);
  refuse(class A extends Model({ save: text() }) {}, /"save" is taken by the model itself/);
  refuse(class A extends Model({ id: text() }) {}, /"id" is not the primary key/);
  refuse(
    class A extends Model({ a: text({ primaryKey: true }), b: text({ primaryKey: true }) }) {},
    /two primary keys, a and b/,
  );
  refuse(class A extends Model({ fooBar: text(), foo_bar: text() }) {}, /share the column "foo_bar"/);
  refuse({}, /not a model class/);
  const Base = class Base extends Model({ created: integer({ default: 1 }) }, { abstract: true }) {};
  class Kid extends Base.extend({ meta: json({ null: true }) }, { table: 'kid' }) {}
  assert.deepEqual([...metaOf(Kid).fields.keys()], ['id', 'created', 'meta']);
  assert.equal(new Kid({ meta: 3 }).created, 1);
});
