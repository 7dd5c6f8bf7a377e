import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createApp, Http404, include, path } from 'sobaya';
import { methods } from 'sobaya/http';
import { securityHeaders } from 'sobaya/middleware';
import { ApiError, apiClient, endpoint, openApiDocument, openApiUrls } from 'sobaya/openapi';
import { Client } from 'sobaya/test';
import * as v from 'valibot';
import { z } from 'zod';

const Order = z.object({ id: z.int(), dish: z.string(), price: z.number() }).meta({ title: 'Order' });
const OrderIn = z.object({ dish: z.string().min(1), count: z.int().min(1).max(9).default(1) });
type Tree = { name: string; children: Tree[] };
const Tree: z.ZodType<Tree> = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

const list = endpoint(
  {
    query: z.object({
      limit: z.number().max(100).default(10),
      tag: z.array(z.string()).optional(),
      open: z.boolean().optional(),
    }),
    response: z.array(Order),
    tags: ['orders'],
    summary: 'Lists orders',
  },
  async function listOrders({ query }) {
    return Array.from({ length: Math.min(query.limit, 2) }, (_, id) => ({
      id,
      dish: (query.tag ?? ['soba']).join(),
      price: query.open ? 1 : 2,
      secret: 'not in the schema',
    }));
  },
);
const create = endpoint(
  { body: OrderIn, response: Order, status: 201, tags: ['orders'] },
  async ({ body }) => ({ id: 7, dish: body.dish, price: body.count * 100 }),
);
const detail = endpoint(
  { response: Order, responses: { 404: 'There is no such order' } },
  async (_input, { id }: { id: number }) => {
    if (id > 100) throw new Http404(`No order ${id}`);
    return { id, dish: 'kake', price: 1 };
  },
);
const wrong = endpoint({ response: Order }, async () => ({ id: 1, dish: 'x', price: 'free' }) as never);
const withValibot = endpoint(
  { method: 'POST', body: v.object({ name: v.string() }), response: v.object({ greeting: v.string() }) },
  ({ body }) => ({ greeting: `hello ${body.name}` }),
);
const tree = endpoint({ body: Tree, response: Tree }, ({ body }) => body);

const api = [
  path('orders/', methods({ GET: list, POST: create }), { name: 'orders' }),
  path('orders/<int:id>/', detail, { name: 'order' }),
  path('wrong/', wrong),
  path('hello/', withValibot),
  path('tree/', tree),
] as const;
const urls = [
  include('api/', api),
  include('api/', openApiUrls({ title: 'Soba <shop>', version: '1.0' })),
] as const;
const app = createApp({ debug: false, onError: () => {}, urls, middleware: [securityHeaders()] });
const client = new Client(app);

test('input arrives validated and typed, output leaves as the schema says', async () => {
  assert.deepEqual((await client.get('/api/orders/?limit=1&tag=a&open=true')).json(), [
    { id: 0, dish: 'a', price: 1 },
  ]);
  const created = await client.post('/api/orders/', { json: { dish: 'tempura' } });
  assert.equal(created.status, 201);
  assert.deepEqual(created.json(), { id: 7, dish: 'tempura', price: 100 });
  assert.deepEqual((await client.post('/api/hello/', { json: { name: 'Aki' } })).json(), {
    greeting: 'hello Aki',
  });
});

test('input that does not fit is 422 with what is wrong where', async () => {
  const response = await client.post('/api/orders/', { json: { dish: '', count: 99 } });
  assert.equal(response.status, 422);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = response.json<{
    title: string;
    errors: { in: string; pointer: string; message: string }[];
  }>();
  assert.equal(problem.title, 'The request is not valid');
  assert.deepEqual(
    problem.errors.map((error) => [error.in, error.pointer]),
    [
      ['body', '/dish'],
      ['body', '/count'],
    ],
  );
  const query = await client.get('/api/orders/?limit=many');
  assert.deepEqual(query.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer, '/limit');
});

test('errors are problem details; bodies that are no JSON, methods that are not there', async () => {
  const missing = await client.get('/api/orders/101/');
  assert.equal(missing.status, 404);
  assert.deepEqual(missing.json(), {
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'No order 101',
    code: 'SBY_HTTP_404',
  });
  assert.equal(
    (await client.post('/api/orders/', { body: '{', headers: { 'content-type': 'application/json' } }))
      .status,
    400,
  );
  assert.equal((await client.post('/api/orders/', { form: { dish: 'x' } })).status, 415);
  const put = await client.put('/api/orders/', { json: {} });
  assert.equal(put.status, 405);
  assert.equal(put.headers.get('allow'), 'GET, POST, HEAD, OPTIONS');
  assert.equal((await client.options('/api/orders/')).status, 204);
});

test('a response that breaks its own schema is our error, named, and not sent', async () => {
  await assert.rejects(client.get('/api/wrong/'), {
    code: 'SBY_OPENAPI_BAD_RESPONSE',
    message: /does not fit its response schema: price: /,
  });
});

test('the document: paths, parameters, bodies, responses, shared and recursive schemas', async () => {
  const document = (await client.get('/api/openapi.json')).json<Record<string, never>>() as never as {
    openapi: string;
    paths: Record<
      string,
      Record<
        string,
        {
          operationId: string;
          parameters?: { name: string; in: string; required?: boolean; schema: object }[];
          requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
          responses: Record<string, { content?: Record<string, { schema: object }> }>;
        }
      >
    >;
    components: { schemas: Record<string, object> };
  };
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(Object.keys(document.paths), [
    '/api/orders/',
    '/api/orders/{id}/',
    '/api/wrong/',
    '/api/hello/',
    '/api/tree/',
  ]);
  const { get, post } = document.paths['/api/orders/']!;
  assert.deepEqual(
    get!.parameters?.map((one) => [one.name, one.in, one.required ?? false]),
    [
      ['limit', 'query', false],
      ['tag', 'query', false],
      ['open', 'query', false],
    ],
  );
  assert.equal(post!.responses['201']?.content?.['application/json'] !== undefined, true);
  assert.ok(post!.responses['422']);
  assert.deepEqual(document.paths['/api/orders/{id}/']!['get']!.parameters, [
    { name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 0 } },
  ]);
  assert.ok(document.components.schemas['Order']);
  const ids = Object.values(document.paths).flatMap((item) =>
    Object.values(item).map((operation) => operation.operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
  // Every $ref leads somewhere inside the document.
  const refs = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
  for (const [, at = ''] of refs)
    assert.ok(
      at.split('/').reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], document),
      at,
    );
});

test('an independent validator finds nothing wrong with it', async () => {
  const document = (await client.get('/api/openapi.json')).json<Record<string, unknown>>();
  const validator = new Validator();
  const result = await validator.validate(document);
  assert.deepEqual(result, { valid: true });
  assert.equal(validator.version, '3.1');
  const broken = await new Validator().validate({ ...document, paths: { nope: 3 } });
  assert.equal(broken.valid, false, 'the validator does validate');
});

test('the page is one file with a nonce, escaped', async () => {
  const page = await client.get('/api/docs/');
  assert.equal(page.status, 200);
  assert.match(page.text, /Soba &#60;shop&#62;/);
  assert.match(page.text, /"\/api\/openapi\.json"/);
  assert.doesNotMatch(page.text, /(?:src|href)="https?:/);
  const nonce = /script nonce="([\w-]+)"/.exec(page.text)?.[1];
  assert.ok(page.headers.get('content-security-policy')?.includes(`'nonce-${nonce}'`));
});

test('a typed client, from the type of the urls alone', async () => {
  const call = apiClient<typeof urls>({
    baseUrl: 'http://testserver',
    fetch: async (url, { method, headers, body }) => {
      const response = await client.request(method, new URL(url).pathname + new URL(url).search, {
        headers,
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      });
      return new Response(response.text, { status: response.status, headers: [...response.headers] });
    },
  });
  const order = await call('GET', 'api/orders/<int:id>/', { params: { id: 3 } });
  assert.equal(order.dish.toUpperCase(), 'KAKE');
  const orders = await call('GET', 'api/orders/', { query: { limit: 1, tag: ['x', 'y'] } });
  assert.equal(orders[0]?.dish, 'x,y');
  const created = await call('POST', 'api/orders/', { body: { dish: 'zaru' } });
  assert.equal(created.id, 7);
  await assert.rejects(
    call('GET', 'api/orders/<int:id>/', { params: { id: 500 } }),
    (error) => error instanceof ApiError && error.status === 404 && error.problem?.detail === 'No order 500',
  );
  // What does not compile.
  if (Math.random() > 2) {
    // @ts-expect-error the parameter is missing
    await call('GET', 'api/orders/<int:id>/');
    // @ts-expect-error the parameter is a number
    await call('GET', 'api/orders/<int:id>/', { params: { id: '3' } });
    // @ts-expect-error there is no such route
    await call('GET', 'api/nope/');
    // @ts-expect-error there is no such method
    await call('DELETE', 'api/orders/');
    // @ts-expect-error a dish is text
    await call('POST', 'api/orders/', { body: { dish: 3 } });
    // @ts-expect-error an order has no colour
    order.colour;
  }
});

test('what does not fit does not compile', () => {
  // @ts-expect-error the response needs a price
  endpoint({ response: Order }, async () => ({ id: 1, dish: 'x' }));
  // @ts-expect-error the body has no such field
  endpoint({ body: OrderIn }, async ({ body }) => body.colour);
  const textual = endpoint({}, async (_input, { id }: { id: string }) => id);
  // @ts-expect-error the route gives a number
  path('x/<int:id>/', textual);
  assert.ok(openApiDocument(app.resolver, { title: 'x', version: '1' }));
});

test('text of a query and of headers: dates, nullable numbers and lists, literals, beside what JSON Schema cannot say', async () => {
  const seen = endpoint(
    {
      query: z.object({
        since: z.coerce.date(),
        page: z.number(),
        below: z.number().nullable().optional(),
        ids: z.array(z.number()).nullable().optional(),
        size: z.union([z.literal(1), z.literal(2)]).optional(),
        word: z.union([z.string(), z.number()]).optional(),
      }),
      headers: z.object({ 'x-limit': z.number().optional() }),
      response: z.object({ since: z.date(), seen: z.unknown() }),
    },
    ({ query: { since, ...rest }, headers }) => ({ since, seen: { ...rest, ...headers } }),
  );
  const own = [path('seen/', seen), include('', openApiUrls({ title: 'x', version: '1' }))] as const;
  const other = new Client(createApp({ debug: false, urls: own }));
  const response = await other.get('/seen/?since=2026-01-02&page=3&below=4&ids=5&ids=6&size=2&word=7', {
    headers: { 'x-limit': '8' },
  });
  assert.deepEqual(response.json(), {
    since: '2026-01-02T00:00:00.000Z',
    seen: { page: 3, below: 4, ids: [5, 6], size: 2, word: '7', 'x-limit': 8 },
  });
  const document = (await other.get('/openapi.json')).json<{
    paths: {
      '/seen/': {
        get: {
          parameters: { name: string; schema: unknown }[];
          responses: { 200: { content: { 'application/json': { schema: { properties: unknown } } } } };
        };
      };
    };
  }>();
  const { parameters, responses } = document.paths['/seen/'].get;
  const date = { type: 'string', format: 'date-time' };
  assert.deepEqual(parameters.find(({ name }) => name === 'since')?.schema, date);
  assert.deepEqual(responses[200].content['application/json'].schema.properties, {
    since: date,
    seen: {},
  });
  const checked = await new Validator().validate(structuredClone(document));
  assert.equal(checked.valid, true, JSON.stringify(checked.errors));
});

test('a body that may be left out', async () => {
  const greet = endpoint({ body: z.object({ name: z.string() }).optional() }, ({ body }) => ({
    hello: body?.name ?? 'you',
  }));
  const own = [path('greet/', greet), include('', openApiUrls({ title: 'x', version: '1' }))] as const;
  const other = new Client(createApp({ debug: false, urls: own }));
  assert.deepEqual((await other.post('/greet/')).json(), { hello: 'you' });
  assert.deepEqual((await other.post('/greet/', { json: { name: 'Aki' } })).json(), { hello: 'Aki' });
  assert.equal((await other.post('/greet/', { form: { name: 'Aki' } })).status, 415);
  const document = (await other.get('/openapi.json')).json<{
    paths: Record<string, { post: { requestBody: { required: boolean } } }>;
  }>();
  assert.equal(document.paths['/greet/']?.post.requestBody.required, false);
});

test('a schema of our own called Problem, operation ids with slashes, security of one endpoint', async () => {
  const own = endpoint(
    {
      operationId: 'trees/plant it',
      body: Tree,
      response: z.object({ knots: z.number() }).meta({ title: 'Problem' }),
      security: [{ bearer: [] }],
    },
    () => ({ knots: 1 }),
  );
  const again = endpoint(
    { operationId: 'trees/plant it', method: 'PUT', body: Tree, security: [] },
    () => null,
  );
  const app = createApp({
    debug: false,
    urls: [
      path('plant/', methods({ POST: own, PUT: again })),
      include(
        '',
        openApiUrls({
          title: 'x',
          version: '1',
          securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
        }),
      ),
    ],
  });
  const document = (await new Client(app).get('/openapi.json')).json<{
    paths: Record<
      string,
      Record<
        'post' | 'put',
        {
          operationId: string;
          security: unknown;
          responses: { 200: { content: { 'application/json': { schema: { properties: object } } } } };
        }
      >
    >;
    components: { schemas: Record<string, { description?: string }> };
  }>();
  const { post, put } = document.paths['/plant/'] ?? assert.fail('no path');
  assert.deepEqual([post.operationId, put.operationId], ['trees/plant it', 'trees/plant it_2']);
  assert.deepEqual([post.security, put.security], [[{ bearer: [] }], []]);
  assert.deepEqual(Object.keys(post.responses[200].content['application/json'].schema.properties), ['knots']);
  assert.equal(document.components.schemas['Problem']?.description, 'Problem details (RFC 9457)');
  for (const name of Object.keys(document.components.schemas)) assert.match(name, /^[\w.-]+$/);
  const checked = await new Validator().validate(structuredClone(document));
  assert.equal(checked.valid, true, JSON.stringify(checked.errors));
});
