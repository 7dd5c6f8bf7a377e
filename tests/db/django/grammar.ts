/** A grammar of queries: from a seed, the same query in plain data for Django and for Sobaya. */
import { type Call, conditions, type Query, randomFrom } from './queries.ts';
import { wideConditions } from './wide.ts';

type Row = Record<string, unknown>;
const q = (lookups: Row): Row => ({ $q: lookups });
const agg = (name: string, path: unknown, options: Row = {}): Row => ({ $agg: [name, path, options] });
const fn = (name: string, ...args: unknown[]): Row => ({ $fn: [name, ...args] });

// Django 3.2 compares iso_year with the bounds of the calendar year, and seconds with their fraction: mended since.
const old = (row: Row): boolean => !/iso_year|second/.test(Object.keys(row).join());
const all: Record<string, readonly Row[]> = Object.fromEntries(
  Object.entries({ ...conditions, ...wideConditions }).map(([model, list]) => [model, list.filter(old)]),
);

/** Paths by model: to order and group by, to numbers, and to count. */
const paths: Record<string, { values: string[]; numbers: string[]; counted: string[]; texts: string[] }> = {
  Article: {
    values: [
      'title',
      'views',
      'score',
      'price',
      'published',
      'author__name',
      'author__company__city',
      'editor__age',
      'editor',
      'author',
      'author__profile__karma',
    ],
    numbers: ['views', 'score', 'price', 'author__age', 'comments__stars', 'id', 'editor__age'],
    counted: ['comments', 'tags', 'id', 'editor', 'author__articles', 'comments__author', 'tags__name'],
    texts: ['title', 'body', 'author__name', 'editor__bio', 'author__company__name'],
  },
  Author: {
    values: [
      'name',
      'age',
      'active',
      'company',
      'company__city',
      'profile__karma',
      'bio',
      'company__founded',
      'profile',
    ],
    numbers: [
      'age',
      'articles__views',
      'comments__stars',
      'profile__karma',
      'edited__score',
      'articles__price',
    ],
    counted: ['articles', 'comments', 'edited', 'articles__tags', 'company', 'articles__comments', 'profile'],
    texts: ['name', 'email', 'bio', 'company__name', 'profile__site'],
  },
  Company: {
    values: ['name', 'city', 'founded'],
    numbers: ['staff__age', 'staff__articles__views', 'id'],
    counted: ['staff', 'staff__articles', 'staff__comments', 'city'],
    texts: ['name', 'city'],
  },
  Comment: {
    values: [
      'stars',
      'text',
      'article',
      'author',
      'article__author__name',
      'author__company',
      'article__published',
    ],
    numbers: ['stars', 'article__views', 'author__age', 'article__score'],
    counted: ['id', 'stars', 'author', 'article__tags'],
    texts: ['text', 'article__title', 'author__name'],
  },
  Tag: {
    values: ['name', 'id'],
    numbers: ['articles__views', 'articles__author__age', 'id'],
    counted: ['articles', 'articles__comments'],
    texts: ['name'],
  },
  Event: {
    values: [
      'name',
      'day',
      'at',
      'start',
      'lasts',
      'amount',
      'small',
      'ratio',
      'flag',
      'host',
      'host__name',
      'meta__a',
      'meta__b__c',
    ],
    numbers: ['amount', 'small', 'ratio', 'id', 'lasts'],
    counted: ['host__friends', 'id', 'host__clubs', 'meta', 'flag'],
    texts: ['name', 'host__name'],
  },
  Person: {
    values: ['name', 'id'],
    numbers: ['events__small', 'events__amount', 'memberships__club', 'events__lasts'],
    counted: [
      'friends',
      'follows',
      'followers',
      'clubs',
      'memberships',
      'invited',
      'events',
      'friends__events',
    ],
    texts: ['name'],
  },
  Club: {
    values: ['name', 'id'],
    numbers: ['members__events__small', 'memberships__id'],
    counted: ['members', 'memberships', 'members__friends', 'memberships__inviter'],
    texts: ['name'],
  },
  Place: {
    values: [
      'name',
      'city',
      'owner__name',
      'restaurant__seats',
      'restaurant__chef__name',
      'restaurant__noodles__flour',
    ],
    numbers: ['visits__stars', 'restaurant__seats', 'id'],
    counted: ['visits', 'restaurant', 'owner__kitchens', 'restaurant__dinners'],
    texts: ['name', 'city', 'owner__name'],
  },
  Restaurant: {
    values: ['name', 'city', 'seats', 'chef', 'owner__name', 'chef__name', 'id'],
    numbers: ['seats', 'visits__stars', 'dinners__stars', 'id'],
    counted: ['visits', 'dinners', 'noodles', 'chef__kitchens', 'owner__places'],
    texts: ['name', 'city', 'chef__name'],
  },
  Noodles: {
    values: ['name', 'flour', 'seats', 'city', 'chef'],
    numbers: ['seats', 'visits__stars', 'id'],
    counted: ['visits', 'dinners', 'chef'],
    texts: ['name', 'flour', 'chef__name'],
  },
  Visit: {
    values: [
      'stars',
      'place__name',
      'restaurant__name',
      'restaurant__seats',
      'place__restaurant__seats',
      'restaurant',
    ],
    numbers: ['stars', 'restaurant__seats', 'place__restaurant__seats'],
    counted: ['place', 'restaurant', 'restaurant__chef', 'place__visits'],
    texts: ['place__name', 'restaurant__name', 'restaurant__noodles__flour'],
  },
  Membership: {
    values: ['role', 'joined', 'person', 'club__name', 'inviter__name'],
    numbers: ['id', 'person__events__small', 'club'],
    counted: ['person__friends', 'inviter', 'id'],
    texts: ['role', 'person__name', 'inviter__name'],
  },
};

/** One query from a number. The same number gives the same query for ever. */
export function queryOf(seed: number): Query {
  const next = randomFrom(seed * 7919 + 13);
  for (let i = 0; i < 5; i++) next(2);
  const chance = (one: number): boolean => next(one) === 0;
  const pick = <T>(items: readonly T[]): T => items[next(items.length)] as T;
  const model = pick(Object.keys(paths));
  const known = paths[model] as (typeof paths)[string];
  const leafs = all[model] ?? [{ pk__gt: 2 }];

  const tree = (depth: number): Row => {
    const kind = depth === 0 ? 0 : next(6);
    if (kind <= 1) {
      const first = pick(leafs);
      return q(chance(4) ? { ...first, ...pick(leafs) } : first);
    }
    if (kind === 2) return { $not: tree(depth - 1) };
    const parts = Array.from({ length: 2 + next(2) }, () => tree(depth - 1));
    return { [kind === 3 ? '$and' : '$or']: parts };
  };
  const condition = (): Row => (chance(3) ? tree(2) : pick(leafs));
  const where = (): Call => [chance(3) ? 'exclude' : 'filter', condition()];

  const aggregate = (): Row => {
    const options: Row = {};
    if (chance(4)) options['filter'] = tree(1);
    const kind = next(6);
    if (kind <= 2) {
      if (chance(3)) options['distinct'] = true;
      return agg('Count', pick(known.counted), options);
    }
    if (kind === 3) return agg(pick(['Min', 'Max']), pick([...known.numbers, ...known.texts]), options);
    if (kind === 4 && chance(3)) options['default'] = 0;
    const path = pick(known.numbers);
    if (path.endsWith('lasts') || path === 'price' || path.endsWith('amount')) delete options['default'];
    return agg(pick(['Sum', 'Avg', 'Max']), path, options);
  };
  const expression = (): Row => {
    switch (next(12)) {
      case 0:
        return { $op: [pick(['+', '-', '*']), { $F: 'id' }, 1 + next(5)] };
      case 1:
        return fn(pick(['Lower', 'Upper', 'Length', 'Trim', 'Reverse']), pick(known.texts));
      case 2:
        return fn('Coalesce', pick(known.texts), { $Value: '?' });
      case 3:
        return fn('Concat', pick(known.texts), { $Value: '-' }, pick(known.texts));
      case 4:
        return { $F: pick(known.values) };
      case 5:
        return {
          $Case: [
            Array.from({ length: 1 + next(2) }, () => [q(pick(leafs)), { $Value: next(9) }]),
            { $Value: -1 },
          ],
        };
      case 6:
        return fn('Substr', pick(known.texts), 1 + next(3), 1 + next(3));
      case 7:
        return fn(pick(['Left', 'Right']), pick(known.texts), 1 + next(3));
      case 8:
        return fn('StrIndex', pick(known.texts), { $Value: 'a' });
      case 9:
        return fn('NullIf', pick(known.texts), { $Value: 'Ada' });
      case 10:
        return { $Value: pick([1, 'text', 2.5]) };
      default:
        return fn(pick(['Replace']), pick(known.texts), { $Value: 'a' }, { $Value: 'o' });
    }
  };
  const subquery = (): Row => {
    const [inner, key] = pick([
      ['Article', 'author'],
      ['Comment', 'author'],
      ['Event', 'host'],
      ['Membership', 'person'],
      ['Comment', 'article'],
      ['Author', 'company'],
    ] as const);
    const own = { filter: { [key]: { $OuterRef: 'pk' } } };
    const calls: Call[] = [['filter', own.filter]];
    if (chance(2)) calls.push(['filter', pick(all[inner] ?? [{ pk__gt: 1 }])]);
    return chance(2)
      ? { $Exists: [inner, ...calls] }
      : { $Subquery: [inner, ...calls, ['orderBy', '-id'], ['values', 'id'], ['slice', 0, 1]] };
  };
  const order = (): Call => {
    const items: unknown[] = [];
    if (chance(2))
      items.push((chance(2) ? '-' : '') + pick(known.values.filter((path) => !path.startsWith('meta'))));
    else if (chance(3))
      items.push({
        [pick(['$ascNullsLast', '$descNullsLast', '$ascNullsFirst', '$descNullsFirst'])]: pick(
          known.values.filter((path) => !path.startsWith('meta')),
        ),
      });
    return ['orderBy', ...items, chance(3) ? '-id' : 'id'] as unknown as Call;
  };

  const calls: Call[] = [];
  for (let i = next(3); i > 0; i--) calls.push(where());
  switch (next(10)) {
    case 0: {
      // grouped by values
      const by = Array.from(new Set([pick(known.values), ...(chance(3) ? [pick(known.values)] : [])])).filter(
        (path) => !path.startsWith('meta'),
      );
      if (by.length === 0) by.push('id');
      calls.push(['values', ...by], ['annotate', { n: aggregate() }]);
      if (chance(3)) calls.push(['filter', { n__isnull: false }]);
      if (chance(3)) calls.push(where());
      calls.push(['orderBy', ...by, 'n']);
      return [model, ...calls];
    }
    case 1: {
      const made = aggregate();
      calls.push(['annotate', chance(3) ? { n: made, m: aggregate() } : { n: made }]);
      if (chance(2))
        calls.push([
          chance(3) ? 'exclude' : 'filter',
          pick<Row>(
            /^(Count|Sum)/.test((made['$agg'] as string[])[0] as string)
              ? [{ n__gt: 1 }, { n: 0 }, { n__isnull: true }, { n__in: [1, 2, 3] }]
              : [{ n__isnull: true }, { n__isnull: false }],
          ),
        ]);
      if (chance(3)) calls.push(where());
      calls.push(['orderBy', 'id'], chance(3) ? ['count'] : ['values', 'id', 'n']);
      return [model, ...calls];
    }
    case 2:
      if (chance(3)) calls.push(['distinct']);
      if (chance(3)) calls.push(['annotate', { n: aggregate() }], ['aggregate', { r: agg('Max', 'n') }]);
      else if (next(3) === 1)
        calls.push(
          ['orderBy', 'id'],
          ['slice', next(3), 5 + next(9)],
          [
            'aggregate',
            {
              r: agg(pick(['Sum', 'Max', 'Count']), 'id'),
              s: agg('Count', 'id', { filter: q({ id__gt: 3 }) }),
            },
          ],
        );
      else calls.push(['aggregate', { r: aggregate(), s: aggregate() }]);
      return [model, ...calls];
    case 3:
      calls.push(['annotate', { e: expression(), f: expression() }]);
      if (chance(3))
        calls.push([
          chance(2) ? 'filter' : 'exclude',
          pick<Row>([{ e__isnull: true }, { e__isnull: false }]),
        ]);
      calls.push(['orderBy', 'id'], ['values', 'id', 'e', 'f']);
      return [model, ...calls];
    case 4:
      calls.push(['annotate', { s: subquery() }], ['orderBy', 'id'], ['values', 'id', 's']);
      return [model, ...calls];
    case 5: {
      const other: Call[] = [where()];
      const name = pick(['union', 'intersection', 'difference']);
      if (chance(2)) {
        const text = pick(known.texts);
        const inner: Call[] = [...other, ['values', text]];
        calls.push(['values', text], [name, [model, ...inner]] as unknown as Call, ['orderBy', text]);
      } else calls.push([name, [model, ...other]] as unknown as Call, ['orderBy', 'id']);
      if (chance(3)) calls.push(['slice', next(3), 4 + next(5)]);
      return [model, ...calls];
    }
    case 6:
      calls.push([
        'values',
        ...new Set(
          [pick(known.values), pick(known.values), pick(known.counted)]
            .filter((path) => !path.startsWith('meta'))
            .concat('id'),
        ),
      ]);
      if (chance(2)) calls.push(['distinct']);
      return [
        model,
        ...calls,
        [
          'orderBy',
          ...((calls.at(-1)?.[0] === 'distinct' ? calls.at(-2) : calls.at(-1)) as unknown as string[]).slice(
            1,
          ),
        ],
      ];
    default:
      if (chance(2)) calls.push(['distinct']);
      calls.push(order());
      if (chance(2)) calls.push(['slice', next(4), 5 + next(20)]);
      if (chance(4)) calls.push(pick<Call>([['count'], ['exists'], ['first'], ['last']]));
      return [model, ...calls];
  }
}
