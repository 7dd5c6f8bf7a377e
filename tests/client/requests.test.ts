import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncClient, ClientStatusError, isClientError } from 'sobaya/client';
import { startUpstream } from './upstream.ts';

interface Echo {
  method: string;
  path: string;
  query: [string, string][];
  headers: Record<string, string>;
  raw: string[];
  body: string;
}

test('get: params, headers and cookies arrive; the answer has status, headers, text and json', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({
    baseUrl: upstream.url,
    headers: { 'X-Client': 'a' },
    cookies: { lang: 'ja' },
  });
  const response = await client.get('/echo?from=url', {
    params: { q: 'そば', page: 2, tag: ['a', 'b'], none: null, missing: undefined, yes: true },
    headers: { 'x-request': 'b' },
    cookies: { theme: 'dark' },
  });
  assert.equal(response.status, 200);
  assert.equal(response.ok, true);
  assert.equal(response.headers.get('Content-Type'), 'application/json');
  assert.equal(response.contentType, 'application/json');
  const echo = response.json<Echo>();
  assert.equal(echo.method, 'GET');
  assert.deepEqual(echo.query, [
    ['from', 'url'],
    ['q', 'そば'],
    ['page', '2'],
    ['tag', 'a'],
    ['tag', 'b'],
    ['yes', 'true'],
  ]);
  assert.equal(echo.headers['x-client'], 'a');
  assert.equal(echo.headers['x-request'], 'b');
  assert.equal(echo.headers['cookie'], 'lang=ja; theme=dark');
  assert.equal(echo.headers['accept-encoding'], 'gzip, br, zstd, deflate');
  assert.deepEqual(JSON.parse(response.text()), echo);
});

test('each verb sends its method', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  assert.equal((await client.post('/echo')).json<Echo>().method, 'POST');
  assert.equal((await client.put('/echo')).json<Echo>().method, 'PUT');
  assert.equal((await client.patch('/echo')).json<Echo>().method, 'PATCH');
  assert.equal((await client.delete('/echo')).json<Echo>().method, 'DELETE');
  assert.equal((await client.options('/echo')).json<Echo>().method, 'OPTIONS');
  assert.equal((await client.request('PROPFIND', '/echo')).json<Echo>().method, 'PROPFIND');
  const head = await client.head('/echo');
  assert.equal(head.status, 200);
  assert.equal(head.text(), '');
});

test('bodies: json, form, text, bytes, a stream, a blob', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const send = async (options: Parameters<AsyncClient['post']>[1]): Promise<Echo> =>
    (await client.post('/echo', options)).json<Echo>();

  const json = await send({ json: { dish: 'kake', price: 500 } });
  assert.equal(json.headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(json.body), { dish: 'kake', price: 500 });

  const form = await send({ form: { dish: 'kake soba', extra: ['egg', 'nori'], note: null } });
  assert.equal(form.headers['content-type'], 'application/x-www-form-urlencoded');
  assert.equal(form.body, 'dish=kake+soba&extra=egg&extra=nori');

  const text = await send({ body: 'hot' });
  assert.equal(text.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(text.headers['content-length'], '3');

  const bytes = await send({ body: new Uint8Array([104, 105]), headers: { 'content-type': 'x/y' } });
  assert.equal(bytes.body, 'hi');
  assert.equal(bytes.headers['content-type'], 'x/y');

  const stream = await send({
    body: (async function* () {
      yield Buffer.from('one ');
      yield 'two';
    })(),
  });
  assert.equal(stream.body, 'one two');
  assert.equal(stream.headers['transfer-encoding'], 'chunked');

  const blob = await send({ body: new Blob(['blob'], { type: 'a/b' }) });
  assert.equal(blob.body, 'blob');
  assert.equal(blob.headers['content-length'], '4');
  assert.equal(blob.headers['content-type'], 'a/b');
});

test('multipart: fields and files; names cannot leave their quotes', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const echo = (
    await client.post('/echo', {
      multipart: {
        title: 'menu',
        tags: ['a', 'b'],
        photo: { name: 'x"\r\ny.png', content: new Uint8Array([1, 2]), type: 'image/png' },
        blob: new Blob(['hello'], { type: 'text/plain' }),
      },
    })
  ).json<Echo>();
  const boundary = /boundary=(\S+)/.exec(echo.headers['content-type'] as string)?.[1] as string;
  const parts = echo.body.split(`--${boundary}`);
  assert.equal(parts.length, 7);
  assert.equal(parts.at(-1), '--\r\n');
  assert.match(parts[1] as string, /name="title"\r\n\r\nmenu\r\n$/);
  assert.match(
    parts[4] as string,
    /name="photo"; filename="x%22%0D%0Ay.png"\r\ncontent-type: image\/png\r\n\r\n\x01\x02\r\n$/,
  );
  assert.match(parts[5] as string, /filename="blob"\r\ncontent-type: text\/plain\r\n\r\nhello\r\n$/);
  assert.equal(echo.headers['content-length'], String(echo.body.length));
});

test('two bodies are refused by name', async () => {
  await using client = new AsyncClient({ baseUrl: 'http://127.0.0.1:9' });
  await assert.rejects(client.post('/', { json: {}, form: {} }), {
    code: 'SBY_CLIENT_TWO_BODIES',
    message: /json and form were given/,
  });
});

test('raiseForStatus gives the response back, or an error with status, method, URL and the start of the body', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient();
  const good = await client.get(`${upstream.url}/status?code=204`);
  assert.equal(good.raiseForStatus(), good);
  const bad = await client.get(`${upstream.url}/status?code=503`);
  assert.equal(bad.ok, false);
  assert.throws(
    () => bad.raiseForStatus(),
    (error) => {
      assert.ok(error instanceof ClientStatusError && isClientError(error));
      assert.equal(error.status, 503);
      assert.equal(error.response, bad);
      assert.deepEqual(error.request, { method: 'GET', url: `${upstream.url}/status?code=503` });
      assert.equal(
        error.message,
        `Status 503 Service Unavailable, body begins with "about it" (GET ${upstream.url}/status?code=503)`,
      );
      return true;
    },
  );
});

test('json() on what is none says what came instead', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  const response = await client.get('/status?code=200');
  assert.throws(() => response.json(), {
    code: 'SBY_CLIENT_NOT_JSON',
    message: /The body is not JSON: status 200, text\/plain, begins with "about it" \(GET http:.*\/status/,
  });
});

test('user and password in a URL become the Authorization header and appear in no message', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient();
  const url = `${upstream.url.replace('http://', 'http://cook:s%40lt@')}`;
  const echo = (await client.get(`${url}/echo`)).json<Echo>();
  assert.equal(echo.headers['authorization'], `Basic ${Buffer.from('cook:s@lt').toString('base64')}`);
  const response = await client.get(`${url}/status?code=500&api_key=abc&page=2`);
  assert.throws(
    () => response.raiseForStatus(),
    (error: Error) => {
      assert.doesNotMatch(error.message, /cook|s%40lt|s@lt|abc/);
      assert.match(error.message, /api_key=…&page=2/);
      return true;
    },
  );
});

test('base URLs: a relative URL is appended, and cannot leave the host', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: `${upstream.url}/api` });
  for (const [given, path] of [
    ['menu', '/api/menu'],
    ['/menu', '/api/menu'],
    ['//evil.test/menu', '/api//evil.test/menu'],
    ['../menu', '/menu'],
    ['@evil.test/', '/api/@evil.test/'],
    ['\\\\evil.test\\', '/api///evil.test/'],
    ['', '/api/'],
  ] as const) {
    const response = await client.get(given);
    const url = new URL(response.url);
    assert.equal(url.host, new URL(upstream.url).host, given);
    assert.equal(url.pathname, path, given);
  }
});

test('with a base URL, what proves who we are stays with its origin', async () => {
  await using ours = await startUpstream();
  await using theirs = await startUpstream();
  await using client = new AsyncClient({
    baseUrl: ours.url,
    headers: { Authorization: 'Bearer secret', 'x-app': 'shop' },
    cookies: { session: 'abc' },
  });
  const at = async (url: string): Promise<Echo> => (await client.get(url)).json<Echo>();
  assert.equal((await at('/echo')).headers['authorization'], 'Bearer secret');
  const foreign = await at(`${theirs.url}/echo`);
  assert.equal(foreign.headers['authorization'], undefined);
  assert.equal(foreign.headers['cookie'], undefined);
  assert.equal(foreign.headers['x-app'], 'shop');
});

test('URLs that cannot be asked are refused with the reason', async () => {
  await using client = new AsyncClient();
  await assert.rejects(client.get('/menu'), {
    code: 'SBY_CLIENT_BAD_URL',
    message: /"\/menu" is no URL that can be asked: it is relative, and the client has no baseUrl/,
  });
  await assert.rejects(client.get('ftp://x/'), { message: /"ftp:" is neither http: nor https:/ });
  await assert.rejects(client.get('http://a b/'), { message: /it cannot be parsed/ });
});

test('a line break in a header value is refused, not sent', async () => {
  await using client = new AsyncClient();
  await assert.rejects(client.get('http://127.0.0.1:9/', { headers: { 'x-a': 'a\r\nx-b: c' } }), {
    code: 'SBY_CLIENT_BAD_HEADER',
    message: /The header "x-a" cannot be sent/,
  });
  await assert.rejects(client.get('http://127.0.0.1:9/', { headers: { 'x a': 'b' } }), {
    code: 'SBY_CLIENT_BAD_HEADER',
  });
  await assert.rejects(client.get('http://127.0.0.1:9/', { cookies: { a: 'b; c=d' } }), {
    code: 'SBY_CLIENT_BAD_OPTION',
  });
});

test('compressed answers are decoded, whole and streamed', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  for (const coding of ['gzip', 'deflate', 'raw-deflate', 'br', 'zstd']) {
    const response = await client.get('/compressed', { params: { coding } });
    assert.equal(response.text(), 'そば '.repeat(1000), coding);
    const stream = await client.stream('GET', '/compressed', { params: { coding } });
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of stream) text += decoder.decode(piece, { stream: true });
    assert.equal(text, 'そば '.repeat(1000), `${coding}, streamed`);
  }
  await assert.rejects(client.get('/compressed?coding=broken'), {
    code: 'SBY_CLIENT_ENCODING',
    message: /The body is not gzip as its Content-Encoding says/,
  });
  const raw = await client.get('/compressed?coding=gzip', { decompress: false });
  assert.equal(raw.bytes[0], 0x1f);
});

test('a body over maxBytes is refused, announced, chunked or unpacked', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url, maxBytes: 1_000_000 });
  const tooLarge = { code: 'SBY_CLIENT_TOO_LARGE', message: /larger than 1000000 bytes/ };
  await assert.rejects(client.get('/big?bytes=2000000'), tooLarge);
  await assert.rejects(client.get('/bomb'), tooLarge);
  assert.equal((await client.get('/big?bytes=900000')).bytes.length, 900_000);
});

test('informational answers are passed over', async () => {
  await using upstream = await startUpstream();
  await using client = new AsyncClient({ baseUrl: upstream.url });
  assert.equal((await client.get('/early-hints')).text(), 'after the hint');
});

test('a closed client says so', async () => {
  const client = new AsyncClient();
  await client.close();
  await assert.rejects(client.get('http://127.0.0.1:9/'), {
    code: 'SBY_CLIENT_CLOSED',
    message: /This client is closed \(GET http:\/\/127.0.0.1:9\/\)/,
  });
});

test('hooks see every request and answer, and may add headers', async () => {
  await using upstream = await startUpstream();
  const log: string[] = [];
  await using client = new AsyncClient({
    baseUrl: upstream.url,
    hooks: {
      request: async (request) => {
        log.push(`> ${request.method} ${request.url.pathname}`);
        request.headers.set('x-hook', 'yes');
      },
      response: (response) => void log.push(`< ${response.status}`),
      error: (error) => void log.push(`! ${(error as Error).name}`),
    },
  });
  assert.equal((await client.get('/redirect')).json<Echo>().headers['x-hook'], 'yes');
  await assert.rejects(client.get('/hang-up'));
  assert.deepEqual(log, [
    '> GET /redirect',
    '< 302',
    '> GET /echo',
    '< 200',
    '> GET /hang-up',
    '! ClientTransportError',
  ]);
});
