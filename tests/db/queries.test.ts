import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Avg, atomic, Count, type Databases, Exists, F, Max, OuterRef, Q, Subquery, Sum } from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { Article, Author, Company, openShop, Tag } from './support/shop.ts';

const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
const servers = [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('queries')],
] as const;

const titles = (rows: readonly { title: string }[]): string => rows.map((row) => row.title).join();
const names = (rows: readonly { name: string }[]): string => rows.map((row) => row.name).join();

for (const [vendor, server] of servers)
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

    within('filter, exclude, order, slice', async () => {
      assert.equal(titles(await Article.all()), 't0,t1,t2,t3,t4,t5');
      assert.equal(titles(await Article.filter({ views__gte: 10, views__lt: 30 })), 't1,t2');
      assert.equal(titles(await Article.exclude({ hot: true })), 't0,t1,t2,t3');
      assert.equal(titles(await Article.all().orderBy('-views').limit(2)), 't5,t4');
      assert.equal(titles(await Article.all().orderBy('views').slice(2, 4)), 't2,t3');
      assert.equal(titles(await Article.filter({ title__in: ['t1', 't4'] })), 't1,t4');
      assert.equal(titles(await Article.filter({ title__in: [] })), '');
      assert.equal(titles(await Article.exclude({ title__in: [] })), 't0,t1,t2,t3,t4,t5');
      assert.equal(titles(await Article.filter({ views__range: [20, 30] })), 't2,t3');
      assert.equal(titles(await Article.filter({ published__isnull: true })), 't0');
      assert.equal(titles(await Article.filter({ published: null })), 't0');
      assert.equal(
        titles(await Article.filter({ published__year: 2026, published__month__gte: 5 })),
        't4,t5',
      );
      assert.equal(titles(await Article.filter({ meta__b__c: 'c2' })), 't2');
    });

    within('lookups over relations, either way', async () => {
      assert.equal(titles(await Article.filter({ author__company__name__istartswith: 'SO' })), 't0,t2,t4');
      assert.equal(names(await Author.filter({ articles__title: 't3' })), 'Ben');
      assert.equal(names(await Company.filter({ staff__articles__views__gt: 45 })), 'Udon');
      assert.equal(titles(await Article.filter({ tags__name: 'old' })), 't0,t1');
      assert.equal(names(await Tag.filter({ articles__author__name: 'Ben' })), 'old');
    });

    within('one filter() means the same row, two mean any rows', async () => {
      assert.equal(titles(await Article.filter({ tags__name: 'old', tags__id__lt: 2 })), '');
      assert.equal(titles(await Article.filter({ tags__name: 'old' }).filter({ tags__id__lt: 2 })), 't0');
    });

    within('exclude() over nullable and many-valued relations', async () => {
      assert.equal(names(await Author.exclude({ company__name: 'Soba' })), 'Ben,Chie');
      assert.equal(names(await Author.exclude({ age: 30 })), 'Ben,Chie');
      assert.equal(names(await Author.exclude({ articles__title: 't1' })), 'Aki,Chie');
      assert.equal(titles(await Article.exclude({ tags__name: 'new' })), 't1,t2,t3,t4,t5');
      assert.equal(names(await Author.filter({ articles__isnull: true })), 'Chie');
      assert.equal(
        names(await Author.exclude({ articles__isnull: true }).distinct().orderBy('name')),
        'Aki,Ben',
      );
    });

    within('get, first, last, count, exists', async () => {
      assert.equal((await Article.get({ title: 't2' })).views, 20);
      await assert.rejects(Article.get({ title: 'zz' }), (error: Error) => {
        assert.equal((error as unknown) instanceof Author.DoesNotExist, false);
        assert.ok(error instanceof Article.DoesNotExist);
        assert.match(error.message, /No shop\.Article matches the query \(title="zz"\)/);
        return true;
      });
      await assert.rejects(Article.get({ views__gte: 0 }), (error: Error) => {
        assert.ok(error instanceof Article.MultipleObjectsReturned);
        assert.match(error.message, /more than one shop\.Article: 6/);
        return true;
      });
      assert.equal((await Article.all().first())?.title, 't0');
      assert.equal((await Article.all().last())?.title, 't5');
      assert.equal(await Article.filter({ title: 'zz' }).first(), null);
      assert.equal(await Article.filter({ hot: true }).count(), 2);
      assert.equal(await Article.all().limit(3).count(), 3);
      assert.equal(await Article.filter({ hot: true }).exists(), true);
    });

    within('Q, F, Exists, Subquery', async () => {
      assert.equal(titles(await Article.filter(Q({ views: 10 }).or({ title: 't5' }))), 't1,t5');
      assert.equal(
        titles(await Article.filter(Q({ author__name: 'Aki' }).and(Q({ views: 0 }).not()))),
        't2,t4',
      );
      assert.equal(titles(await Article.filter({ views__gt: F('author__age') })), 't4,t5');
      assert.equal(
        names(await Author.filter(Exists(Article.filter({ author: OuterRef('pk'), hot: true })))),
        'Aki,Ben',
      );
      const last = Article.filter({ author: OuterRef('pk') })
        .orderBy('-views')
        .values('title')
        .limit(1);
      const rows = await Author.all()
        .annotate({ last: Subquery(last) })
        .orderBy('name')
        .valuesList('name', 'last');
      assert.deepEqual(rows, [
        ['Aki', 't4'],
        ['Ben', 't5'],
        ['Chie', null],
      ]);
    });

    within('annotate, aggregate, grouping', async () => {
      const rows = await Author.all()
        .annotate({ n: Count('articles'), top: Max('articles__views') })
        .filter({ n__gt: 0 })
        .orderBy('-top');
      assert.deepEqual(
        rows.map((row) => [row.name, row.n, row.top]),
        [
          ['Ben', 3, 50],
          ['Aki', 3, 40],
        ],
      );
      assert.deepEqual(await Article.all().aggregate({ s: Sum('views'), a: Avg('views'), p: Sum('price') }), {
        s: 150,
        a: 25,
        p: '12.50',
      });
      assert.deepEqual(
        await Article.all()
          .values('author__name')
          .annotate({ n: Count('id') })
          .orderBy('author__name'),
        [
          { author__name: 'Aki', n: 3 },
          { author__name: 'Ben', n: 3 },
        ],
      );
    });

    within('relations are loaded for all siblings at once', async () => {
      const rows = await Article.all();
      const seen: string[] = [];
      for (const row of rows) seen.push((await row.author.load()).name);
      assert.deepEqual(seen, ['Aki', 'Ben', 'Aki', 'Ben', 'Aki', 'Ben']);
      const [first] = await Article.all().selectRelated('author__company');
      assert.equal(first?.author.company?.name, 'Soba');
      const authors = await Author.all().prefetchRelated('articles__tags').orderBy('name');
      assert.deepEqual(
        authors.map((author) => author.articles.items.map((article) => article.tags.length)),
        [[2, 0, 0], [1, 0, 0], []],
      );
    });

    within('create, save what changed, refresh, delete with what cascades', async () => {
      await assert.rejects(
        atomic(async () => {
          const author = await Author.create({ name: 'Dai', age: 1 });
          assert.equal(author.isSaved(), true);
          author.age = 2;
          assert.deepEqual(author.changed(), ['age']);
          await author.save();
          assert.deepEqual(author.changed(), []);
          assert.equal((await Author.get({ pk: author.id })).age, 2);
          await Author.filter({ pk: author.id }).update({ age: F('age').add(40) });
          await author.refresh();
          assert.equal(author.age, 42);
          assert.equal(author.greet(), 'hi Dai');
          const aki = await Author.get({ name: 'Aki' });
          assert.deepEqual(await aki.delete(), [
            6,
            { 'shop.Article_tags': 2, 'shop.Article': 3, 'shop.Author': 1 },
          ]);
          assert.equal(titles(await Article.all()), 't1,t3,t5');
          throw new Error('roll back');
        }),
        { message: 'roll back' },
      );
      assert.equal(await Article.count(), 6);
    });

    within('names that are not fields are refused before they become SQL', async () => {
      const refuse = (lookups: object, message: RegExp): void =>
        assert.throws(() => Article.filter(lookups as never), { name: 'FieldError', message });
      refuse({ autor: 1 }, /shop\.Article has no field "autor"\. Choices are: id, title/);
      refuse({ author__nme: 1 }, /shop\.Author has no field "nme" \(in "author__nme"\)/);
      refuse({ views__icontains: 'x' }, /"icontains" is not a lookup of Article\.views|shop\.Article\.views/);
      refuse(JSON.parse('{"__proto__": 1}') as object, /cannot be used as a lookup/);
      refuse({ constructor: 1 }, /no field "constructor"/);
      refuse({ 'title"; DROP TABLE x; --': 1 }, /cannot be used as a lookup/);
      refuse({ title: undefined }, /got undefined/);
      assert.throws(
        () => Article.all().orderBy('title; DROP TABLE x' as never),
        /cannot be used as an ordering path/,
      );
      assert.throws(() => Article.all().values('a"b' as never), /cannot be used as a values path/);
      assert.throws(
        () => Article.all().annotate({ 'a"b': Count('id') }),
        /cannot be used as an annotation name/,
      );
      await assert.rejects(
        async () => Article.filter({ views: 'many' } as never),
        /got "many"\. It takes a finite number/,
      );
      assert.throws(
        () => Article.all().limit(2).filter({ views: 1 }),
        /cannot filter a query once a slice has been taken/,
      );
    });
  });
