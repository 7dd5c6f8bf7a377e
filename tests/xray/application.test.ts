import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Application } from 'sobaya/asgi';
import { currentXray, importFile, timeline, xray } from 'sobaya/xray';
import { call, httpScope, pagesApp } from './applications.ts';
import { api, database, sleep, view } from './programs.ts';

interface Listed {
  readonly id: string;
  readonly path: string;
  readonly state: string;
  readonly status: number | null;
}

async function listed(app: Application): Promise<{ requests: Listed[]; bytes: number; skipped: number }> {
  return JSON.parse((await call(app, httpScope('/__xray__/api/requests'))).text) as never;
}

const pages = pagesApp({
  '/': () => view('home', () => database.query('select 1', [], [], 1)),
  '/link/': () => assert.match(currentXray()?.url ?? '', /^\/__xray__\/#\/[\da-f]{6}-\w+$/),
});

describe('who may see the page', () => {
  test('without debug and permission there is none, and nothing is recorded', async () => {
    const app = xray(pages);
    assert.equal((await call(app, httpScope('/__xray__/'))).text, 'ok', 'the application itself answers');
    await call(app, httpScope('/'));
    assert.equal(app.recorder.recorded, 0);
  });

  const debug = xray(pages, { debug: true });
  const refused: [string, Parameters<typeof httpScope>[1]][] = [
    ['another machine', { client: ['192.0.2.7', 1234] }],
    ['a name of somebody else for 127.0.0.1 (DNS rebinding)', { headers: [['host', 'evil.example']] }],
    ['no Host', { headers: [] }],
    [
      'a proxy on this machine',
      {
        headers: [
          ['host', 'localhost'],
          ['x-forwarded-for', '198.51.100.1'],
        ],
      },
    ],
  ];
  for (const [who, changes] of refused)
    test(`debug: ${who} is told why not`, async () => {
      const answer = await call(debug, httpScope('/__xray__/api/requests', changes));
      assert.equal(answer.status, 403);
      assert.match(answer.text, /open to this machine only.*permission/);
    });

  test('debug: this machine sees it, under every name it has', async () => {
    for (const host of ['localhost', 'localhost:8000', '127.0.0.1:1', '[::1]:8000', 'shop.localhost:80'])
      assert.equal(
        (await call(debug, httpScope('/__xray__/', { headers: [['host', host]] }))).status,
        200,
        host,
      );
  });

  test('a script of another site reads nothing; a link to the page works', async () => {
    const from = (mode: string): Parameters<typeof httpScope>[1] => ({
      headers: [
        ['host', 'localhost'],
        ['sec-fetch-site', 'cross-site'],
        ['sec-fetch-mode', mode],
      ],
    });
    const read = await call(debug, httpScope('/__xray__/api/requests', from('no-cors')));
    assert.equal(read.status, 404, 'the application answers, as if there were no page');
    assert.equal((await call(debug, httpScope('/__xray__/', from('navigate')))).status, 200);
  });

  test('clearing needs a POST with the header of the page', async () => {
    assert.equal((await call(debug, httpScope('/__xray__/api/clear'))).status, 405);
    assert.equal((await call(debug, httpScope('/__xray__/api/clear', { method: 'POST' }))).status, 405);
    const own = httpScope('/__xray__/api/clear', {
      method: 'POST',
      headers: [
        ['host', 'localhost'],
        ['x-sobaya-xray', '1'],
      ],
    });
    assert.equal((await call(debug, own)).status, 200);
  });

  test('a permission decides in production; one that fails lets nobody in', async () => {
    const app = xray(pages, {
      permission: (scope) => scope.headers.some(([name, value]) => name === 'cookie' && value === 'staff=1'),
    });
    const staff = {
      headers: [
        ['host', 'shop.example'],
        ['cookie', 'staff=1'],
      ] as const,
      client: ['198.51.100.1', 1] as const,
    };
    assert.equal((await call(app, httpScope('/__xray__/', staff))).status, 200);
    assert.equal((await call(app, httpScope('/__xray__/'))).status, 404);
    const broken = xray(pages, {
      permission: () => {
        throw new Error('no database');
      },
    });
    assert.equal((await call(broken, httpScope('/__xray__/'))).status, 404);
    await app.stop();
    await broken.stop();
  });

  test('everything comes with a policy that runs nothing from elsewhere', async () => {
    for (const path of ['', 'main.js', 'style.css', 'api/requests', 'nothing.js']) {
      const { headers } = await call(debug, httpScope(`/__xray__/${path}`));
      assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self';/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
    }
    const html = (await call(debug, httpScope('/__xray__/'))).text;
    assert.doesNotMatch(html, /<script(?![^>]*src=)|\son\w+=|<style|style=/);
  });

  test('only the files of the page are served', async () => {
    for (const path of ['../application.ts', '..%2f..%2fpackage.json', 'page/main.js', 'main.js/', '.'])
      assert.equal((await call(debug, httpScope(`/__xray__/${path}`))).status, 404, path);
    await debug.stop();
  });
});

describe('recording an application', () => {
  test('a request with its view, query, status, Server-Timing and a link to its x-ray', async () => {
    const app = xray(pages, { debug: true });
    const answer = await call(app, httpScope('/?q=1'));
    assert.equal(answer.text, 'ok');
    assert.match(
      answer.headers.get('server-timing') ?? '',
      /^total;dur=[\d.]+, db;dur=[\d.]+;desc="1 queries"$/,
    );
    const id = /#\/(.+)$/.exec(answer.headers.get('x-sobaya-xray') ?? '')?.[1] ?? '';
    const { request } = JSON.parse((await call(app, httpScope(`/__xray__/api/requests/${id}`))).text) as {
      request: { view: string; status: number; spans: { kind: string; site?: { file: string } }[] };
    };
    assert.equal(request.view, 'home');
    assert.equal(request.status, 200);
    assert.deepEqual(
      request.spans.map((span) => span.kind),
      ['request', 'view', 'query'],
    );
    assert.match(request.spans[2]?.site?.file ?? '', /application\.test\.ts$/);
    await call(app, httpScope('/link/'));
    await app.stop();
  });

  test('a part with a timeline of its own is a bar on the one around it, and links to its own', async () => {
    let url: string | null | undefined;
    const app = xray(
      pagesApp({
        '/ways/': async () => {
          const { value, xray: link } = await timeline('gather', () =>
            database.query('select 7', [], [7], 1),
          );
          assert.deepEqual(value, [7]);
          url = link?.url;
        },
      }),
      { debug: true },
    );
    await call(app, httpScope('/ways/'));
    const { requests } = await listed(app);
    assert.deepEqual(
      requests.map(({ path }) => path),
      ['/ways/', 'gather'],
    );
    assert.equal(url, `/__xray__/#/${requests[1]?.id}`);
    const read = async (id: string | undefined): Promise<string[]> =>
      (
        JSON.parse((await call(app, httpScope(`/__xray__/api/requests/${id}`))).text) as {
          request: { spans: { kind: string; name: string }[] };
        }
      ).request.spans.map(({ kind, name }) => `${kind} ${name}`);
    assert.deepEqual(await read(requests[0]?.id), ['request GET /ways/', 'other gather']);
    assert.deepEqual(await read(requests[1]?.id), ['request gather', 'query select 7']);
    assert.deepEqual(await timeline('elsewhere', () => 1), { value: 1, xray: null });
    await app.stop();
  });

  test('a request that never ends is shown while it runs, and its spans stay bounded', async () => {
    let enough: (() => void) | null = null;
    const app = xray(
      pagesApp({
        '/forever/': async () => {
          for (let i = 0; i < 300; i++) await sleep(0);
          await new Promise<void>((resolve) => {
            enough = resolve;
          });
        },
      }),
      { debug: true, maxSpans: 64, callSites: false },
    );
    const running = call(app, httpScope('/forever/'));
    while (enough === null) await new Promise((resolve) => setImmediate(resolve));
    const { requests } = await listed(app);
    assert.equal(requests[0]?.state, 'running');
    const { request } = JSON.parse(
      (await call(app, httpScope(`/__xray__/api/requests/${requests[0].id}`))).text,
    ) as {
      request: { spans: { id: number }[]; spanCount: number };
    };
    assert.equal(request.spans.length, 64);
    assert.equal(request.spanCount, 301);
    assert.equal(request.spans[0]?.id, 0, 'the request itself is never overwritten');
    assert.equal(request.spans.at(-1)?.id, 300);
    (enough as () => void)();
    await running;
    await app.stop();
  });

  test('an application that throws is recorded as failed, and the error passes', async () => {
    const app = xray(
      pagesApp({
        '/': () => {
          throw new TypeError('no soba for ann@example.com left');
        },
      }),
      { debug: true },
    );
    await assert.rejects(() => call(app, httpScope('/')), /no soba/);
    const [first] = (await listed(app)).requests;
    assert.equal(first?.state, 'failed');
    const text = (await call(app, httpScope(`/__xray__/api/requests/${first.id}`))).text;
    assert.match(text, /TypeError: no soba for ‹email› left/);
    await app.stop();
  });

  test('sampling and bounds are checked, with a message that says what to give', () => {
    assert.throws(() => xray(pages, { sample: 7 }), {
      code: 'SBY_XRAY_BAD_OPTION',
      message: 'The option "sample" is 7 (xray). Give a share between 0 and 1',
    });
    assert.throws(() => xray(pages, { path: 'x' }), /begins and ends with a slash/);
    assert.throws(() => xray(undefined as never), /an ASGI application/);
  });

  test('properties of the application stay reachable', async () => {
    const base = Object.assign(async () => {}, { debug: true, apps: [1] }) as unknown as Application;
    const app = xray(base) as unknown as { debug: boolean; apps: number[] };
    assert.deepEqual([app.debug, app.apps], [true, [1]]);
  });
});

describe('memory', () => {
  test('stays within its bound whatever comes: many requests, long texts, big headers, big bodies', async () => {
    const memory = 512 * 1024;
    const app = xray(
      pagesApp({
        '/big/': async () => {
          for (let i = 0; i < 30; i++)
            await database.query(
              `select '${'x'.repeat(50_000)}' -- ${i}`,
              ['y'.repeat(100_000), Buffer.alloc(1000)],
              [],
              0,
            );
          await api(`/${'z'.repeat(50_000)}`, 0);
        },
      }),
      { debug: true, memory },
    );
    for (let i = 0; i < 60; i++) {
      await call(
        app,
        httpScope(`/big/?${'q'.repeat(5000)}`, {
          headers: [
            ['host', 'localhost'],
            ['x-long', 'v'.repeat(30_000)],
          ],
        }),
      );
      assert.ok(app.recorder.bytes <= memory, `${app.recorder.bytes}`);
    }
    const { finished } = app.recorder;
    assert.ok(finished.size >= 5 && finished.size < 60, `${finished.size}`);
    app.recorder.clear();
    assert.equal(app.recorder.bytes, 0, 'the account is exact: all that was taken is given back');
    await app.stop();
  });

  test('ten thousand requests at the same time: what does not fit is not recorded, all are answered', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const app = xray(pagesApp({ '/': () => gate }), { debug: true, memory: 1024 * 1024, callSites: false });
    const calls = Array.from({ length: 10_000 }, () => call(app, httpScope('/')));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(app.recorder.active.size < 500);
    assert.ok(app.recorder.bytes <= 1024 * 1024);
    open();
    const answers = await Promise.all(calls);
    assert.equal(answers.filter(({ text }) => text === 'ok').length, 10_000);
    assert.equal(app.recorder.skipped + app.recorder.recorded, 10_000);
    await app.stop();
  });

  test('a clock that jumps does not make a duration negative', async (t) => {
    const app = xray(
      pagesApp({
        '/': async () => {
          t.mock.timers.enable({ apis: ['Date'], now: 0 });
          await database.query('select 1', [], [], 1);
        },
      }),
      { debug: true },
    );
    await call(app, httpScope('/'));
    t.mock.timers.reset();
    const { requests } = (await listed(app)) as unknown as { requests: { duration: number }[] };
    assert.ok((requests[0]?.duration ?? -1) > 0 && (requests[0]?.duration ?? 1e9) < 5000);
    await app.stop();
  });
});

test('export gives a file that import reads; addresses of this machine are shortened', async () => {
  const app = xray(pages, { debug: true });
  await call(app, httpScope('/'));
  const { text, headers } = await call(app, httpScope('/__xray__/api/export'));
  assert.match(headers.get('content-disposition') ?? '', /^attachment; filename="xray-[\dT-]+\.json"$/);
  const [request] = importFile(text);
  assert.equal(request?.path, '/');
  assert.equal(request.spans[2]?.site?.file, 'tests/xray/application.test.ts');
  await app.stop();
});
