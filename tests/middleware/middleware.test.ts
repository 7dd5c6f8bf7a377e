import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  createApp,
  HttpResponse,
  JsonResponse,
  type Middleware,
  path,
  StreamingHttpResponse,
  sleep,
} from 'sobaya';
import type { HttpRequest } from 'sobaya/http';
import {
  asAsgi,
  compression,
  conditionalGet,
  cors,
  cspNonce,
  csrf,
  csrfExempt,
  csrfToken,
  httpsRedirect,
  logging,
  MemoryRateStore,
  type RequestRecord,
  rateLimit,
  requestId,
  requestIdOf,
  requestTimeout,
  securityHeaders,
  traceContextOf,
  traceparent,
} from 'sobaya/middleware';
import { Client } from 'sobaya/test';

const text = 'soba '.repeat(1000);

function client(
  middleware: readonly Middleware[],
  view: (request: HttpRequest) => HttpResponse | StreamingHttpResponse = () => new HttpResponse(text),
  options: object = {},
): Client {
  return new Client(
    createApp({
      debug: false,
      onError: () => {},
      middleware,
      urls: [path('', view), path('hook/', csrfExempt(view))],
      ...options,
    }),
    { enforceCsrfChecks: true },
  );
}

test('securityHeaders: safe defaults, a nonce per response, what a view sets stays', async () => {
  const page = client([securityHeaders()], (request) => {
    const response = new HttpResponse(cspNonce(request));
    response.headers.set('x-frame-options', 'SAMEORIGIN');
    return response;
  });
  const first = await page.get('/');
  const second = await page.get('/');
  assert.equal(first.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(first.headers.get('referrer-policy'), 'same-origin');
  assert.equal(first.headers.get('x-frame-options'), 'SAMEORIGIN');
  assert.equal(first.headers.get('cross-origin-opener-policy'), 'same-origin');
  const policy = first.headers.get('content-security-policy') ?? '';
  assert.ok(policy.includes(`script-src 'self' 'nonce-${first.text}'`), policy);
  assert.match(policy, /object-src 'none'.*frame-ancestors 'none'/);
  assert.notEqual(first.text, second.text);
  const custom = client([
    securityHeaders({
      contentSecurityPolicy: { 'default-src': ["'none'"], 'upgrade-insecure-requests': true },
      reportOnly: true,
    }),
  ]);
  assert.equal(
    (await custom.get('/')).headers.get('content-security-policy-report-only'),
    "default-src 'none'; upgrade-insecure-requests",
  );
});

test('httpsRedirect: leads to https with method kept, and says to stay', async () => {
  const app = client([httpsRedirect({ hstsSeconds: 60, includeSubDomains: true, exempt: [/^\/health/] })]);
  const response = await app.get('/?a=1');
  assert.equal(response.status, 301);
  assert.equal(response.headers.get('location'), 'https://testserver/?a=1');
  assert.equal((await app.post('/')).status, 308);
  const secure = await app.get('/', { secure: true });
  assert.equal(secure.headers.get('strict-transport-security'), 'max-age=60; includeSubDomains');
});

test('compression: the encoding the client likes, streams too, nothing twice', async () => {
  const app = client([compression()]);
  const decode: Record<string, (bytes: Uint8Array) => Buffer> = {
    br: brotliDecompressSync,
    gzip: gunzipSync,
    zstd: zstdDecompressSync,
  };
  for (const encoding of ['br', 'gzip', 'zstd']) {
    const response = await app.get('/', { headers: { 'accept-encoding': encoding } });
    assert.equal(response.headers.get('content-encoding'), encoding);
    assert.equal(response.headers.get('content-length'), String(response.body.length));
    assert.equal(decode[encoding]!(response.body).toString(), text);
    assert.match(response.headers.get('vary') ?? '', /Accept-Encoding/);
  }
  assert.equal(
    (await app.get('/', { headers: { 'accept-encoding': 'gzip;q=0, identity' } })).headers.get(
      'content-encoding',
    ),
    null,
  );
  assert.equal(
    (await app.get('/', { headers: { 'accept-encoding': 'gzip;q=0.5, br;q=0.9' } })).headers.get(
      'content-encoding',
    ),
    'br',
  );
  async function* parts(): AsyncGenerator<string> {
    yield 'one ';
    yield 'two';
  }
  const streaming = client([compression()], () => new StreamingHttpResponse(parts()));
  for (const encoding of ['gzip', 'br', 'zstd']) {
    const response = await streaming.get('/', { headers: { 'accept-encoding': encoding } });
    assert.equal(decode[encoding]!(response.body).toString(), 'one two');
  }
  const small = client([compression()], () => new HttpResponse('tiny'));
  assert.equal((await small.get('/', { headers: { 'accept-encoding': 'gzip' } })).text, 'tiny');
  const image = client([compression()], () => new HttpResponse(text, { contentType: 'image/png' }));
  assert.equal(
    (await image.get('/', { headers: { 'accept-encoding': 'gzip' } })).headers.get('content-encoding'),
    null,
  );
});

test('conditionalGet: 304 for what the client has, with the headers a cache needs', async () => {
  const app = client(
    [conditionalGet()],
    () => new HttpResponse(text, { headers: { 'cache-control': 'max-age=5', 'x-other': '1' } }),
  );
  const first = await app.get('/');
  const etag = first.headers.get('etag')!;
  assert.match(etag, /^"[\w-]+"$/);
  const again = await app.get('/', { headers: { 'if-none-match': `"x", W/${etag}` } });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
  assert.equal(again.headers.get('etag'), etag);
  assert.equal(again.headers.get('cache-control'), 'max-age=5');
  assert.equal(again.headers.get('x-other'), null);
  assert.equal((await app.get('/', { headers: { 'if-none-match': '"other"' } })).status, 200);
  const both = client([conditionalGet(), compression()]);
  const packed = await both.get('/', { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(
    (
      await both.get('/', {
        headers: { 'accept-encoding': 'gzip', 'if-none-match': packed.headers.get('etag')! },
      })
    ).status,
    304,
  );
});

test('cors: allowed origins may read, others get nothing, preflights are answered', async () => {
  const app = client([
    cors({
      origins: ['https://app.example', /https:\/\/\w+\.soba\.example/],
      credentials: true,
      exposeHeaders: ['x-total'],
    }),
  ]);
  const good = await app.get('/', { headers: { origin: 'https://app.example' } });
  assert.equal(good.headers.get('access-control-allow-origin'), 'https://app.example');
  assert.equal(good.headers.get('access-control-allow-credentials'), 'true');
  assert.equal(good.headers.get('access-control-expose-headers'), 'x-total');
  assert.match(good.headers.get('vary') ?? '', /Origin/);
  for (const origin of [
    'https://evil.example',
    'https://a.soba.example.evil.example',
    'null',
    'http://app.example',
  ]) {
    const response = await app.get('/', { headers: { origin } });
    assert.equal(response.headers.get('access-control-allow-origin'), null, origin);
    assert.match(response.headers.get('vary') ?? '', /Origin/);
  }
  const preflight = await app.options('/', {
    headers: {
      origin: 'https://kyoto.soba.example',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'Content-Type',
    },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PUT/);
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /content-type/);
  assert.throws(() => cors({ origins: '*', credentials: true }), { message: /every site could read/ });
});

test('requestId and trace context: made, sent back, read', async () => {
  let seen = '';
  const app = client([requestId()], (request) => {
    const context = traceContextOf(request);
    seen = traceparent(context);
    return new HttpResponse(`${requestIdOf(request)} ${context.parentId}`);
  });
  const response = await app.get('/', {
    headers: {
      'x-request-id': 'forged',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  });
  assert.equal(response.text, `${response.headers.get('x-request-id')} b7ad6b7169203331`);
  assert.notEqual(response.headers.get('x-request-id'), 'forged');
  assert.match(seen, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  assert.match((await app.get('/', { headers: { traceparent: '00-zz' } })).text, / null$/);
  const trusting = client([requestId({ trustIncoming: true })]);
  assert.equal(
    (await trusting.get('/', { headers: { 'x-request-id': 'abc-1' } })).headers.get('x-request-id'),
    'abc-1',
  );
});

test('rateLimit: 429 with Retry-After, per client, per /64', async () => {
  const app = createApp({
    middleware: [rateLimit({ limit: 2, seconds: 60 })],
    urls: [path('', () => new HttpResponse('x'))],
  });
  const one = new Client(app, { clientAddress: '2001:db8::1' });
  assert.equal((await one.get('/')).headers.get('ratelimit-remaining'), '1');
  assert.equal((await one.get('/')).status, 200);
  const refused = await new Client(app, { clientAddress: '2001:db8::2' }).get('/');
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 20);
  assert.equal((await new Client(app, { clientAddress: '2001:db9::1' }).get('/')).status, 200);
  const store = new MemoryRateStore(10);
  for (let index = 0; index < 1000; index++) store.take(`key ${index}`, 5, 1000);
  assert.throws(() => rateLimit({ limit: 0, seconds: 1 }), { code: 'SBY_MIDDLEWARE_BAD_OPTION' });
});

test('requestTimeout: cancels the view and answers 503', async () => {
  let ended = '';
  const app = new Client(
    createApp({
      middleware: [requestTimeout(10)],
      urls: [
        path('', async () => {
          try {
            await sleep(60_000);
          } catch (error) {
            ended = (error as Error).name;
            throw error;
          }
          return new HttpResponse();
        }),
      ],
    }),
  );
  assert.equal((await app.get('/')).status, 503);
  assert.match(ended, /Error$/);
});

test('logging: one structured record, without the query', async () => {
  const records: RequestRecord[] = [];
  const keep = (record: RequestRecord): void => void records.push(record);
  const app = client([logging({ logger: { info: keep, warn: keep, error: keep } })]);
  await app.get('/?token=hidden');
  await app.get('/nope\n/');
  assert.equal(records.length, 2);
  assert.equal(records[0]!.path, '/');
  assert.equal(records[0]!.status, 200);
  assert.equal(records[1]!.status, 404);
  assert.doesNotMatch(JSON.stringify(records), /hidden/);
});

test('csrf: a form of this site passes, everything else is refused', async () => {
  const app = client(
    [csrf()],
    (request) => new HttpResponse(request.method === 'GET' ? csrfToken(request) : 'done'),
  );
  const token = (await app.get('/')).text;
  assert.equal((await app.post('/', { form: { csrfmiddlewaretoken: token } })).text, 'done');
  assert.equal((await app.post('/', { json: {}, headers: { 'x-csrftoken': token } })).text, 'done');
  assert.equal(
    (await app.post('/', { form: { csrfmiddlewaretoken: token }, files: { f: { content: 'x' } } })).text,
    'done',
  );
  assert.equal((await app.post('/hook/')).text, 'done');
});

test('asAsgi: middleware around any ASGI application', async () => {
  const bare = asAsgi(
    async (scope, receive, send) => {
      assert.equal(scope.type, 'http');
      const event = await receive();
      await send({ type: 'http.response.start', status: 201, headers: [['content-type', 'text/plain']] });
      await send({
        type: 'http.response.body',
        body: event.type === 'http.request' ? event.body : new Uint8Array(),
        moreBody: true,
      });
      await send({ type: 'http.response.body', body: Buffer.from(text) });
    },
    [securityHeaders(), compression()],
  );
  const response = await new Client(bare).post('/', {
    body: 'hello ',
    headers: { 'accept-encoding': 'gzip' },
  });
  assert.equal(response.status, 201);
  assert.equal(gunzipSync(response.body).toString(), `hello ${text}`);
  assert.equal(response.headers.get('x-frame-options'), 'DENY');
});

test('all middleware together leave a response as it is', async () => {
  const app = client(
    [
      logging({ skip: () => true }),
      requestId(),
      securityHeaders(),
      conditionalGet(),
      compression(),
      cors({ origins: '*' }),
      csrf(),
      requestTimeout(5000),
      rateLimit({ limit: 100, seconds: 1 }),
    ],
    () => new JsonResponse({ soba: 1 }),
  );
  assert.deepEqual((await app.get('/', { headers: { origin: 'https://x.example' } })).json(), { soba: 1 });
});
