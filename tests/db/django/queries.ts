/**
 * A bookshop and hundreds of questions to it, as plain data that both Django and Sobaya can be asked. Running this
 * file writes data.json and queries.json; answers.py then writes Django's answers.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { features } from './features.ts';
import { makeWide, wideConditions } from './wide.ts';

export type Call = readonly [name: string, ...args: unknown[]];
export type Query = readonly [model: string, ...calls: Call[]];
type Row = Record<string, unknown>;

/** A small generator of our own, so that the data never changes by itself. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

const dt = (iso: string): unknown => ({ $datetime: iso });
const date = (iso: string): unknown => ({ $date: iso });

function makeData(): Record<string, Row[]> {
  const random = randomFrom(20261124);
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  const Company: Row[] = [
    { id: 1, name: 'Soba & Sons', city: 'Tokyo', founded: date('1789-07-14') },
    { id: 2, name: "O'Reilly's", city: 'Dublin', founded: date('2000-02-29') },
    { id: 3, name: '100% Udon', city: 'Takamatsu', founded: date('1999-12-31') },
    { id: 4, name: 'under_score', city: null, founded: null },
    { id: 5, name: 'back\\slash', city: 'tokyo', founded: date('2024-01-01') },
    { id: 6, name: 'Empty house', city: '', founded: date('2024-06-30') },
  ];
  const given = ['Ada', 'Bob', 'Čeněk', 'Dora', 'emil', 'Fumi', 'Gil', 'Hana', 'Ivo', 'Jun', 'Kei', 'Lin'];
  const Author: Row[] = given.map((name, index) => ({
    id: index + 1,
    name,
    email: `${name.toLowerCase()}@${pick(['example.org', 'Example.COM', 'soba.jp'])}`,
    age: pick([17, 20, 20, 33, 41, 41, 58, 77]),
    bio: pick([null, null, '', 'likes soba', 'Likes SOBA', '100% true', 'a_b', 'line\nbreak']),
    active: random(4) > 0,
    company: pick([null, 1, 1, 2, 3, 4, 5]),
  }));
  const Profile: Row[] = [1, 2, 3, 5, 8].map((author, index) => ({
    id: index + 1,
    author,
    site: pick(['https://a.example/', 'http://b.example/x', 'ftp://c']),
    karma: pick([null, 0, 5, 5, -3]),
  }));
  const Tag: Row[] = ['async', 'django', 'Soba', 'soba', 'typescript', 'unused'].map((name, index) => ({
    id: index + 1,
    name,
  }));
  const words = ['Soba', 'soba', 'Async', 'Django', 'the', 'cook', 'waits', '100%', 'a_b', "it's", 'naïve'];
  const dates = [
    '2023-12-31T23:59:59.999Z',
    '2024-01-01T00:00:00.000Z',
    '2024-02-29T12:30:15.000Z',
    '2024-03-31T01:30:00.000Z',
    '2025-06-15T18:45:30.500Z',
    '2025-10-26T00:30:00.000Z',
    '2026-11-24T06:07:08.009Z',
    '1999-12-31T23:00:00.000Z',
  ];
  const Article: Row[] = Array.from({ length: 40 }, (_, index) => ({
    id: index + 1,
    title: `${pick(words)} ${pick(words)} ${index % 7}`,
    body: pick([
      'short',
      'A longer body about soba.',
      'Tab\tand "quotes"',
      '',
      'ＦＵＬＬ width',
      'waits_for 100%',
    ]),
    views: pick([0, 0, 1, 5, 10, 10, 99, 1000]),
    score: pick([null, 0, 0.5, 1.25, 4.5, -1]),
    price: pick([
      null,
      { $decimal: '0' },
      { $decimal: '9.99' },
      { $decimal: '10.50' },
      { $decimal: '1234.5' },
    ]),
    published: random(4) === 0 ? null : dt(pick(dates)),
    author: 1 + random(10),
    editor: pick([null, null, 1, 2, 3, 11]),
    tags: [1, 2, 3, 4, 5].filter(() => random(3) === 0),
  }));
  const Comment: Row[] = Array.from({ length: 60 }, (_, index) => ({
    id: index + 1,
    article: 1 + random(25),
    author: pick([null, 1, 2, 3, 4, 5, 6, 12]),
    text: pick(['good', 'Good', 'bad', 'so so', 'いいね', '']),
    stars: pick([null, 1, 2, 3, 4, 5, 5]),
  }));
  const Node: Row[] = [
    { id: 1, name: 'root', parent: null },
    ...Array.from({ length: 14 }, (_, index) => ({
      id: index + 2,
      name: pick(['leaf', 'branch', 'Root', 'twig']),
      parent: index === 6 ? null : 1 + random(index + 1),
    })),
  ];
  return { Company, Author, Profile, Tag, Article, Comment, Node };
}

export const data: Record<string, Row[]> = { ...makeData(), ...makeWide(randomFrom(5)) };

/** Single conditions by model: what filter() and exclude() take. */
export const conditions: Record<string, Row[]> = {
  Article: [
    { title: 'Soba soba 1' },
    { title__iexact: 'SOBA SOBA 1' },
    { title__icontains: 'sob' },
    { title__startswith: 'A' },
    { title__istartswith: 's' },
    { title__endswith: '3' },
    { title__iendswith: 'B 2' },
    { title__contains: '%' },
    { title__contains: '_' },
    { title__contains: "it's" },
    { title__regex: '^[A-Z]' },
    { title__iregex: 'soba|async' },
    { title__in: ['Soba soba 1', 'x'] },
    { title__gt: 'b' },
    { title__lte: 'cook' },
    { body: '' },
    { body__isnull: true },
    { views: 10 },
    { views__gt: 5 },
    { views__gte: 10 },
    { views__lt: 1 },
    { views__lte: 0 },
    { views__in: [0, 99] },
    { views__in: [] },
    { views__range: [1, 10] },
    { views__isnull: false },
    { score: null },
    { score__isnull: true },
    { score__gt: 0 },
    { score__exact: 0.5 },
    { score__in: [0.5, -1] },
    { price__gte: { $decimal: '10' } },
    { price: { $decimal: '9.99' } },
    { price__isnull: false },
    { published__isnull: true },
    { published__year: 2024 },
    { published__year__gt: 2024 },
    { published__year__lte: 2023 },
    { published__month: 12 },
    { published__day__in: [29, 31] },
    { published__hour: 23 },
    { published__minute__gte: 30 },
    { published__second: 59 },
    { published__week_day: 1 },
    { published__quarter: 1 },
    { published__week: 1 },
    { published__iso_year: 2025 },
    { published__date: date('2024-02-29') },
    { published__date__lt: date('2024-01-01') },
    { published__gte: dt('2024-03-31T01:30:00.000Z') },
    { published__lt: dt('2024-01-01T00:00:00.000Z') },
    { published__range: [dt('2024-01-01T00:00:00.000Z'), dt('2025-12-31T00:00:00.000Z')] },
    { author: 3 },
    { author__name: 'Ada' },
    { author__name__icontains: 'i' },
    { author__age__gt: 40 },
    { author__company__name__startswith: 'Soba' },
    { author__company__city: 'Tokyo' },
    { author__company: null },
    { author__company__isnull: true },
    { author__company__city__isnull: true },
    { author__active: false },
    { author__bio__isnull: true },
    { author__profile__karma: 5 },
    { author__profile__isnull: true },
    { author__profile__karma__isnull: true },
    { author__in: [1, 2, 3] },
    { editor: null },
    { editor__isnull: false },
    { editor__name: 'Ada' },
    { editor__company__city__iexact: 'tokyo' },
    { tags: 1 },
    { tags__name: 'soba' },
    { tags__name__iexact: 'SOBA' },
    { tags__isnull: true },
    { tags__in: [1, 2] },
    { tags__name__in: ['async', 'django'] },
    { comments__stars: 5 },
    { comments__stars__gte: 4 },
    { comments__isnull: true },
    { comments__text: 'good' },
    { comments__author__name: 'Bob' },
    { comments__author__isnull: true },
    { comments__author__company__city: 'Dublin' },
    { comments__stars: null },
    { pk: 7 },
    { pk__in: [1, 5, 99] },
    { id__gt: 30 },
    { views: { $F: 'id' } },
    { views__gt: { $F: 'author__age' } },
    { author: { $F: 'editor' } },
    { views__gte: { $op: ['*', { $F: 'id' }, 2] } },
    { author__articles__views: 99 },
    { author: { $pk: ['Author', 2] } },
    { author__pk: 4 },
    { author__id__in: [4] },
    { score__lt: { $F: 'views' } },
    { author__edited__title__icontains: 'soba' },
  ],
  Author: [
    { articles__isnull: true },
    { articles__views__gt: 50 },
    { articles__title__icontains: 'async' },
    { comments__isnull: true },
    { comments__stars: 5 },
    { articles__tags__name: 'django' },
    { articles__tags: null },
    { articles__comments__stars__lte: 2 },
    { company__name: "O'Reilly's" },
    { company__city: null },
    { company__city: '' },
    { company: null },
    { company__in: [1, 2] },
    { company__staff__name: 'Ada' },
    { profile__karma__gt: 0 },
    { profile__site__startswith: 'http:' },
    { profile: null },
    { bio: '' },
    { bio: null },
    { bio__icontains: 'soba' },
    { bio__contains: '%' },
    { bio__startswith: '100%' },
    { bio__contains: 'a_b' },
    { bio__contains: 'a%b' },
    { active: true },
    { age__range: [20, 41] },
    { email__endswith: 'COM' },
    { email__iendswith: '.com' },
    { name__gt: 'Dora' },
    { name: 'Čeněk' },
    { articles__published__year: 2024 },
    { edited__views__lt: 5 },
    { edited__isnull: false },
    { articles: 5 },
    { articles__in: [1, 2, 3] },
    { company__founded__year: 2000 },
    { company__founded__lt: date('2000-01-01') },
    { company__founded__month__in: [2, 12] },
    { age: { $F: 'articles__views' } },
    { articles__author__articles__views: 1000 },
  ],
  Company: [
    { name__contains: "'" },
    { name__contains: '%' },
    { name__contains: '_' },
    { name__contains: '\\' },
    { name__startswith: '100%' },
    { name__endswith: '\\slash' },
    { staff__isnull: true },
    { staff__age__gt: 50 },
    { staff__articles__views: 1000 },
    { staff__articles__comments__stars: 5 },
    { city__iexact: 'TOKYO' },
    { city__exact: 'Tokyo' },
    { city__isnull: true },
    { city: '' },
    { founded__isnull: true },
    { founded: date('2000-02-29') },
    { founded__year__gte: 2000 },
    { founded__day: 31 },
    { founded__quarter: 3 },
    { founded__week_day: 6 },
    { staff__profile__isnull: false },
    { staff__bio__isnull: true },
  ],
  Node: [
    { parent: null },
    { parent__isnull: false },
    { parent__parent: null },
    { parent__parent__isnull: false },
    { kids__isnull: true },
    { kids__name: 'leaf' },
    { kids__kids__name: 'twig' },
    { parent__name: 'root' },
    { parent__parent__name__iexact: 'ROOT' },
    { parent__kids__name: 'branch' },
    { kids__kids__isnull: true },
    { parent__parent__parent__name: 'root' },
    { name: { $F: 'parent__name' } },
  ],
  Tag: [
    { articles__isnull: true },
    { articles__author__name: 'Ada' },
    { articles__views__gte: 100 },
    { articles__comments__stars: 1 },
    { name__iexact: 'SOBA' },
    { articles__tags__name: 'django' },
    { articles__in: [1, 2, 3, 4] },
  ],
  Comment: [
    { article__author: { $F: 'author' } },
    { article__author__company__city: 'Tokyo' },
    { article__tags__name: 'async' },
    { author__isnull: true },
    { stars__gte: 4 },
    { stars: null },
    { text: '' },
    { text: 'いいね' },
    { text__iexact: 'GOOD' },
    { article__editor__name: 'Bob' },
    { author__articles: { $F: 'article' } },
    { article__comments__stars: 1 },
    { stars__in: [1, null] },
    { stars__lt: { $F: 'author__age' } },
  ],
};

const q = (lookups: Row): unknown => ({ $q: lookups });
const agg = (name: string, path: unknown, options?: Row): unknown => ({
  $agg: options ? [name, path, options] : [name, path],
});

const handwritten: Record<string, Query> = {
  // values and ordering
  'values one': ['Article', ['values', 'title'], ['orderBy', 'id']],
  'values across relations': [
    'Article',
    ['values', 'title', 'author__name', 'author__company__city'],
    ['orderBy', 'id'],
  ],
  'values of a foreign key': ['Article', ['values', 'author', 'editor'], ['orderBy', 'id']],
  'values over a reverse relation': [
    'Author',
    ['values', 'name', 'articles__title'],
    ['orderBy', 'id', 'articles__id'],
  ],
  'values many to many': [
    'Article',
    ['filter', { pk__lte: 10 }],
    ['values', 'id', 'tags__name'],
    ['orderBy', 'id', 'tags__id'],
  ],
  values_list: ['Author', ['valuesList', 'name', 'age'], ['orderBy', '-age', 'name']],
  flat: ['Author', ['orderBy', 'name'], ['flat', 'name']],
  'order by relation': ['Article', ['orderBy', 'author__name', '-views', 'id']],
  'order by nullable relation': ['Article', ['orderBy', 'editor__name', 'id']],
  'order by F desc': ['Article', ['orderBy', { $desc: 'views' }, 'id']],
  'order by nulls last': ['Article', ['orderBy', { $ascNullsLast: 'score' }, 'id']],
  'order by desc nulls last': ['Article', ['orderBy', { $descNullsLast: 'score' }, 'id']],
  'order by function': ['Author', ['orderBy', { $fn: ['Lower', 'name'] }, 'id']],
  'order by null field': ['Article', ['filter', { score__isnull: true }], ['orderBy', 'score', '-id']],
  reverse: ['Author', ['orderBy', 'age', 'id'], ['reverse']],
  'order replaced': ['Author', ['orderBy', 'name'], ['orderBy', '-id']],
  slice: ['Article', ['orderBy', 'id'], ['slice', 5, 9]],
  'slice open': ['Article', ['orderBy', 'id'], ['slice', 35, null]],
  'slice of nothing': ['Article', ['orderBy', 'id'], ['slice', 5, 5]],
  'slice beyond': ['Article', ['orderBy', 'id'], ['slice', 100, 110]],
  'distinct values': ['Article', ['values', 'author'], ['distinct'], ['orderBy', 'author']],
  'distinct over join': ['Author', ['filter', { articles__views__gt: 0 }], ['distinct'], ['orderBy', 'id']],
  'join gives duplicates': ['Author', ['filter', { articles__views__gt: 0 }], ['orderBy', 'id']],
  'count with duplicates': ['Author', ['filter', { articles__views__gt: 0 }], ['count']],
  'count distinct': ['Author', ['filter', { articles__views__gt: 0 }], ['distinct'], ['count']],
  'count sliced': ['Article', ['orderBy', 'id'], ['slice', 35, 100], ['count']],
  'exists yes': ['Article', ['filter', { views: 99 }], ['exists']],
  'exists no': ['Article', ['filter', { views: 98 }], ['exists']],
  first: ['Article', ['orderBy', '-views', 'id'], ['first']],
  'first unordered': ['Article', ['filter', { views__gt: 1 }], ['first']],
  'first of nothing': ['Article', ['filter', { views: -1 }], ['first']],
  last: ['Article', ['orderBy', '-views', 'id'], ['last']],
  'last unordered': ['Article', ['last']],
  latest: ['Company', ['filter', { founded__isnull: false }], ['latest', 'founded']],
  earliest: ['Company', ['filter', { founded__isnull: false }], ['earliest', 'founded']],
  get: ['Author', ['get', { name: 'Ada' }]],
  'get nothing': ['Author', ['get', { name: 'Nobody' }]],
  'get several': ['Author', ['get', { age__gt: 0 }]],
  none: ['Author', ['none']],
  'none count': ['Author', ['none'], ['count']],
  'none filter': ['Author', ['none'], ['filter', { name: 'Ada' }]],
  // several conditions
  'two in one filter': [
    'Author',
    ['filter', { articles__views: 0, articles__title__icontains: 'soba' }],
    ['distinct'],
    ['orderBy', 'id'],
  ],
  'two in two filters': [
    'Author',
    ['filter', { articles__views: 0 }],
    ['filter', { articles__title__icontains: 'soba' }],
    ['distinct'],
    ['orderBy', 'id'],
  ],
  'duplicates of chained filters': [
    'Author',
    ['filter', { articles__views: 0 }],
    ['filter', { articles__views: 10 }],
    ['orderBy', 'id'],
  ],
  'exclude two in one': [
    'Author',
    ['exclude', { articles__views: 0, articles__title__icontains: 'soba' }],
    ['orderBy', 'id'],
  ],
  'exclude two in two': [
    'Author',
    ['exclude', { articles__views: 0 }],
    ['exclude', { articles__title__icontains: 'soba' }],
    ['orderBy', 'id'],
  ],
  'exclude then filter': [
    'Author',
    ['exclude', { articles__views: 0 }],
    ['filter', { articles__views: 10 }],
    ['distinct'],
    ['orderBy', 'id'],
  ],
  'exclude nullable comparison': ['Article', ['exclude', { score__gt: 0 }], ['orderBy', 'id']],
  'exclude nullable equality': ['Article', ['exclude', { score: 0.5 }], ['orderBy', 'id']],
  'exclude nullable in': ['Comment', ['exclude', { stars__in: [5] }], ['orderBy', 'id']],
  'exclude over nullable relation': ['Article', ['exclude', { editor__name: 'Ada' }], ['orderBy', 'id']],
  'exclude over two nullable relations': [
    'Article',
    ['exclude', { editor__company__name: 'Soba & Sons' }],
    ['orderBy', 'id'],
  ],
  'exclude null relation': ['Article', ['exclude', { editor: null }], ['orderBy', 'id']],
  'exclude m2m': ['Article', ['exclude', { tags__name: 'soba' }], ['orderBy', 'id']],
  'exclude m2m in': ['Article', ['exclude', { tags__in: [1, 2] }], ['orderBy', 'id']],
  'exclude reverse null': [
    'Author',
    ['exclude', { articles__isnull: true }],
    ['orderBy', 'id'],
    ['distinct'],
  ],
  'exclude deep reverse': [
    'Company',
    ['exclude', { staff__articles__comments__stars: 5 }],
    ['orderBy', 'id'],
  ],
  'exclude reverse nullable value': ['Author', ['exclude', { comments__stars: null }], ['orderBy', 'id']],
  'Q or': [
    'Article',
    ['filter', { $or: [q({ views: 0 }), q({ title__icontains: 'async' })] }],
    ['orderBy', 'id'],
  ],
  'Q or over relations': [
    'Article',
    ['filter', { $or: [q({ author__name: 'Ada' }), q({ editor__name: 'Ada' })] }],
    ['orderBy', 'id'],
  ],
  'Q or null relation': [
    'Article',
    ['filter', { $or: [q({ editor__isnull: true }), q({ editor__age__gt: 40 })] }],
    ['orderBy', 'id'],
  ],
  'Q or reverse': [
    'Author',
    ['filter', { $or: [q({ articles__views: 99 }), q({ comments__stars: 1 })] }],
    ['distinct'],
    ['orderBy', 'id'],
  ],
  'Q and of m2m': [
    'Article',
    ['filter', { $and: [q({ tags__name: 'async' }), q({ tags__name: 'django' })] }],
    ['orderBy', 'id'],
  ],
  'chained m2m': [
    'Article',
    ['filter', { tags__name: 'async' }],
    ['filter', { tags__name: 'django' }],
    ['orderBy', 'id'],
  ],
  'Q not': ['Article', ['filter', { $not: q({ views: 0 }) }], ['orderBy', 'id']],
  'Q not nullable': ['Article', ['filter', { $not: q({ score__gt: 1 }) }], ['orderBy', 'id']],
  'Q not or': [
    'Article',
    ['filter', { $not: { $or: [q({ views: 0 }), q({ score__isnull: true })] } }],
    ['orderBy', 'id'],
  ],
  'Q double not': ['Article', ['filter', { $not: { $not: q({ editor__name: 'Ada' }) } }], ['orderBy', 'id']],
  'Q not reverse': ['Author', ['filter', { $not: q({ articles__views: 0 }) }], ['orderBy', 'id']],
  'Q or not': [
    'Article',
    ['filter', { $or: [q({ views: 99 }), { $not: q({ tags__name: 'soba' }) }] }],
    ['distinct'],
    ['orderBy', 'id'],
  ],
  'Q and lookups': [
    'Article',
    ['filter', { $or: [q({ views: 0 }), q({ views: 10 })] }, { author__active: true }],
    ['orderBy', 'id'],
  ],
  'exclude Q or': [
    'Article',
    ['exclude', { $or: [q({ views: 0 }), q({ editor__name: 'Ada' })] }],
    ['orderBy', 'id'],
  ],
  'exclude Q and': [
    'Article',
    ['exclude', { $and: [q({ views: 0 }), q({ editor__isnull: true })] }],
    ['orderBy', 'id'],
  ],
  'exclude Q not': ['Article', ['exclude', { $not: q({ score__gt: 0 }) }], ['orderBy', 'id']],
  'empty Q': ['Article', ['filter', q({}) as Row], ['count']],
  'exclude F': ['Article', ['exclude', { author: { $F: 'editor' } }], ['orderBy', 'id']],
  'in subquery': [
    'Article',
    ['filter', { author__in: { $queryset: ['Author', ['filter', { age__gt: 40 }]] } }],
    ['orderBy', 'id'],
  ],
  'in subquery values': [
    'Article',
    [
      'filter',
      { author__name__in: { $queryset: ['Author', ['filter', { age__gt: 40 }], ['values', 'name']] } },
    ],
    ['orderBy', 'id'],
  ],
  'exclude in subquery': [
    'Author',
    [
      'exclude',
      { pk__in: { $queryset: ['Comment', ['filter', { author__isnull: false }], ['values', 'author']] } },
    ],
    ['orderBy', 'id'],
  ],
  'in sliced subquery': [
    'Article',
    ['filter', { author__in: { $queryset: ['Author', ['orderBy', '-age', 'id'], ['slice', 0, 3]] } }],
    ['orderBy', 'id'],
  ],
  // aggregation
  'aggregate many': [
    'Article',
    [
      'aggregate',
      {
        n: agg('Count', 'id'),
        sum: agg('Sum', 'views'),
        avg: agg('Avg', 'views'),
        max: agg('Max', 'views'),
        min: agg('Min', 'score'),
      },
    ],
  ],
  'aggregate nulls': [
    'Article',
    ['filter', { views: -1 }],
    ['aggregate', { n: agg('Count', 'id'), sum: agg('Sum', 'views'), max: agg('Max', 'published') }],
  ],
  'aggregate count star': [
    'Comment',
    [
      'aggregate',
      {
        all: agg('Count', '*'),
        stars: agg('Count', 'stars'),
        kinds: agg('Count', 'stars', { distinct: true }),
      },
    ],
  ],
  'aggregate decimal': ['Article', ['aggregate', { sum: agg('Sum', 'price'), max: agg('Max', 'price') }]],
  'aggregate datetime': [
    'Article',
    ['aggregate', { first: agg('Min', 'published'), last: agg('Max', 'published') }],
  ],
  'aggregate over join': [
    'Author',
    ['aggregate', { views: agg('Sum', 'articles__views'), articles: agg('Count', 'articles') }],
  ],
  'aggregate filtered': [
    'Article',
    [
      'aggregate',
      {
        hot: agg('Count', 'id', { filter: q({ views__gte: 10 }) }),
        cold: agg('Sum', 'views', { filter: q({ views__lt: 10 }) }),
      },
    ],
  ],
  'aggregate sliced': [
    'Article',
    ['orderBy', '-views', 'id'],
    ['slice', 0, 5],
    ['aggregate', { s: agg('Sum', 'views') }],
  ],
  'aggregate distinct': [
    'Article',
    ['values', 'author'],
    ['distinct'],
    ['aggregate', { n: agg('Count', 'author') }],
  ],
  'aggregate expression': ['Article', ['aggregate', { s: agg('Sum', { $op: ['*', { $F: 'views' }, 2] }) }]],
  'annotate count': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['values', 'id', 'n'],
    ['orderBy', 'id'],
  ],
  'annotate then filter': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['filter', { n__gte: 4 }],
    ['orderBy', 'id'],
  ],
  'filter then annotate': [
    'Author',
    ['filter', { articles__views__gt: 0 }],
    ['annotate', { n: agg('Count', 'articles') }],
    ['values', 'id', 'n'],
    ['orderBy', 'id'],
  ],
  'annotate then filter join': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['filter', { articles__views__gt: 0 }],
    ['values', 'id', 'n'],
    ['orderBy', 'id'],
  ],
  'annotate two counts': [
    'Author',
    ['annotate', { a: agg('Count', 'articles'), c: agg('Count', 'comments') }],
    ['values', 'id', 'a', 'c'],
    ['orderBy', 'id'],
  ],
  'annotate two distinct counts': [
    'Author',
    [
      'annotate',
      { a: agg('Count', 'articles', { distinct: true }), c: agg('Count', 'comments', { distinct: true }) },
    ],
    ['values', 'id', 'a', 'c'],
    ['orderBy', 'id'],
  ],
  'annotate order': ['Author', ['annotate', { n: agg('Count', 'articles') }], ['orderBy', '-n', 'id']],
  'annotate sum null': [
    'Author',
    ['annotate', { s: agg('Sum', 'articles__views') }],
    ['values', 'id', 's'],
    ['orderBy', 'id'],
  ],
  'annotate filtered count': [
    'Author',
    ['annotate', { n: agg('Count', 'articles', { filter: q({ articles__views__gt: 5 }) }) }],
    ['values', 'id', 'n'],
    ['orderBy', 'id'],
  ],
  'annotate deep': [
    'Company',
    ['annotate', { n: agg('Count', 'staff__articles__comments') }],
    ['values', 'id', 'n'],
    ['orderBy', 'id'],
  ],
  'annotate m2m': [
    'Tag',
    ['annotate', { n: agg('Count', 'articles'), v: agg('Max', 'articles__views') }],
    ['values', 'name', 'n', 'v'],
    ['orderBy', 'id'],
  ],
  'annotate exclude': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['exclude', { n: 0 }],
    ['orderBy', 'id'],
  ],
  'annotate count()': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['filter', { n__gt: 2 }],
    ['count'],
  ],
  'annotate aggregate': [
    'Author',
    ['annotate', { n: agg('Count', 'articles') }],
    ['aggregate', { m: agg('Max', 'n'), s: agg('Sum', 'n') }],
  ],
  'group by': [
    'Article',
    ['values', 'author'],
    ['annotate', { n: agg('Count', 'id'), v: agg('Sum', 'views') }],
    ['orderBy', 'author'],
  ],
  'group by related': [
    'Article',
    ['values', 'author__company__city'],
    ['annotate', { n: agg('Count', 'id') }],
    ['orderBy', 'n', 'author__company__city'],
  ],
  'group by two': [
    'Comment',
    ['values', 'article', 'stars'],
    ['annotate', { n: agg('Count', 'id') }],
    ['orderBy', 'article', 'stars', 'n'],
  ],
  'group by having': [
    'Article',
    ['values', 'author'],
    ['annotate', { n: agg('Count', 'id') }],
    ['filter', { n__gt: 4 }],
    ['orderBy', 'author'],
  ],
  'group by year': [
    'Article',
    ['filter', { published__isnull: false }],
    ['annotate', { y: { $fn: ['ExtractYear', 'published'] } }],
    ['values', 'y'],
    ['annotate', { n: agg('Count', 'id') }],
    ['orderBy', 'y'],
  ],
  'annotate F': [
    'Article',
    ['annotate', { double: { $op: ['*', { $F: 'views' }, 2] } }],
    ['filter', { double__gt: 100 }],
    ['values', 'id', 'double'],
    ['orderBy', 'id'],
  ],
  'annotate F relation': [
    'Article',
    ['annotate', { who: { $F: 'author__name' } }],
    ['values', 'id', 'who'],
    ['orderBy', 'id'],
  ],
  'annotate value': ['Tag', ['annotate', { one: { $Value: 1 } }], ['values', 'one'], ['orderBy', 'id']],
  'annotate case': [
    'Article',
    [
      'annotate',
      {
        kind: {
          $Case: [
            [
              [q({ views__gte: 99 }), { $Value: 'hot' }],
              [q({ views__gt: 0 }), { $Value: 'warm' }],
            ],
            { $Value: 'cold' },
          ],
        },
      },
    ],
    ['values', 'id', 'kind'],
    ['orderBy', 'id'],
  ],
  'annotate exists': [
    'Author',
    [
      'annotate',
      { any: { $Exists: ['Article', ['filter', { author: { $OuterRef: 'pk' }, views__gt: 50 }]] } },
    ],
    ['values', 'id', 'any'],
    ['orderBy', 'id'],
  ],
  'filter exists': [
    'Author',
    ['filter', { $Exists: ['Comment', ['filter', { author: { $OuterRef: 'pk' }, stars: 5 }]] }],
    ['orderBy', 'id'],
  ],
  'filter not exists': [
    'Author',
    ['filter', { $not: { $Exists: ['Comment', ['filter', { author: { $OuterRef: 'pk' } }]] } }],
    ['orderBy', 'id'],
  ],
  subquery: [
    'Author',
    [
      'annotate',
      {
        newest: {
          $Subquery: [
            'Article',
            ['filter', { author: { $OuterRef: 'pk' } }],
            ['orderBy', '-id'],
            ['values', 'title'],
            ['slice', 0, 1],
          ],
        },
      },
    ],
    ['values', 'id', 'newest'],
    ['orderBy', 'id'],
  ],
  'filter by subquery': [
    'Article',
    [
      'filter',
      {
        views: { $Subquery: ['Article', ['orderBy', '-views', 'id'], ['values', 'views'], ['slice', 0, 1]] },
      },
    ],
    ['orderBy', 'id'],
  ],
  alias: ['Author', ['alias', { n: agg('Count', 'articles') }], ['filter', { n__gte: 5 }], ['orderBy', 'id']],
  // functions
  'lower upper length': [
    'Author',
    ['annotate', { l: { $fn: ['Lower', 'name'] }, n: { $fn: ['Length', 'name'] } }],
    ['filter', { pk__in: [1, 2, 5] }],
    ['values', 'l', 'n'],
    ['orderBy', 'id'],
  ],
  coalesce: [
    'Article',
    ['annotate', { s: { $fn: ['Coalesce', 'score', { $Value: -9.5 }] } }],
    ['values', 'id', 's'],
    ['orderBy', 's', 'id'],
  ],
  concat: [
    'Author',
    ['annotate', { c: { $fn: ['Concat', 'name', { $Value: ' <' }, 'email', { $Value: '>' }] } }],
    ['values', 'c'],
    ['orderBy', 'id'],
  ],
  substr: [
    'Author',
    ['annotate', { c: { $fn: ['Substr', 'name', 2, 2] } }],
    ['values', 'c'],
    ['orderBy', 'id'],
  ],
  'trunc month': [
    'Article',
    ['filter', { published__isnull: false }],
    ['annotate', { m: { $fn: ['TruncMonth', 'published'] } }],
    ['values', 'm'],
    ['annotate', { n: agg('Count', 'id') }],
    ['orderBy', 'm'],
  ],
  'extract month': [
    'Article',
    ['filter', { published__isnull: false }],
    ['annotate', { m: { $fn: ['ExtractMonth', 'published'] } }],
    ['values', 'id', 'm'],
    ['orderBy', 'id'],
  ],
  greatest: [
    'Article',
    ['annotate', { g: { $fn: ['Greatest', 'views', 'id'] } }],
    ['values', 'id', 'g'],
    ['orderBy', 'id'],
  ],
  abs: ['Article', ['annotate', { a: { $fn: ['Abs', 'score'] } }], ['values', 'id', 'a'], ['orderBy', 'id']],
  // sets
  union: [
    'Author',
    ['filter', { age__lt: 20 }],
    ['union', ['Author', ['filter', { active: false }]]],
    ['orderBy', 'id'],
  ],
  intersection: [
    'Author',
    ['filter', { age__gt: 20 }],
    ['intersection', ['Author', ['filter', { active: true }]]],
    ['orderBy', 'id'],
  ],
  difference: ['Author', ['difference', ['Author', ['filter', { active: true }]]], ['orderBy', 'id']],
  'union of values': [
    'Author',
    ['values', 'name'],
    ['union', ['Tag', ['values', 'name']]],
    ['orderBy', 'name'],
  ],
  'select related': ['Article', ['selectRelated', 'author', 'editor'], ['orderBy', 'id']],
  // mistakes
  'unknown field': ['Article', ['filter', { nothing: 1 }]],
  'unknown lookup': ['Article', ['filter', { title__sounds: 1 }]],
  'unknown deep field': ['Article', ['filter', { author__nothing__gt: 1 }]],
  'unknown order': ['Article', ['orderBy', 'nothing']],
  'unknown values': ['Article', ['values', 'nothing']],
};

function generated(from: Record<string, Row[]>): Record<string, Query> {
  const random = randomFrom(7);
  const out: Record<string, Query> = {};
  for (const [model, list] of Object.entries(from)) {
    list.forEach((condition, index) => {
      const text = JSON.stringify(condition);
      out[`${model} filter ${text}`] = [model, ['filter', condition], ['orderBy', 'id']];
      out[`${model} exclude ${text}`] = [model, ['exclude', condition], ['orderBy', 'id']];
      const other = list[(index + 1 + random(list.length - 1)) % list.length] as Row;
      out[`${model} or ${index}`] = [
        model,
        ['filter', { $or: [q(condition), q(other)] }],
        ['distinct'],
        ['orderBy', 'id'],
      ];
      out[`${model} and not ${index}`] = [
        model,
        ['filter', { $and: [q(condition), { $not: q(other) }] }],
        ['distinct'],
        ['orderBy', 'id'],
      ];
      out[`${model} chain ${index}`] = [model, ['filter', condition], ['exclude', other], ['count']];
      const third = list[(index + 1 + random(list.length - 1)) % list.length] as Row;
      out[`${model} nested ${index}`] = [
        model,
        ['exclude', { $or: [q(condition), { $and: [q(other), { $not: q(third) }] }] }],
        ['distinct'],
        ['orderBy', 'id'],
      ];
    });
  }
  return out;
}

export const queries: Record<string, Query> = {
  ...handwritten,
  ...generated(conditions),
  ...generated(wideConditions),
  ...features,
};

if (process.argv[1] === import.meta.filename) {
  const lines = (entries: Record<string, unknown>): string =>
    `{\n${Object.entries(entries)
      .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n')}\n}\n`;
  writeFileSync(join(import.meta.dirname, 'data.json'), lines(data));
  writeFileSync(join(import.meta.dirname, 'queries.json'), lines(queries));
  console.log(`${Object.keys(queries).length} queries`);
}
