/**
 * Django's published security releases as a checklist: each class that can exist here, named after what it was in Django.
 * Those of forms, sessions, the admin and password resets wait for these rooms; those of SQL stand in tests/db.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createApp, HttpResponse, include, path, redirect, reverse } from 'sobaya';
import {
  cacheControl,
  type HttpRequest,
  isAllowedHost,
  parseAccept,
  parseCookies,
  QueryDict,
  requirePost,
  safeFilename,
  safeRedirectTarget,
} from 'sobaya/http';
import { csrf, csrfExempt, csrfToken, logging, type RequestRecord, staticFiles } from 'sobaya/middleware';
import { Templates } from 'sobaya/templates';
import { Client } from 'sobaya/test';
import { csrfInput } from 'sobaya/views';

const folder = mkdtempSync(join(tmpdir(), 'sobaya-cves-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function serving(view: (request: HttpRequest) => unknown, options: object = {}): Client {
  return new Client(
    createApp({
      debug: false,
      onError: () => {},
      urls: [path('<path:p>', view as never), path('', view as never)],
      ...options,
    }),
    { enforceCsrfChecks: true, raiseErrors: false },
  );
}

/**
 * What grows with the square of its input takes minutes of the processor at these sizes, what is exponential never ends;
 * what does neither takes some milliseconds. A minute of CPU time is between them on any machine, however busy.
 */
async function cheap(fn: () => unknown): Promise<void> {
  const before = process.cpuUsage();
  await fn();
  const { user } = process.cpuUsage(before);
  assert.ok(user < 60_000_000, `${user / 1000} ms`);
}

const big = 200_000;

describe('cross-site scripting', () => {
  test('CVE-2010-3082: the CSRF cookie of a stranger is not written into the page', async () => {
    const evil = '"><script>alert(1)</script>';
    const app = serving((request) => new HttpResponse(String(csrfInput(request))), { middleware: [csrf()] });
    for (const value of [evil, encodeURIComponent(evil)]) {
      const response = await app.get('/', { headers: { cookie: `csrftoken=${value}` } });
      assert.doesNotMatch(response.text, /script|alert/);
      assert.match(response.text, /^<input type="hidden" name="csrfmiddlewaretoken" value="[\w-]+">$/);
    }
  });
  test('CVE-2017-12794: the page of an error in debug mode escapes message, path, headers and query', async () => {
    const evil = '<img src=x onerror=alert(1)>';
    const app = serving(
      (request) => {
        throw new Error(request.query.get('q') ?? '');
      },
      { debug: true },
    );
    for (const url of [`/?q=${encodeURIComponent(evil)}`, `/${encodeURIComponent(evil)}/`]) {
      const response = await app.get(url, {
        headers: {
          accept: 'text/html',
          'x-evil': evil,
          cookie: `a=${encodeURIComponent(evil)}`,
          'user-agent': evil,
        },
      });
      assert.equal(response.status, 500);
      assert.ok(!response.text.includes(evil));
    }
    const missing = new Client(createApp({ debug: true, urls: [path('a/', () => new HttpResponse())] }));
    const response = await missing.get(`/${encodeURIComponent(evil)}/`, { headers: { accept: 'text/html' } });
    assert.equal(response.status, 404);
    assert.ok(!response.text.includes(evil));
  });
  test('CVE-2019-3498: a 404 outside debug mode says nothing that stands in the address', async () => {
    const app = new Client(createApp({ debug: false, urls: [] }));
    for (const accept of ['text/html', 'application/json', 'text/plain']) {
      const response = await app.get('/Your account is locked, call 0900-EVIL', { headers: { accept } });
      assert.equal(response.status, 404);
      assert.doesNotMatch(response.text, /EVIL/);
    }
  });
});

describe('cross-site request forgery', () => {
  const middleware = [csrf()];
  test('CVE-2011-0696: X-Requested-With is no token', async () => {
    const app = serving(() => new HttpResponse(), { middleware });
    const headers = { 'x-requested-with': 'XMLHttpRequest' };
    assert.equal((await app.post('/', { headers })).status, 403);
  });
  test('CVE-2011-4140, CVE-2016-7401: a cookie smuggled in by another cookie or a sibling domain is no token', async () => {
    assert.deepEqual([...parseCookies('ga=x,csrftoken=evil')], [['ga', 'x,csrftoken=evil']]);
    assert.deepEqual([...parseCookies('ga=x]csrftoken=evil')], [['ga', 'x]csrftoken=evil']]);
    assert.deepEqual(
      [...parseCookies('ga="x; csrftoken=evil"')].map(([name]) => name),
      ['ga', 'csrftoken'],
    );
    // Whoever can set the cookie still needs a page of this site to send from: Origin and Referer say where it was.
    const app = serving((request) => new HttpResponse(csrfToken(request)), {
      middleware,
      allowedHosts: ['*'],
    });
    const token = (await app.get('/', { headers: { host: 'soba.example' } })).text;
    for (const origin of [
      'http://evil.soba.example',
      'https://soba.example',
      'http://soba.example:8000',
      'null',
    ])
      assert.equal(
        (await app.post('/', { headers: { host: 'soba.example', origin, 'x-csrftoken': token } })).status,
        403,
        origin,
      );
    // The name with the prefix cannot be set by a sibling at all.
    const strict = serving((request) => new HttpResponse(csrfToken(request)), {
      middleware: [csrf({ cookie: '__Host-csrf' })],
    });
    assert.match(
      (await strict.get('/', { secure: true })).headers.get('set-cookie') ?? '',
      /^__Host-csrf=.*Path=\/.*Secure/,
    );
  });
  test('CVE-2014-0473: a page with a token is not for a cache to give to others', async () => {
    const app = serving((request) => new HttpResponse(csrfToken(request)), { middleware });
    assert.match((await app.get('/')).headers.get('vary') ?? '', /Cookie/);
    const plain = serving(() => new HttpResponse(), { middleware });
    const response = await plain.get('/');
    assert.equal(response.headers.get('set-cookie'), null);
    assert.equal(response.headers.get('vary'), null);
  });
  test('exempt is the one view that says so, through decorators, and no other', async () => {
    const hook = csrfExempt(() => new HttpResponse());
    const app = new Client(
      createApp({
        debug: false,
        middleware,
        urls: [
          path('hook/', requirePost(hook)),
          path('cached/', cacheControl({ private: true }, hook)),
          path('other/', () => new HttpResponse()),
        ],
      }),
      { enforceCsrfChecks: true },
    );
    assert.equal((await app.post('/hook/')).status, 200);
    assert.equal((await app.post('/cached/')).status, 200);
    assert.equal((await app.post('/other/')).status, 403);
  });
  test('JSON and other content types need the header: a form cannot send them, fetch with text/plain can', async () => {
    const app = serving((request) => new HttpResponse(csrfToken(request)), { middleware });
    const token = (await app.get('/')).text;
    for (const contentType of ['application/json', 'text/plain'])
      assert.equal(
        (
          await app.post('/', {
            body: `{"csrfmiddlewaretoken":"${token}"}`,
            headers: { 'content-type': contentType },
          })
        ).status,
        403,
      );
    assert.equal((await app.post('/', { json: {}, headers: { 'x-csrftoken': token } })).status, 200);
  });
});

describe('hosts', () => {
  test('CVE-2011-4139, CVE-2012-4520: X-Forwarded-Host and what stands before an @ are no hosts', async () => {
    const app = serving((request) => new HttpResponse(request.buildAbsoluteUri()), {
      allowedHosts: ['soba.example'],
    });
    for (const host of [
      'evil.example',
      'soba.example:pass@evil.example',
      'soba.example@evil.example',
      'evil.example#soba.example',
    ])
      assert.equal((await app.get('/', { headers: { host } })).status, 400, host);
    const headers = { host: 'soba.example', 'x-forwarded-host': 'evil.example' };
    assert.equal((await app.get('/', { headers })).text, 'http://soba.example/');
  });
  test('CVE-2016-9014: debug mode checks hosts too (DNS rebinding)', async () => {
    const app = serving((request) => new HttpResponse(request.host), { debug: true });
    assert.equal((await app.get('/', { headers: { host: 'rebound.example' } })).status, 400);
    assert.equal((await app.get('/', { headers: { host: 'localhost:8000' } })).status, 200);
  });
  test('CVE-2019-12781: who is no trusted proxy does not say what is https', async () => {
    const app = serving((request) => new HttpResponse(`${request.isSecure}`), {
      trustedProxies: ['10.0.0.0/8'],
    });
    const headers = { 'x-forwarded-proto': 'https' };
    assert.equal((await app.get('/', { headers })).text, 'false');
    const trusted = new Client(app.app, { clientAddress: '10.1.2.3' });
    assert.equal((await trusted.get('/', { headers })).text, 'true');
    // The other way round: a proxy that says http is believed over the encrypted hop behind it.
    assert.equal(
      (await trusted.get('/', { secure: true, headers: { 'x-forwarded-proto': 'http' } })).text,
      'false',
    );
  });
  test('CVE-2021-33571: 010.0.0.1 is no address', async () => {
    const app = serving((request) => new HttpResponse(String(request.clientAddress)), {
      trustedProxies: ['127.0.0.1'],
    });
    for (const forged of ['010.0.0.1', '10.0.0.01', '0x0a000001', '167772161', '10.1'])
      assert.equal(
        (await app.get('/', { headers: { 'x-forwarded-for': forged } })).text,
        '127.0.0.1',
        forged,
      );
    assert.throws(() => createApp({ trustedProxies: ['010.0.0.1'] }), { code: 'SBY_HTTP_BAD_PROXY' });
  });
  test('CVE-2024-56374: long addresses cost their length', () =>
    cheap(async () => {
      const app = serving((request) => new HttpResponse(String(request.clientAddress)), {
        trustedProxies: ['127.0.0.1'],
      });
      for (const part of [':', '1:', '1.', '::ffff:', 'f', ','])
        await app.get('/', { headers: { 'x-forwarded-for': part.repeat(big / 2) } });
    }));
});

describe('open redirects', () => {
  test('CVE-2012-3442, CVE-2013-4249, CVE-2013-6044: no javascript: and no data:', () => {
    for (const target of [
      'javascript:alert(1)',
      'JavaScript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      '\x08javascript:x',
      ' javascript:x',
      'java\tscript:x',
    ]) {
      assert.throws(() => redirect(target), { code: 'SBY_HTTP_UNSAFE_REDIRECT' }, target);
      assert.equal(safeRedirectTarget(target, 'soba.example'), '/', target);
    }
  });
  test('CVE-2014-0480, CVE-2018-14574: no link and no redirect of ours begins with two slashes', async () => {
    const views = [path('<path:rest>', () => new HttpResponse(), { name: 'rest' })];
    const app = createApp({ urls: [include('', views)] });
    const link = app.resolver.reverse('rest', { rest: '/evil.example/' });
    assert.doesNotMatch(link, /^\/\//);
    const client = new Client(
      createApp({ debug: false, urls: [path('<path:p>/', () => new HttpResponse())] }),
    );
    for (const url of [
      '//evil.example',
      '///evil.example',
      '/%2Fevil.example',
      '/\\evil.example',
      '/%5Cevil.example',
    ]) {
      const { status, headers } = await client.get(url);
      const location = headers.get('location') ?? '/';
      assert.ok(status === 301 || status === 404, url);
      assert.equal(
        new URL(location, 'http://testserver/x').host,
        'testserver',
        `${url} leads to ${location}`,
      );
    }
  });
  test('CVE-2014-3730, CVE-2015-0220, CVE-2015-2317, CVE-2016-2512, CVE-2017-7233: spellings of another site', () => {
    for (const target of [
      'http:\\\\\\evil.example',
      'http:///evil.example',
      '\njavascript:x',
      '\x08//evil.example',
      'http://soba.example\\@evil.example',
      'http:999999999',
      'http:\\evil.example',
      '///evil.example',
      '/\\/evil.example',
    ])
      assert.equal(safeRedirectTarget(target, 'soba.example'), '/', JSON.stringify(target));
  });
  test('CVE-2017-7234: static files lead nowhere', async () => {
    mkdirSync(join(folder, 'open', 'evil.example'), { recursive: true });
    const app = serving(() => new HttpResponse('', { status: 404 }), {
      middleware: [staticFiles({ root: join(folder, 'open') })],
    });
    for (const url of [
      '/static//evil.example',
      '/static/evil.example',
      '/static/evil.example/',
      '/static//evil.example/..',
    ])
      assert.equal((await app.get(url)).status, 404, url);
  });
});

describe('path traversal', () => {
  test('CVE-2009-2659, CVE-2011-0698: static files of neither separator, nor encoded, nor through links of the folder’s name', async () => {
    const root = join(folder, 'static');
    mkdirSync(`${root}-secret`, { recursive: true });
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'a.css'), 'a{}');
    writeFileSync(join(`${root}-secret`, 'key'), 'secret');
    writeFileSync(join(folder, 'key'), 'secret');
    const app = serving(() => new HttpResponse('', { status: 404 }), { middleware: [staticFiles({ root })] });
    assert.equal((await app.get('/static/a.css')).status, 200);
    for (const name of [
      '../key',
      '%2e%2e/key',
      '..%2fkey',
      '%2e%2e%2fkey',
      '..\\key',
      '..%5ckey',
      '%252e%252e/key',
      '....//key',
      './/../key',
      '../static-secret/key',
      '%2e%2e/static-secret/key',
      'a.css/../../key',
      'a.css%00.png',
      '/etc/passwd',
      '%2fetc/passwd',
      'C:/key',
      'c:%5ckey',
      'a.css::$DATA',
      'a.css.',
      '~/key',
      '%c0%ae%c0%ae/key',
      '..;/key',
    ])
      assert.notEqual((await app.get(`/static/${name}`)).text, 'secret', name);
  });
  test('CVE-2025-59682: a folder whose name begins like another is another', async () => {
    // As above: static-secret begins with static. Held apart by the separator, whatever the name is.
    const root = join(folder, 'static');
    const app = serving(() => new HttpResponse('', { status: 404 }), { middleware: [staticFiles({ root })] });
    assert.equal((await app.get('/static/-secret/key')).status, 404);
  });
  test('symbolic links inside the folder are the owner’s decision; hidden files are not served', async () => {
    const root = join(folder, 'links');
    mkdirSync(join(root, '.git'), { recursive: true });
    writeFileSync(join(root, '.git', 'config'), 'secret');
    writeFileSync(join(root, '.env'), 'secret');
    writeFileSync(join(folder, 'shared.css'), 'a{}');
    symlinkSync(join(folder, 'shared.css'), join(root, 'shared.css'));
    const app = serving(() => new HttpResponse('', { status: 404 }), { middleware: [staticFiles({ root })] });
    assert.equal((await app.get('/static/shared.css')).status, 200);
    for (const name of ['.env', '.git/config', '%2egit/config', '.GIT/config', 'x/../.env'])
      assert.equal((await app.get(`/static/${name}`)).status, 404, name);
  });
  test('CVE-2013-4315: templates of other folders', async () => {
    const templates = join(folder, 'templates');
    mkdirSync(templates, { recursive: true });
    writeFileSync(join(folder, 'secret.html'), 'secret');
    writeFileSync(join(templates, 'any.html'), '{% include name %}');
    const engine = new Templates({ directories: [templates] });
    for (const name of [
      '../secret.html',
      '..\\secret.html',
      join(folder, 'secret.html'),
      './../secret.html',
      'x/../../secret.html',
    ]) {
      await assert.rejects(async () => await engine.render(name), name);
      await assert.rejects(async () => await engine.render('any.html', { name }), name);
    }
  });
  test('CVE-2021-28658, CVE-2021-31542, CVE-2021-45452, CVE-2024-39330: names of uploads', () => {
    for (const [given, kept] of [
      ['../../x.txt', 'x.txt'],
      ['..\\..\\x.txt', 'x.txt'],
      ['/etc/passwd', 'passwd'],
      ['..', 'file'],
      ['.', 'file'],
      ['', 'file'],
      ['a/../', 'file'],
      ['/', 'file'],
      ['x.txt/.', 'file'],
      ['C:\\x.txt', 'x.txt'],
    ])
      assert.equal(safeFilename(given as string), kept as string, String(given));
  });
  test('CVE-2020-24583: uploads lie where nobody else can read', async () => {
    const modes: string[] = [];
    const app = serving(async (request) => {
      const file = (await request.files()).get('f')!;
      for (const one of [file.path!, join(file.path!, '..')])
        modes.push((statSync(one).mode & 0o777).toString(8));
      return new HttpResponse();
    });
    await app.post('/', { form: {}, files: { f: { content: Buffer.alloc(100_000), filename: 'x' } } });
    assert.deepEqual(modes, ['600', '700']);
  });
});

describe('header injection and spoofing', () => {
  test('CVE-2015-0219: X_Auth_User is not X-Auth-User', async () => {
    const app = serving((request) => new HttpResponse(String(request.headers.get('x-auth-user'))));
    assert.equal((await app.get('/', { headers: { x_auth_user: 'admin' } })).text, 'null');
  });
  test('CVE-2015-5144, CVE-2021-32052, CVE-2021-44420: a line end is no end of a route, a header or an address', async () => {
    const app = new Client(
      createApp({
        debug: false,
        urls: [path('admin', () => new HttpResponse()), path('n/<int:n>', () => new HttpResponse())],
      }),
    );
    for (const url of ['/admin%0a', '/admin%0A', '/n/1%0a', '/n/1%0d', '/%0aadmin'])
      assert.equal((await app.get(url)).status, 404, url);
    for (const url of ['/a\nb', '/a\rb', 'http://a.example/\r\nx: y'])
      assert.throws(() => redirect(url), { code: 'SBY_HTTP_UNSAFE_REDIRECT' });
    assert.equal(isAllowedHost('soba.example\n', ['soba.example']), false);
  });
  test('CVE-2022-36359: the name of a download', async () => {
    const { contentDisposition } = await import('sobaya/http');
    assert.equal(
      contentDisposition('attachment', 'x";filename="evil.sh'),
      `attachment; filename="x_;filename=_evil.sh"; filename*=UTF-8''x%22%3Bfilename%3D%22evil.sh`,
    );
  });
  test('CVE-2025-48432: a path cannot write lines into the log', async () => {
    const records: [RequestRecord, string][] = [];
    const log = (record: RequestRecord, message: string): void => void records.push([record, message]);
    const app = serving(() => new HttpResponse(), {
      middleware: [logging({ logger: { info: log, warn: log, error: log } })],
    });
    await app.get('/a%0aINFO%20forged%1b[31m%7f%c2%85%e2%80%a8?token=secret', {
      headers: { authorization: 'Bearer secret' },
    });
    const [[record, message] = [] as never] = records;
    assert.doesNotMatch(message!, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    assert.doesNotMatch(JSON.stringify(record), /secret/);
  });
});

describe('code and names', () => {
  test('CVE-2014-0472: reverse() knows names of routes and loads nothing', () => {
    const app = createApp({ urls: [path('', () => new HttpResponse(), { name: 'home' })] });
    for (const name of ['node:fs', './evil.ts', 'os.system', 'constructor', '__proto__', 'toString'])
      assert.throws(() => app.resolver.reverse(name), { code: 'SBY_URLS_NO_REVERSE' }, name);
    assert.equal(typeof reverse, 'function');
  });
  test('CVE-2019-11358: a query, a form, a cookie and JSON cannot reach a prototype', async () => {
    const app = serving(async (request) => {
      const merged = Object.assign({}, request.query.toObject(), await request.json());
      return new HttpResponse(String((merged as { admin?: unknown }).admin));
    });
    assert.equal((await app.post('/?__proto__=1&constructor=2', { json: {} })).text, 'undefined');
    const contentType = 'application/json';
    for (const body of [
      '{"__proto__":{"admin":true}}',
      '{"a":[{"__proto__":1}]}',
      '{"\\u005f_proto__":{"admin":true}}',
    ])
      assert.equal((await app.post('/', { body, headers: { 'content-type': contentType } })).status, 400);
    assert.equal(({} as { admin?: unknown }).admin, undefined);
  });
  test('CVE-2010-4535: a number of any length is no number of ours', async () => {
    const app = new Client(
      createApp({ debug: false, urls: [path('n/<int:n>/', (_, { n }) => new HttpResponse(`${n}`))] }),
    );
    await cheap(async () => {
      assert.equal((await app.get(`/n/${'9'.repeat(50_000)}/`)).status, 404);
    });
  });
});

describe('caches', () => {
  test('CVE-2021-23336: ";" separates no parameters', () => {
    assert.deepEqual([...QueryDict.parse('a=1;b=2')], [['a', '1;b=2']]);
  });
});

describe('denial of service', () => {
  test('CVE-2015-0221: a file is sent piece by piece', async () => {
    const root = join(folder, 'big');
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'one-line.js'), Buffer.alloc(8 * 2 ** 20, 'x'));
    const app = serving(() => new HttpResponse('', { status: 404 }), { middleware: [staticFiles({ root })] });
    await using response = await app.stream('GET', '/static/one-line.js');
    let largest = 0;
    for await (const chunk of response.chunks) largest = Math.max(largest, chunk.length);
    assert.ok(largest <= 65_536);
  });
  test('CVE-2022-23833, CVE-2023-24580: multipart that never ends, and thousands of files', async () => {
    const app = serving(async (request) => new HttpResponse(String((await request.files()).size)));
    const contentType = 'multipart/form-data; boundary=b';
    const part = '--b\r\ncontent-disposition: form-data; name="f"; filename="x"\r\n\r\nx\r\n';
    await cheap(async () => {
      for (const body of [
        part.repeat(5000),
        '--b\r\n'.repeat(50_000),
        '--bx'.repeat(50_000),
        `--b\r\n${'a: b\r\n'.repeat(20_000)}`,
        '\r\n'.repeat(50_000),
        '-'.repeat(100_000),
      ]) {
        const { status } = await app.post('/', { body, headers: { 'content-type': contentType } });
        assert.ok(status === 400 || status === 413, `${status} for ${body.slice(0, 10)}`);
      }
    });
  });
  test('CVE-2023-31047: of several files in one field, all are seen by whoever asks for all', async () => {
    const app = serving(async (request) => {
      const files = await request.files();
      return new HttpResponse(`${files.getAll('f').length} ${files.size} ${files.get('f')?.filename}`);
    });
    const part = (name: string): string =>
      `--b\r\ncontent-disposition: form-data; name="f"; filename="${name}"\r\n\r\nx\r\n`;
    const body = `${part('a')}${part('b')}--b--\r\n`;
    const response = await app.post('/', {
      body,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    assert.equal(response.text, '2 2 b');
  });
  test('CVE-2023-23969, CVE-2024-39614: long Accept-Language headers are read once and not kept', () =>
    cheap(() => {
      for (const part of ['a-', 'ja,', 'x', ';q=', '-', '*,'])
        for (let round = 0; round < 20; round++) parseAccept(part.repeat(big / 4) + round);
    }));
  test('CVE-2019-14235, CVE-2023-41164: addresses of any bytes are encoded and decoded in one pass', () =>
    cheap(async () => {
      for (const part of ['%', '%e3', '%ff', 'そ', '%25', '\u{1f35c}', '[', '%2'])
        try {
          redirect(`/${part.repeat(big / 4)}`);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      const app = serving((request) => new HttpResponse(String(request.buildAbsoluteUri().length)));
      for (const part of ['%25', '%e3%81%9d', '%ff'])
        assert.equal((await app.get(`/${part.repeat(big / 10)}`)).status, 200);
    }));
  test('CVE-2018-7536, CVE-2019-14232, CVE-2023-43665, CVE-2024-27351, CVE-2024-53907, CVE-2025-26699, CVE-2025-32873: filters of templates', () =>
    cheap(async () => {
      const engine = new Templates({ directories: [folder] });
      const hostile = [
        '<',
        '<a',
        '<!--',
        '<script',
        '&',
        '<<',
        ' ',
        'a ',
        '\n',
        '(',
        '<style',
        '\t\n',
        'a<',
        '</',
        '"',
        '-- ',
      ];
      for (const filter of [
        'strip_html',
        'truncatewords: 5',
        'truncate: 10',
        'newline_to_br',
        'linebreaks',
        'escape',
        'strip_newlines',
        'url_encode',
        'strip',
        'capitalize',
        'split: " "',
        'json_script: "x"',
        'date',
        'number',
        'normalize_whitespace',
        'number_of_words',
        'safe_url',
      ])
        for (const part of hostile)
          await engine
            .renderString(`{{ text | ${filter} }}`, { text: part.repeat(30_000) })
            .catch((error: unknown) => {
              assert.ok(error instanceof Error);
            });
    }));
  test('asgiref CVE-2025-14550: thousands of lines of one header', () =>
    cheap(async () => {
      const app = serving((request) => new HttpResponse(String(request.headers.get('x')?.length)));
      const scope = {
        type: 'http',
        asgi: { version: '3.0', specVersion: '2.5' },
        httpVersion: '1.1',
        method: 'GET',
        scheme: 'http',
        path: '/',
        rawPath: '/',
        queryString: '',
        rootPath: '',
        headers: [['host', 'localhost'], ...Array.from({ length: big }, () => ['x', 'y'])],
        client: null,
        server: null,
      };
      const sent: { status?: number }[] = [];
      await app.app(
        scope as never,
        async () => ({ type: 'http.request', body: new Uint8Array(), moreBody: false }),
        async (event) => void sent.push(event as never),
      );
      assert.equal(sent[0]?.status, 200);
    }));
});
