import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTask, gather, sleep } from 'sobaya/asyncio';
import {
  addMessages,
  bestLanguage,
  formatDate,
  formatNumber,
  getLanguage,
  gettext,
  gettextLazy,
  ngettext,
  pgettext,
  withLanguage,
} from 'sobaya/i18n';
import { Templates } from 'sobaya/templates';

addMessages('ja', {
  Menu: 'お品書き',
  'Hello, {name}': '{name}さん、こんにちは',
  '{count} order': { other: '注文{count}件' },
  'month|May': '五月',
  'modal|May': 'かもしれない',
});
addMessages('ru', {
  '{count} order': {
    one: '{count} заказ',
    few: '{count} заказа',
    many: '{count} заказов',
    other: '{count} заказа',
  },
});
addMessages('pt', { Menu: 'Cardápio' });
addMessages('pt-BR', { Bill: 'Conta' });

test('messages in the language of the context; English is in the source', () => {
  assert.equal(getLanguage(), 'en');
  assert.equal(gettext('Menu'), 'Menu');
  withLanguage('ja', () => {
    assert.equal(gettext('Menu'), 'お品書き');
    assert.equal(gettext('Hello, {name}', { name: 'Aki' }), 'Akiさん、こんにちは');
    assert.equal(gettext('Not translated {x}'), 'Not translated {x}');
  });
  assert.equal(gettext('Hello, {name}', { name: '{name}' }), 'Hello, {name}');
});

test('plural forms by the rules of the language', () => {
  assert.deepEqual(
    [0, 1, 2].map((n) => ngettext('{count} order', '{count} orders', n)),
    ['0 orders', '1 order', '2 orders'],
  );
  assert.deepEqual(
    withLanguage('ja', () => [1, 2].map((n) => ngettext('{count} order', '{count} orders', n))),
    ['注文1件', '注文2件'],
  );
  assert.deepEqual(
    withLanguage('ru', () => [1, 2, 5, 21, 22].map((n) => ngettext('{count} order', '{count} orders', n))),
    ['1 заказ', '2 заказа', '5 заказов', '21 заказ', '22 заказа'],
  );
});

test('one word, two meanings; regional tags fall back', () => {
  withLanguage('ja', () => {
    assert.equal(pgettext('month', 'May'), '五月');
    assert.equal(pgettext('modal', 'May'), 'かもしれない');
  });
  withLanguage('pt-BR', () => {
    assert.equal(gettext('Bill'), 'Conta');
    assert.equal(gettext('Menu'), 'Cardápio');
  });
  assert.equal(pgettext('month', 'May'), 'May');
});

test('languages do not mix between tasks', async () => {
  const greet = (language: string): Promise<string> =>
    withLanguage(language, async () => {
      await sleep(1);
      return await createTask(() => gettext('Menu'));
    });
  assert.deepEqual(
    await gather(
      () => greet('ja'),
      () => greet('en'),
      () => greet('pt'),
    ),
    ['お品書き', 'Menu', 'Cardápio'],
  );
});

test('lazy messages are translated when they are shown', () => {
  const label = gettextLazy('Menu');
  assert.equal(`${label}`, 'Menu');
  assert.equal(
    withLanguage('ja', () => JSON.stringify({ label })),
    '{"label":"お品書き"}',
  );
});

test('numbers and dates as the language writes them', () => {
  assert.equal(formatNumber(1234.5), '1,234.5');
  assert.equal(
    withLanguage('de', () => formatNumber(1234.5)),
    '1.234,5',
  );
  const date = new Date(2026, 4, 7, 12);
  assert.equal(
    withLanguage('ja', () => formatDate(date, { dateStyle: 'long' })),
    '2026年5月7日',
  );
});

test('what is no language or no translation is refused', () => {
  assert.throws(() => withLanguage('not a tag', () => {}), {
    code: 'SBY_I18N_BAD_LANGUAGE',
    message: '"not a tag" is no language (withLanguage). Give a tag such as "en", "ja" or "pt-BR"',
  });
  assert.throws(() => addMessages('ja', { a: { one: 'x' } as never }), {
    code: 'SBY_I18N_BAD_MESSAGE',
    message: /The translation of "a" is an object \(messages for ja\)/,
  });
});

test('Accept-Language', () => {
  const languages = ['en', 'ja', 'pt-BR'];
  for (const [header, best] of [
    ['ja', 'ja'],
    ['ja-JP,ja;q=0.9,en;q=0.8', 'ja'],
    ['en;q=0.5, JA;q=0.9', 'ja'],
    ['fr, de;q=0.9', null],
    ['fr, *;q=0.1', 'en'],
    ['*, en;q=0', 'ja'],
    ['pt-br', 'pt-BR'],
    ['ja;q=0', null],
    ['', null],
    ['ja;q=2', null],
    [';;;,,,', null],
    ['ja-'.repeat(500), null],
    [null, null],
  ] as const)
    assert.equal(bestLanguage(header, languages), best, String(header));
});

test('in templates: {% translate %}, values escaped, markup of the message kept', async () => {
  const engine = new Templates({ directories: [] });
  const render = (source: string, data = {}): Promise<string> => engine.renderString(source, data);
  const source =
    "{% translate 'Menu' %} {% translate 'Hello, {name}' name: name %} {% translate '{count} order' plural: '{count} orders' count: n %}";
  assert.equal(await render(source, { name: '<b>', n: 2 }), 'Menu Hello, &lt;b&gt; 2 orders');
  assert.equal(
    await withLanguage('ja', () => render(source, { name: 'Aki', n: 2 })),
    'お品書き Akiさん、こんにちは 注文2件',
  );
  assert.equal(await render("{% translate '<b>{n}</b>' n: n %}", { n: '<i>' }), '<b>&lt;i&gt;</b>');
  assert.equal(await render('{% translate word %}', { word: '<i>' }), '&lt;i&gt;');
  assert.equal(await render("{% translate 'Menu' as title %}[{{ title }}]"), '[Menu]');
});
