/** The bookshop of queries.ts as Sobaya models, and the translation of a query in plain data to a queryset. */
import * as db from 'sobaya/db';
import {
  array,
  bigInteger,
  boolean,
  Databases,
  date,
  dateTime,
  decimal,
  duration,
  F,
  float,
  foreignKey,
  integer,
  json,
  Model,
  many,
  manyToMany,
  metaOf,
  OuterRef,
  one,
  oneToOne,
  Q,
  registerModels,
  smallInteger,
  text,
  time,
  uuid,
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
export class Person extends Model({
  name: text({ maxLength: 100 }),
  get friends() {
    return manyToMany(Person);
  },
  get follows() {
    return manyToMany(Person, { symmetrical: false });
  },
  get followers() {
    return many(Person, 'follows');
  },
  get clubs() {
    return many(Club, 'members');
  },
  get memberships() {
    return many(Membership, 'person');
  },
  get invited() {
    return many(Membership, 'inviter');
  },
  get events() {
    return many(Event, 'host');
  },
  get places() {
    return many(Place, 'owner');
  },
  get kitchens() {
    return many(Restaurant, 'chef');
  },
}) {}
export class Club extends Model({
  name: text({ maxLength: 100 }),
  get members() {
    return manyToMany(Person, { through: () => Membership, throughFields: ['club', 'person'] });
  },
  get memberships() {
    return many(Membership, 'club');
  },
}) {}
export class Membership extends Model(
  {
    get person() {
      return foreignKey(Person);
    },
    get club() {
      return foreignKey(Club);
    },
    role: text({ maxLength: 20, null: true }),
    joined: date({ null: true }),
    get inviter() {
      return foreignKey(Person, { null: true, onDelete: 'setNull' });
    },
  },
  { ordering: ['-joined', 'id'] },
) {}
export class Event extends Model({
  name: text({ maxLength: 100 }),
  day: date({ null: true }),
  at: time({ null: true }),
  start: dateTime({ null: true }),
  stop: dateTime({ null: true }),
  lasts: duration({ null: true }),
  amount: decimal({ maxDigits: 12, decimalPlaces: 3, null: true }),
  big: bigInteger({ null: true }),
  small: smallInteger(),
  ratio: float({ null: true }),
  flag: boolean({ null: true }),
  code: uuid({ null: true }),
  meta: json({ null: true }),
  get host() {
    return foreignKey(Person, { null: true, onDelete: 'setNull' });
  },
}) {}
export class Place extends Model({
  name: text({ maxLength: 100 }),
  city: text({ maxLength: 100, null: true }),
  get owner() {
    return foreignKey(Person, { null: true, onDelete: 'setNull' });
  },
  get visits() {
    return many(Visit, 'place');
  },
  get restaurant() {
    return one(Restaurant, 'placePtr');
  },
}) {}
export class Restaurant extends Place.extend({
  seats: integer(),
  get chef() {
    return foreignKey(Person, { null: true, onDelete: 'setNull' });
  },
  get dinners() {
    return many(Visit, 'restaurant');
  },
  get noodles() {
    return one(Noodles, 'restaurantPtr');
  },
}) {}
export class Noodles extends Restaurant.extend({ flour: text({ maxLength: 50 }) }) {}
export class Visit extends Model({
  get place() {
    return foreignKey(Place);
  },
  get restaurant() {
    return foreignKey(Restaurant, { null: true });
  },
  stars: integer({ null: true }),
}) {}
export class Shelf extends Model({
  name: text({ maxLength: 100 }),
  labels: array(text(), { null: true }),
  numbers: array(integer(), { default: () => [] }),
  grid: array(array(integer()), { null: true }),
  text: text(),
}) {}

export const models = {
  Company,
  Author,
  Profile,
  Tag,
  Article,
  Comment,
  Node,
  Person,
  Club,
  Membership,
  Event,
  Place,
  Restaurant,
  Noodles,
  Visit,
  Shelf,
};
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
    case '$time':
    case '$uuid':
    case '$duration':
      return inner;
    case '$big':
      return BigInt(inner as string);
    case '$F':
      return F(inner as string);
    case '$Value':
      if (typeof inner === 'object' && inner !== null && '$duration' in inner)
        return Value(inner.$duration, 'duration');
      return Value(revive(inner) as number);
    case '$Cast':
      return call(functions, 'Cast', [revive(list[0]), list[1]]);
    case '$Trunc':
    case '$Extract':
      return call(functions, key.slice(1), [
        revive(list[0]),
        list[1],
        ...(list[2] ? [{ timeZone: list[2] }] : []),
      ]);
    case '$Window': {
      const [expression, partitionBy, orderBy, frame] = list as [unknown, unknown, unknown, unknown[] | null];
      return call(functions, 'Window', [
        revive(expression),
        {
          partitionBy: partitionBy ?? [],
          orderBy: orderBy ?? [],
          ...(frame ? { frame: { type: frame[0], start: frame[1], end: frame[2] } } : {}),
        },
      ]);
    }
    case '$pgagg': {
      const [name, path, { delimiter, ...options } = {}] = list as [string, unknown, Record<string, unknown>];
      return call(functions, name, [
        revive(path),
        ...(delimiter === undefined ? [] : [delimiter]),
        revive(options),
      ]);
    }
    case '$SearchVector':
      return call(functions, 'SearchVector', [list[0], list[1]]);
    case '$SearchQuery':
      return call(functions, 'SearchQuery', [list[0], list[1]]);
    case '$SearchRank':
      return call(functions, 'SearchRank', [revive(list[0]), revive(list[1])]);
    case '$SearchHeadline':
      return call(functions, 'SearchHeadline', [list[0], revive(list[1]), list[2]]);
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
      const method = {
        '+': 'add',
        '-': 'sub',
        '*': 'mul',
        '/': 'div',
        '%': 'mod',
        '^': 'pow',
        '&': 'bitAnd',
        '|': 'bitOr',
      }[sign as string] as string;
      // A bare number of milliseconds beside a moment would be a number: say that it is a duration.
      const span = (side: unknown): unknown =>
        typeof side === 'object' && side !== null && '$duration' in side ? { $Value: side } : side;
      return call(revive(span(left)), method, [revive(span(right))]);
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
    case '$ascNullsFirst':
      return F(inner as string).asc({ nullsFirst: true });
    case '$descNullsFirst':
      return F(inner as string).desc({ nullsFirst: true });
    case '$exprAsc':
      return call(revive(inner), 'asc', []);
    case '$exprDesc':
      return call(revive(inner), 'desc', []);
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
    else if (name === 'dates' || name === 'datetimes')
      current = call(current, name, [
        args[0],
        args[1],
        { order: args[2], ...(args[3] ? { timeZone: args[3] } : {}) },
      ]);
    else if (name === 'valuesExpr')
      current = call(current, 'values', [...(args[0] as unknown[]), revive(args[1])]);
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

/** A database of its own with the data of the bank. */
export async function openBank(url: string): Promise<Databases> {
  const databases = await new Databases({ default: url }).open();
  // The automatic tables exist once the relations are known.
  for (const model of Object.values(models)) void metaOf(model).incoming;
  const between = (model: unknown, name: string): unknown =>
    (metaOf(model).fields.get(name) as unknown as { through: unknown }).through;
  const tables = [between(Article, 'tags'), between(Person, 'friends'), between(Person, 'follows')];
  await createTables(databases, [...Object.values(models), ...tables]);
  await databases.run(async () => {
    for (const [name, rows] of Object.entries(data)) {
      const model = models[name as keyof typeof models] as unknown as Untyped;
      if (model === undefined) continue;
      const keys = new Set(
        [...metaOf(model).fields.values()]
          .filter((field) => field.kind === 'foreignKey' || field.kind === 'oneToOne')
          .map((field) => field.name),
      );
      const later: [instance: Record<string, Untyped>, many: Record<string, unknown[]>][] = [];
      for (const { tags, friends, follows, ...row } of rows) {
        const instance = (await model['create']?.(
          Object.fromEntries(
            Object.entries(row).map(([key, value]) => [keys.has(key) ? `${key}Id` : key, revive(value)]),
          ),
        )) as Record<string, Untyped>;
        later.push([instance, { tags, friends, follows } as Record<string, unknown[]>]);
      }
      for (const [instance, many] of later)
        for (const [field, wanted] of Object.entries(many))
          if (wanted !== undefined) await instance[field]?.['add']?.(...wanted);
    }
  });
  return databases;
}

/** An answer in the form of answers.json. */
export function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  // Django's are rounded to nine digits too; whole numbers have none to lose.
  if (typeof value === 'number') return Number.isInteger(value) ? value : Math.round(value * 1e9) / 1e9;
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
  if ('$time' in value) return String(value.$time).replace(/(\.\d*?)0+$/, '$1');
  if ('$duration' in value) return value.$duration;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expected(item)]));
}

/** Decimals come as text from us and are marked in Django's answers: compare them as numbers there. */
export function aligned(actual: unknown, wanted: unknown): unknown {
  if (typeof wanted === 'number' && typeof actual === 'string' && actual.trim() !== '') {
    const number = Number(actual);
    // A mean of decimals: exact on PostgreSQL, a double on SQLite.
    return Math.abs(number - wanted) <= Math.abs(wanted) * 1e-12 ? wanted : number;
  }
  if (
    typeof wanted === 'string' &&
    /^\d{4}-\d\d-\d\dT00:00:00.000Z$/.test(String(actual)) &&
    wanted.length === 10
  )
    return String(actual).slice(0, 10);
  if (Array.isArray(actual) && Array.isArray(wanted))
    return actual.map((item, i) => aligned(item, wanted[i]));
  if (actual !== null && wanted !== null && typeof actual === 'object' && typeof wanted === 'object')
    return Object.fromEntries(
      Object.entries(actual).map(([key, item]) => [
        key,
        aligned(item, (wanted as Record<string, unknown>)[key]),
      ]),
    );
  return actual;
}
