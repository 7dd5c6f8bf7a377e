import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createApp, HttpResponse, JsonResponse, path, redirect } from 'sobaya';
import {
  contentDisposition,
  EventStreamResponse,
  fileResponse,
  formatCookie,
  formatEvent,
  type HttpRequest,
  lastEventId,
  parseCookies,
  parseRange,
  QueryDict,
  Signer,
  StreamingHttpResponse,
} from 'sobaya/http';
import { Client } from 'sobaya/test';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const secretKey = 'a test key that is long enough to be used';

function serving(view: (request: HttpRequest) => unknown, options: object = {}): Client {
  return new Client(
    createApp({
      debug: false,
      onError: () => {},
      secretKey,
      urls: [path('<path:p>', view as never), path('', view as never)],
      ...options,
    }),
  );
}
const json = (view: (request: HttpRequest) => unknown, options: object = {}): Client =>
  serving(async (request) => new JsonResponse(await view(request)), options);

test('the query: last value, all values, order, changes', async () => {
  const query = QueryDict.parse('a=1&b=%E3%81%9D%E3%81%B0&a=2&empty=&plus=a+b');
  assert.equal(query.get('a'), '2');
  assert.deepEqual(query.getAll('a'), ['1', '2']);
  assert.equal(query.get('b'), 'そば');
  assert.equal(query.get('plus'), 'a b');
  assert.equal(query.get('none'), null);
  assert.equal(query.get('none', 'x'), 'x');
  assert.deepEqual(query.keys(), ['a', 'b', 'empty', 'plus']);
  assert.equal(query.with({ a: 3, b: null, page: 2 }).toString(), 'empty=&plus=a+b&a=3&page=2');
  const app = json((request) => request.query.getAll('tag'));
  assert.deepEqual((await app.get('/', { query: { tag: ['x', 'y'] } })).json(), ['x', 'y']);
});

test('headers: any case, several lines joined, one by one', async () => {
  const app = json((request) => [
    request.headers.get('X-Soba'),
    request.header('x-soba'),
    request.headers.get('none'),
    [...request.headers].length,
  ]);
  assert.deepEqual((await app.get('/', { headers: { 'X-Soba': 'kake' } })).json(), ['kake', 'kake', null, 2]);
});

test('bodies: text, JSON, urlencoded; each kept, and used once as a stream', async () => {
  assert.deepEqual(
    (
      await json(async (request) => [await request.text(), await request.text()]).post('/', { body: 'そば' })
    ).json(),
    ['そば', 'そば'],
  );
  assert.deepEqual((await json((request) => request.json()).post('/', { json: { a: [1] } })).json(), {
    a: [1],
  });
  assert.deepEqual(
    (
      await json(async (request) => (await request.form()).getAll('a')).post('/', {
        form: { a: ['1', 'そ&'] },
      })
    ).json(),
    ['1', 'そ&'],
  );
  const twice = json(async (request) => {
    for await (const _ of request.stream());
    return await request.text();
  });
  await assert.rejects(twice.post('/', { body: 'x' }), {
    code: 'SBY_HTTP_BODY_USED',
    message: /the body was read with request\.stream\(\)/,
  });
});

test('bodies that are not what they say are 4xx with a reason', async () => {
  const app = json((request) => request.json());
  assert.equal(
    (await app.post('/', { body: '{', headers: { 'content-type': 'application/json' } })).status,
    400,
  );
  assert.equal((await app.post('/', { body: '{}' })).status, 415);
  assert.equal(
    (
      await app.post('/', {
        body: new Uint8Array([0x22, 0xff, 0x22]),
        headers: { 'content-type': 'application/json' },
      })
    ).status,
    400,
  );
  const small = json((request) => request.text(), { limits: { maxBodySize: 10 } });
  assert.equal((await small.post('/', { body: 'x'.repeat(11) })).status, 413);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < 5; index++) yield Buffer.from('xxxx');
  }
  assert.equal(
    (await small.post('/', { body: chunks() })).status,
    413,
    'chunked, without a length to look at',
  );
});

test('uploads: small in memory, large on disk while the request lasts, moved on demand', async () => {
  let diskPath: string | null = null;
  const app = json(async (request) => {
    const files = await request.files();
    const form = await request.form();
    const big = files.get('big')!;
    diskPath = big.path;
    assert.ok(diskPath !== null && existsSync(diskPath));
    await files.get('big2')!.moveTo(join(folder, 'kept'));
    return {
      name: form.get('name'),
      small: [files.get('small')?.filename, files.get('small')?.path, await files.get('small')?.text()],
      big: [big.size, (await big.bytes()).length, big.contentType],
      count: files.size,
      empty: files.has('empty'),
    };
  });
  const content = 'n'.repeat(200_000);
  const response = await app.post('/', {
    form: { name: 'そば' },
    files: {
      small: { content: 'tiny', filename: 'C:\\temp\\..\\menu.txt' },
      big: { content, contentType: 'text/plain' },
      big2: { content },
      empty: { content: '', filename: '' },
    },
  });
  assert.deepEqual(response.json(), {
    name: 'そば',
    small: ['menu.txt', null, 'tiny'],
    big: [200_000, 200_000, 'text/plain'],
    count: 3,
    empty: false,
  });
  assert.ok(!existsSync(diskPath!), 'deleted with its request');
  assert.equal(readFileSync(join(folder, 'kept'), 'utf8').length, 200_000);
});

test('cookies: written and read back whatever they hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      if (!value.isWellFormed()) return;
      const line = formatCookie('soba', value);
      assert.match(line, /^[\x20-\x7e]+$/);
      assert.equal(parseCookies(line.split(';')[0]!).get('soba'), value);
    }),
  );
  assert.equal(
    formatCookie('a', 'b', { maxAge: 5, secure: true, sameSite: 'strict', path: '/x' }),
    'a=b; Path=/x; Max-Age=5; Secure; HttpOnly; SameSite=Strict',
  );
  assert.throws(() => formatCookie('a b', 'c'), { message: /the name is no token/ });
  assert.throws(() => formatCookie('a', 'c', { path: '/;x' }), { code: 'SBY_HTTP_BAD_COOKIE' });
  assert.throws(() => formatCookie('__Host-a', 'c', { domain: 'x.example' }), { message: /__Host-/ });
  assert.equal(parseCookies('a=1; b="2"; a=3; __proto__=x; =y; z').get('a'), '1');
});

test('signed cookies come back, changed ones do not', async () => {
  const app = serving((request) => {
    if (request.path === '/set')
      return new HttpResponse().setCookie('cart', request.signer('cookie.cart').sign('3 × kake'));
    return new HttpResponse(request.signedCookie('cart', { maxAge: 60 }) ?? 'none');
  });
  assert.equal((await app.get('/read')).text, 'none');
  await app.get('/set');
  assert.equal((await app.get('/read')).text, '3 × kake');
});

test('content negotiation', async () => {
  const app = json((request) => [
    request.preferredType(['text/html', 'application/json']),
    request.accepts('image/png'),
    request.preferredLanguage(['en', 'ja']),
  ]);
  const ask = async (accept: string, language = ''): Promise<unknown> =>
    (await app.get('/', { headers: { accept, 'accept-language': language } })).json();
  assert.deepEqual(await ask('application/json, text/*;q=0.5'), ['application/json', false, 'en']);
  assert.deepEqual(await ask('*/*', 'ja-JP, en;q=0.3'), ['text/html', true, 'ja']);
  assert.deepEqual(await ask('text/html;q=0, */*', 'fr'), ['application/json', true, null]);
});

test('the client’s address, scheme and host, behind proxies that are trusted and others', async () => {
  const view = (request: HttpRequest): unknown => [
    request.clientAddress,
    request.scheme,
    request.host,
    request.buildAbsoluteUri('/x'),
  ];
  const headers = {
    'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.0.0.2',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'soba.example',
  };
  const app = createApp({
    urls: [path('', async (request) => new JsonResponse(view(request)))],
    trustedProxies: ['10.0.0.0/8'],
    allowedHosts: ['soba.example', 'testserver'],
  });
  assert.deepEqual((await new Client(app, { clientAddress: '10.0.0.1' }).get('/', { headers })).json(), [
    '203.0.113.9',
    'https',
    'soba.example',
    'https://soba.example/x',
  ]);
  assert.deepEqual((await new Client(app, { clientAddress: '203.0.113.5' }).get('/', { headers })).json(), [
    '203.0.113.5',
    'http',
    'testserver',
    'http://testserver/x',
  ]);
});

test('files: etag, ranges, several ranges, If-Range, HEAD, what is not there', async () => {
  const file = join(folder, 'soba.txt');
  writeFileSync(file, '0123456789');
  const app = serving((request) =>
    fileResponse(request, request.path === '/gone' ? join(folder, 'gone') : file),
  );
  const whole = await app.get('/');
  assert.equal(whole.text, '0123456789');
  assert.equal(whole.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(whole.headers.get('content-disposition'), 'inline; filename="soba.txt"');
  const etag = whole.headers.get('etag')!;
  const range = async (value: string, more: object = {}): Promise<unknown[]> => {
    const response = await app.get('/', { headers: { range: value, ...more } });
    return [
      response.status,
      response.text,
      response.headers.get('content-range'),
      response.headers.get('content-length'),
    ];
  };
  assert.deepEqual(await range('bytes=2-4'), [206, '234', 'bytes 2-4/10', '3']);
  assert.deepEqual(await range('bytes=-3'), [206, '789', 'bytes 7-9/10', '3']);
  assert.deepEqual(await range('bytes=8-'), [206, '89', 'bytes 8-9/10', '2']);
  assert.deepEqual(await range('bytes=20-'), [416, '', 'bytes */10', '0']);
  assert.deepEqual(await range('lines=1-2'), [200, '0123456789', null, '10']);
  assert.deepEqual(await range('bytes=0-1', { 'if-range': etag }), [206, '01', 'bytes 0-1/10', '2']);
  assert.deepEqual(await range('bytes=0-1', { 'if-range': '"old"' }), [200, '0123456789', null, '10']);
  const parts = await app.get('/', { headers: { range: 'bytes=0-1,5-6' } });
  assert.equal(parts.status, 206);
  assert.match(parts.headers.get('content-type') ?? '', /^multipart\/byteranges; boundary=/);
  assert.match(
    parts.text,
    /content-range: bytes 0-1\/10\r\n\r\n01\r\n--.*content-range: bytes 5-6\/10\r\n\r\n56\r\n--/s,
  );
  assert.equal(parts.headers.get('content-length'), String(parts.body.length));
  assert.equal((await app.get('/', { headers: { 'if-none-match': etag } })).status, 304);
  assert.equal((await app.get('/', { headers: { 'if-match': '"x"' } })).status, 412);
  assert.equal((await app.head('/')).headers.get('content-length'), '10');
  assert.equal((await app.get('/gone')).status, 404);
});

test('ranges never leave the file, whatever is asked for', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'0123456789-, bytes=') }),
      fc.nat(1000),
      (text, size) => {
        const ranges = parseRange(`bytes=${text}`, size, 1000);
        for (const { start, end } of ranges ?? []) assert.ok(start >= 0 && start <= end && end < size);
      },
    ),
  );
});

test('server-sent events: fields, resume, an end', async () => {
  assert.equal(
    formatEvent({ event: 'order', id: 3, data: { a: 1 }, retry: 500 }),
    'event: order\nid: 3\nretry: 500\ndata: {"a":1}\n\n',
  );
  assert.equal(formatEvent({ data: 'two\r\nlines\nid: 9' }), 'data: two\ndata: lines\ndata: id: 9\n\n');
  assert.equal(formatEvent({ event: 'x\ndata: forged', data: '' }), 'event: x data: forged\ndata: \n\n');
  const app = serving((request) => {
    const from = Number(lastEventId(request) ?? 0);
    return new EventStreamResponse(
      (async function* () {
        for (let id = from + 1; id <= 3; id++) yield { id, data: `order ${id}` };
      })(),
    );
  });
  const response = await app.get('/', { headers: { 'last-event-id': '2' } });
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(response.text, ': open\n\nid: 3\ndata: order 3\n\n');
});

test('responses refuse what they cannot send', () => {
  assert.throws(() => new HttpResponse({} as never), {
    message: /HttpResponse takes text or bytes, got an object.*JsonResponse/,
  });
  assert.throws(() => new HttpResponse('', { status: 99 }), { code: 'SBY_HTTP_BAD_STATUS' });
  assert.throws(() => new JsonResponse(undefined), { code: 'SBY_HTTP_NOT_JSON' });
  assert.throws(() => new JsonResponse(1n), { code: 'SBY_HTTP_NOT_JSON' });
  assert.throws(() => new StreamingHttpResponse('text' as never), { code: 'SBY_HTTP_BAD_CONTENT' });
  assert.equal(redirect('/そば/?q=a b').headers.get('location'), '/%E3%81%9D%E3%81%B0/?q=a%20b');
  assert.equal(redirect('/a%20b').headers.get('location'), '/a%20b');
});

test('an error half-way through a stream breaks off instead of pretending an end', async () => {
  async function* broken(): AsyncGenerator<string> {
    yield 'half';
    throw new Error('pot boiled over');
  }
  await assert.rejects(serving(() => new StreamingHttpResponse(broken())).get('/'), {
    message: 'pot boiled over',
  });
});

test('signing: keys rotate, ages count, purposes are apart', () => {
  const signer = new Signer(['new key', 'old key'], 'purpose');
  const old = new Signer(['old key'], 'purpose').sign('value');
  assert.equal(signer.unsign(old), 'value');
  assert.equal(signer.unsign(old, { maxAge: 10 }), 'value');
  assert.throws(() => signer.unsign(old, { maxAge: -1 }), { message: /older than -1 s/ });
  assert.throws(() => new Signer(['old key'], 'another').unsign(old), { code: 'SBY_HTTP_BAD_SIGNATURE' });
  assert.throws(() => new Signer([], 'x'), { code: 'SBY_HTTP_NO_SECRET' });
});

test('file names of any script keep inside their header', () => {
  assert.equal(contentDisposition('attachment', 'menu.pdf'), 'attachment; filename="menu.pdf"');
  assert.equal(
    contentDisposition('attachment', 'そば "1".pdf'),
    `attachment; filename="__ _1_.pdf"; filename*=UTF-8''%E3%81%9D%E3%81%B0%20%221%22.pdf`,
  );
});
