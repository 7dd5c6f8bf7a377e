import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Client } from 'sobaya/test';
import { csrfOf, openShop } from './shop.ts';

const { application, remove } = await openShop();
after(remove);

const english = { 'accept-language': 'en' };
const japanese = { 'accept-language': 'ja' };

async function order(
  client: Client,
  form: Record<string, string>,
): Promise<{ status: number; text: string; location: string }> {
  const page = await client.get('/orders/new/');
  const response = await client.post('/orders/new/', {
    form: { csrfmiddlewaretoken: csrfOf(page.text), ...form },
  });
  return { status: response.status, text: response.text, location: response.headers.get('location') ?? '' };
}

test('the menu comes from the database, in the language of the visitor', async () => {
  await using client = new Client(application);
  const en = await client.get('/', { headers: english });
  assert.equal(en.status, 200);
  assert.match(en.text, /<html lang="en">/);
  assert.match(en.text, /Tempura soba[\s\S]*¥980/);
  assert.equal(en.text.match(/<li class="dish">/g)?.length, 9);
  const ja = await client.get('/', { headers: japanese });
  assert.match(ja.text, /<html lang="ja">[\s\S]*お品書き[\s\S]*天ぷらそば/);
  assert.equal(ja.headers.get('content-language'), 'ja');
});

test('the language switch is remembered', async () => {
  await using client = new Client(application, { headers: english });
  const token = csrfOf((await client.get('/')).text);
  const chosen = await client.post('/language/', {
    form: { csrfmiddlewaretoken: token, language: 'ja', next: '/suppliers/' },
  });
  assert.equal(chosen.status, 303);
  assert.equal(chosen.headers.get('location'), '/suppliers/');
  assert.match((await client.get('/')).text, /そば処/);
});

test('an order is taken: stored with its lines, shown, served', async () => {
  await using client = new Client(application, { headers: english });
  const sent = await order(client, {
    name: 'Ren',
    table: '4',
    'dish-1': '2',
    'dish-9': '１',
    note: 'Hot!\n<b>',
  });
  assert.equal(sent.status, 302, sent.text);
  const id = /^\/orders\/(\d+)\/\?thanks=1$/.exec(sent.location)?.[1];
  const shown = (await client.get(sent.location)).text;
  assert.match(shown, /Thank you, Ren\. The water is boiling\./);
  assert.match(shown, /Kake soba<\/td><td class="number">2<\/td><td class="number">¥960/);
  assert.match(shown, /<tfoot>[\s\S]*¥1,110/);
  assert.match(shown, /<p>Hot!<br>&lt;b&gt;<\/p>/);
  assert.match((await client.get('/orders/')).text, /Ren<\/td>\s*<td>Kake soba × 2, Soba tea × 1/);
  const served = await client.post(`/orders/${id}/serve/`, { form: { csrfmiddlewaretoken: csrfOf(shown) } });
  assert.equal(served.status, 302);
  assert.match((await client.get(`/orders/${id}/`)).text, /class="status served"/);
});

test('a wrong form says what is wrong, keeps what was typed, and stores nothing', async () => {
  await using client = new Client(application, { headers: english });
  const before = (await client.get('/orders/')).text.match(/<tr>/g)?.length;
  for (const [form, problems, kept] of [
    [
      {},
      ['Your name: This field is required.', 'Table: This field is required.', 'Choose at least one dish.'],
      '',
    ],
    [
      { name: '<i>"x\'', table: '13', 'dish-1': '1' },
      ['Table: There are tables 1 to 12.'],
      'value="&lt;i&gt;&quot;x&#39;"',
    ],
    [{ name: 'A', table: 'four', 'dish-1': '1' }, ['Table: There are tables'], 'value="four"'],
    [{ name: 'A', table: '1', 'dish-1': '10' }, ['Kake soba: A number from 0 to 9'], 'value="10"'],
    [{ name: 'A', table: '1', 'dish-1': '-1' }, ['Kake soba: A number from 0 to 9'], 'value="-1"'],
    [{ name: 'A', table: '1', 'dish-1': '1e1' }, ['Kake soba: A number'], 'value="1e1"'],
    [{ name: 'A', table: '1', 'dish-999': '1' }, ['Choose at least one dish.'], ''],
    [
      { name: 'x'.repeat(41), table: '1', 'dish-1': '1' },
      ['Your name: Ensure this value has at most 40'],
      'x'.repeat(41),
    ],
    [
      { name: 'A', table: '1', 'dish-1': '1', note: 'y'.repeat(201) },
      ['should know: Ensure this value has at most 200'],
      'y'.repeat(201),
    ],
  ] as const) {
    const { status, text } = await order(client, form);
    assert.equal(status, 422);
    for (const problem of problems) assert.ok(text.includes(problem), `${problem} is missing`);
    assert.ok(text.includes(kept), `${kept} was not kept`);
    assert.match(text, /role="alert"/);
  }
  assert.equal((await client.get('/orders/')).text.match(/<tr>/g)?.length, before);
  const ja = await (async () => {
    await using visitor = new Client(application, { headers: japanese });
    return await order(visitor, {});
  })();
  assert.match(ja.text, /お名前: この項目は必須です。/);
});

test('a family of emoji is one character; a name is forty of them', async () => {
  await using client = new Client(application, { headers: english });
  const { status } = await order(client, { name: '👨‍👩‍👧‍👦'.repeat(5), table: '1', 'dish-1': '1' });
  assert.equal(status, 302);
});

test('without the token of its page a form is refused', async () => {
  await using client = new Client(application, { headers: english, enforceCsrfChecks: true });
  const response = await client.post('/orders/new/', { form: { name: 'A', table: '1', 'dish-1': '1' } });
  assert.equal(response.status, 403);
});

test('the suppliers page measures four ways and draws them', async () => {
  await using client = new Client(application, { headers: english });
  const { text, status } = await client.get('/suppliers/');
  assert.equal(status, 200);
  const times = new Map(
    [...text.matchAll(/<h2 id="([\w-]+)">[^<]*<small>([\d,]+) ms<\/small>/g)].map(([, id, ms]) => [
      id,
      Number(ms?.replaceAll(',', '')),
    ]),
  );
  assert.deepEqual([...times.keys()], ['one-after-another', 'tasks', 'gather', 'blocking']);
  const at = (id: string): number => times.get(id) ?? Number.NaN;
  // The delays are 180 + 120 + 240 + 90 + 150 = 780 ms, the slowest 240 ms: no load of this machine turns that round.
  assert.ok(
    at('tasks') < at('one-after-another') && at('gather') < at('one-after-another'),
    text.slice(0, 0),
  );
  assert.ok(at('gather') < at('blocking') && at('blocking') >= 780 && at('one-after-another') >= 780);
  assert.equal(text.match(/<rect class="track"/g)?.length, 20);
  assert.match(text, /Izumo Grain[\s\S]*¥1,090/);
});

test('pages that are not there, methods that are not meant', async () => {
  await using client = new Client(application, { headers: english });
  const missing = await client.get('/nowhere/');
  assert.equal(missing.status, 404);
  assert.match(missing.text, /There is nothing on this shelf/);
  assert.equal((await client.get('/orders/99999/')).status, 404);
  assert.equal((await client.get('/static/../app.ts')).status, 404);
  const css = await client.get('/static/shop.css');
  assert.match(css.headers.get('content-type') ?? '', /^text\/css/);
});

test('security headers are there, and the pages live with them', async () => {
  await using client = new Client(application, { headers: english });
  const page = await client.get('/orders/new/');
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
  assert.doesNotMatch(page.text, /\sstyle="|\son[a-z]+="|<script/);
});
