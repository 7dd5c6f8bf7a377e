import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createApp, HttpResponse, JsonResponse, path, render } from 'sobaya';
import type { Databases } from 'sobaya/db';
import { csrf } from 'sobaya/middleware';
import { Templates } from 'sobaya/templates';
import { Client } from 'sobaya/test';
import {
  CreateView,
  csrfInput,
  DeleteView,
  DetailView,
  eventStream,
  getListOr404,
  getObjectOr404,
  type Listable,
  ListView,
  UpdateView,
  View,
} from 'sobaya/views';
import { z } from 'zod';
import { openShop, Tag } from '../db/support/shop.ts';

let databases: Databases;
let client: Client;
before(async () => {
  databases = await openShop();
  client = new Client(createApp({ databases, debug: false, onError: () => {}, urls }));
});
after(() => databases.close());

type TagRow = Awaited<ReturnType<typeof Tag.get>>;
const schema = z.object({ name: z.string().min(2) });
const templates = new Templates({ directories: [new URL('./templates/', import.meta.url)] });
const show = (tag: TagRow): unknown => ({ id: tag.id, name: tag.name });

class Hours extends View<{ day: string }> {
  greeting = 'open';
  override get(): HttpResponse {
    return new HttpResponse(`${this.greeting} on ${this.params.day}`);
  }
  override async post(): Promise<HttpResponse> {
    return new HttpResponse(await this.request.text());
  }
}
class TagList extends ListView<TagRow> {
  override paginateBy = 1;
  override queryset(): Listable<TagRow> {
    return Tag.all().orderBy('name');
  }
  override serialize(tag: TagRow): unknown {
    return show(tag);
  }
}
class TagPage extends TagList {
  override paginateBy = 5;
  override template = 'tags.html';
  override templates = templates;
}
class TagDetail extends DetailView<TagRow, { id: number }> {
  override object(): PromiseLike<TagRow> {
    return Tag.get({ id: this.params.id });
  }
  override serialize(tag: TagRow): unknown {
    return show(tag);
  }
}
class TagCreate extends CreateView<typeof schema, TagRow> {
  override schema = schema;
  override template = 'tag_form.html';
  override templates = templates;
  override create(values: { name: string }): Promise<TagRow> {
    return Tag.create(values);
  }
  override successUrl(tag: TagRow): string {
    return `/tags/${tag.id}/`;
  }
  override serialize(tag: TagRow): unknown {
    return show(tag);
  }
}
class TagUpdate extends UpdateView<typeof schema, TagRow, { id: number }> {
  override schema = schema;
  override object(): PromiseLike<TagRow> {
    return Tag.get({ id: this.params.id });
  }
  override async update(tag: TagRow, values: { name: string }): Promise<void> {
    tag.name = values.name;
    await tag.save();
  }
  override successUrl(): string {
    return '/tags/';
  }
  override serialize(tag: TagRow): unknown {
    return show(tag);
  }
}
class TagDelete extends DeleteView<TagRow, { id: number }> {
  override object(): PromiseLike<TagRow> {
    return Tag.get({ id: this.params.id });
  }
  override successUrl(): string {
    return '/tags/';
  }
  override serialize(tag: TagRow): unknown {
    return show(tag);
  }
}

const urls = [
  path('hours/<slug:day>/', Hours.asView()),
  path('closed/<slug:day>/', Hours.asView({ greeting: 'closed' })),
  path('tags/', TagList.asView()),
  path('tags/page/', TagPage.asView()),
  path('tags/new/', TagCreate.asView()),
  path('tags/<int:id>/', TagDetail.asView()),
  path('tags/<int:id>/edit/', TagUpdate.asView()),
  path('tags/<int:id>/delete/', TagDelete.asView()),
  path(
    'get/<int:id>/',
    async (_request, { id }) => new JsonResponse(show(await getObjectOr404(() => Tag.get({ id })))),
  ),
  path(
    'list/<str:name>/',
    async (_request, { name }) => new JsonResponse((await getListOr404(Tag.filter({ name }))).length),
  ),
  path(
    'live/<int:count>/',
    eventStream(async function* live({ lastEventId }, { count }: { count: number }) {
      for (let id = Number(lastEventId ?? 0) + 1; id <= count; id++) yield { id, data: { id } };
    }),
  ),
];

test('class views: a method per method, HEAD, OPTIONS, 405, properties', async () => {
  assert.equal((await client.get('/hours/monday/')).text, 'open on monday');
  assert.equal((await client.get('/closed/monday/')).text, 'closed on monday');
  assert.equal((await client.post('/hours/monday/', { body: 'x' })).text, 'x');
  assert.equal((await client.head('/hours/monday/')).status, 200);
  const options = await client.options('/hours/monday/');
  assert.equal(options.headers.get('allow'), 'GET, HEAD, POST, OPTIONS');
  assert.equal((await client.put('/hours/monday/')).status, 405);
  assert.equal((await client.request('DISPATCH', '/hours/monday/')).status, 405);
  // @ts-expect-error the route gives a number, the view takes text
  path('hours/<int:day>/', Hours.asView());
});

test('lists in pages, as JSON and as template', async () => {
  const first = (await client.get('/tags/')).json<{
    items: { name: string }[];
    total: number;
    hasNext: boolean;
  }>();
  assert.deepEqual([first.items.map((tag) => tag.name), first.total, first.hasNext], [['new'], 3, true]);
  assert.deepEqual(
    (await client.get('/tags/?page=3')).json<{ items: { name: string }[] }>().items[0]?.name,
    'old',
  );
  for (const page of ['4', '0', 'x', '-1', '1.5'])
    assert.equal((await client.get(`/tags/?page=${page}`)).status, 404, page);
  assert.match((await client.get('/tags/page/')).text, /<li>new<\/li>.*<li>old<\/li>/);
});

test('detail, shortcuts: the object or 404', async () => {
  const { id } = await Tag.get({ name: 'old' });
  assert.deepEqual((await client.get(`/tags/${id}/`)).json(), { id, name: 'old' });
  assert.equal((await client.get('/tags/99/')).status, 404);
  assert.equal((await client.get('/get/99/')).status, 404);
  assert.equal((await client.get('/list/old/')).json(), 1);
  assert.equal((await client.get('/list/nothing/')).status, 404);
});

test('create, update, delete: forms shown again with what is wrong, redirects, JSON', async () => {
  assert.match((await client.get('/tags/new/')).text, /<form/);
  const bad = await client.post('/tags/new/', { form: { name: '<' } });
  assert.equal(bad.status, 422);
  assert.match(bad.text, /value="&(?:lt|#60);"/);
  assert.match(bad.text, /class="error"/);
  const made = await client.post('/tags/new/', { form: { name: 'spicy' } });
  assert.equal(made.status, 303);
  const tag = await Tag.get({ name: 'spicy' });
  assert.equal(made.headers.get('location'), `/tags/${tag.id}/`);
  const json = await client.post('/tags/new/', { json: { name: 'cold' } });
  assert.equal(json.status, 201);
  assert.deepEqual((await client.post(`/tags/${tag.id}/edit/`, { json: { name: 'mild' } })).json(), {
    id: tag.id,
    name: 'mild',
  });
  assert.equal((await client.post('/tags/99/edit/', { json: { name: 'mild' } })).status, 404);
  const wrong = await client.put(`/tags/${tag.id}/edit/`, { json: { name: '' } });
  assert.equal(wrong.status, 422);
  assert.ok(wrong.json<{ errors: Record<string, string[]> }>().errors['name']);
  assert.equal((await client.post(`/tags/${tag.id}/delete/`)).headers.get('location'), '/tags/');
  assert.equal((await client.delete(`/tags/${tag.id}/delete/`)).status, 404);
});

test('event streams as typed generators, with resume', async () => {
  const response = await client.get('/live/2/', { headers: { 'last-event-id': '1' } });
  assert.equal(response.text, ': open\n\nid: 2\ndata: {"id":2}\n\n');
});

test('createApp({ templates }) is what render() uses; the CSRF field is one of its tags', async () => {
  const own = new Templates({
    directories: [new URL('./templates/', import.meta.url)],
    csrfField: csrfInput,
  });
  const app = createApp({
    debug: false,
    onError: () => {},
    templates: own,
    middleware: [csrf()],
    urls: [
      path('', (request) => render(request, 'tags.html', { objects: [{ name: '<soba>' }] })),
      path('form/', (request) =>
        own.renderString('{% csrf_token %}', { request }).then((text) => new HttpResponse(text)),
      ),
    ],
  });
  const page = await new Client(app).get('/');
  assert.match(page.text, /<li>&(?:lt|#60);soba&(?:gt|#62);<\/li>/);
  assert.match(
    (await new Client(app).get('/form/')).text,
    /^<input type="hidden" name="csrfmiddlewaretoken" value="[\w-]{86}">$/,
  );
  const none = new Client(
    createApp({ debug: false, onError: () => {}, urls: [path('', (request) => render(request, 'x.html'))] }),
  );
  await assert.rejects(none.get('/'), { code: 'SBY_VIEWS_NO_TEMPLATES' });
});
