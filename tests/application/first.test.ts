import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createApp,
  defineApp,
  Http404,
  type HttpRequest,
  HttpResponse,
  include,
  JsonResponse,
  type Middleware,
  PermissionDenied,
  path,
  redirect,
  reverse,
  StreamingHttpResponse,
  sleep,
} from 'sobaya';
import { Client, requestScope } from 'sobaya/test';

const silent = { debug: false, onError: () => {} };

async function orderDetail(_request: HttpRequest, { id }: { id: number }): Promise<HttpResponse> {
  await sleep(0);
  return new JsonResponse({ id, next: reverse(orderDetail, { id: id + 1 }) });
}

function nothing(_request: HttpRequest): HttpResponse {
  return undefined as unknown as HttpResponse;
}

const shop = defineApp({
  label: 'shop',
  urls: [
    path('orders/<int:id>/', orderDetail, { name: 'order' }),
    path('menu/', () => new HttpResponse('soba'), { name: 'menu' }),
  ],
});

test('a view answers, sync and async, with typed parameters and reversed links', async () => {
  const client = new Client(
    createApp({
      apps: [shop],
      urls: [path('', () => new HttpResponse('home')), include('shop/', shop.urls)],
    }),
  );
  const home = await client.get('/');
  assert.equal(home.status, 200);
  assert.equal(home.text, 'home');
  assert.equal(home.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(home.headers.get('content-length'), '4');
  const order = await client.get('/shop/orders/3/');
  assert.deepEqual(order.json(), { id: 3, next: '/shop/orders/4/' });
  assert.deepEqual(order.match?.params, { id: 3 });
  assert.equal(order.match?.viewName, 'order');
});

test('a web-standard Response is a response', async () => {
  const client = new Client(
    createApp({
      urls: [
        path('', () => {
          const headers = new Headers({ 'x-soba': 'kake' });
          headers.append('set-cookie', 'a=1');
          headers.append('set-cookie', 'b=2');
          return Response.json({ ok: true }, { status: 201, headers });
        }),
      ],
    }),
  );
  const response = await client.get('/');
  assert.equal(response.status, 201);
  assert.deepEqual(response.json(), { ok: true });
  assert.deepEqual(response.setCookies, ['a=1', 'b=2']);
  assert.equal(response.headers.get('x-soba'), 'kake');
});

test('a view that returns nothing is named', async () => {
  const client = new Client(
    createApp({ ...silent, urls: [path('broken/', nothing), path('data/', (() => ({ a: 1 })) as never)] }),
  );
  await assert.rejects(client.get('/broken/'), {
    code: 'SBY_HTTP_NO_RESPONSE',
    message:
      'The view nothing gave undefined instead of a response. Is a return missing? Return an HttpResponse (or a web-standard Response)',
  });
  await assert.rejects(client.get('/data/'), {
    message: /gave an object instead of a response.*new JsonResponse/,
  });
});

test('middleware wrap in order, see errors of inside as responses, and may be sync', async () => {
  const seen: string[] = [];
  const outer: Middleware = (getResponse) => async (request) => {
    seen.push('outer in');
    const response = await getResponse(request);
    seen.push(`outer out ${response.status}`);
    response.headers.set('x-outer', '1');
    return response;
  };
  const inner: Middleware = (getResponse) => (request) => {
    seen.push('inner in');
    return getResponse(request);
  };
  const failing: Middleware = () => () => {
    throw new PermissionDenied('kitchen only');
  };
  const app = createApp({
    ...silent,
    urls: [path('', () => new HttpResponse('x'))],
    middleware: [outer, inner, failing],
  });
  const response = await new Client(app).get('/');
  assert.equal(response.status, 403);
  assert.equal(response.headers.get('x-outer'), '1');
  assert.deepEqual(seen, ['outer in', 'inner in', 'outer out 403']);
});

test('middleware that are none, or give nothing, are refused or named', async () => {
  assert.throws(() => createApp({ middleware: [undefined as never] }), {
    code: 'SBY_APPLICATION_BAD_MIDDLEWARE',
    message: /Middleware 1 is undefined instead of a function/,
  });
  assert.throws(() => createApp({ middleware: [(() => ({})) as never] }), {
    message: /Middleware 1 gave an object/,
  });
  const forgetful: Middleware = (getResponse) =>
    (async (request: HttpRequest) => {
      await getResponse(request);
    }) as never;
  const app = createApp({ ...silent, urls: [path('', () => new HttpResponse())], middleware: [forgetful] });
  await assert.rejects(new Client(app).get('/'), {
    message: /^Middleware 1 \(forgetful\) gave undefined instead of a response/,
  });
});

test('Http404 and unknown paths are 404, with the routes tried in debug mode only', async () => {
  const urls = [
    path('orders/<int:id>/', () => {
      throw new Http404('No order 3');
    }),
  ];
  const debug = new Client(createApp({ debug: true, urls }));
  const html = { headers: { accept: 'text/html' } };
  const unknown = await debug.get('/nope/', html);
  assert.equal(unknown.status, 404);
  assert.match(unknown.text, /No route matches/);
  assert.match(unknown.text, /\/orders\/&#60;int:id&#62;\//);
  assert.match((await debug.get('/orders/3/', html)).text, /No order 3/);
  const strict = new Client(createApp({ debug: false, urls }));
  for (const at of ['/nope/', '/orders/3/']) {
    const response = await strict.get(at, html);
    assert.equal(response.status, 404);
    assert.doesNotMatch(response.text, /orders|No order/);
  }
});

test('the debug page shows source and what to do, production shows nothing', async () => {
  const hidden = ['top', 'secret'].join('');
  function view(): HttpResponse {
    const secretSauce = 'tsuyu';
    throw new TypeError(`no ${secretSauce} left`);
  }
  const html = {
    headers: { accept: 'text/html', cookie: `session=${hidden}`, authorization: hidden },
  };
  const errors: unknown[] = [];
  const make = (debug: boolean): Client =>
    new Client(createApp({ debug, urls: [path('cook/', view)], onError: (error) => errors.push(error) }), {
      raiseErrors: false,
    });
  const page = await make(true).get('/cook/?size=large', html);
  assert.equal(page.status, 500);
  assert.match(page.text, /no tsuyu left/);
  assert.match(page.text, /const secretSauce = &#39;tsuyu&#39;/);
  assert.match(page.text, /first\.test\.ts/);
  assert.match(page.text, /size/);
  assert.doesNotMatch(page.text, /topsecret/);
  const strict = await make(false).get('/cook/', html);
  assert.equal(strict.status, 500);
  assert.doesNotMatch(strict.text, /tsuyu|TypeError|first\.test/);
  assert.equal(errors.length, 2);
  const json = await make(true).get('/cook/', { headers: { accept: 'application/json' } });
  assert.equal(json.headers.get('content-type'), 'application/problem+json');
  assert.equal(json.json<{ detail: string }>().detail, 'no tsuyu left');
  const text = await make(true).get('/cook/');
  assert.match(text.text, /^500 at GET \/cook\//);
});

test('pages of one’s own for errors; a page that fails itself is reported and replaced', async () => {
  const errors: unknown[] = [];
  const app = createApp({
    debug: false,
    urls: [path('boom/', () => Promise.reject(new Error('boom')))],
    errorViews: { 404: () => new HttpResponse('lost?'), 500: () => Promise.reject(new Error('second')) },
    onError: (error) => errors.push((error as Error).message),
  });
  const client = new Client(app, { raiseErrors: false });
  const lost = await client.get('/x/');
  assert.equal(lost.status, 404);
  assert.equal(lost.text, 'lost?');
  assert.equal((await client.get('/boom/')).status, 500);
  assert.deepEqual(errors, ['boom', 'second']);
});

test('a missing last slash is added by redirect; 308 keeps method and body', async () => {
  const client = new Client(
    createApp({
      urls: [path('menu/', async (request) => new HttpResponse(request.method + (await request.text())))],
    }),
  );
  const response = await client.get('/menu?x=1');
  assert.equal(response.status, 301);
  assert.equal(response.headers.get('location'), '/menu/?x=1');
  const posted = await client.post('/menu', { body: 'kake', follow: true });
  assert.equal(posted.text, 'POSTkake');
  assert.deepEqual(posted.redirects, [{ url: '/menu', status: 308 }]);
  const exact = new Client(
    createApp({ trailingSlash: 'exact', debug: false, urls: [path('menu/', () => new HttpResponse())] }),
  );
  assert.equal((await exact.get('/menu')).status, 404);
  const strip = new Client(
    createApp({ trailingSlash: 'strip', urls: [path('menu', () => new HttpResponse())] }),
  );
  assert.equal((await strip.get('/menu/')).headers.get('location'), '/menu');
});

test('open redirect: the slash policy never leads to another site', async () => {
  const client = new Client(createApp({ urls: [path('<path:any>/', () => new HttpResponse())] }));
  const response = await client.get('//evil.example');
  assert.equal(response.status, 301);
  assert.equal(response.headers.get('location'), '/%2Fevil.example/');
});

test('cookies and redirects are kept and followed', async () => {
  const client = new Client(
    createApp({
      urls: [
        path('login/', () => redirect('/').setCookie('user', 'そば "1"', { httpOnly: true })),
        path('', (request) => new HttpResponse(request.cookies.get('user') ?? 'nobody')),
        path('logout/', () => new HttpResponse().deleteCookie('user')),
      ],
    }),
  );
  assert.equal((await client.get('/')).text, 'nobody');
  assert.equal((await client.post('/login/', { follow: true })).text, 'そば "1"');
  await client.get('/logout/');
  assert.equal((await client.get('/')).text, 'nobody');
});

test('streams are sent piece by piece, and released when the client leaves, even if never started', async () => {
  const released: string[] = [];
  async function* noodles(name: string): AsyncGenerator<string> {
    try {
      yield 'one ';
      yield 'two ';
      await sleep(60_000);
    } finally {
      released.push(name);
    }
  }
  const app = createApp({
    urls: [
      path('a/', () => new StreamingHttpResponse(noodles('a')).onClose(() => released.push('close a'))),
      path('b/', () => new StreamingHttpResponse(noodles('b')).onClose(() => released.push('close b'))),
    ],
  });
  const client = new Client(app);
  const response = await client.stream('GET', '/a/');
  assert.equal(await response.next(), 'one ');
  await response.leave();
  assert.deepEqual(released, ['a', 'close a']);
  const head = await client.head('/b/');
  assert.equal(head.body.length, 0);
  assert.deepEqual(released, ['a', 'close a', 'close b']);
});

test('when the client leaves, what the view waits for ends', async () => {
  let outcome = '';
  const started = Promise.withResolvers<void>();
  const app = createApp({
    urls: [
      path('slow/', async () => {
        started.resolve();
        try {
          await sleep(60_000);
        } catch (error) {
          outcome = (error as Error).name;
          throw error;
        }
        return new HttpResponse();
      }),
    ],
  });
  const leaving = Promise.withResolvers<void>();
  const scope = requestScope('GET', '/slow/');
  let calls = 0;
  const running = app(
    scope,
    async () => {
      if (calls++ === 0) return { type: 'http.request', body: new Uint8Array(), moreBody: false };
      await leaving.promise;
      return { type: 'http.disconnect' };
    },
    async () => {},
  );
  await started.promise;
  leaving.resolve();
  await assert.rejects(running, { name: 'AbortError' });
  assert.equal(outcome, 'AbortError');
});

test('lifespan: start-up before the first request, shutdown at the end, failures named', async () => {
  const life: string[] = [];
  const app = createApp({
    apps: [defineApp({ label: 'shop', ready: () => life.push('ready') })],
    urls: [path('', () => new HttpResponse())],
    lifespan: () => {
      life.push('up');
      return () => life.push('down');
    },
  });
  {
    await using client = new Client(app);
    await client.get('/');
    await client.get('/');
  }
  assert.deepEqual(life, ['ready', 'up', 'down']);
  const failing = createApp({ lifespan: () => Promise.reject(new Error('no gas')) });
  await assert.rejects(new Client(failing).get('/'), { message: /did not start: Error: no gas/ });
  assert.equal(await app.run(() => 42), 42);
});

test('options that do not exist, or make no sense, are refused by name', () => {
  // @ts-expect-error a misspelt option
  assert.throws(() => createApp({ midleware: [] }), {
    message: /cannot use the option "midleware": there is no such option/,
  });
  assert.throws(() => createApp({ apps: [shop, shop] }), { message: /Two apps have the label "shop"/ });
  assert.throws(() => createApp({ secretKey: 'short' }), { code: 'SBY_APPLICATION_WEAK_SECRET' });
  assert.throws(() => createApp({ trustedProxies: ['proxy.local'] }), { code: 'SBY_HTTP_BAD_PROXY' });
  assert.throws(() => createApp({ limits: { maxBodySize: -1 } }), { message: /limits\.maxBodySize/ });
  assert.throws(() => defineApp({ label: 'My Shop' }), { message: /a label is lower-case/ });
});

test('mounted under a root path, routes and links keep the prefix', async () => {
  const client = new Client(createApp({ urls: [path('orders/<int:id>/', orderDetail)] }));
  const response = await client.get('/kitchen/orders/3/', { rootPath: '/kitchen' });
  assert.deepEqual(response.json(), { id: 3, next: '/kitchen/orders/4/' });
});
