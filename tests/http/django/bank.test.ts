/** What Django 3.2 answered (answers.py) must be what Sobaya answers, but for what is meant to differ (different.ts). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createApp, HttpResponse, include, path, rePath } from 'sobaya';
import {
  contentDisposition,
  evaluatePreconditions,
  HttpRequest,
  isAllowedHost,
  parseAccept,
  parseCookies,
  parseHttpDate,
  QueryDict,
  ResponseHeaders,
  redirect,
  safeFilename,
  safeRedirectTarget,
} from 'sobaya/http';
import { csrf, csrfToken } from 'sobaya/middleware';
import { Client } from 'sobaya/test';
import { converter } from 'sobaya/urls';
import { paginate } from 'sobaya/views';
import { different } from './different.ts';

// biome-ignore-start lint/suspicious/noExplicitAny: questions are of many shapes, each topic knows its own
type Bank = Readonly<Record<string, readonly (readonly [question: any, answer: unknown])[]>>;
const bank = JSON.parse(readFileSync(new URL('answers.json', import.meta.url), 'utf8')) as Bank;

/** Asks every question of a topic, and shows all that differ at once. */
async function compare(topic: string, ask: (question: any) => unknown): Promise<void> {
  const wrong: string[] = [];
  const meant = different[topic] ?? [];
  const shown = new Set<string>();
  for (const [question, django] of bank[topic]!) {
    const key = JSON.stringify(question);
    const ours: unknown = JSON.parse(JSON.stringify((await ask(question)) ?? null));
    let wanted = django;
    for (const difference of meant) {
      const answer = difference.ours(question, django);
      if (answer === undefined) continue;
      assert.notDeepEqual(answer, django, `${topic} ${key} is no difference any more: ${difference.why}`);
      wanted = answer;
      shown.add(difference.why);
    }
    try {
      assert.deepEqual(ours, wanted);
    } catch {
      wrong.push(`${key}: Django ${JSON.stringify(django)}, Sobaya ${JSON.stringify(ours)}`);
    }
  }
  assert.equal(wrong.join('\n'), '');
  for (const { why } of meant) assert.ok(shown.has(why), `no question of ${topic} shows: ${why}`);
}

// biome-ignore-end lint/suspicious/noExplicitAny: see above
function request(method: string, headers: Readonly<Record<string, string>>): HttpRequest {
  return new HttpRequest(
    {
      type: 'http',
      asgi: { version: '3.0', specVersion: '2.5' },
      httpVersion: '1.1',
      method,
      scheme: 'http',
      path: '/',
      rawPath: '/',
      queryString: '',
      rootPath: '',
      headers: Object.entries(headers),
      client: null,
      server: null,
    },
    async () => ({ type: 'http.request', body: new Uint8Array(), moreBody: false }),
  );
}

test('query strings', () =>
  compare('query', (text) => {
    const query = QueryDict.parse(text);
    return query.keys().flatMap((name) => query.getAll(name).map((value) => [name, value]));
  }));

test('cookies', () =>
  compare('cookies', (text) => [...parseCookies(text)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))));

test('HTTP dates', async () => {
  await compare('dates', (text) => parseHttpDate(text));
  await compare('dates written', (seconds) => new Date(seconds * 1000).toUTCString());
});

test('preconditions, in pairs', () =>
  compare('preconditions', (question) => {
    const [method, etag, modified, headers] = question as [
      string,
      string,
      number | null,
      Record<string, string>,
    ];
    const outcome = evaluatePreconditions(request(method, headers), {
      etag,
      lastModified: modified === null ? null : new Date(modified * 1000),
    });
    return { proceed: 200, 'not modified': 304, failed: 412 }[outcome];
  }));

test('allowed hosts', () =>
  compare('hosts', (host) =>
    isAllowedHost(host, ['soba.example', '.kyoto.example', '[::1]', '127.0.0.1']) ? host : null,
  ));

test('targets of redirects that came with the request', () =>
  compare('targets', (target) => {
    const nowhere = 'nowhere:';
    return safeRedirectTarget(target, 'soba.example', nowhere) !== nowhere;
  }));

test('where a redirect leads', () =>
  compare('redirects', (url) => {
    try {
      return redirect(url).url;
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'SBY_HTTP_UNSAFE_REDIRECT');
      return null;
    }
  }));

test('names of uploads', () => compare('filenames', (name) => safeFilename(name)));

test('Content-Disposition', () =>
  compare('disposition', ([attachment, name]) =>
    contentDisposition(attachment ? 'attachment' : 'inline', name),
  ));

test('Accept and Accept-Language', async () => {
  await compare('accepts', ([accept, type]) => request('GET', { accept }).accepts(type));
  await compare('languages', (text) =>
    parseAccept(text)
      .sort((a, b) => b.q - a.q)
      .map(({ value, q }) => [value, q]),
  );
});

test('Vary', () =>
  compare('vary', ([now, more]) => {
    const headers = new ResponseHeaders(now === null ? {} : { vary: now });
    return headers.addToList('vary', ...(more as string[])).get('vary');
  }));

test('CSRF', () =>
  compare('csrf', async (question) => {
    const [method, secure, referer, cookie, token] = question as [
      string,
      boolean,
      string | null,
      boolean,
      string | null,
    ];
    const client = new Client(
      createApp({
        debug: false,
        allowedHosts: ['soba.example'],
        middleware: [
          csrf({
            trustedOrigins: [
              'https://partner.example',
              'https://*.friends.example',
              'https://friends.example',
            ],
          }),
        ],
        urls: [
          path('token/', (one) => new HttpResponse(csrfToken(one))),
          path('', () => new HttpResponse('')),
        ],
      }),
      { enforceCsrfChecks: true },
    );
    const host = 'soba.example';
    const other = (await client.get('/token/', { headers: { host } })).text;
    client.cookies.clear();
    const own = (await client.get('/token/', { headers: { host } })).text;
    if (!cookie) client.cookies.clear();
    const headers: Record<string, string> = { host };
    if (referer !== null) headers['referer'] = referer;
    if (token === 'header') headers['x-csrftoken'] = own;
    const form =
      token === 'field'
        ? { csrfmiddlewaretoken: own }
        : token === 'wrong'
          ? { csrfmiddlewaretoken: other }
          : token === 'garbage'
            ? { csrfmiddlewaretoken: 'garbage' }
            : {};
    const response = await client.request(method, '/', {
      headers,
      secure,
      ...(method === 'POST' ? { form } : {}),
    });
    return response.status !== 403;
  }));

test('pages', () =>
  compare('pages', async ([count, perPage, number]) => {
    const items = Array.from({ length: count }, (_, index) => index);
    const list = Object.assign(Promise.resolve(items), {
      count: async () => count as number,
      slice: async (start: number, end?: number | null) => items.slice(start, end ?? undefined),
    });
    try {
      const page = await paginate(list as never, number, perPage);
      return [page.items, page.number, page.pages, page.hasNext, page.hasPrevious];
    } catch (error) {
      return (error as Error).name;
    }
  }));

const named = (name: string) => Object.defineProperty(() => new HttpResponse(name), 'name', { value: name });
const year = converter({
  regex: '[0-9]{4}',
  toValue: Number,
  toUrl: (value) => String(value).padStart(4, '0'),
});
const shop = [
  path('', named('shop_home'), { name: 'home' }),
  path('<slug:dish>/', named('shop_dish'), { name: 'dish' }),
  path('<slug:dish>/<int:size>/', named('shop_size'), { name: 'size' }),
];
const application = createApp({
  urls: [
    path('', named('home'), { name: 'home' }),
    path('orders/', named('orders'), { name: 'orders' }),
    path('orders/new/', named('order_new'), { name: 'order-new' }),
    path('orders/<int:id>/', named('order'), { name: 'order' }),
    path('orders/<str:code>/', named('order_code'), { name: 'order-code' }),
    path('articles/<yyyy:year>/', named('year'), { name: 'year', converters: { yyyy: year } }),
    path('articles/<yyyy:year>/<int:month>/', named('month'), { name: 'month', converters: { yyyy: year } }),
    path('articles/<int:year>/<int:month>/<slug:slug>/', named('article'), { name: 'article' }),
    path('files/<path:name>', named('file'), { name: 'file' }),
    path('things/<uuid:id>/', named('thing'), { name: 'thing' }),
    path('range/<int:from>-<int:to>/', named('range'), { name: 'range' }),
    path('tag/<slug:tag>.html', named('tag'), { name: 'tag' }),
    path('dots.in+path/(x)/', named('special'), { name: 'special' }),
    path('そば/<str:name>/', named('soba'), { name: 'soba' }),
    path('no-slash', named('no_slash'), { name: 'no-slash' }),
    include('shops/<int:shop>/', shop, { namespace: 'shop' }),
    rePath(/^old\/(?<year>[0-9]{4})\/$/, named('old'), { name: 'old' }),
    rePath(/^pages?\/(?<page>\d+)?$/, named('page'), { name: 'page' }),
    rePath(/^either\/(?:a|b)\/$/, named('either'), { name: 'either' }),
    path('last/<path:rest>/edit/', named('rest_edit'), { name: 'rest-edit' }),
    path('last/<path:rest>', named('rest'), { name: 'rest' }),
  ],
});

test('resolving', () =>
  compare('resolve', (one) => {
    const match = application.resolver.resolve(one);
    if (match === null) return null;
    const { leaf, params } = match;
    return [
      [...leaf.namespaces, leaf.name].join(':'),
      Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
    ];
  }));

test('reversing', () =>
  compare('reverse', ([name, params]) => {
    try {
      return application.resolver.reverse(name as string, params);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'SBY_URLS_NO_REVERSE');
      return null;
    }
  }));
