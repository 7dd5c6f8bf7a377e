/** The same six things with each client, as its documentation has them done. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  atomic,
  boolean,
  Databases,
  dateTime,
  F,
  foreignKey,
  integer,
  Model,
  many,
  text,
} from '../../src/db/index.ts';

export interface Client {
  /** One author by primary key. */
  get(id: number): Promise<unknown>;
  /** 50 articles with their authors, by a condition on the author. */
  list(views: number): Promise<readonly unknown[]>;
  insert(n: number): Promise<unknown>;
  /** 1,000 rows. */
  bulk(n: number): Promise<unknown>;
  /** 20 authors with all their articles, in two queries. */
  prefetch(from: number): Promise<readonly unknown[]>;
  /** An update and an insert, or none of them. */
  transaction(id: number): Promise<unknown>;
  close(): Promise<unknown>;
}
export type Peer = 'Sobaya' | 'pg' | 'postgres.js' | 'Kysely' | 'Drizzle' | 'Prisma' | 'MikroORM' | 'TypeORM';

const POOL = 10;
const rows = (n: number): { title: string; n: number }[] =>
  Array.from({ length: 1000 }, (_, i) => ({ title: `entry ${i}`, n: n + i }));
const later = (views: number): number => views % 4000;
const early = (from: number): number => from % 900;

class Author extends Model(
  {
    name: text(),
    email: text(),
    age: integer(),
    bio: text({ null: true }),
    active: boolean(),
    created: dateTime(),
    get articles() {
      return many(Article, 'author');
    },
  },
  { table: 'author' },
) {}
class Article extends Model(
  {
    title: text(),
    views: integer(),
    get author() {
      return foreignKey(Author);
    },
  },
  { table: 'article' },
) {}
class Log extends Model({ title: text(), n: integer() }, { table: 'log' }) {}

async function sobaya(url: string): Promise<Client> {
  const databases = await new Databases({
    default: { engine: 'postgresql', url, pool: { size: POOL } },
  }).open();
  return {
    get: (id) => Author.get({ pk: id }),
    list: async (views) =>
      await Article.filter({ views__gte: later(views), author__age__gte: 20 })
        .selectRelated('author')
        .orderBy('views')
        .limit(50),
    insert: (n) => Log.create({ title: 'entry', n }),
    bulk: (n) => Log.bulkCreate(rows(n)),
    prefetch: async (from) =>
      await Author.filter({ pk__gte: early(from) })
        .orderBy('pk')
        .limit(20)
        .prefetchRelated('articles'),
    transaction: (id) =>
      atomic(async () => {
        await Author.filter({ pk: id }).update({ age: F('age').add(0) });
        await Log.create({ title: 'changed', n: id });
      }),
    close: () => databases.close(),
  };
}

const LIST = `SELECT a.id, a.title, a.views, a.author_id, u.id AS u_id, u.name, u.email, u.age, u.bio, u.active, u.created
  FROM article a JOIN author u ON u.id = a.author_id WHERE a.views >= $1 AND u.age >= $2 ORDER BY a.views LIMIT 50`;

/** What everybody who uses a driver alone writes: the articles of each author, together. */
function grouped<A extends { id: unknown }, B extends { author_id: unknown }>(
  authors: readonly A[],
  articles: readonly B[],
): (A & { articles: B[] })[] {
  const byAuthor = new Map<unknown, B[]>();
  for (const article of articles) {
    const list = byAuthor.get(article.author_id);
    if (list === undefined) byAuthor.set(article.author_id, [article]);
    else list.push(article);
  }
  return authors.map((author) => ({ ...author, articles: byAuthor.get(author.id) ?? [] }));
}

async function pgClient(url: string): Promise<Client> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const named = (name: string, sql: string, values: unknown[]) => ({ name, text: sql, values });
  return {
    get: async (id) => (await pool.query(named('get', 'SELECT * FROM author WHERE id=$1', [id]))).rows[0],
    list: async (views) => (await pool.query(named('list', LIST, [later(views), 20]))).rows,
    insert: (n) =>
      pool.query(named('insert', 'INSERT INTO log (title, n) VALUES ($1, $2) RETURNING id', ['entry', n])),
    bulk: (n) => {
      const all = rows(n);
      return pool.query(
        named('bulk', 'INSERT INTO log (title, n) SELECT * FROM unnest($1::text[], $2::int[]) RETURNING id', [
          all.map((row) => row.title),
          all.map((row) => row.n),
        ]),
      );
    },
    prefetch: async (from) => {
      const { rows: authors } = await pool.query(
        named('authors', 'SELECT * FROM author WHERE id >= $1 ORDER BY id LIMIT 20', [early(from)]),
      );
      const { rows: articles } = await pool.query(
        named('articles', 'SELECT * FROM article WHERE author_id = ANY($1)', [authors.map(({ id }) => id)]),
      );
      return grouped(authors, articles);
    },
    transaction: async (id) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(named('update', 'UPDATE author SET age = age + 0 WHERE id = $1', [id]));
        await client.query(
          named('insert', 'INSERT INTO log (title, n) VALUES ($1, $2) RETURNING id', ['changed', id]),
        );
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}

async function postgresJs(url: string): Promise<Client> {
  const { default: postgres } = await import('postgres');
  const sql = postgres(url, { max: POOL, onnotice: () => {} });
  return {
    get: async (id) => (await sql`SELECT * FROM author WHERE id=${id}`)[0],
    list: (views) =>
      sql`SELECT a.id, a.title, a.views, a.author_id, u.id AS u_id, u.name, u.email, u.age, u.bio, u.active, u.created
        FROM article a JOIN author u ON u.id = a.author_id WHERE a.views >= ${later(views)} AND u.age >= ${20} ORDER BY a.views LIMIT 50`,
    insert: (n) => sql`INSERT INTO log (title, n) VALUES (${'entry'}, ${n}) RETURNING id`,
    bulk: (n) => sql`INSERT INTO log ${sql(rows(n))} RETURNING id`,
    prefetch: async (from) => {
      const authors = await sql<
        { id: string }[]
      >`SELECT * FROM author WHERE id >= ${early(from)} ORDER BY id LIMIT 20`;
      const ids = authors.map(({ id }) => id);
      const articles = await sql<
        { author_id: string }[]
      >`SELECT * FROM article WHERE author_id = ANY(${ids})`;
      return grouped(authors, articles);
    },
    transaction: (id) =>
      sql.begin(async (tx) => {
        await tx`UPDATE author SET age = age + 0 WHERE id = ${id}`;
        await tx`INSERT INTO log (title, n) VALUES (${'changed'}, ${id}) RETURNING id`;
      }),
    close: () => sql.end(),
  };
}

async function kysely(url: string): Promise<Client> {
  const { Kysely, PostgresDialect, sql } = await import('kysely');
  const { default: pg } = await import('pg');
  interface Tables {
    author: {
      id: number;
      name: string;
      email: string;
      age: number;
      bio: string | null;
      active: boolean;
      created: Date;
    };
    article: { id: number; title: string; views: number; author_id: number };
    log: { id?: number; title: string; n: number };
  }
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: POOL }) }),
  });
  return {
    get: (id) => db.selectFrom('author').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    list: (views) =>
      db
        .selectFrom('article')
        .innerJoin('author', 'author.id', 'article.author_id')
        .select(['article.id', 'article.title', 'article.views', 'article.author_id'])
        .select([
          'author.id as u_id',
          'author.name',
          'author.email',
          'author.age',
          'author.bio',
          'author.active',
          'author.created',
        ])
        .where('article.views', '>=', later(views))
        .where('author.age', '>=', 20)
        .orderBy('article.views')
        .limit(50)
        .execute(),
    insert: (n) =>
      db.insertInto('log').values({ title: 'entry', n }).returning('id').executeTakeFirstOrThrow(),
    bulk: (n) => db.insertInto('log').values(rows(n)).returning('id').execute(),
    prefetch: async (from) => {
      const authors = await db
        .selectFrom('author')
        .selectAll()
        .where('id', '>=', early(from))
        .orderBy('id')
        .limit(20)
        .execute();
      const ids = authors.map(({ id }) => id);
      return grouped(
        authors,
        await db.selectFrom('article').selectAll().where('author_id', 'in', ids).execute(),
      );
    },
    transaction: (id) =>
      db.transaction().execute(async (tx) => {
        await tx.updateTable('author').set({ age: sql`age + 0` }).where('id', '=', id).execute();
        await tx.insertInto('log').values({ title: 'changed', n: id }).returning('id').execute();
      }),
    close: () => db.destroy(),
  };
}

async function drizzle(url: string): Promise<Client> {
  const { drizzle: connect } = await import('drizzle-orm/node-postgres');
  const core = await import('drizzle-orm/pg-core');
  const { and, eq, gte, relations, sql } = await import('drizzle-orm');
  const { default: pg } = await import('pg');
  const key = () => core.bigint('id', { mode: 'number' }).primaryKey().generatedByDefaultAsIdentity();
  const author = core.pgTable('author', {
    id: key(),
    name: core.text('name').notNull(),
    email: core.text('email').notNull(),
    age: core.integer('age').notNull(),
    bio: core.text('bio'),
    active: core.boolean('active').notNull(),
    created: core.timestamp('created', { withTimezone: true }).notNull(),
  });
  const article = core.pgTable('article', {
    id: key(),
    title: core.text('title').notNull(),
    views: core.integer('views').notNull(),
    authorId: core.bigint('author_id', { mode: 'number' }).notNull(),
  });
  const log = core.pgTable('log', {
    id: key(),
    title: core.text('title').notNull(),
    n: core.integer('n').notNull(),
  });
  const authorRelations = relations(author, ({ many: several }) => ({ articles: several(article) }));
  const articleRelations = relations(article, ({ one }) => ({
    author: one(author, { fields: [article.authorId], references: [author.id] }),
  }));
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const db = connect(pool, { schema: { author, article, log, authorRelations, articleRelations } });
  return {
    get: async (id) => (await db.select().from(author).where(eq(author.id, id)))[0],
    list: (views) =>
      db
        .select()
        .from(article)
        .innerJoin(author, eq(author.id, article.authorId))
        .where(and(gte(article.views, later(views)), gte(author.age, 20)))
        .orderBy(article.views)
        .limit(50),
    insert: (n) => db.insert(log).values({ title: 'entry', n }).returning(),
    bulk: (n) => db.insert(log).values(rows(n)).returning(),
    prefetch: (from) =>
      db.query.author.findMany({
        where: gte(author.id, early(from)),
        orderBy: author.id,
        limit: 20,
        with: { articles: true },
      }),
    transaction: (id) =>
      db.transaction(async (tx) => {
        await tx.update(author).set({ age: sql`age + 0` }).where(eq(author.id, id));
        await tx.insert(log).values({ title: 'changed', n: id }).returning();
      }),
    close: () => pool.end(),
  };
}

const SCHEMA = `
generator client {
  provider = "prisma-client"
  output   = "./client"
}
datasource db {
  provider = "postgresql"
}
model author {
  id       BigInt    @id @default(autoincrement())
  name     String
  email    String
  age      Int
  bio      String?
  active   Boolean
  created  DateTime  @db.Timestamptz
  articles article[]
}
model article {
  id        BigInt @id @default(autoincrement())
  title     String
  views     Int
  author_id BigInt
  author    author @relation(fields: [author_id], references: [id])
}
model log {
  id    BigInt @id @default(autoincrement())
  title String
  n     Int
}
`;

// biome-ignore lint/suspicious/noExplicitAny: the client is generated when the benchmark runs
async function prisma(url: string): Promise<any> {
  const require = createRequire(import.meta.url);
  const folder = join(import.meta.dirname, '../.prisma');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'schema.prisma'), SCHEMA);
  const cli = join(dirname(require.resolve('prisma/package.json')), 'build/index.js');
  execFileSync(process.execPath, [cli, 'generate', '--schema', join(folder, 'schema.prisma')], {
    cwd: folder,
    stdio: 'pipe',
    // Migrations need a binary from elsewhere; generating the client does not, but would fetch it.
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      DATABASE_URL: url,
      NODE_OPTIONS: '',
    },
  });
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const { PrismaClient } = await import(join(folder, 'client/client.ts'));
  const db = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: POOL }) });
  return {
    get: (id: number) => db.author.findUniqueOrThrow({ where: { id } }),
    list: (views: number) =>
      db.article.findMany({
        where: { views: { gte: later(views) }, author: { age: { gte: 20 } } },
        include: { author: true },
        orderBy: { views: 'asc' },
        take: 50,
      }),
    insert: (n: number) => db.log.create({ data: { title: 'entry', n } }),
    bulk: (n: number) => db.log.createManyAndReturn({ data: rows(n), select: { id: true } }),
    prefetch: (from: number) =>
      db.author.findMany({
        where: { id: { gte: early(from) } },
        orderBy: { id: 'asc' },
        take: 20,
        include: { articles: true },
      }),
    transaction: (id: number) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      db.$transaction(async (tx: any) => {
        await tx.author.updateMany({ where: { id }, data: { age: { increment: 0 } } });
        await tx.log.create({ data: { title: 'changed', n: id } });
      }),
    close: () => db.$disconnect(),
  };
}

async function mikro(url: string): Promise<Client> {
  const { EntitySchema, MikroORM, PostgreSqlDriver, raw } = await import('@mikro-orm/postgresql');
  const key = { type: 'bigint', primary: true, autoincrement: true } as const;
  const author = new EntitySchema<Record<string, unknown>>({
    name: 'Author',
    tableName: 'author',
    properties: {
      id: key,
      name: { type: 'string' },
      email: { type: 'string' },
      age: { type: 'number' },
      bio: { type: 'string', nullable: true },
      active: { type: 'boolean' },
      created: { type: 'Date' },
      articles: { kind: '1:m', entity: () => article, mappedBy: 'author' },
    },
  } as never);
  const article = new EntitySchema<Record<string, unknown>>({
    name: 'Article',
    tableName: 'article',
    properties: {
      id: key,
      title: { type: 'string' },
      views: { type: 'number' },
      author: { kind: 'm:1', entity: () => author, fieldName: 'author_id', inversedBy: 'articles' },
    },
  } as never);
  const log = new EntitySchema<Record<string, unknown>>({
    name: 'Log',
    tableName: 'log',
    properties: { id: key, title: { type: 'string' }, n: { type: 'number' } },
  } as never);
  const orm = await MikroORM.init({
    driver: PostgreSqlDriver,
    clientUrl: url,
    entities: [author, article, log],
    pool: { min: 0, max: POOL },
  } as never);
  // biome-ignore lint/suspicious/noExplicitAny: entities without classes
  const em = (): any => orm.em.fork();
  return {
    get: (id) => em().findOneOrFail(author, { id: String(id) }),
    list: (views) =>
      em().find(
        article,
        { views: { $gte: later(views) }, author: { age: { $gte: 20 } } },
        { populate: ['author'], strategy: 'joined', orderBy: { views: 'asc' }, limit: 50 },
      ),
    insert: async (n) => {
      const own = em();
      own.create(log, { title: 'entry', n });
      await own.flush();
    },
    bulk: async (n) => {
      const own = em();
      for (const row of rows(n)) own.create(log, row);
      await own.flush();
    },
    prefetch: (from) =>
      em().find(
        author,
        { id: { $gte: String(early(from)) } },
        { populate: ['articles'], strategy: 'select-in', orderBy: { id: 'asc' }, limit: 20 },
      ),
    transaction: (id) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      em().transactional(async (own: any) => {
        await own.nativeUpdate(author, { id: String(id) }, { age: raw('age + 0') });
        own.create(log, { title: 'changed', n: id });
      }),
    close: () => orm.close(),
  };
}

async function typeorm(url: string): Promise<Client> {
  const { DataSource, EntitySchema, MoreThanOrEqual } = await import('typeorm');
  const id = { type: 'bigint', primary: true, generated: 'identity' } as const;
  interface Row {
    id: string;
    [name: string]: unknown;
  }
  const author = new EntitySchema<Row>({
    name: 'author',
    columns: {
      id,
      name: { type: 'text' },
      email: { type: 'text' },
      age: { type: 'int' },
      bio: { type: 'text', nullable: true },
      active: { type: 'bool' },
      created: { type: 'timestamptz' },
    },
    relations: { articles: { type: 'one-to-many', target: 'article', inverseSide: 'author' } },
  } as never);
  const article = new EntitySchema<Row>({
    name: 'article',
    columns: { id, title: { type: 'text' }, views: { type: 'int' } },
    relations: {
      author: {
        type: 'many-to-one',
        target: 'author',
        inverseSide: 'articles',
        joinColumn: { name: 'author_id' },
      },
    },
  } as never);
  const log = new EntitySchema<Row>({
    name: 'log',
    columns: { id, title: { type: 'text' }, n: { type: 'int' } },
  } as never);
  const source = await new DataSource({
    type: 'postgres',
    url,
    entities: [author, article, log],
    poolSize: POOL,
  } as never).initialize();
  // biome-ignore lint/suspicious/noExplicitAny: entities without classes
  const of = (schema: unknown): any => source.getRepository(schema as never);
  const [authors, articles, logs] = [of(author), of(article), of(log)];
  return {
    get: (pk) => authors.findOneByOrFail({ id: pk }),
    list: (views) =>
      articles.find({
        where: { views: MoreThanOrEqual(later(views)), author: { age: MoreThanOrEqual(20) } },
        relations: { author: true },
        order: { views: 'ASC' },
        take: 50,
      }),
    insert: (n) => logs.insert({ title: 'entry', n }),
    bulk: (n) => logs.insert(rows(n)),
    prefetch: (from) =>
      authors.find({
        where: { id: MoreThanOrEqual(early(from)) },
        relations: { articles: true },
        relationLoadStrategy: 'query',
        order: { id: 'ASC' },
        take: 20,
      }),
    transaction: (pk) =>
      source.transaction(async (tx) => {
        await tx
          .getRepository(author as never)
          .update({ id: pk } as never, { age: () => 'age + 0' } as never);
        await tx.getRepository(log as never).insert({ title: 'changed', n: pk } as never);
      }),
    close: () => source.destroy(),
  };
}

export const peers: Readonly<Record<Peer, (url: string) => Promise<Client>>> = {
  Sobaya: sobaya,
  pg: pgClient,
  'postgres.js': postgresJs,
  Kysely: kysely,
  Drizzle: drizzle,
  Prisma: prisma,
  MikroORM: mikro,
  TypeORM: typeorm,
};
