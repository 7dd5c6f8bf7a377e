import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncClient, CookieJar } from 'sobaya/client';
import { startUpstream } from './upstream.ts';

interface Echo {
  method: string;
  headers: Record<string, string>;
  body: string;
}

test('redirects are followed and remembered; off, they are answers', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const response = await client.get('/redirect?code=301&to=/redirect?to=/echo');
  assert.equal(response.status, 200);
  assert.equal(response.url, `${upstream.url}/echo`);
  assert.deepEqual(
    response.history.map(({ status, headers }) => [status, headers.get('location')]),
    [
      [301, '/redirect?to=/echo'],
      [302, '/echo'],
    ],
  );
  const plain = await client.get('/redirect', { followRedirects: false });
  assert.equal(plain.status, 302);
  assert.equal(plain.isRedirect, true);
  assert.equal(plain.text(), 'moved');
});

test('303 and a POST on 301 or 302 become GET without body; 307 and 308 send it again', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  for (const [code, method, body] of [
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', '{"a":1}'],
    [308, 'POST', '{"a":1}'],
  ] as const) {
    const echo = (await client.post('/redirect', { params: { code }, json: { a: 1 } })).json<Echo>();
    assert.equal(echo.method, method, String(code));
    assert.equal(echo.body, body);
    assert.equal(echo.headers['content-type'], body === '' ? undefined : 'application/json');
  }
  assert.equal((await client.put('/redirect?code=302', { json: {} })).json<Echo>().method, 'PUT');
  const stream = (async function* () {
    yield 'once';
  })();
  await assert.rejects(client.post('/redirect?code=307', { body: stream }), {
    code: 'SBY_CLIENT_BAD_REDIRECT',
    message: /cannot be followed: the body was a stream, which cannot be sent twice/,
  });
});

test('a loop ends with the limit named; odd targets are refused', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  await assert.rejects(client.get('/loop', { maxRedirects: 3 }), {
    code: 'SBY_CLIENT_TOO_MANY_REDIRECTS',
    message: /More than 3 redirects/,
  });
  for (const to of ['ftp://x/', 'file:///etc/passwd', 'javascript:alert(1)', 'http://[x'])
    await assert.rejects(
      client.get('/redirect', { params: { to } }),
      { code: 'SBY_CLIENT_BAD_REDIRECT' },
      to,
    );
});

test('another origin gets no Authorization and no cookies', async () => {
  await using ours = await startUpstream();
  await using theirs = await startUpstream();
  await using client = new AsyncClient();
  const options = {
    auth: ['cook', 'salt'] as const,
    cookies: { session: 'abc' },
    headers: { 'x-app': 'shop' },
  };
  const same = (await client.get(`${ours.url}/redirect`, options)).json<Echo>();
  assert.match(same.headers['authorization'] ?? '', /^Basic /);
  const other = await client.get(`${ours.url}/redirect`, {
    ...options,
    params: { to: `${theirs.url}/echo` },
  });
  const { headers } = other.json<Echo>();
  assert.equal(headers['authorization'], undefined);
  assert.equal(headers['cookie'], undefined);
  assert.equal(headers['x-app'], 'shop');
  assert.equal(headers['host'], new URL(theirs.url).host);
});

test('a jar keeps what answers set, also on the way of a redirect; without one nothing is kept', async () => {
  await using upstream = await startUpstream({
    '/login': (_request, response) =>
      response.writeHead(303, { location: '/echo', 'set-cookie': 'session=abc; Path=/; HttpOnly' }).end(),
  });
  const cookies = new CookieJar();
  await using client = new AsyncClient({ baseUrl: upstream.url, cookies });
  assert.equal((await client.post('/login')).json<Echo>().headers['cookie'], 'session=abc');
  await using plain = new AsyncClient({ baseUrl: upstream.url });
  assert.equal((await plain.post('/login')).json<Echo>().headers['cookie'], undefined);
});

test('the jar follows RFC 6265', () => {
  const jar = new CookieJar();
  const at = (url: string): string => jar.header(new URL(url));
  const store = (url: string, ...cookies: string[]): void => jar.store(new URL(url), cookies);
  store('http://shop.test/a/b', 'here=1', 'root=2; Path=/', 'wide=3; Domain=shop.test; Path=/');
  assert.equal(at('http://shop.test/a/c'), 'here=1; root=2; wide=3');
  assert.equal(at('http://shop.test/ab'), 'root=2; wide=3');
  assert.equal(at('http://api.shop.test/'), 'wide=3');
  assert.equal(at('http://evilshop.test/'), '');
  store('http://shop.test/', 'root=; Max-Age=0; Path=/', 'wide=9; Domain=shop.test; Path=/');
  assert.equal(at('http://shop.test/'), 'wide=9');
  store('http://shop.test/', 'old=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/');
  assert.equal(at('http://shop.test/'), 'wide=9');
  const before = jar.size;
  store(
    'http://shop.test/',
    'a=1; Domain=other.test',
    'a=1; Domain=test',
    'a=1; Secure',
    '__Host-a=1; Path=/',
    '__Secure-a=1',
    'a=\u0001',
  );
  assert.equal(jar.size, before);
  store('https://shop.test/', '__Host-id=1; Secure; Path=/', 's=1; Secure; Path=/');
  assert.equal(at('https://shop.test/'), 'wide=9; __Host-id=1; s=1');
  assert.equal(at('http://shop.test/'), 'wide=9');
});

test('a plain connection cannot replace or shadow a secure cookie', () => {
  const jar = new CookieJar();
  jar.store(new URL('https://soba.example/'), ['sid=good; Secure; Path=/']);
  jar.store(new URL('http://soba.example/'), ['sid=evil; Path=/', 'sid=evil; Path=/shop', 'other=1; Path=/']);
  jar.store(new URL('http://a.soba.example/'), ['sid=evil; Domain=soba.example; Path=/', 'sid=; Max-Age=0']);
  assert.equal(jar.header(new URL('https://soba.example/shop/')), 'sid=good; other=1');
  jar.store(new URL('https://soba.example/'), ['sid=new; Secure; Path=/']);
  assert.equal(jar.get('https://soba.example/', 'sid'), 'new');
});
