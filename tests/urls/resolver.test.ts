import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpResponse } from 'sobaya/http';
import { include, matchLeaf, path, Resolver, rePath, type UrlPattern, type Urls } from 'sobaya/urls';

const view = (): HttpResponse => new HttpResponse();
const p = (route: string, name?: string): UrlPattern =>
  path(route as string, view, name === undefined ? {} : { name }) as UrlPattern;

/** What a match is: the first leaf, in order, that matches alone. */
function linear(resolver: Resolver, url: string): { index: number; params: object } | null {
  for (const leaf of resolver.leaves) {
    const params = url.startsWith('/') ? matchLeaf(leaf, url.slice(1)) : null;
    if (params !== null) return { index: leaf.index, params };
  }
  return null;
}

function tree(resolver: Resolver, url: string): { index: number; params: object } | null {
  const match = resolver.resolve(url);
  return match === null ? null : { index: match.leaf.index, params: { ...match.params } };
}

const word = fc.constantFrom(
  '',
  'a',
  'b',
  'ab',
  '1',
  '12',
  'a-1',
  'orders',
  '007',
  '9007199254740993',
  'é',
  'x.y',
  '\n',
);
const piece = fc.constantFrom(
  'a',
  'b',
  '1',
  'orders',
  '<int:i>',
  '<s>',
  '<slug:g>',
  '<path:p>',
  '<int:y>-<slug:z>',
  'a<int:n>',
  '<str:t>.html',
  '.',
);
const route = fc
  .array(piece, { maxLength: 4 })
  .map((pieces) => [...new Set(pieces)].join('/'))
  .chain((text) => fc.constantFrom(text, `${text}/`, text.replace('/', '')))
  .filter((text) => !text.startsWith('/'));
const prefix = fc.constantFrom('', 'a/', '<int:q>/', '<w>/', 'orders', '<path:r>/');
const url = fc.array(word, { maxLength: 5 }).map((words) => `/${words.join('/')}`);

test('the tree finds exactly what trying the routes one by one finds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(prefix, route, fc.boolean()), { maxLength: 12 }),
      fc.array(url, { maxLength: 20 }),
      (routes, paths) => {
        const urls: Urls = routes.map(([before, text, nested]) =>
          nested ? include(before, [p(text)]) : (p(text) as UrlPattern),
        );
        const resolver = new Resolver(
          urls.filter((item) => item.kind !== 'include' || `${item.route}${item.urls[0]!.route}`[0] !== '/'),
        );
        for (const one of [...paths, ...routes.map(([, text]) => `/${text}`)])
          assert.deepEqual(tree(resolver, one), linear(resolver, one), one);
      },
    ),
    { numRuns: 500 },
  );
});

test('what reverse writes, resolve reads as the same values', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1, unit: 'binary' }),
      (id, text, rest) => {
        const resolver = new Resolver([p('x/<int:id>/<str:text>/<path:rest>', 'x')]);
        let link: string;
        try {
          link = resolver.reverse('x', { id, text, rest });
        } catch (error) {
          // A slash cannot stand in <str:…>, no line end in <path:…>, and half a character cannot be encoded.
          assert.match((error as Error).message, /No route of "x" fits/);
          assert.ok(text.includes('/') || rest.includes('\n') || !(text + rest).isWellFormed());
          return;
        }
        assert.match(link, /^\/x\/[\x21-\x7e]+$/);
        assert.doesNotMatch(link, /[?#\s]/);
        assert.deepEqual({ ...resolver.resolve(decodeURIComponent(link))?.params }, { id, text, rest });
      },
    ),
  );
});

test('the first route in the order of definition wins, fixed or not', () => {
  const resolver = new Resolver([p('a/<slug:x>/', '1'), p('a/b/', '2'), p('<path:all>', '3'), p('z/', '4')]);
  assert.equal(resolver.resolve('/a/b/')?.leaf.name, '1');
  assert.deepEqual({ ...resolver.resolve('/a/b/')?.params }, { x: 'b' });
  assert.equal(resolver.resolve('/z/')?.leaf.name, '3');
  assert.equal(resolver.resolve('/'), null);
});

test('the built-in converters', () => {
  const resolver = new Resolver([
    p('i/<int:v>', 'int'),
    p('u/<uuid:v>', 'uuid'),
    p('s/<slug:v>', 'slug'),
    p('t/<v>', 'str'),
    p('p/<path:v>', 'path'),
  ]);
  const get = (at: string): unknown => resolver.resolve(at)?.params['v'];
  assert.equal(get('/i/0042'), 42);
  assert.equal(get('/i/-1'), undefined);
  assert.equal(get('/i/9007199254740993'), undefined, 'past 2^53 two paths would be one number');
  assert.equal(get('/u/9b2f6f0e-0000-4000-8000-00000000000a'), '9b2f6f0e-0000-4000-8000-00000000000a');
  assert.equal(get('/u/9B2F6F0E-0000-4000-8000-00000000000A'), undefined);
  assert.equal(get('/s/a_b-C1'), 'a_b-C1');
  assert.equal(get('/s/é'), undefined);
  assert.equal(get('/t/そば'), 'そば');
  assert.equal(get('/p/a/b/c'), 'a/b/c');
});

test('rePath matches the rest as a whole, with named groups as parameters', () => {
  const resolver = new Resolver([include('shop/', [rePath(/^(?<year>\d{4})-(?<week>\d\d)$/, view)])]);
  assert.deepEqual({ ...resolver.resolve('/shop/2026-48')?.params }, { year: '2026', week: '48' });
  assert.equal(resolver.resolve('/shop/2026-480'), null);
});

test('names in namespaces, the last definition first, and near names', () => {
  const resolver = new Resolver([
    path('old/', view, { name: 'home' }),
    include('shop/<slug:branch>/', [path('<int:id>/', view, { name: 'order' })], { namespace: 'shop' }),
    path('new/', view, { name: 'home' }),
  ]);
  assert.equal(resolver.reverse('home'), '/new/');
  assert.equal(resolver.reverse('shop:order', { branch: 'kyoto', id: 3 }), '/shop/kyoto/3/');
  assert.throws(() => resolver.reverse('order', { branch: 'kyoto', id: 3 }), {
    code: 'SBY_URLS_NO_REVERSE',
    message: 'No route is named "order". Did you mean "shop:order"',
  });
  assert.throws(() => resolver.reverse('shop:order', { branch: 'kyoto', id: -3 }), {
    message:
      'No route of "shop:order" fits the parameters branch, id (tried shop/<slug:branch>/<int:id>/: id: it is no whole number from 0 on). Give exactly the parameters of the route',
  });
  assert.throws(() => resolver.reverse('shop:order', { id: 3 }), { message: /branch missing/ });
});

test('reverse adds a query and a fragment', () => {
  const resolver = new Resolver([path('menu/', view, { name: 'menu' })]);
  assert.equal(
    resolver.reverse(
      'menu',
      {},
      { query: { q: 'a b', page: 2, none: null, tag: ['x', 'y'] }, fragment: 'top' },
    ),
    '/menu/?q=a+b&page=2&tag=x&tag=y#top',
  );
});

test('bad routes are refused by name, with the way out', () => {
  const make = (text: string): Resolver => new Resolver([p(text)]);
  assert.throws(() => make('orders/<integer:id>/'), {
    code: 'SBY_URLS_UNKNOWN_CONVERTER',
    message:
      'There is no converter "integer" (route "orders/<integer:id>/"). Write one of int, str, slug, uuid, path, or give path(…, { converters: { integer: … } })',
  });
  assert.throws(() => make('/orders/'), { message: /begins with a slash.*Write "orders\/"/ });
  assert.throws(() => make('orders/<int:id/'), { message: /a "<" is never closed/ });
  assert.throws(() => make('orders/int:id>/'), { message: /a ">" has no "<"/ });
  assert.throws(() => make('orders/<int: id>/'), { message: /has spaces.*Write <int:id>/ });
  assert.throws(() => make('<id>/<int:id>/'), { message: /"id" is there twice/ });
  assert.throws(() => make('<__proto__>/'), { message: /no name of a parameter/ });
  assert.throws(() => new Resolver(['orders/'] as never), {
    message: /"orders\/" is no url pattern \(createApp\(\{ urls \}\)\)/,
  });
  assert.throws(() => path('orders/', undefined as never), {
    code: 'SBY_URLS_NOT_A_VIEW',
    message: /The view of "orders\/" is undefined\. Is its export missing/,
  });
  assert.throws(() => new Resolver([path('<int:id>/', view, { under: 'shop/' })]), {
    message: /stands under ""/,
  });
});

test('open redirect: no link begins with two slashes', () => {
  const resolver = new Resolver([path('<path:rest>', view, { name: 'any' })]);
  assert.equal(resolver.reverse('any', { rest: '/evil.example/' }), '/%2Fevil.example/');
});

test('prototype pollution: names of Object.prototype are no routes, names or parameters', () => {
  const resolver = new Resolver([path('a/', view, { name: 'a' })]);
  for (const name of ['constructor', '__proto__', 'toString']) {
    assert.equal(resolver.resolve(`/${name}`), null);
    assert.throws(() => resolver.reverse(name), { code: 'SBY_URLS_NO_REVERSE' });
    assert.throws(() => new Resolver([p(`<${name}:x>/`)]), { code: /SBY_URLS/ });
  }
});

test('regular-expression denial of service: hostile paths cost no more than their length', () => {
  const resolver = new Resolver([
    ...Array.from({ length: 200 }, (_, index) => p(`<slug:a>/<slug:b>/<slug:c>/${index}/`)),
    p('<slug:a>-<slug:b>-<slug:c>/'),
  ]);
  const began = process.cpuUsage();
  assert.equal(resolver.resolve(`/${'a/'.repeat(50_000)}`), null);
  assert.equal(resolver.resolve(`/${'a-'.repeat(2000)}!/`), null);
  assert.equal(resolver.resolve('/a-b-c/')?.leaf.route, '<slug:a>-<slug:b>-<slug:c>/');
  const { user } = process.cpuUsage(began);
  assert.ok(user < 2_000_000, `${user} µs`);
});
