import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createApp, HttpResponse, JsonResponse, path, sleep } from 'sobaya';
import { background, gather } from 'sobaya/asyncio';
import type { Databases } from 'sobaya/db';
import { csrf } from 'sobaya/middleware';
import {
  assertNoOrphans,
  assertNumQueries,
  Client,
  captureQueries,
  factory,
  freezeTime,
  isolate,
  liveServer,
  RequestFactory,
  runIsolated,
} from 'sobaya/test';
import { openShop, Tag } from '../db/support/shop.ts';

let databases: Databases;
let app: ReturnType<typeof createApp>;
before(async () => {
  databases = await openShop();
  app = createApp({
    databases,
    urls: [
      path('tags/add/', async (request) => {
        await Tag.create({ name: (await request.text()) || 'unnamed' });
        return new JsonResponse(await Tag.all().count());
      }),
    ],
  });
});
after(() => databases.close());

test('isolate rolls back what the test and its requests did, in parallel too', async () => {
  const count = await Tag.all().count();
  const client = new Client(app);
  await isolate(app, async () => {
    await Tag.create({ name: 'mine' });
    assert.equal((await client.post('/tags/add/', { body: 'a' })).json(), count + 2);
    await gather(
      ...Array.from({ length: 10 }, (_, index) => () => client.post('/tags/add/', { body: `p${index}` })),
    );
    assert.equal(await Tag.all().count(), count + 12);
  })();
  assert.equal(await Tag.all().count(), count);
  await assert.rejects(
    runIsolated(databases, async () => {
      await Tag.create({ name: 'lost' });
      throw new Error('failed');
    }),
    { message: 'failed' },
  );
  assert.equal(await Tag.all().count(), count);
});

test('assertNumQueries counts what runs inside, and lists it', async () => {
  await assertNumQueries(2, async () => {
    await Tag.all().count();
    await Tag.filter({ name: 'old' });
  });
  await assert.rejects(
    assertNumQueries(1, () =>
      gather(
        () => Tag.all().count(),
        () => Tag.all().count(),
      ),
    ),
    {
      code: 'SBY_TEST_NUM_QUERIES',
      message: /2 queries were sent, 1 expected \(SELECT/,
    },
  );
  const { queries } = await captureQueries(() => Promise.resolve());
  await Tag.all().count();
  assert.equal(queries.length, 0);
});

test('assertNoOrphans names what still runs', async () => {
  await assertNoOrphans(() => gather(() => sleep(1)));
  let task: { cancel(): unknown } | undefined;
  await assert.rejects(
    assertNoOrphans(() => {
      task = background(() => sleep(60_000), { name: 'forgotten' });
    }),
    { code: 'SBY_TEST_ORPHANS', message: /1 task still ran: "forgotten"/ },
  );
  task?.cancel();
});

test('factories count, and take what a test cares about', async () => {
  const tag = factory(Tag, (n) => ({ name: `made ${n}` }));
  await runIsolated(databases, async () => {
    assert.equal((await tag()).name, 'made 1');
    assert.equal((await tag({ name: 'own' })).name, 'own');
    assert.deepEqual(
      (await tag.many(2)).map((row) => row.name),
      ['made 3', 'made 4'],
    );
  });
});

test('a live server, a request factory, a frozen date', async () => {
  const plain = createApp({ urls: [path('', (request) => new HttpResponse(request.clientAddress ?? ''))] });
  {
    await using live = await liveServer(plain);
    assert.equal(await (await fetch(`${live.url}/`)).text(), '127.0.0.1');
  }
  const request = new RequestFactory().post('/x/?a=1', { form: { b: '2' } });
  assert.equal(request.query.get('a'), '1');
  assert.equal((await request.form()).get('b'), '2');
  {
    using time = freezeTime('2026-11-24T09:00:00Z');
    assert.equal(new Date().toISOString(), '2026-11-24T09:00:00.000Z');
    time.tick(1000);
    assert.equal(Date.now(), Date.UTC(2026, 10, 24, 9, 0, 1));
    assert.ok(new Date(0) instanceof Date);
  }
  assert.ok(Date.now() !== Date.UTC(2026, 10, 24, 9, 0, 1));
});

test('Client lets a form through csrf() unless it is told to enforce it, as in Django', async () => {
  const app = createApp({
    debug: false,
    middleware: [csrf()],
    urls: [path('', () => new HttpResponse('taken'))],
  });
  assert.equal((await new Client(app).post('/', { form: { a: '1' } })).status, 200);
  assert.equal(
    (await new Client(app, { enforceCsrfChecks: true }).post('/', { form: { a: '1' } })).status,
    403,
  );
});

test('a client that closes leaves the transaction of its test alone', async () => {
  const app = createApp({
    urls: [path('', () => new HttpResponse('open'))],
    databases: { default: 'sqlite::memory:' },
  });
  await isolate(app, async () => {
    await using client = new Client(app);
    assert.equal((await client.get('/')).text, 'open');
  })();
  await app.databases.close();
});

test('Client follows a redirect to the host and scheme it names; a cookie with an unreadable expiry is kept', async () => {
  const app = createApp({
    debug: false,
    allowedHosts: ['*'],
    urls: [
      path(
        'away/',
        () => new Response(null, { status: 302, headers: { location: 'https://soba.example/here/' } }),
      ),
      path(
        'down/',
        () => new Response(null, { status: 302, headers: { location: 'http://testserver/here/' } }),
      ),
      path('relative/', () => new Response(null, { status: 302, headers: { location: '/here/?a=1#top' } })),
      path('here/', (request) => {
        const host = request.scope.headers.find(([name]) => name === 'host')?.[1];
        return new Response(
          `${request.scope.scheme}://${host}${request.scope.path}?${request.scope.queryString}`,
        );
      }),
    ],
  });
  await using client = new Client(app, { follow: true });
  assert.equal((await client.get('/away/')).text, 'https://soba.example/here/?');
  assert.equal(
    (await client.get('/away/', { headers: { host: 'first.example' } })).text,
    'https://soba.example/here/?',
  );
  assert.equal((await client.get('/down/', { secure: true })).text, 'http://testserver/here/?');
  assert.equal((await client.get('/relative/', { secure: true })).text, 'https://testserver/here/?a=1');

  client.cookies.take('a=1; max-age=soon; expires=tomorrow or so');
  client.cookies.take('b=2; max-age=0');
  assert.deepEqual([...client.cookies], [['a', '1']]);
});

test('an application that fails while it stops is an error of close()', async () => {
  const client = new Client(async (_scope, receive, send) => {
    await receive();
    await send({ type: 'lifespan.startup.complete' });
    await receive();
    throw new Error('while stopping');
  });
  await client.start();
  await assert.rejects(client.close(), /while stopping/);
});
