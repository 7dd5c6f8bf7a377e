/** Rules of RFCs and browsers that a value has to keep, one by one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createApp, HttpResponse, path } from 'sobaya';
import {
  condition,
  fileResponse,
  formatCookie,
  type HttpRequest,
  lastEventId,
  methods,
  parseRange,
  viewMethods,
} from 'sobaya/http';
import {
  cors,
  csrf,
  csrfExempt,
  httpsRedirect,
  isSafeName,
  rateLimit,
  securityHeaders,
} from 'sobaya/middleware';
import { Client } from 'sobaya/test';
import { paginate } from 'sobaya/views';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-rules-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function serving(view: (request: HttpRequest) => unknown, options: object = {}): Client {
  return new Client(
    createApp({ debug: false, onError: () => {}, urls: [path('', view as never)], ...options }),
    {
      raiseErrors: false,
      enforceCsrfChecks: true,
    },
  );
}

test('prefixes of cookie names are rules (RFC 6265bis, 4.1.3), in any case', () => {
  for (const name of ['__Secure-a', '__Host-a', '__Http-a', '__Host-Http-a', '__HOST-a', '__secure-a']) {
    assert.match(formatCookie(name, 'x'), /; Secure; HttpOnly/);
    assert.throws(() => formatCookie(name, 'x', { secure: false }), /this prefix asks for secure: true/);
  }
  for (const name of ['__Host-a', '__host-a', '__Host-Http-a']) {
    assert.throws(() => formatCookie(name, 'x', { domain: 'soba.example' }), /allows no domain/);
    assert.throws(() => formatCookie(name, 'x', { path: '/a' }), /no path but/);
  }
  assert.throws(() => formatCookie('__Http-a', 'x', { httpOnly: false }), /asks for httpOnly: true/);
  assert.match(
    formatCookie('__Secure-a', 'x', { domain: 'soba.example', path: '/a' }),
    /Domain=soba.example/,
  );
});

test('partitioned and SameSite=None are nothing without Secure', () => {
  assert.match(
    formatCookie('a', 'x', { partitioned: true }),
    /; Secure; HttpOnly; SameSite=Lax; Partitioned$/,
  );
  assert.throws(
    () => formatCookie('a', 'x', { partitioned: true, secure: false }),
    /partitioned asks for secure/,
  );
  assert.throws(() => formatCookie('a', 'x', { sameSite: 'none', secure: false }), /sameSite "none" asks/);
});

test('a cookie that browsers would drop is refused', () => {
  assert.equal(formatCookie('a', 'x'.repeat(4095)).length > 4095, true);
  assert.throws(() => formatCookie('a', 'x'.repeat(4096)), /longer than 4096/);
  assert.throws(() => formatCookie('a', 'そ'.repeat(500)), /longer than 4096/);
});

test('text() reads the charset of its Content-Type; JSON has one', async () => {
  const app = serving(async (request) => new HttpResponse(await request.text()));
  const send = async (client: Client, type: string, body: Uint8Array): Promise<[number, string]> => {
    const response = await client.post('/', { body, headers: { 'content-type': type } });
    return [response.status, response.text];
  };
  const soba = Buffer.from([0x82, 0xbb, 0x82, 0xce]);
  assert.deepEqual(await send(app, 'text/plain; charset=Shift_JIS', soba), [200, 'そば']);
  assert.deepEqual(await send(app, 'text/plain; charset="utf-8"', Buffer.from('そば')), [200, 'そば']);
  assert.deepEqual(await send(app, 'text/plain', Buffer.from('\ufeffそば')), [200, 'そば']);
  assert.equal((await send(app, 'text/plain; charset=klingon', soba))[0], 415);
  const json = serving(async (request) => new HttpResponse(JSON.stringify(await request.json())));
  assert.equal(
    (await send(json, 'application/json; charset=utf-16le', Buffer.from('{}', 'utf16le')))[0],
    415,
  );
  assert.deepEqual(await send(json, 'application/json; charset=utf-8', Buffer.from('{"a":1}')), [
    200,
    '{"a":1}',
  ]);
  assert.deepEqual(await send(json, 'application/json', Buffer.from('\ufeff{"a":1,"a":2}')), [
    200,
    '{"a":2}',
  ]);
  assert.equal((await send(json, 'application/json', Buffer.from([0x22, 0xff, 0x22])))[0], 400);
  assert.equal((await send(json, 'application/json', Buffer.alloc(0)))[0], 400);
});

test('a query keeps a question mark that a name begins with', async () => {
  const app = serving((request) => new HttpResponse(JSON.stringify([...request.query])));
  assert.equal((await app.get('/??a=1')).text, '[["?a","1"]]');
});

test('ranges: none, some, too many, of a file that is empty', async () => {
  assert.deepEqual(parseRange('bytes=-0', 10), []);
  assert.deepEqual(parseRange('bytes=10-', 10), []);
  assert.deepEqual(parseRange('bytes=-20', 10), [{ start: 0, end: 9 }]);
  assert.deepEqual(parseRange('bytes=0-0,-1', 10), [
    { start: 0, end: 0 },
    { start: 9, end: 9 },
  ]);
  for (const ignored of [
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-4',
    'items=0-1',
    'bytes=0-1,0-1',
    'bytes=0-5,3-8',
    `bytes=${'0-0,'.repeat(11)}1-1`,
  ])
    assert.equal(parseRange(ignored, 10), null, ignored);
  writeFileSync(join(folder, 'file'), '0123456789');
  writeFileSync(join(folder, 'empty'), '');
  const app = serving((request) => fileResponse(request, join(folder, request.query.get('f') ?? 'file')));
  const many = await app.get('/', {
    headers: { range: `bytes=${Array.from({ length: 11 }, (_, i) => `${i}-${i}`).join()}` },
  });
  assert.deepEqual([many.status, many.text], [200, '0123456789']);
  const none = await app.get('/?f=empty', { headers: { range: 'bytes=0-' } });
  assert.deepEqual([none.status, none.headers.get('content-range')], [416, 'bytes */0']);
  assert.equal((await app.get('/?f=empty')).text, '');
  const etag = (await app.get('/')).headers.get('etag')!;
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await app.get('/', { headers: { range: 'bytes=0-1', ...headers } })).status;
  assert.equal(await status({ 'if-range': etag }), 206);
  assert.equal(await status({ 'if-range': `W/${etag}` }), 200, 'a weak tag says nothing of bytes');
  assert.equal(await status({ 'if-range': '"other"' }), 200);
  assert.equal(await status({ 'if-none-match': etag }), 304, 'preconditions come before ranges');
  assert.equal(await status({ 'if-match': '"other"' }), 412);
});

test('the id of the last event comes back in the script it was sent in', async () => {
  const app = serving((request) => new HttpResponse(lastEventId(request)!));
  const sent = Buffer.from('注文-7').toString('latin1');
  assert.equal((await app.get('/', { headers: { 'last-event-id': sent } })).text, '注文-7');
});

test('names of static files that mean something else on Windows', () => {
  for (const name of [
    'con',
    'CON.txt',
    'a/nul',
    'aux.css',
    'com1',
    'lpt9.js',
    'a.css.',
    'a.css ',
    'a./b',
    'a:b',
    'a\\b',
  ])
    assert.equal(isSafeName(name), false, name);
  for (const name of ['console.css', 'a/b.c.css', 'nullable.js', 'com10', 'そば.css', 'a b.css'])
    assert.equal(isSafeName(name), true, name);
});

test('expressions with the flag g forget nothing and remember nothing', async () => {
  const app = serving(() => new HttpResponse(), {
    middleware: [
      httpsRedirect({ exempt: [/^\/$/g] }),
      rateLimit({ limit: 1, seconds: 60, paths: /^\/$/g }),
      cors({ origins: [/https:\/\/a\.example/g], paths: /^\/$/gy }),
    ],
  });
  const headers = { origin: 'https://a.example' };
  const first = await app.get('/', { headers });
  assert.deepEqual(
    [first.status, first.headers.get('access-control-allow-origin')],
    [200, 'https://a.example'],
  );
  for (let round = 0; round < 3; round++) assert.equal((await app.get('/', { headers })).status, 429);
});

test('options of middleware that cannot be meant are refused at start', () => {
  for (const origin of [
    'partner.example',
    'https://partner.example/',
    '*',
    'https://*',
    'ftp://a.example',
    'https://a.*.example',
  ])
    assert.throws(
      () => csrf({ trustedOrigins: [origin] }),
      /is no origin; write "https:\/\/admin.example"/,
      origin,
    );
  for (const source of ['https://a.example; script-src *', "'self' 'unsafe-inline'", 'a\r\nx: y', 'a,b'])
    assert.throws(
      () => securityHeaders({ contentSecurityPolicy: { 'img-src': [source] } }),
      /give each source for itself/,
    );
  assert.throws(() => securityHeaders({ referrerPolicy: 'a\nb' }), { code: 'SBY_HTTP_BAD_HEADER' });
});

test('decorators keep what a view is known by', () => {
  const view = methods({ GET: csrfExempt(() => new HttpResponse()) });
  const conditional = condition({ etag: () => '"a"' }, view as never) as unknown as typeof view;
  assert.ok(conditional[viewMethods]);
  assert.equal(conditional.name, view.name);
});

test('a page of a nonce that is not modified keeps the policy it came with', async () => {
  const app = serving((request) => new HttpResponse('', { status: request.query.has('304') ? 304 : 200 }), {
    middleware: [securityHeaders()],
  });
  assert.ok((await app.get('/')).headers.has('content-security-policy'));
  assert.equal((await app.get('/?304')).headers.has('content-security-policy'), false);
  assert.equal((await app.get('/?304')).headers.get('x-content-type-options'), 'nosniff');
});

test('pages of no size are refused by name', async () => {
  const list = Object.assign(Promise.resolve([]), { count: async () => 0, slice: async () => [] });
  for (const size of [0, -1, 1.5, Number.NaN])
    await assert.rejects(paginate(list, 1, size), { code: 'SBY_VIEWS_BAD_PAGE_SIZE' });
});
