/** Questions by feature: functions, time zones, windows, sets, JSON, arrays and full text search on PostgreSQL. */
import type { Query } from './queries.ts';

type Row = Record<string, unknown>;
const q = (lookups: Row): Row => ({ $q: lookups });
const fn = (name: string, ...args: unknown[]): Row => ({ $fn: [name, ...args] });
const agg = (name: string, path: unknown, options: Row = {}): Row => ({ $agg: [name, path, options] });
const f = (path: string): Row => ({ $F: path });
const op = (sign: string, left: unknown, right: unknown): Row => ({ $op: [sign, left, right] });
const value = (inner: unknown): Row => ({ $Value: inner });
const date = (iso: string): unknown => ({ $date: iso });

const computed = (
  model: string,
  expression: unknown,
  ...more: (readonly [string, ...unknown[]])[]
): Query => [model, ...more, ['annotate', { x: expression }], ['orderBy', 'id'], ['values', 'id', 'x']];

export const features: Record<string, Query> = {};
const add = (name: string, query: Query): void => {
  features[name] = query;
};

// text
for (const name of [
  'Lower',
  'Upper',
  'Length',
  'Trim',
  'LTrim',
  'RTrim',
  'Reverse',
  'MD5',
  'SHA224',
  'SHA256',
  'SHA384',
  'SHA512',
])
  for (const [model, path] of [
    ['Event', 'name'],
    ['Author', 'bio'],
    ['Comment', 'text'],
  ] as const)
    add(`${name} ${model}`, computed(model, fn(name, path)));
for (const size of [0, 1, 3, 10]) {
  if (size > 0) {
    add(`Left ${size}`, computed('Event', fn('Left', 'name', size)));
    add(`Right ${size}`, computed('Event', fn('Right', 'name', size)));
    add(`Substr ${size}`, computed('Event', fn('Substr', 'name', size)));
    add(`Substr ${size} 2`, computed('Event', fn('Substr', 'name', size, 2)));
  }
  add(`LPad ${size}`, computed('Event', fn('LPad', 'name', size, value('xy'))));
  add(`RPad ${size}`, computed('Event', fn('RPad', 'name', size, value('xy'))));
  add(`Repeat ${size}`, computed('Event', fn('Repeat', 'name', size)));
}
add('Replace', computed('Event', fn('Replace', 'name', value('a'), value('AA'))));
add('Replace by nothing', computed('Event', fn('Replace', 'name', value('e'))));
add('StrIndex', computed('Event', fn('StrIndex', 'name', value('a'))));
add('StrIndex of percent', computed('Event', fn('StrIndex', 'name', value('%'))));
add('Ord', computed('Person', fn('Ord', 'name')));
add('Chr', computed('Person', fn('Chr', { $op: ['+', f('id'), 64] })));
add('Concat of null', computed('Author', fn('Concat', 'bio', value('/'), 'name')));
add('Concat of numbers', computed('Author', fn('Concat', 'name', value(':'), { $Cast: [f('age'), 'text'] })));
add('nested functions', computed('Author', fn('Upper', fn('Left', fn('Trim', 'name'), 2))));
add('filter by function', [
  'Author',
  ['annotate', { l: fn('Length', 'name') }],
  ['filter', { l__gte: 4 }],
  ['orderBy', 'l', 'id'],
]);
add('order by function', ['Author', ['orderBy', fn('Lower', 'name') as never, 'id']]);
add('order by function descending', [
  'Author',
  ['orderBy', { $exprDesc: fn('Length', 'name') } as never, 'id'],
]);

// numbers
for (const name of ['Abs', 'Ceil', 'Floor', 'Round', 'Sign']) {
  add(`${name} of a float`, computed('Event', fn(name, 'ratio')));
  add(`${name} of an integer`, computed('Event', fn(name, 'small')));
}
for (const name of ['Sqrt', 'Exp', 'Ln', 'Sin', 'Cos', 'Tan', 'Cot', 'ATan', 'Degrees', 'Radians'])
  add(name, computed('Author', fn(name, 'age')));
for (const name of ['ASin', 'ACos']) add(name, computed('Author', fn(name, op('/', f('age'), 100.5))));
add('ATan2', computed('Author', fn('ATan2', 'age', 'id')));
add('Log', computed('Author', fn('Log', value(10), 'age')));
add('Power', computed('Author', fn('Power', 'age', value(2))));
add('Mod', computed('Author', fn('Mod', 'age', value(7))));
add('Pi', computed('Tag', fn('Pi')));
for (const sign of ['+', '-', '*', '%']) add(`integer ${sign}`, computed('Author', op(sign, f('age'), 7)));
add('integer division', computed('Author', op('/', f('age'), 7)));
add('float division', computed('Event', op('/', f('ratio'), 4)));
add('power operator', computed('Author', op('^', f('age'), 2)));
add('bit and', computed('Author', op('&', f('age'), 5)));
add('bit or', computed('Author', op('|', f('age'), 5)));
add('decimal plus', computed('Article', op('+', f('price'), f('price'))));
add('integers of two tables', computed('Article', op('-', f('views'), f('author__age'))));
add('null arithmetic', computed('Event', op('*', f('ratio'), f('small'))));

// comparisons and conditions
add('Coalesce of three', computed('Author', fn('Coalesce', 'bio', 'company__city', value('none'))));
add('Coalesce number', computed('Event', fn('Coalesce', 'ratio', value(0.5))));
add('Greatest', computed('Author', fn('Greatest', 'age', { $Value: 30 })));
add('Least', computed('Author', fn('Least', 'age', { $Value: 30 })));
add('Greatest of null', computed('Article', fn('Greatest', 'score', value(1.5))));
add('NullIf', computed('Author', fn('NullIf', 'bio', value(''))));
add('Cast to text', computed('Author', { $Cast: [f('age'), 'text'] }));
add('Cast to integer', computed('Author', { $Cast: [value('12'), 'integer'] }));
add('Cast to float', computed('Author', { $Cast: [f('age'), 'float'] }));
add('Cast to date', computed('Event', { $Cast: [f('start'), 'date'] }));
add('JSONObject', computed('Author', fn('JSONObject')));
add(
  'Case by relation',
  computed('Author', {
    $Case: [
      [
        [q({ company__city: 'Tokyo' }), value('near')],
        [q({ company__isnull: true }), value('nowhere')],
      ],
      value('far'),
    ],
  }),
);
add('Case of fields', computed('Article', { $Case: [[[q({ views__gt: 10 }), f('views')]], f('id')] }));
add(
  'Case negated',
  computed('Author', { $Case: [[[{ $not: q({ bio__isnull: true }) }, value(1)]], value(0)] }),
);
add(
  'Case with or',
  computed('Author', {
    $Case: [[[{ $or: [q({ age__lt: 20 }), q({ age__gt: 60 })] }, value('x')]], { $Value: null }],
  }),
);
add('order by Case', [
  'Author',
  ['orderBy', { $Case: [[[q({ name: 'Gil' }), value(0)]], value(1)] } as never, 'id'],
]);
add('filter by Case', [
  'Author',
  ['annotate', { c: { $Case: [[[q({ age__lt: 30 }), value('young')]], value('old')] } }],
  ['filter', { c: 'young' }],
  ['orderBy', 'id'],
]);
add('group by Case', [
  'Author',
  ['annotate', { c: { $Case: [[[q({ age__lt: 30 }), value('young')]], value('old')] } }],
  ['values', 'c'],
  ['annotate', { n: agg('Count', 'id') }],
  ['orderBy', 'c'],
]);
add('Sum of Case', [
  'Author',
  ['aggregate', { n: agg('Sum', { $Case: [[[q({ active: true }), value(1)]], value(0)] }) }],
]);

// dates, times, zones
const zones = [null, 'Europe/Prague', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'];
for (const zone of zones) {
  for (const part of [
    'year',
    'month',
    'day',
    'hour',
    'minute',
    'week',
    'week_day',
    'iso_week_day',
    'quarter',
    'iso_year',
  ])
    add(`Extract ${part} ${zone ?? 'UTC'}`, computed('Event', { $Extract: [f('start'), part, zone] }));
  for (const part of ['year', 'quarter', 'month', 'week', 'day'])
    add(`Trunc ${part} ${zone ?? 'UTC'}`, computed('Event', { $Trunc: [f('start'), part, zone] }));
}
for (const part of ['hour', 'minute', 'second'])
  add(`Trunc ${part}`, computed('Event', { $Trunc: [f('start'), part, null] }));
for (const part of ['year', 'quarter', 'month', 'week', 'day']) {
  add(`Trunc date ${part}`, computed('Event', { $Trunc: [f('day'), part, null] }));
  add(`dates ${part}`, ['Event', ['dates', 'day', part, 'ASC']]);
  add(`datetimes ${part}`, ['Event', ['datetimes', 'start', part, 'DESC', 'UTC']]);
}
add('dates of the empty', ['Event', ['filter', { id: -1 }], ['dates', 'day', 'year', 'ASC']]);
add('TruncDate', computed('Event', fn('TruncDate', 'start')));
add('TruncTime', computed('Event', fn('TruncTime', 'start')));
add('count by TruncDate', [
  'Event',
  ['annotate', { d: fn('TruncDate', 'start') }],
  ['values', 'd'],
  ['annotate', { n: agg('Count', 'id') }],
  ['orderBy', 'd'],
]);
add('start plus a day', computed('Event', op('+', f('start'), { $duration: 86_400_000 })));
add('start minus a minute', computed('Event', op('-', f('start'), { $duration: 60_000 })));
add('start plus lasts', [
  'Event',
  ['filter', { lasts__isnull: false, start__isnull: false }],
  ['filter', { stop__lt: op('+', f('start'), f('lasts')) }],
  ['orderBy', 'id'],
]);
add('stop minus start', computed('Event', op('-', f('stop'), f('start'))));
add('longer than an hour', [
  'Event',
  ['annotate', { d: op('-', f('stop'), f('start')) }],
  ['filter', { d__gt: { $duration: 3_600_000 } }],
  ['orderBy', 'id'],
]);
add('sum of durations', [
  'Event',
  ['aggregate', { s: agg('Sum', 'lasts'), a: agg('Avg', 'lasts'), m: agg('Max', 'lasts') }],
]);
add('day of the start', ['Event', ['filter', { start__date: f('day') }], ['orderBy', 'id']]);
add('same month', ['Event', ['filter', { start__month: f('day__month') }], ['orderBy', 'id']]);

// windows
const window = (
  inner: unknown,
  partition: string[] | null,
  order: string[] | null,
  frame: unknown = null,
): Row => ({ $Window: [inner, partition, order, frame] });
for (const name of ['RowNumber', 'Rank', 'DenseRank', 'PercentRank', 'CumeDist'])
  add(
    `window ${name}`,
    computed('Author', window(fn(name), ['active'], ['age', ...(name === 'RowNumber' ? ['id'] : [])])),
  );
add('window Ntile', computed('Author', window(fn('Ntile', 3), null, ['id'])));
for (const name of ['Lag', 'Lead']) {
  add(`window ${name}`, computed('Author', window(fn(name, 'age'), null, ['id'])));
  add(`window ${name} 2`, computed('Author', window(fn(name, 'age', 2), ['company'], ['id'])));
  add(`window ${name} default`, computed('Author', window(fn(name, 'age', 1, value(-1)), null, ['id'])));
}
add('window FirstValue', computed('Author', window(fn('FirstValue', 'name'), ['active'], ['-age', 'id'])));
add('window LastValue', computed('Author', window(fn('LastValue', 'name'), ['active'], ['id'])));
add('window NthValue', computed('Author', window(fn('NthValue', 'name', 2), null, ['id'])));
for (const frame of [
  ['rows', null, 0],
  ['rows', -1, 1],
  ['rows', 0, null],
  ['range', null, 0],
  ['range', null, null],
])
  add(`window Sum ${frame.join()}`, computed('Author', window(agg('Sum', 'age'), null, ['id'], frame)));
add('window Avg', computed('Article', window(agg('Avg', 'views'), ['author'], null)));
add('window Count', computed('Article', window(agg('Count', 'id'), ['author__company'], null)));
add('window order by window', [
  'Author',
  ['annotate', { r: window(fn('Rank'), null, ['-age']) }],
  ['orderBy', 'r', 'id'],
  ['values', 'name', 'r'],
]);
add('two windows', [
  'Author',
  [
    'annotate',
    { a: window(agg('Max', 'age'), ['company'], null), b: window(fn('RowNumber'), ['company'], ['id']) },
  ],
  ['orderBy', 'id'],
  ['values', 'id', 'a', 'b'],
]);
add('window with filter', [
  'Author',
  ['filter', { age__gt: 20 }],
  ['annotate', { r: window(fn('RowNumber'), null, ['id']) }],
  ['orderBy', 'id'],
  ['values', 'id', 'r'],
]);

// aggregates
for (const name of ['StdDev', 'Variance']) {
  add(`${name}`, ['Author', ['aggregate', { x: agg(name, 'age') }]]);
  add(`${name} sample`, ['Author', ['aggregate', { x: agg(name, 'age', { sample: true }) }]]);
  add(`${name} of one`, ['Author', ['filter', { id: 1 }], ['aggregate', { x: agg(name, 'age') }]]);
  add(`${name} grouped`, [
    'Author',
    ['values', 'active'],
    ['annotate', { x: agg(name, 'age') }],
    ['orderBy', 'active'],
  ]);
}
add('Sum default', [
  'Article',
  ['filter', { id: -1 }],
  ['aggregate', { x: agg('Sum', 'views', { default: 0 }) }],
]);
add('Sum distinct', ['Author', ['aggregate', { x: agg('Sum', 'age', { distinct: true }) }]]);
add('Avg distinct', ['Author', ['aggregate', { x: agg('Avg', 'age', { distinct: true }) }]]);
add('Count star grouped', [
  'Comment',
  ['values', 'stars'],
  ['annotate', { n: agg('Count', '*') }],
  ['orderBy', 'stars'],
]);
add('aggregates of expressions', [
  'Article',
  ['aggregate', { x: agg('Sum', op('*', f('views'), f('id'))), y: agg('Max', fn('Length', 'title')) }],
]);
add('arithmetic of aggregates', [
  'Author',
  ['annotate', { r: op('-', agg('Max', 'articles__views'), agg('Min', 'articles__views')) }],
  ['orderBy', 'id'],
  ['values', 'id', 'r'],
]);
add('order by aggregate', [
  'Author',
  ['annotate', { n: agg('Count', 'articles') }],
  ['orderBy', '-n', 'name'],
  ['values', 'name', 'n'],
]);
add('order by aggregate expression', [
  'Author',
  ['orderBy', { $exprDesc: agg('Count', 'articles') } as never, 'id'],
  ['flat', 'id'],
]);
add('having between', [
  'Author',
  ['annotate', { n: agg('Count', 'articles') }],
  ['filter', { n__range: [2, 5] }],
  ['orderBy', 'id'],
]);
add('having or where', [
  'Author',
  ['annotate', { n: agg('Count', 'articles') }],
  ['filter', { $or: [q({ n__gt: 5 }), q({ age__lt: 20 })] }],
  ['orderBy', 'id'],
]);
add('having with F', [
  'Author',
  ['annotate', { n: agg('Count', 'articles'), m: agg('Count', 'comments', { distinct: true }) }],
  ['filter', { n__gt: f('m') }],
  ['orderBy', 'id'],
]);
add('annotate before values', [
  'Article',
  ['annotate', { n: agg('Count', 'comments') }],
  ['values', 'author', 'n'],
  ['orderBy', 'id'],
]);
add('values then two annotates', [
  'Article',
  ['values', 'author'],
  ['annotate', { n: agg('Count', 'id') }],
  ['annotate', { v: agg('Max', 'views') }],
  ['orderBy', 'author'],
]);
add('group by annotation of relation', [
  'Article',
  ['annotate', { city: f('author__company__city') }],
  ['values', 'city'],
  ['annotate', { n: agg('Count', 'id') }],
  ['orderBy', 'city', 'n'],
]);
add('default ordering is no part of a group', [
  'Membership',
  ['values', 'club'],
  ['annotate', { n: agg('Count', 'id') }],
  ['orderBy', 'club'],
]);
add('count of a grouped query', [
  'Article',
  ['values', 'author'],
  ['annotate', { n: agg('Count', 'id') }],
  ['count'],
]);
add('exists of a grouped query', [
  'Article',
  ['values', 'author'],
  ['annotate', { n: agg('Count', 'id') }],
  ['filter', { n__gt: 100 }],
  ['exists'],
]);
add('filter on several joins', [
  'Author',
  ['annotate', { n: agg('Count', 'articles', { filter: q({ articles__tags__name: 'soba' }) }) }],
  ['orderBy', 'id'],
  ['values', 'id', 'n'],
]);

// sets
const young: Query = ['Author', ['filter', { age__lt: 30 }]];
const active: Query = ['Author', ['filter', { active: true }]];
for (const name of ['union', 'intersection', 'difference']) {
  add(`${name} ordered`, [...young, [name, active], ['orderBy', '-name']] as unknown as Query);
  add(`${name} sliced`, [...young, [name, active], ['orderBy', 'id'], ['slice', 1, 3]] as unknown as Query);
  add(`${name} counted`, [...young, [name, active], ['count']] as unknown as Query);
  add(`${name} exists`, [...young, [name, active], ['exists']] as unknown as Query);
  add(`${name} values`, [
    ...young,
    ['values', 'name', 'age'],
    [name, [...active, ['values', 'name', 'age']]],
    ['orderBy', 'age', 'name'],
  ] as unknown as Query);
  add(`${name} first`, [...young, [name, active], ['orderBy', 'id'], ['first']] as unknown as Query);
}
add('union of three', [
  ...young,
  ['union', active, ['Author', ['filter', { name: 'Lin' }]]],
  ['orderBy', 'id'],
] as unknown as Query);
add('union of sliced', [
  'Author',
  ['orderBy', 'id'],
  ['slice', 0, 3],
  ['union', ['Author', ['orderBy', '-id'], ['slice', 0, 2]]],
  ['orderBy', 'id'],
] as unknown as Query);
add('union with none', [...young, ['union', ['Author', ['none']]], ['orderBy', 'id']] as unknown as Query);
add('union of annotated', [
  'Author',
  ['annotate', { k: value('a') }],
  ['values', 'name', 'k'],
  ['union', ['Tag', ['annotate', { k: value('t') }], ['values', 'name', 'k']]],
  ['orderBy', 'name', 'k'],
] as unknown as Query);
add('values after union', [
  ...young,
  ['union', active],
  ['values', 'name'],
  ['orderBy', 'name'],
] as unknown as Query);

// subqueries
add('Exists in order', [
  'Author',
  ['annotate', { e: { $Exists: ['Article', ['filter', { author: { $OuterRef: 'pk' } }]] } }],
  ['orderBy', '-e', 'id'],
  ['values', 'id', 'e'],
]);
add('not Exists in annotation', [
  'Author',
  ['annotate', { e: { $Exists: ['Article', ['filter', { author: { $OuterRef: 'pk' } }]] } }],
  ['filter', { e: false }],
  ['orderBy', 'id'],
]);
add('Subquery of aggregate', [
  'Author',
  [
    'annotate',
    {
      s: {
        $Subquery: [
          'Article',
          ['filter', { author: { $OuterRef: 'pk' } }],
          ['orderBy'],
          ['values', 'author'],
          ['annotate', { s: agg('Sum', 'views') }],
          ['values', 's'],
        ],
      },
    },
  ],
  ['orderBy', 'id'],
  ['values', 'id', 's'],
]);
add('Subquery in filter', [
  'Article',
  [
    'filter',
    { views__gte: { $Subquery: ['Author', ['filter', { pk: { $OuterRef: 'author' } }], ['values', 'age']] } },
  ],
  ['orderBy', 'id'],
]);
add('nested OuterRef', [
  'Company',
  [
    'filter',
    {
      $Exists: [
        'Author',
        ['filter', { company: { $OuterRef: 'pk' } }],
        ['filter', { $Exists: ['Article', ['filter', { author: { $OuterRef: 'pk' }, views__gt: 50 }]] }],
      ],
    },
  ],
  ['orderBy', 'id'],
]);
add('OuterRef over a relation', [
  'Article',
  ['filter', { $Exists: ['Author', ['filter', { company: { $OuterRef: 'author__company' }, age__gt: 40 }]] }],
  ['orderBy', 'id'],
]);
add('arithmetic with Subquery', [
  'Author',
  [
    'annotate',
    {
      s: op('+', f('age'), {
        $Subquery: ['Profile', ['filter', { author: { $OuterRef: 'pk' } }], ['values', 'karma']],
      }),
    },
  ],
  ['orderBy', 'id'],
  ['values', 'id', 's'],
]);
add('exclude in subquery with null', [
  'Author',
  [
    'exclude',
    { pk__in: { $queryset: ['Article', ['filter', { editor__isnull: false }], ['values', 'editor']] } },
  ],
  ['orderBy', 'id'],
]);
add(
  'Case of Exists',
  computed('Author', {
    $Case: [
      [[{ $Exists: ['Comment', ['filter', { author: { $OuterRef: 'pk' } }]] }, value('talks')]],
      value('silent'),
    ],
  }),
);

// order
for (const kind of ['$ascNullsFirst', '$ascNullsLast', '$descNullsFirst', '$descNullsLast'])
  for (const path of ['score', 'editor__age', 'author__company__city'])
    add(`${kind} ${path}`, ['Article', ['orderBy', { [kind]: path } as never, 'id']]);
add('order by a relation with an order', ['Person', ['orderBy', 'memberships', 'id'], ['flat', 'id']]);
add('order by pk', ['Tag', ['orderBy', '-pk']]);
add('order by relation pk', ['Article', ['orderBy', 'editor__pk', 'id']]);
add('order by an annotation of a relation', [
  'Article',
  ['annotate', { who: f('author__name') }],
  ['orderBy', '-who', 'id'],
]);
add('default order', ['Membership']);
add('default order reversed', ['Membership', ['reverse']]);
add('first by default order', ['Membership', ['first']]);
add('last by default order', ['Membership', ['last']]);
add('latest', ['Event', ['filter', { start__isnull: false }], ['latest', 'start', 'id']]);
add('earliest', ['Event', ['filter', { start__isnull: false }], ['earliest', 'start', 'id']]);
add('reverse twice', ['Author', ['orderBy', 'name'], ['reverse'], ['reverse']]);
add('slices of slices', ['Author', ['orderBy', 'id'], ['slice', 2, 9], ['slice', 1, 4]]);

// JSON
for (const path of [
  'meta__a',
  'meta__b__c',
  'meta__b__d__0',
  'meta__tags',
  'meta__key with space',
  'meta__2__three',
])
  add(`values ${path}`, [
    'Event',
    ['filter', { meta__isnull: false }],
    ['orderBy', 'id'],
    ['values', 'id', path],
  ]);
for (const condition of [
  { meta__contains: { a: 1 } },
  { meta__contains: { b: { c: 'x' } } },
  { meta__contains: { tags: ['soba'] } },
  { meta__contains: [1] },
  { meta__contained_by: { a: 1, b: { c: 'x' }, n: 1 } },
  { meta__b__contains: { c: 'y' } },
  { 'meta__key with space': 'yes' },
  { meta__b__c__in: ['x', 'y'] },
  { meta__n__lt: 0 },
  { meta__b__c__regex: '^[xX]$' },
  { meta__b__c__iregex: '^X$' },
  { meta__b__c__endswith: 'x' },
  { meta__has_key: '0' },
  { meta__a__gt: f('small') },
])
  for (const name of ['filter', 'exclude'])
    add(`${name} ${JSON.stringify(condition)}`, ['Event', [name, condition], ['orderBy', 'id']]);
add('order by a key', ['Event', ['filter', { meta__a__gte: 0 }], ['orderBy', 'meta__a', 'id']]);

// arrays and full text search, on PostgreSQL
for (const condition of [
  { labels: ['a', 'b'] },
  { labels: [] },
  { labels: null },
  { labels__contains: ['a'] },
  { labels__contains: [] },
  { labels__contains: ["d'e"] },
  { labels__contained_by: ['a', 'b', 'c'] },
  { labels__overlap: ['a', 'x,y'] },
  { labels__overlap: ['"q"'] },
  { labels__len: 2 },
  { labels__len__gte: 1 },
  { labels__len: 0 },
  { labels__0: 'a' },
  { labels__1__icontains: 'B' },
  { labels__0_1: ['a'] },
  { labels__isnull: true },
  { numbers: [1, 2, 3] },
  { numbers__contains: [2] },
  { numbers__overlap: [1, 10] },
  { numbers__contained_by: [1, 2, 3] },
  { numbers__0__gt: 2 },
  { numbers__1_3: [2, 3] },
  { numbers__gt: [1, 2] },
  { numbers__in: [[1], [10, 20]] },
  { grid: [[9, 9]] },
  { grid__0__1: 2 },
  { grid__contains: [[1, 2]] },
  { text__search: 'cook' },
  { text__search: 'soba cooks' },
  { name__in: ['shelf 1'] },
])
  for (const name of ['filter', 'exclude'])
    add(`Shelf ${name} ${JSON.stringify(condition)}`, ['Shelf', [name, condition], ['orderBy', 'id']]);
const english = { config: 'english' };
const asked = (text: string, type?: string): Row => ({
  $SearchQuery: [text, { ...english, ...(type ? { type } : {}) }],
});
for (const [text, type] of [
  ['cook soba', 'plain'],
  ['quick brown', 'phrase'],
  ['brown quick', 'phrase'],
  ['soba & !cook', 'raw'],
  ['"lazy dog" OR soba', 'websearch'],
] as const) {
  add(`search ${type} ${text}`, [
    'Shelf',
    ['annotate', { s: { $SearchVector: [['text', 'name'], english] } }],
    ['filter', { s: asked(text, type) }],
    ['orderBy', 'id'],
  ]);
  add(`rank ${type} ${text}`, [
    'Shelf',
    ['annotate', { r: { $SearchRank: [{ $SearchVector: [['text'], english] }, asked(text, type)] } }],
    ['orderBy', '-r', 'id'],
    ['values', 'id', 'r'],
  ]);
  add(
    `headline ${type} ${text}`,
    computed('Shelf', { $SearchHeadline: ['text', asked(text, type), { config: 'english' }] }),
  );
}
add('search weighted', [
  'Shelf',
  [
    'annotate',
    { r: { $SearchRank: [{ $SearchVector: [['text'], { ...english, weight: 'A' }] }, asked('soba')] } },
  ],
  ['filter', { r__gte: 0.1 }],
  ['orderBy', '-r', 'id'],
  ['values', 'id', 'r'],
]);
add('ArrayAgg', ['Shelf', ['aggregate', { x: { $pgagg: ['ArrayAgg', 'name', { orderBy: ['name'] }] } }]]);
add('StringAgg', [
  'Shelf',
  ['aggregate', { x: { $pgagg: ['StringAgg', 'name', { delimiter: '; ', orderBy: ['name'] }] } }],
]);
add('StringAgg distinct', [
  'Shelf',
  [
    'aggregate',
    { x: { $pgagg: ['StringAgg', 'text', { delimiter: '|', distinct: true, orderBy: ['text'] }] } },
  ],
]);
add('BoolAnd', [
  'Shelf',
  ['annotate', { l: { $Case: [[[q({ labels__len__gt: 0 }), value(true)]], value(false)] } }],
  ['aggregate', { x: { $pgagg: ['BoolAnd', 'l'] }, y: { $pgagg: ['BoolOr', 'l'] } }],
]);
add('distinct on', ['Shelf', ['orderBy', 'text', '-id'], ['distinct', 'text']]);
add('distinct on two', [
  'Shelf',
  ['orderBy', 'text', 'numbers', 'id'],
  ['distinct', 'text', 'numbers'],
  ['values', 'id', 'text'],
]);

// several relations, defer and only, through inheritance
add('selectRelated of a child', ['Visit', ['selectRelated', 'restaurant', 'place'], ['orderBy', 'id']]);
add('count of friends of friends', [
  'Person',
  ['annotate', { n: agg('Count', 'friends__friends', { distinct: true }) }],
  ['orderBy', 'id'],
  ['values', 'id', 'n'],
]);
add('inherited aggregate', [
  'Restaurant',
  ['aggregate', { s: agg('Sum', 'seats'), n: agg('Count', 'city', { distinct: true }) }],
]);
add('inherited grouping', [
  'Restaurant',
  ['values', 'city'],
  ['annotate', { n: agg('Sum', 'seats') }],
  ['orderBy', 'city'],
]);
add('members joined after', [
  'Person',
  ['filter', { memberships__joined__gt: date('2024-06-01'), memberships__role: 'head' }],
  ['distinct'],
  ['orderBy', 'id'],
]);
