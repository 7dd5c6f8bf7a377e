import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { sleep } from 'sobaya/asyncio';
import {
  markSafe,
  type RenderMessage,
  renderChannel,
  Templates,
  type TemplatesOptions,
} from 'sobaya/templates';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function templates(files: Record<string, string>, options: Partial<TemplatesOptions> = {}): Templates {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-templates-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return new Templates({ directories: [folder], ...options });
}

const none = templates({});
const render = (source: string, data: Record<string, unknown> = {}): Promise<string> =>
  none.renderString(source, data);

test('values, conditions, loops, filters', async () => {
  const dishes = [
    { name: 'kake', price: 500 },
    { name: 'tempura', price: 1200 },
  ];
  assert.equal(
    await render(
      '{% for dish in dishes %}{{ forloop.index }}. {{ dish.name | upcase }}{% if dish.price > 1000 %}!{% endif %} {% else %}nothing{% endfor %}',
      { dishes },
    ),
    '1. KAKE 2. TEMPURA! ',
  );
  assert.equal(
    await render('{{ n | number }} {{ n | currency: "JPY" }}', { n: 1234567 }),
    '1,234,567 ¥1,234,567',
  );
});

test('loops: forloop, break, continue, nesting, else, modifiers, objects, late and empty collections', async () => {
  const rows = [
    { n: 1, in: ['a', 'b'] },
    { n: 2, in: [] },
    { n: 3, in: ['c'] },
  ];
  const late = (value: unknown): Promise<unknown> => Promise.resolve(value);
  for (const [source, data, expected] of [
    [
      '{% for r in rows %}{{ forloop.index }}/{{ forloop.length }}{{ forloop.first }}{{ forloop.last }}{{ forloop.rindex }} {% endfor %}',
      { rows },
      '1/3truefalse3 2/3falsefalse2 3/3falsetrue1 ',
    ],
    ['{% for r in rows %}{% if r.n == 2 %}{% continue %}{% endif %}{{ r.n }}{% endfor %}', { rows }, '13'],
    ['{% for r in rows %}{% if r.n == 2 %}{% break %}{% endif %}{{ r.n }}{% endfor %}.', { rows }, '1.'],
    [
      '{% for r in rows %}{% for x in r.in %}{{ r.n }}{{ x }}{% if x == "a" %}{% break %}{% endif %}{% else %}-{% endfor %}{% endfor %}',
      { rows },
      '1a-3c',
    ],
    ['{% for r in rows limit: 1 offset: 1 %}{{ r.n }}{% endfor %}', { rows }, '2'],
    ['{% for r in rows reversed %}{{ r.n }}{% endfor %}', { rows }, '321'],
    ['{% for i in (1..3) %}{{ i }}{% endfor %}', {}, '123'],
    ['{% for p in o %}{{ p[0] }}={{ p[1] }};{% endfor %}', { o: { a: 1, b: 2 } }, 'a=1;b=2;'],
    ['{% for p in s %}{{ p }}{% endfor %}', { s: new Set([1, 2]) }, '12'],
    ['{% for r in rows %}{{ r.v }}{% endfor %}', { rows: late([{ v: late(1) }, { v: 2 }]) }, '12'],
    ['{% for r in a.rows %}{{ r }}{% else %}none{% endfor %}', { a: { rows: late([]) } }, 'none'],
    ['{% for r in a.b.rows %}{{ r }}{% endfor %}', { a: late({ b: late({ rows: new Set([7]) }) }) }, '7'],
    [
      '{% for r in rows %}{% if r.v %}{% break %}{% endif %}{{ r.n }}{% endfor %}!',
      {
        rows: [
          { n: 1, v: late(0) },
          { n: 2, v: late(1) },
          { n: 3, v: 0 },
        ],
      },
      '1!',
    ],
  ] as const)
    assert.equal(await render(source, data), expected, source);
  await assert.rejects(render('{% for r in rows %}{{ r.x }}{% endfor %}', { rows }), {
    message: /undefined variable: r.x \(string:1:\d+\)/,
  });
  await assert.rejects(render('{% for r in gone %}{% endfor %}'), { message: /undefined variable: gone/ });
});

test('empty text, zero, null and false are false', async () => {
  const source = '{% for x in all %}{% if x %}yes {% else %}no {% endif %}{% endfor %}';
  assert.equal(await render(source, { all: ['', 0, null, false, 'a', 1, true] }), 'no no no no yes yes yes ');
});

test('inheritance over three levels, with block.super unescaped once', async () => {
  const engine = templates({
    'base.html':
      '<title>{% block title %}Shop{% endblock %}</title><main>{% block main %}-{% endblock %}</main>',
    'section.html':
      '{% extends "base.html" %}{% block main %}<nav></nav>{% block inner %}{% endblock %}{% endblock %}',
    'page.html':
      '{% extends "section.html" %}{% block title %}{{ name }} | {{ block.super }}{% endblock %}{% block inner %}<p>{{ name }}</p>{% endblock %}',
  });
  assert.equal(
    await engine.render('page.html', { name: 'a<b' }),
    '<title>a&lt;b | Shop</title><main><nav></nav><p>a&lt;b</p></main>',
  );
});

test('partials: render sees only what it is given, include sees everything; relative names work', async () => {
  const engine = templates({
    'shop/list.html':
      '{% for dish in dishes %}{% render "./dish.html", dish: dish %}{% endfor %}{% include "shop/foot.html" %}',
    'shop/dish.html': '<li>{{ dish.name }}{{ secret | default: "" }}</li>',
    'shop/foot.html': '<p>{{ secret }}</p>',
  });
  assert.equal(
    await engine.render('shop/list.html', { dishes: [{ name: 'kake' }], secret: 's' }),
    '<li>kake</li><p>s</p>',
  );
});

test('async data: promises, thenables and async iterables are awaited where they are used', async () => {
  let awaited = 0;
  const lazy = {
    then(resolve: (rows: { name: string }[]) => void): void {
      awaited++;
      resolve([{ name: 'kake' }, { name: 'zaru' }]);
    },
  };
  async function* stream(): AsyncGenerator<number> {
    yield 1;
    await sleep(1);
    yield 2;
  }
  const data = { title: Promise.resolve('Menu'), lazy, shop: { stream: stream() }, unused: { lazy } };
  assert.equal(
    await render(
      '{{ title }}:{% for dish in lazy %} {{ dish.name }}{% endfor %};{% for n in shop.stream %} {{ n }}{% endfor %}',
      data,
    ),
    'Menu: kake zaru; 1 2',
  );
  assert.equal(awaited, 1);
  await assert.rejects(render('a\n{{ x }}', { x: Promise.reject(new Error('no rows')) }), {
    code: 'SBY_TEMPLATES_RENDER',
    message: /The template failed: no rows \(string:2:1\)/,
  });
});

test('getters of classes are seen, methods are not: no template deletes a row', async () => {
  class Dish {
    name = 'kake';
    deleted = false;
    get shout(): string {
      return this.name.toUpperCase();
    }
    delete(): string {
      this.deleted = true;
      return 'gone';
    }
  }
  class Special extends Dish {}
  const dish = new Special();
  assert.equal(await render('{{ dish.name }} {{ dish.shout }}', { dish }), 'kake KAKE');
  await assert.rejects(render('{{ dish.delete }}', { dish }), { message: /undefined variable: dish.delete/ });
  assert.equal(dish.deleted, false);
  const own = { act: () => 'ran' };
  await assert.rejects(render('{{ own.act }}', { own }), { message: /undefined variable: own.act/ });
});

test('errors: template, line and column, with the lines around in debug', async () => {
  const engine = templates(
    {
      'menu.html': '<h1>Menu</h1>\n<p>\n  {{ dihses }}\n</p>',
      'open.html': '\n{% if x %}',
      'filter.html': '{{ x | shuot }}',
      'tag.html': '{% shout %}',
      'uses.html': '\n{% render "gone.html" %}',
      'deep.html': '{% extends "menu.html" %}',
    },
    { debug: true },
  );
  await assert.rejects(engine.render('menu.html'), (error: Error) => {
    assert.match(
      error.message,
      /^The template failed: undefined variable: dihses \(menu.html:3:6\). Look here:\n/,
    );
    assert.match(error.message, />> 3\| {3}\{\{ dihses \}\}/);
    return true;
  });
  await assert.rejects(engine.render('deep.html'), {
    message: /undefined variable: dihses \(menu.html:3:6\)/,
  });
  await assert.rejects(engine.render('open.html'), {
    code: 'SBY_TEMPLATES_SYNTAX',
    message: /tag \{% if x %\} not closed \(open.html:2:1\)/,
  });
  await assert.rejects(engine.render('filter.html', { x: 1 }), {
    message: /undefined filter: shuot \(filter.html:1:/,
  });
  await assert.rejects(engine.render('tag.html'), { message: /tag "shout" not found \(tag.html:1:1\)/ });
  await assert.rejects(engine.render('uses.html'), {
    code: 'SBY_TEMPLATES_NOT_FOUND',
    message: /There is no template "gone.html" \(used by uses.html; looked in /,
  });
  await assert.rejects(engine.render('nowhere.html'), {
    code: 'SBY_TEMPLATES_NOT_FOUND',
    message: /There is no template "nowhere.html" \(looked in /,
  });
});

test('a variable may be absent where the template says so', async () => {
  assert.equal(await render('{% if user %}{{ user.name }}{% else %}guest{% endif %}'), 'guest');
  assert.equal(await render('{{ title | default: "Shop" }}'), 'Shop');
  assert.equal(await render('{{ user.name }}', { user: { name: null } }), '');
});

test('in debug a changed template is read again; in production it is read once', async () => {
  for (const debug of [true, false]) {
    const engine = templates({ 'a.html': 'one' }, { debug });
    assert.equal(await engine.render('a.html'), 'one');
    writeFileSync(join(engine.directories[0] as string, 'a.html'), 'two');
    assert.equal(await engine.render('a.html'), debug ? 'two' : 'one');
  }
});

test('path traversal: templates come from their folders only, whatever the name', async () => {
  const engine = templates({ 'in/page.html': '{% include name %}', 'secret.txt': 'secret' });
  const inner = new Templates({ directories: [join(engine.directories[0] as string, 'in')] });
  symlinkSync('../secret.txt', join(inner.directories[0] as string, 'link.html'));
  for (const name of [
    '../secret.txt',
    '/etc/passwd',
    './../secret.txt',
    '..%2fsecret.txt',
    'link.html',
    'x/../../secret.txt',
  ]) {
    await assert.rejects(inner.render(name), { code: 'SBY_TEMPLATES_NOT_FOUND' }, name);
    await assert.rejects(inner.render('page.html', { name }), { code: 'SBY_TEMPLATES_NOT_FOUND' }, name);
  }
});

test('own filters are escaped unless they say that they made HTML', async () => {
  const engine = templates(
    {},
    { filters: { bold: (text) => markSafe(`<b>${String(text).length}</b>`), tag: (text) => `<${text}>` } },
  );
  assert.equal(await engine.renderString('{{ "abc" | bold }} {{ "abc" | tag }}'), '<b>3</b> &lt;abc&gt;');
});

test('each rendering is told on sobaya:templates.render', async () => {
  const engine = templates({ 'a.html': '{{ x }}é' });
  const told: RenderMessage[] = [];
  const handlers = {
    asyncEnd: (message: object) => void told.push(message as RenderMessage),
    start: () => {},
  };
  renderChannel.subscribe(handlers as never);
  try {
    await engine.render('a.html', { x: 1 });
  } finally {
    renderChannel.unsubscribe(handlers as never);
  }
  assert.equal(told.length, 1);
  assert.equal(told[0]?.name, 'a.html');
  assert.equal(told[0]?.bytes, 3);
});

test('templates that include themselves, and ranges without an end, are errors at their line', async () => {
  const files = {
    'include.html': 'x\n{% include "include.html" %}',
    'render.html': 'x\n{% render "render.html" %}',
    'a.html': '{% layout "b.html" %}',
    'b.html': '{% layout "a.html" %}',
    'tree.html':
      '<li>{{ node.name }}{% if node.children %}<ul>{% for child in node.children %}{% render "tree.html", node: child %}{% endfor %}</ul>{% endif %}</li>',
    'down.html': '{{ n }} {% if n > 0 %}{% assign n = n | minus: 1 %}{% include "down.html" %}{% endif %}',
  };
  for (const debug of [true, false]) {
    const engine = templates(files, { debug });
    for (const [name, at] of [
      ['include.html', /include\.html:2:1/],
      ['render.html', /render\.html:2:1/],
      ['a.html', /[ab]\.html:1:1/],
    ] as const)
      await assert.rejects(engine.render(name), (error: Error & { code: string }) => {
        assert.equal(error.code, 'SBY_TEMPLATES_RENDER');
        assert.match(
          error.message,
          /more than 300 templates and loops inside each other: does it include itself\?/,
        );
        assert.match(error.message, at);
        return true;
      });
    // What ends is rendered, 100 deep.
    let node: object = { name: 'leaf', children: null };
    for (let depth = 0; depth < 100; depth++) node = { name: 'n', children: [node] };
    assert.equal((await engine.render('tree.html', { node })).match(/<li>/g)?.length, 101);
    assert.match(await engine.render('down.html', { n: 100 }), /^100 99 .* 0 $/);
  }
  await assert.rejects(render('{% for i in (1..n) %}{{ i }}{% endfor %}', { n: 999_999_999 }), {
    code: 'SBY_TEMPLATES_RENDER',
    message: /limit exceeded/,
  });
});
