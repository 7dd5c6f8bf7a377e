import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { createApp, HttpResponse, JsonResponse, path, redirect } from 'sobaya';
import {
  contentDisposition,
  fileResponse,
  type HttpRequest,
  ResponseHeaders,
  Signer,
  safeFilename,
  safeRedirectTarget,
} from 'sobaya/http';
import { csrf, csrfToken, hostCheck, httpsRedirect, isSafeName, staticFiles } from 'sobaya/middleware';
import { Client } from 'sobaya/test';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function serving(view: (request: HttpRequest) => unknown, options: object = {}): Client {
  return new Client(
    createApp({
      debug: false,
      onError: () => {},
      urls: [path('<path:p>', view as never), path('', view as never)],
      ...options,
    }),
    { enforceCsrfChecks: true },
  );
}

describe('host header poisoning', () => {
  const bad = [
    'evil.example',
    'soba.example.evil.example',
    'evil.example@soba.example',
    'soba.example:80@evil.example',
    'soba.example/evil',
    'soba.example?',
    'soba.example#',
    '',
    ' soba.example',
    'soba.example, evil.example',
    'soba.example:99999999',
    '[::1',
    'soba_example',
  ];
  const options = { allowedHosts: ['soba.example', '.kyoto.example'] };
  test('links are made of allowed hosts only', async () => {
    const app = serving((request) => new HttpResponse(request.buildAbsoluteUri('/reset/')), options);
    for (const host of bad) assert.equal((await app.get('/', { headers: { host } })).status, 400, host);
    for (const host of [
      'soba.example',
      'SOBA.example.',
      'soba.example:8000',
      'a.kyoto.example',
      'kyoto.example',
    ])
      assert.equal((await app.get('/', { headers: { host } })).status, 200, host);
  });
  test('hostCheck refuses before any view runs', async () => {
    const app = serving(() => assert.fail('the view ran'), { ...options, middleware: [hostCheck()] });
    for (const host of bad) assert.equal((await app.get('/', { headers: { host } })).status, 400, host);
  });
  test('X-Forwarded-Host of strangers means nothing', async () => {
    const app = serving((request) => new HttpResponse(request.host), options);
    const response = await app.get('/', {
      headers: { host: 'soba.example', 'x-forwarded-host': 'evil.example' },
    });
    assert.equal(response.text, 'soba.example');
  });
  test('the redirect to https does not leave the site', async () => {
    const app = serving(() => new HttpResponse(), { ...options, middleware: [httpsRedirect()] });
    assert.equal((await app.get('/', { headers: { host: 'evil.example' } })).status, 400);
    assert.equal(
      (await app.get('//evil.example/', { headers: { host: 'soba.example' } })).headers.get('location'),
      'https://soba.example//evil.example/',
    );
  });
});

describe('CSRF', () => {
  const app = (): Client =>
    serving((request) => new HttpResponse(request.method === 'GET' ? csrfToken(request) : 'done'), {
      middleware: [csrf({ trustedOrigins: ['https://*.partner.example'] })],
      allowedHosts: ['*'],
    });
  test('no cookie, no token, a foreign token, a token that is none: 403', async () => {
    const client = app();
    assert.equal((await client.post('/')).status, 403);
    const token = (await client.get('/')).text;
    assert.equal((await client.post('/')).status, 403);
    const other = (await app().get('/')).text;
    assert.equal((await client.post('/', { form: { csrfmiddlewaretoken: other } })).status, 403);
    for (const forged of ['', 'x', 'A'.repeat(86), `${token}x`, token.slice(0, -2)])
      assert.equal((await client.post('/', { form: { csrfmiddlewaretoken: forged } })).status, 403, forged);
    assert.equal((await client.post('/', { form: { csrfmiddlewaretoken: token } })).status, 200);
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      assert.equal((await client.request(method, '/')).status, 403, method);
  });
  test('a valid token does not help another origin', async () => {
    const client = app();
    const form = { csrfmiddlewaretoken: (await client.get('/')).text };
    const post = async (headers: Record<string, string>, secure = false): Promise<number> =>
      (await client.post('/', { form, headers, secure })).status;
    for (const origin of [
      'https://evil.example',
      'null',
      'http://testserver.evil.example',
      'https://evilpartner.example',
      'http://a.partner.example',
    ])
      assert.equal(await post({ origin }), 403, origin);
    assert.equal(await post({ origin: 'http://testserver' }), 200);
    assert.equal(await post({ origin: 'https://a.partner.example' }), 200);
    assert.equal(await post({ 'sec-fetch-site': 'cross-site' }), 403);
    assert.equal(await post({}, true), 403, 'https without Origin and Referer');
    assert.equal(await post({ referer: 'https://evil.example/' }, true), 403);
    assert.equal(await post({ referer: 'https://testserver/form/' }, true), 200);
  });
  test('tokens differ on each page, so compression tells nothing', async () => {
    const client = app();
    assert.notEqual((await client.get('/')).text, (await client.get('/')).text);
  });
});

describe('open redirect', () => {
  const bad = [
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'http://evil.example',
    'https:evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    'http:///evil.example',
    'http://soba.example@evil.example',
    '/\t/evil.example',
    '\thttp://evil.example',
    'ftp://soba.example/',
    'java\nscript:alert(1)',
    'http://soba.example:80:80/',
    '////evil.example',
  ];
  test('targets from the request lead to this site or nowhere', () => {
    for (const target of bad)
      assert.equal(safeRedirectTarget(target, 'soba.example'), '/', JSON.stringify(target));
    for (const target of ['/orders/?a=1', '?page=2', 'http://soba.example/x', 'orders/3/', '#top'])
      assert.equal(safeRedirectTarget(target, 'soba.example'), target);
    assert.equal(safeRedirectTarget('http://soba.example/', 'soba.example', '/home/', true), '/home/');
    assert.equal(safeRedirectTarget(null, 'soba.example'), '/');
  });
  test('whatever is let through stays on the host when a browser reads it', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(
            '/',
            '\\',
            ':',
            '@',
            '.',
            'a',
            'http',
            'https',
            'evil.example',
            'soba.example',
            '\t',
            '\n',
            '?',
            '#',
            '%2f',
            ' ',
          ),
        }),
        (target) => {
          const safe = safeRedirectTarget(target, 'soba.example');
          assert.equal(new URL(safe, 'http://soba.example/a/b').host, 'soba.example', JSON.stringify(target));
        },
      ),
      { numRuns: 2000 },
    );
  });
  test('redirect() refuses schemes that run code', () => {
    for (const target of [
      'javascript:alert(1)',
      'data:text/html,x',
      ' javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      'vbscript:x',
      'file:///etc/passwd',
    ])
      assert.throws(() => redirect(target), { code: 'SBY_HTTP_UNSAFE_REDIRECT' }, target);
  });
});

describe('path traversal', () => {
  const root = join(folder, 'static');
  mkdirSync(join(root, 'css'), { recursive: true });
  writeFileSync(join(root, 'css', 'app.css'), 'body{}');
  writeFileSync(join(root, '.env'), 'SECRET');
  writeFileSync(join(folder, 'outside.txt'), 'SECRET');
  mkdirSync(join(folder, 'static-other'));
  writeFileSync(join(folder, 'static-other', 'x.txt'), 'SECRET');
  symlinkSync('/dev/zero', join(root, 'zero'));
  test('static files stay in their folder', async () => {
    const app = serving(() => new HttpResponse('view'), { middleware: [staticFiles({ root })] });
    assert.equal((await app.get('/static/css/app.css')).text, 'body{}');
    for (const name of [
      '../outside.txt',
      '..%2foutside.txt',
      'css/../../outside.txt',
      '..\\outside.txt',
      '..%5coutside.txt',
      '%2e%2e/outside.txt',
      '/etc/passwd',
      '//etc/passwd',
      'css',
      'css/',
      '',
      '.env',
      'css/.',
      'app.css%00.png',
      'C:/x',
      '../static-other/x.txt',
      'zero',
      './css/app.css',
    ])
      assert.equal((await app.get(`/static/${name}`)).text, 'view', name);
  });
  test('no name that is let through leaves the folder', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('..', '.', '/', '\\', 'a', '%2e', '\0', ':', 'C') }),
        (name) => {
          if (isSafeName(name)) assert.ok(join('/root', name).startsWith('/root/'), name);
        },
      ),
    );
  });
  test('names of uploads lose every folder', () => {
    for (const [name, safe] of [
      ['../../etc/passwd', 'passwd'],
      ['C:\\x\\menu.txt', 'menu.txt'],
      ['..', 'file'],
      ['', 'file'],
      ['a/..', 'file'],
      ['x\0.png', 'x.png'],
      ['\u202egnp.exe', 'gnp.exe'],
    ])
      assert.equal(safeFilename(name!), safe);
  });
});

describe('header injection', () => {
  test('no value can end its line', () => {
    const headers = new ResponseHeaders();
    for (const value of ['a\r\nset-cookie: x=1', 'a\nb', 'a\rb', 'a\0b', 'そば'])
      assert.throws(() => headers.set('x-a', value), { code: 'SBY_HTTP_BAD_HEADER' });
    for (const name of ['x a', 'x:a', 'x\r\n', '', 'é'])
      assert.throws(() => headers.set(name, 'x'), { code: 'SBY_HTTP_BAD_HEADER' });
    assert.throws(() => new HttpResponse('', { contentType: 'text/html\r\nx: y' }), {
      code: 'SBY_HTTP_BAD_HEADER',
    });
  });
  test('what a client wrote cannot become a header', async () => {
    const app = serving((request) => redirect(`/next?name=${request.query.get('name')}`));
    const response = await app.get('/?name=x%0d%0aset-cookie:%20a=b');
    assert.equal(response.status, 400);
    assert.equal(response.setCookies.length, 0);
  });
  test('cookies encode what their grammar does not take', () => {
    const response = new HttpResponse().setCookie('a', 'x; Domain=evil.example\r\nset-cookie: b=1');
    assert.equal(
      response.headers.get('set-cookie')?.split(';')[0],
      'a=x%3B%20Domain%3Devil.example%0D%0Aset-cookie%3A%20b%3D1',
    );
  });
});

describe('multipart bombs', () => {
  const app = (limits: object): Client =>
    serving(
      async (request) =>
        new JsonResponse({ files: (await request.files()).size, fields: (await request.form()).size }),
      { limits },
    );
  const many = (count: number): Record<string, { content: string; filename: string }[]> => ({
    f: Array.from({ length: count }, () => ({ content: 'x', filename: 'a' })),
  });
  test('too many files, fields, bytes', async () => {
    assert.equal((await app({ maxFiles: 5 }).post('/', { files: many(6) })).status, 400);
    assert.equal((await app({ maxFiles: 5 }).post('/', { files: many(5) })).status, 200);
    const form = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`f${index}`, 'x']));
    assert.equal((await app({ maxFields: 10 }).post('/', { form, files: {} })).status, 400);
    assert.equal(
      (await app({ maxFileSize: 1000 }).post('/', { files: { f: { content: 'x'.repeat(2000) } } })).status,
      413,
    );
    assert.equal(
      (await app({ maxUploadSize: 1000 }).post('/', { files: { f: { content: 'x'.repeat(2000) } } })).status,
      413,
    );
    assert.equal(
      (await app({ maxBodySize: 100 }).post('/', { form: { a: 'x'.repeat(200) }, files: {} })).status,
      413,
    );
  });
  test('headers without end, no boundary, a cut body', async () => {
    const type = (value: string): object => ({ headers: { 'content-type': value } });
    assert.equal((await app({}).post('/', { body: 'x', ...type('multipart/form-data') })).status, 400);
    const long = await app({}).post('/', {
      body: `--b\r\ncontent-disposition: form-data; name="${'x'.repeat(100_000)}"\r\n\r\n1\r\n--b--`,
      ...type('multipart/form-data; boundary=b'),
    });
    assert.equal(long.status, 400);
    assert.equal(
      (
        await app({}).post('/', {
          body: '--b\r\ncontent-disposition: form-data; name="a"; filename="f"\r\n\r\nhalf',
          ...type('multipart/form-data; boundary=b'),
        })
      ).status,
      400,
    );
  });
});

describe('query bombs', () => {
  test('too many parameters are refused before they are parsed', async () => {
    const app = serving((request) => new HttpResponse(String(request.query.size)));
    assert.equal((await app.get(`/?${'a=1&'.repeat(1001)}`)).status, 400);
    assert.equal((await app.get(`/?${'a=1&'.repeat(900)}`)).status, 200);
  });
  test('too many form fields', async () => {
    const app = serving(async (request) => new HttpResponse(String((await request.form()).size)));
    assert.equal(
      (
        await app.post('/', {
          body: 'a=1&'.repeat(1001),
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        })
      ).status,
      400,
    );
  });
});

describe('JSON bombs', () => {
  const app = serving(async (request) => new JsonResponse(await request.json()));
  const post = async (body: string): Promise<number> =>
    (await app.post('/', { body, headers: { 'content-type': 'application/json' } })).status;
  test('deep nesting is refused before it is parsed', async () => {
    assert.equal(await post('['.repeat(100_000)), 400);
    assert.equal(await post(`${'{"a":'.repeat(201)}1${'}'.repeat(201)}`), 400);
    assert.equal(await post('['.repeat(150) + ']'.repeat(150)), 200);
    assert.equal(await post('"[[[[[[[[["'.padEnd(500, ' ')), 200);
    assert.equal(await post(`"\\"${'['.repeat(400)}"`), 200);
  });
});

describe('prototype pollution', () => {
  const app = serving(async (request) => {
    const target: Record<string, unknown> = {};
    const given =
      request.contentType === 'application/json'
        ? ((await request.json()) as object)
        : { ...request.query.toObject(), ...(await request.form()).toObject() };
    Object.assign(target, given);
    return new JsonResponse({
      polluted: ({} as Record<string, unknown>)['polluted'] ?? null,
      own: Object.getPrototypeOf(target) === Object.prototype,
    });
  });
  test('"__proto__" in JSON is refused, however it is written', async () => {
    for (const body of ['{"__proto__":{"polluted":1}}', '{"a":[{"\\u005f_proto__":{"polluted":1}}]}'])
      assert.equal(
        (await app.post('/', { body, headers: { 'content-type': 'application/json' } })).status,
        400,
      );
    assert.equal((await app.post('/', { json: { text: '__proto__ as a value is fine' } })).status, 200);
  });
  test('queries, forms, cookies and headers are no objects of ours', async () => {
    const response = await app.post('/?__proto__[polluted]=1&__proto__=x&constructor=y', {
      form: { __proto__: 'x', constructor: 'y' },
      headers: { cookie: '__proto__=1' },
    });
    assert.deepEqual(response.json(), { polluted: null, own: true });
  });
});

describe('signed-value tampering', () => {
  const signer = new Signer(['a key that nobody knows'], 'test');
  test('no change of any character is accepted', () => {
    const signed = signer.sign('user=1');
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.constantFrom(...'abcXYZ019-_.= '), (at, char) => {
        const changed = signed.slice(0, at) + char + signed.slice(at + 1);
        if (changed !== signed)
          assert.throws(() => signer.unsign(changed), { code: 'SBY_HTTP_BAD_SIGNATURE' });
      }),
    );
    for (const forged of ['', '.', '..', 'a.b', `${signed}=`, `${signed}.`, signed.replace('.', '')])
      assert.throws(() => signer.unsign(forged), { code: 'SBY_HTTP_BAD_SIGNATURE' }, forged);
  });
  test('a cookie of another name or without a signature is refused', async () => {
    const app = serving((request) => new HttpResponse(request.signedCookie('role') ?? 'none'), {
      secretKey: 'k'.repeat(40),
    });
    const admin = new Signer(['k'.repeat(40)], 'cookie.other').sign('admin');
    for (const value of ['admin', admin, '']) {
      app.cookies.set('role', value);
      assert.equal((await app.get('/')).status, 400, value);
    }
  });
});

describe('timing', () => {
  test('signatures and tokens are compared in constant time', () => {
    // What can be tested without a clock: the comparison that leaks nothing is the one that is used.
    for (const file of ['../../src/http/signing.ts', '../../src/middleware/csrf.ts']) {
      const source = process.getBuiltinModule('fs').readFileSync(new URL(file, import.meta.url), 'utf8');
      assert.match(source, /timingSafeEqual\(/);
    }
  });
});

describe('regular-expression denial of service', () => {
  test('hostile headers cost no more than their length', async () => {
    const app = serving(
      (request) => {
        void request.cookies;
        void request.clientAddress;
        request.preferredType(['a/b']);
        request.preferredLanguage(['en']);
        return new HttpResponse(String(request.contentType));
      },
      { trustedProxies: ['127.0.0.1'] },
    );
    const began = process.cpuUsage();
    for (const part of ['a', ' ', ';', ',', '"', '=', '-', '\\"', 'a/b;q=', '1.', ', ', 'x=y; '])
      for (const name of [
        'cookie',
        'accept',
        'accept-language',
        'content-type',
        'x-forwarded-for',
        'if-none-match',
        'range',
      ])
        await app.get('/', { headers: { [name]: part.repeat(20_000) } });
    assert.ok(process.cpuUsage(began).user < 4_000_000);
  });
});

describe('reflected file download', () => {
  test('a file keeps the name and type that the application gave it', async () => {
    writeFileSync(join(folder, 'report.txt'), 'x');
    const app = serving((request) =>
      fileResponse(request, join(folder, 'report.txt'), {
        attachment: true,
        filename: request.query.get('name') ?? 'report.txt',
      }),
    );
    const response = await app.get('/x.bat;/y?name=a%22;filename=evil.bat%0d%0a');
    assert.equal(
      response.headers.get('content-disposition'),
      `attachment; filename="a_;filename=evil.bat"; filename*=UTF-8''a%22%3Bfilename%3Devil.bat`,
    );
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(
      contentDisposition('attachment', '../../x"\r\n.bat'),
      `attachment; filename=".._.._x_.bat"; filename*=UTF-8''.._.._x%22.bat`,
    );
  });
});

describe('cache poisoning', () => {
  test('what a response depends on is named in Vary, and unkeyed headers change nothing', async () => {
    const app = serving((request) => new HttpResponse(`${request.scheme}://${request.host}${request.path}`), {
      allowedHosts: ['soba.example'],
    });
    const headers = { host: 'soba.example' };
    const clean = (await app.get('/', { headers })).text;
    for (const name of [
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-forwarded-port',
      'x-original-url',
      'x-rewrite-url',
      'x-host',
      'forwarded',
      'x-http-method-override',
    ])
      assert.equal(
        (await app.get('/', { headers: { ...headers, [name]: 'evil.example' } })).text,
        clean,
        name,
      );
  });
});
