/** Checked by tsc only: what compiles, what does not, and what types things have. */
import {
  Avg,
  boolean,
  Case,
  Count,
  dateTime,
  decimal,
  Exists,
  F,
  foreignKey,
  integer,
  json,
  Max,
  Model,
  many,
  manyToMany,
  OuterRef,
  one,
  oneToOne,
  Prefetch,
  Q,
  type QuerySet,
  Subquery,
  Sum,
  text,
  uuid,
  When,
} from 'sobaya/db';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(ok: Same<A, B>): void;

export class Company extends Model({
  name: text(),
  get staff() {
    return many(Author, 'company');
  },
}) {}
export class Author extends Model({
  name: text(),
  email: text({ unique: true }),
  age: integer(),
  bio: text({ null: true }),
  level: text({ choices: ['junior', 'senior'], default: 'junior' }),
  active: boolean({ default: true }),
  get company() {
    return foreignKey(Company, { null: true });
  },
  get best() {
    return foreignKey(Article, { null: true });
  },
  get articles() {
    return many(Article, 'author');
  },
  get profile() {
    return one(Profile, 'author');
  },
}) {
  greet(): string {
    return `hi ${this.name}`;
  }
}
export class Profile extends Model({
  site: text(),
  get author() {
    return oneToOne(Author);
  },
}) {}
export class Article extends Model({
  title: text(),
  body: text(),
  views: integer({ default: 0 }),
  price: decimal({ maxDigits: 8, decimalPlaces: 2, null: true }),
  created: dateTime({ autoNowAdd: true }),
  meta: json<{ tags: string[] }>({ default: () => ({ tags: [] }) }),
  get author() {
    return foreignKey(Author);
  },
  get tags() {
    return manyToMany(Tag);
  },
}) {
  shout(): string {
    return this.title.toUpperCase();
  }
}
export class Tag extends Model({
  code: uuid({ primaryKey: true, default: () => 'x' }),
  name: text(),
  get articles() {
    return many(Article, 'tags');
  },
}) {}
export class Cat extends Model({
  name: text(),
  get parent() {
    return foreignKey(Cat, { null: true });
  },
  get kittens() {
    return many(Cat, 'parent');
  },
}) {}

export async function accepted(): Promise<void> {
  const found = await Article.filter({
    author__name__icontains: 'x',
    author__age__gt: 3,
    title: 'z',
    author__company__name__in: ['q'],
  }).first();
  if (found === null) return;
  found.shout();
  same<typeof found, Article>(true);
  same<typeof found.views, number>(true);
  same<typeof found.price, string | null>(true);
  same<typeof found.authorId, number>(true);
  same<typeof found.id, number>(true);
  same<typeof found.author.pk, number>(true);
  (await found.author.load()).greet();

  const [b] = await Article.all().selectRelated('author__company');
  if (b !== undefined) {
    b.author.greet();
    const name = b.author.company?.name;
    same<typeof name, string | undefined>(true);
  }
  const [c] = await Author.all().prefetchRelated('articles');
  for (const article of c?.articles ?? []) article.shout();
  const [withTags] = await Article.all().prefetchRelated('tags', 'author');
  withTags?.tags.items[0]?.name.trim();
  withTags?.author.greet();
  const [hot] = await Author.all().prefetchRelated(
    Prefetch('articles', Article.filter({ views__gt: 1 }), { to: 'hot' }),
  );
  hot?.hot.items[0]?.shout();

  const rows = await Article.all().values('title', 'author__name', 'author__company__name', 'author');
  same<
    typeof rows,
    { title: string; author__name: string; author__company__name: string | null; author: number }[]
  >(true);
  const list = await Article.all().valuesList('title', 'views');
  same<typeof list, [string, number][]>(true);
  const flat = await Article.all().valuesList('title', { flat: true });
  same<typeof flat, string[]>(true);

  const counted = await Author.all()
    .annotate({ n: Count('articles'), top: Max('articles__views'), who: F('company__name') })
    .filter({ n__gt: 3, name__startswith: 'a' })
    .orderBy('-n', 'name', 'company__name');
  const one = counted[0];
  if (one !== undefined) {
    same<typeof one.n, number>(true);
    same<typeof one.top, number | null>(true);
    same<typeof one.who, string | null>(true);
    one.greet();
  }
  const totals = await Article.all().aggregate({ s: Sum('price'), a: Avg('views'), n: Count() });
  same<typeof totals, { s: string | null; a: number | null; n: number }>(true);

  await Author.create({ name: 'a', email: 'b', age: 3 });
  await Author.create({
    name: 'a',
    email: 'b',
    age: 3,
    bio: null,
    active: false,
    company: 4,
    level: 'senior',
  });
  await Article.create({ title: 't', body: 'b', author: await Author.get({ pk: 1 }) });
  await Tag.create({ name: 'x' });
  const tag = await Tag.get({ pk: 'abc' });
  same<typeof tag.pk, string>(true);

  Cat.filter({ parent__parent__parent__name__in: ['a'], kittens__kittens__name: 'x' });
  Article.filter({ author: 3, authorId: 3, pk__in: [1, 2] });
  Article.filter({ author: await Author.get({ id: 1 }) });
  Article.filter({ created__year__gte: 2026, created__lt: new Date(), created__date: '2026-01-01' });
  Author.filter({ company__isnull: true, profile__site__contains: 'x' });
  Company.filter({ staff__articles__title: 'x' });
  Article.filter({ tags__name: 'x', tags: 'abc', meta__tags__0: 'x' });
  Article.filter({ views__gt: F('author__age') });
  Article.filter(
    Q({ views: 1 })
      .or({ title: 'x' })
      .and(Q({ author__name: 'y' }).not()),
  );
  Author.filter(Exists(Article.filter({ author: OuterRef('pk') })));
  const sub = Subquery(Article.all().values('title').limit(1));
  const last = await Author.all().annotate({ last: sub }).values('name', 'last');
  same<typeof last, { name: string; last: string | null }[]>(true);
  Article.all().annotate({ k: Case([When({ views__gt: 1 }, 'hot')], { default: 'cold' }) });
  await Article.filter({ id: 1 }).update({ views: F('views').add(1), author: 3 });
  const titles = Article.all().values('title');
  const united = await titles.union(Article.filter({ views: 1 }).values('title'), titles).orderBy('title');
  same<typeof united, { title: string }[]>(true);
  Article.all().union({ all: true }, Article.filter({ views: 1 }));
  Article.all().intersection(Article.filter({ views: 1 }).difference(Article.filter({ views: 2 })));
  await Article.bulkUpdate([found], ['views']);
  const [, made] = await Tag.getOrCreate({ name: 'x' }, { defaults: { name: 'y' } });
  same<typeof made, boolean>(true);
}

export async function refused(): Promise<void> {
  const a = await Article.get({ id: 1 });
  // @ts-expect-error not loaded
  a.author.name;
  const [b] = await Author.all().selectRelated('company');
  // @ts-expect-error may be null
  b?.company.name;
  const d = await Author.get({ id: 1 });
  // @ts-expect-error not prefetched
  d.articles.items;
  // @ts-expect-error age is missing
  await Author.create({ name: 'a', email: 'b' });
  // @ts-expect-error author may not be null
  await Article.create({ title: 't', body: 'b', author: null });
  // @ts-expect-error not one of the choices
  await Author.create({ name: 'a', email: 'b', age: 3, level: 'boss' });
  // @ts-expect-error a decimal is text
  await Article.create({ title: 't', body: 'b', author: 1, price: 1.5 });
  // @ts-expect-error wrong type
  Article.filter({ author__age__gt: 'x' });
  // @ts-expect-error no such field
  Article.filter({ author__nme: 'x' });
  // @ts-expect-error no such lookup of a number
  Author.filter({ age__icontains: 'x' });
  // @ts-expect-error no such lookup of text
  Author.filter({ name__yearr: 1 });
  // @ts-expect-error no such field
  Article.all().values('title', 'author__nme');
  // @ts-expect-error no such field
  Article.all().valuesList('titel');
  // @ts-expect-error no such field
  Author.all().annotate({ n: Count('artcles') });
  // @ts-expect-error no such field
  Author.all().annotate({ n: F('nme') });
  // @ts-expect-error no such field
  Article.all().orderBy('-titel');
  // @ts-expect-error not a foreign key
  Article.all().selectRelated('title');
  // @ts-expect-error not a relation
  Article.all().prefetchRelated('title');
  // @ts-expect-error n is no field before annotate()
  Author.all().filter({ n__gt: 1 });
  // @ts-expect-error the lookups of Q are checked as well
  Article.filter(Q({ titel: 1 }));
  // @ts-expect-error wrong type in Q
  Article.filter(Q({ views: 'many' }));
  // @ts-expect-error no such field
  await Article.filter({ id: 1 }).update({ titel: 'x' });
  // @ts-expect-error wrong type
  await Article.filter({ id: 1 }).update({ title: 3 });
  // @ts-expect-error the key of a tag is text
  await Tag.get({ pk: 3 });
  // @ts-expect-error a tag has no id
  await Tag.filter({ id: 3 });
  // @ts-expect-error null is not a value of this field
  Article.filter({ title: null });
  // @ts-expect-error isnull takes a boolean
  Article.filter({ price__isnull: 1 });
  // @ts-expect-error rows of another form
  Article.all().values('title').union(Author.all().values('age'));
  // @ts-expect-error rows of another model
  Article.all().union(Author.all());
  // @ts-expect-error no such field
  await Article.bulkUpdate([a], ['titel']);
  // @ts-expect-error in takes a list
  Article.filter({ views__in: 3 });
}

class Place extends Model({ name: text() }) {}
class Restaurant extends Place.extend({ seats: integer() }) {}
const busy = (set: QuerySet<typeof Restaurant>, seats: number): QuerySet<typeof Restaurant> =>
  set.filter({ seats__gt: seats });

export async function inheritedAndExtended(): Promise<void> {
  const made = await Restaurant.create({ name: 'x', seats: 3 });
  same<typeof made.seats, number>(true);
  same<typeof made.id, number>(true);
  made.name = 'y';
  await Restaurant.filter({ name__startswith: 'x', seats__gte: 1 }).update({ name: 'y', seats: 2 });
  const rows = await Restaurant.all().use(busy, 3).values('name', 'seats');
  same<(typeof rows)[number], { name: string; seats: number }>(true);
  const days = await Article.all().dates('created', 'month', { order: 'DESC' });
  same<typeof days, string[]>(true);
  const moments = await Article.all().datetimes('created', 'hour', { timeZone: 'Europe/Prague' });
  same<typeof moments, Date[]>(true);
  const article = await Article.get({ pk: 1 });
  await article.tags.add('code', { throughDefaults: { note: 'x' } });
  await article.tags.set(['code'], { clear: true });
  // @ts-expect-error the field belongs to the model below
  await Place.filter({ seats: 3 });
  // @ts-expect-error no such field, here or above
  await Restaurant.filter({ nme: 'x' });
  // @ts-expect-error seats are required
  await Restaurant.create({ name: 'x' });
  // @ts-expect-error the function wants a number
  Restaurant.all().use(busy, 'many');
  // @ts-expect-error the function is about another model
  Article.all().use(busy, 3);
  // @ts-expect-error no such field
  Article.all().dates('creatd', 'month');
  // @ts-expect-error dates have no hours
  Article.all().dates('created', 'hour');
  // @ts-expect-error the key of a tag is text
  await article.tags.add(3);
}
