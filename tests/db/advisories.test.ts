/** Django's security releases about its ORM, each with the attack it was about. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Count, type Databases, Extract, F, JSONObject, Q, StringAgg, Trunc, Value } from 'sobaya/db';
import { serverOrSkip, type TestServer } from './support/postgres.ts';
import { Article, Author, openShop } from './support/shop.ts';

const hostile = [
  `x"; DROP TABLE shop_author; --`,
  `x' OR 1=1 --`,
  'x") FROM shop_author; --',
  'a.b',
  'a;b',
  'a b',
  'a\0b',
  'a/*b*/',
  'a`b',
  '__proto__',
  '',
];
const sqlite: TestServer = { skip: false, url: async () => 'sqlite::memory:', drop: async () => {} };
for (const [vendor, server] of [
  ['sqlite', sqlite],
  ['postgresql', serverOrSkip('advisories')],
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
    /** Refused by an error of ours, before the database sees anything. */
    const refused = async (query: () => unknown): Promise<void> => {
      await assert.rejects(async () => await query(), { code: /^SBY_DB_(BAD|UNKNOWN)/ });
    };
    const articles = (): never => Article.all() as never;
    type Loose = Record<string, (...args: unknown[]) => never>;
    const loose = (): Loose => articles() as Loose;

    within('CVE-2021-35042: unsanitized input of orderBy()', async () => {
      for (const name of hostile) await refused(() => loose()['orderBy']?.(name));
      for (const name of hostile) await refused(() => loose()['orderBy']?.(`-${name}`));
      await refused(() => loose()['orderBy']?.('shop_article.title'));
    });
    within('CVE-2022-28346: aliases in annotate(), aggregate(), alias()', async () => {
      // A literal `__proto__` names no key; one from JSON does.
      for (const name of hostile)
        for (const method of ['annotate', 'alias', 'aggregate'])
          await refused(() => loose()[method]?.(Object.fromEntries([[name, Count('id')]])));
    });
    within('CVE-2022-28347: options of explain()', async () => {
      for (const format of ['TEXT, ANALYZE', 'x) SELECT 1 --', 'json; DELETE FROM shop_author'])
        await assert.rejects(async () => await Article.all().explain({ format }), {
          code: 'SBY_DB_UNSUPPORTED',
        });
    });
    within('CVE-2022-34265: kinds of Trunc() and Extract()', async () => {
      for (const part of [`year' FROM now())) --`, 'year"', "day', 'x"]) {
        await assert.rejects(async () =>
          Article.all()
            .annotate({ x: Trunc('published', part as never) })
            .values('x'),
        );
        await assert.rejects(async () =>
          Article.all()
            .annotate({ x: Extract('published', part as never) })
            .values('x'),
        );
      }
      for (const timeZone of ["UTC'; --", 'Europe/Prague"', '../etc', 'No/Where'])
        await refused(() => Article.all().annotate({ x: Trunc('published', 'day', { timeZone }) }));
      await refused(() => Article.all().dates('published', "year'" as never));
    });
    within('CVE-2024-42005: JSON keys in values() and valuesList()', async () => {
      for (const name of hostile) {
        if (/\W/.test(name)) {
          await refused(() => loose()['values']?.(`meta__${name}`));
          await refused(() => loose()['valuesList']?.(`meta__${name}`));
        }
        await refused(() => loose()['values']?.(name));
      }
    });
    within('CVE-2024-53908: has_key and its like take keys as values', async () => {
      for (const name of hostile) {
        if (name.includes('\0')) continue;
        assert.equal(await Article.filter({ meta__has_key: name }).count(), 0);
        assert.equal(await Article.filter({ meta__has_keys: [name, 'a'] }).count(), 0);
        assert.equal(await Article.filter({ meta__has_any_keys: [name] }).count(), 0);
      }
    });
    within('CVE-2025-57833, CVE-2025-59681: names in annotations that reach over relations', async () => {
      for (const name of hostile) {
        await refused(() =>
          (Author.all() as unknown as Loose)['annotate']?.(
            Object.fromEntries([[name, Count('articles', { filter: Q({ articles__views: 1 }) as never })]]),
          ),
        );
        await refused(() => loose()['annotate']?.({ x: F(`author__${name}`) }));
      }
    });
    within('CVE-2025-64459: _connector and _negated as keys of conditions', async () => {
      for (const key of ['_connector', '_negated', 'connector', 'negated'])
        for (const value of ['OR 1=1 OR', true, 'XOR']) {
          await refused(() =>
            Article.filter(JSON.parse(JSON.stringify({ title: 't1', [key]: value })) as never),
          );
          await refused(() => Article.filter(Q({ [key]: value }) as never));
          await refused(() => Article.exclude({ [key]: value } as never));
          await refused(() => Article.get({ [key]: value } as never));
        }
    });
    within(
      'CVE-2020-9402, CVE-2014-0472 and their like: delimiters, JSON names and values are parameters',
      async () => {
        for (const text of hostile) {
          if (text.includes('\0')) continue;
          const joined = await Article.all().aggregate({ x: StringAgg('title', text) });
          assert.equal((joined.x as string).split(text === '' ? 't' : text).length, text === '' ? 7 : 6);
          const [first] = await Article.all()
            .orderBy('id')
            .annotate({ x: Value(text) })
            .values('x');
          assert.deepEqual(first, { x: text });
          if (text === '__proto__') continue;
          const [row] = await Article.all()
            .orderBy('id')
            .annotate({ x: JSONObject({ [text]: 'title' }) })
            .values('x');
          assert.deepEqual(row?.x, { [text]: 't0' });
        }
      },
    );
    within('the tables are still there', async () => {
      assert.equal(await Author.count(), 3);
      assert.equal(await Article.count(), 6);
    });
  });
