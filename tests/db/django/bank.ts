/** The bookshop of queries.ts as Sobaya models, and the translation of a query in plain data to a queryset. */
import * as db from 'sobaya/db';
import {
  boolean,
  Databases,
  date,
  dateTime,
  decimal,
  F,
  float,
  foreignKey,
  integer,
  Model,
  many,
  manyToMany,
  metaOf,
  OuterRef,
  one,
  oneToOne,
  Q,
  registerModels,
  text,
  Value,
} from 'sobaya/db';
import { createTables } from '../support/tables.ts';
import { data, type Query } from './queries.ts';

export class Company extends Model({
  name: text({ maxLength: 100 }),
  city: text({ maxLength: 100, null: true }),
  founded: date({ null: true }),
  get staff() {
    return many(Author, 'company');
  },
}) {}
export class Author extends Model({
  name: text({ maxLength: 100 }),
  email: text({ maxLength: 100, unique: true }),
  age: integer(),
  bio: text({ null: true }),
  active: boolean({ default: true }),
  get company() {
    return foreignKey(Company, { null: true, onDelete: 'setNull' });
  },
  get articles() {
    return many(Article, 'author');
  },
  get edited() {
    return many(Article, 'editor');
  },
  get comments() {
    return many(Comment, 'author');
  },
  get profile() {
    return one(Profile, 'author');
  },
}) {}
export class Profile extends Model({
  get author() {
    return oneToOne(Author, { onDelete: 'cascade' });
  },
  site: text({ maxLength: 100 }),
  karma: integer({ null: true }),
}) {}
export class Tag extends Model({
  name: text({ maxLength: 50 }),
  get articles() {
    return many(Article, 'tags');
  },
}) {}
export class Article extends Model({
  title: text({ maxLength: 200 }),
  body: text(),
  views: integer({ default: 0 }),
  score: float({ null: true }),
  price: decimal({ maxDigits: 8, decimalPlaces: 2, null: true }),
  published: dateTime({ null: true }),
  get author() {
    return foreignKey(Author, { onDelete: 'cascade' });
  },
  get editor() {
    return foreignKey(Author, { null: true, onDelete: 'setNull' });
  },
  get tags() {
    return manyToMany(Tag);
  },
  get comments() {
    return many(Comment, 'article');
  },
}) {}
export class Comment extends Model({
  get article() {
    return foreignKey(Article, { onDelete: 'cascade' });
  },
  get author() {
    return foreignKey(Author, { null: true, onDelete: 'setNull' });
  },
  text: text(),
  stars: integer({ null: true }),
}) {}
export class Node extends Model({
  name: text({ maxLength: 50 }),
  get parent() {
    return foreignKey(Node, { null: true, onDelete: 'cascade' });
  },
  get kids() {
    return many(Node, 'parent');
  },
}) {}

export const models = { Company, Author, Profile, Tag, Article, Comment, Node };
registerModels('bank', Object.values(models));

/** The bank calls methods by name, as untyped JSON would. */
type Untyped = Record<string, (...args: unknown[]) => unknown>;
const functions = db as unknown as Untyped;

/** Why a query cannot be asked: something of ours is missing. */
export class Missing extends Error {}

export function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  const [key, inner] = entries.length === 1 ? (entries[0] as [string, unknown]) : ['', undefined];
  const list = inner as unknown[];
  switch (key) {
    case '$datetime':
      return new Date(inner as string);
    case '$date':
    case '$decimal':
      return inner;
    case '$F':
      return F(inner as string);
    case '$Value':
      return Value(revive(inner) as number);
    case '$OuterRef':
      return OuterRef(inner as string);
    case '$q':
      return Q(revive(inner) as object);
    case '$and':
    case '$or': {
      const [first, ...rest] = list.map(revive) as Untyped[];
      return rest.reduce((left, right) => call(left, key.slice(1), [right]) as Untyped, first as Untyped);
    }
    case '$not':
      return call(revive(inner), 'not', []);
    case '$op': {
      const [sign, left, right] = list;
      const method = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod' }[sign as string] as string;
      return call(revive(left), method, [revive(right)]);
    }
    case '$agg': {
      const [name, path, options] = list;
      return call(functions, name as string, [revive(path), revive(options ?? {})]);
    }
    case '$fn': {
      const [name, ...args] = list;
      return call(functions, name as string, args.map(revive));
    }
    case '$Exists':
      return db.Exists(queryset(inner as Query) as never);
    case '$Subquery':
      return db.Subquery(queryset(inner as Query) as never);
    case '$queryset':
      return queryset(inner as Query);
    case '$Case': {
      const [whens, otherwise] = list as [[unknown, unknown][], unknown];
      const cases = whens.map(([condition, then]) => db.When(revive(condition) as never, revive(then)));
      return db.Case(cases, { default: revive(otherwise) });
    }
    case '$pk': {
      const [model, pk] = list as [keyof typeof models, number];
      return new models[model]({ id: pk } as never);
    }
    case '$desc':
      return F(inner as string).desc();
    case '$ascNullsLast':
      return F(inner as string).asc({ nullsLast: true });
    case '$descNullsLast':
      return F(inner as string).desc({ nullsLast: true });
  }
  return Object.fromEntries(entries.map(([name, item]) => [name, revive(item)]));
}

function call(target: unknown, method: string, args: unknown[]): unknown {
  const fn = (target as Untyped)[method];
  if (typeof fn !== 'function') throw new Missing(`there is no ${method}()`);
  return fn.apply(target, args);
}

const isExpression = (arg: unknown): boolean =>
  typeof arg === 'object' &&
  arg !== null &&
  Object.keys(arg).length === 1 &&
  (Object.keys(arg)[0] as string).startsWith('$');

/** The query as a queryset, or, after a call like count(), as a promise of its answer. */
export function queryset([model, ...calls]: Query): unknown {
  let current: unknown = (models[model as keyof typeof models] as unknown as Untyped)['all']?.();
  for (const [name, ...args] of calls) {
    if (name === 'slice') current = call(current, 'slice', [args[0], args[1] ?? undefined]);
    else if (name === 'flat') current = call(current, 'valuesList', [args[0], { flat: true }]);
    else if (name === 'filter' || name === 'exclude') {
      // Django joins the arguments of one call by AND, in one join of a multi-valued relation.
      const conditions = args.map((arg) => (isExpression(arg) ? revive(arg) : Q(revive(arg) as object)));
      current = call(current, name, conditions);
    } else if (name === 'union' || name === 'intersection' || name === 'difference')
      current = call(
        current,
        name,
        args.map((arg) => queryset(arg as Query)),
      );
    else current = call(current, name, args.map(revive));
  }
  return current;
}

const relations = new Set(['company', 'author', 'article', 'editor', 'parent']);

/** A database of its own with the data of the bank. */
export async function openBank(url: string): Promise<Databases> {
  const databases = await new Databases({ default: url }).open();
  // The automatic table exists once the relations are known.
  for (const model of Object.values(models)) void metaOf(model).incoming;
  const through = (metaOf(Article).fields.get('tags') as unknown as { through: unknown }).through;
  await createTables(databases, [...Object.values(models), through]);
  await databases.run(async () => {
    for (const [name, rows] of Object.entries(data)) {
      const model = models[name as keyof typeof models] as unknown as Untyped;
      for (const { tags, ...row } of rows) {
        const instance = (await model['create']?.(
          Object.fromEntries(
            Object.entries(row).map(([key, value]) => [relations.has(key) ? `${key}Id` : key, revive(value)]),
          ),
        )) as { tags: Untyped };
        if (tags !== undefined) await instance.tags['set']?.(tags);
      }
    }
  });
  return databases;
}

/** An answer in the form of answers.json. */
export function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return Math.round(value * 1e9) / 1e9;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  if ('pk' in value) return plain(value.pk);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Django's answer, with its marked values as Sobaya gives them. */
export function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected);
  if (value === null || typeof value !== 'object') return value;
  if ('$datetime' in value) return value.$datetime;
  if ('$date' in value) return value.$date;
  if ('$decimal' in value) return Number(value.$decimal);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expected(item)]));
}
