import {
  boolean,
  type DatabaseConfig,
  Databases,
  dateTime,
  decimal,
  foreignKey,
  integer,
  json,
  Model,
  many,
  manyToMany,
  metaOf,
  registerModels,
  text,
} from 'sobaya/db';
import { createTables } from './tables.ts';

export class Company extends Model({
  name: text(),
  get staff() {
    return many(Author, 'company');
  },
}) {}
export class Author extends Model({
  name: text({ maxLength: 50 }),
  email: text({ unique: true, null: true }),
  age: integer({ null: true }),
  get company() {
    return foreignKey(Company, { null: true, onDelete: 'setNull' });
  },
  get articles() {
    return many(Article, 'author');
  },
}) {
  greet(): string {
    return `hi ${this.name}`;
  }
}
export class Article extends Model(
  {
    title: text({ maxLength: 100 }),
    views: integer({ default: 0 }),
    price: decimal({ maxDigits: 8, decimalPlaces: 2, null: true }),
    published: dateTime({ null: true }),
    hot: boolean({ default: false }),
    meta: json<{ a?: number; b?: { c: string } }>({ null: true }),
    get author() {
      return foreignKey(Author);
    },
    get tags() {
      return manyToMany(Tag);
    },
  },
  { ordering: ['title'] },
) {
  shout(): string {
    return this.title.toUpperCase();
  }
}
export class Tag extends Model({
  name: text({ unique: true }),
  get articles() {
    return many(Article, 'tags');
  },
}) {}
registerModels('shop', [Company, Author, Article, Tag]);

export const models = [Company, Author, Article, Tag];

/** The automatic table between articles and tags. */
export function between(): unknown {
  void metaOf(Tag).incoming;
  void metaOf(Article).incoming;
  return (metaOf(Article).fields.get('tags') as unknown as { through: unknown }).through;
}

/** Fresh tables with: two companies, three authors (one without a company), six articles, three tags. */
export async function openShop(url: DatabaseConfig = 'sqlite::memory:'): Promise<Databases> {
  const databases = await new Databases({ default: url }).open();
  await createTables(databases, [...models, between()]);
  await databases.run(seed);
  return databases;
}

async function seed(): Promise<void> {
  const [soba, udon] = await Company.bulkCreate([{ name: 'Soba' }, { name: 'Udon' }]);
  const [aki, ben, chie] = await Author.bulkCreate([
    { name: 'Aki', email: 'aki@example.com', age: 30, company: soba as Company },
    { name: 'Ben', age: 41, company: udon as Company },
    { name: 'Chie' },
  ]);
  const authors = [aki, ben, chie] as Author[];
  const articles: Article[] = [];
  for (let i = 0; i < 6; i++)
    articles.push(
      await Article.create({
        title: `t${i}`,
        views: i * 10,
        author: authors[i % 2] as Author,
        hot: i > 3,
        price: i === 5 ? null : `${i}.50`,
        published: i === 0 ? null : new Date(Date.UTC(2025 + (i > 2 ? 1 : 0), i, 15, 12, 30, i)),
        meta: i === 1 ? null : { a: i, b: { c: `c${i}` } },
      }),
    );
  const tags = await Tag.bulkCreate([{ name: 'new' }, { name: 'old' }, { name: 'none' }]);
  await (articles[0] as Article).tags.add(tags[0] as Tag, tags[1] as Tag);
  await (articles[1] as Article).tags.add(tags[1] as Tag);
}
