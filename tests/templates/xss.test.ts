import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Templates } from 'sobaya/templates';

const engine = new Templates({ directories: [] });
const render = (source: string, data: Record<string, unknown> = {}): Promise<string> =>
  engine.renderString(source, data);

const attack = `<script>alert("1")</script>'&`;
const escaped = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;';

test('XSS: every way to write a value escapes it', async () => {
  const data = { x: attack, list: [attack], map: { x: attack } };
  for (const source of [
    '{{ x }}',
    '{{- x -}}',
    '{% echo x %}',
    '{% liquid echo x %}',
    '{% cycle x %}',
    '{{ list }}',
    '{{ list | first }}',
    '{{ list | join: "" }}',
    '{{ map.x }}',
    '{{ map["x"] }}',
    '{{ x | append: "" }}',
    '{{ x | escape }}',
    '{{ x | default: "y" }}',
    '{{ missing | default: x }}',
    '{% assign y = x %}{{ y }}',
    '{% capture y %}{{ x }}{% endcapture %}{{ y }}',
    '{% for y in list %}{{ y }}{% endfor %}',
    '<p title="{{ x }}"></p>',
  ]) {
    const html = await render(source, data);
    assert.equal(html.replace(/^<p title="|"><\/p>$/g, ''), escaped, source);
  }
  assert.ok((await render('{{ map }}', data)).includes('&lt;script&gt;'));
  assert.ok((await render('{{ map | json }}', data)).includes('&lt;script&gt;'));
  assert.equal(await render('{{ x | linebreaks }}', { x: 'a<b\n\nc\nd' }), '<p>a&lt;b</p>\n<p>c<br>d</p>');
  assert.equal(await render('{{ x | newline_to_br }}', { x: 'a<\nb' }), 'a&lt;<br>\nb');
});

test('XSS: raw and safe are the only ways around it, and say so', async () => {
  assert.equal(await render('{{ x | safe }}', { x: '<b>' }), '<b>');
  assert.equal(await render('{{ x | raw }}', { x: '<b>' }), '<b>');
});

test('XSS: escaping twice does not happen', async () => {
  assert.equal(
    await render('{% capture y %}<b>{{ x }}</b>{% endcapture %}{{ y }}', { x: '<' }),
    '<b>&lt;</b>',
  );
  assert.equal(await render('{{ x | escape }}', { x: '&' }), '&amp;');
});

test('XSS: where escaping does not protect, a value is refused by name', async () => {
  for (const [source, message] of [
    ['<script>var x = "{{ x }}";</script>', /a script/],
    ['<SCRIPT type=module>{{ x }}</SCRIPT >', /a script/],
    ['<style>p { color: {{ x }} }</style>', /a style sheet/],
    ['<p title={{ x }}>', /an attribute without quotes/],
    ['<p title=a{{ x }}>', /an attribute without quotes/],
    ['<p {{ x }}>', /the name of an attribute/],
    ['<p data-{{ x }}="1">', /the name of an attribute/],
    ['<a onclick="go(\'{{ x }}\')">', /the event handler onclick/],
    ['<iframe srcdoc="{{ x }}">', /srcdoc/],
    ['<p>\n\n<p class={{ x }}>', /\(string:3\)/],
  ] as const) {
    await assert.rejects(render(source, { x: 'a' }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'SBY_TEMPLATES_UNSAFE', source);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('XSS: where escaping does protect, nothing is refused', async () => {
  for (const source of [
    '<p class="a {{ x }}">{{ x }}</p>',
    "<p class='{{ x }}'>",
    '<p>a < b {{ x }}</p>',
    '<!-- <p class= {{ x }} -->',
    '<script src="/a.js"></script>{{ x }}',
    '<script>if (a < b) {}</script><p>{{ x }}</p>',
    '<style>p { color: red }</style>{{ x }}',
    '<textarea>{{ x }}</textarea><title>{{ x }}</title>',
    '<p {% if x %}class="on"{% endif %}>{{ x }}</p>',
    '<input value="{{ x }}" {% if x %}checked{% endif %}>',
    '{% raw %}<p class={{ x }}>{% endraw %}<p>{{ x }}</p>',
    '<p class="{% if x == ">" %}a{% endif %}">{{ x }}</p>',
  ])
    await render(source, { x: 'a' });
});

test('XSS: data for scripts goes through json_script, which nothing can close', async () => {
  const html = await render('<body>{{ data | json_script: "menu" }}</body>', {
    data: { a: '</script><script>alert(1)</script>', b: '<!--', c: '\u2028' },
  });
  const json = /^<body><script type="application\/json" id="menu">(.*)<\/script><\/body>$/.exec(
    html,
  )?.[1] as string;
  assert.doesNotMatch(json, /[<>&\u2028]/);
  assert.deepEqual(JSON.parse(json), { a: '</script><script>alert(1)</script>', b: '<!--', c: '\u2028' });
});

test('XSS: a URL that would run code is blocked where it begins a URL attribute', async () => {
  for (const url of [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    '\u0001javascript:alert(1)',
    'java\nscript:alert(1)',
    'jav\tascript:alert(1)',
    'vbscript:x',
    'data:text/html,<script>alert(1)</script>',
    'data:image/svg+xml,<svg onload=alert(1)>',
  ]) {
    for (const attribute of ['href', 'src', 'action', 'formaction', 'HREF'])
      assert.equal(await render(`<a ${attribute}="{{ url }}">`, { url }), `<a ${attribute}="#blocked">`, url);
    assert.equal(await render("<a href = '{{ url | strip }}'>", { url }), "<a href = '#blocked'>", url);
  }
  for (const url of [
    '/a',
    'https://x/?a=1',
    'mailto:a@b',
    '#a',
    'javascripts/a.js',
    'data:image/png;base64,AA',
  ])
    assert.equal(await render('<a href="{{ url }}">', { url }), `<a href="${url}">`);
  assert.equal(
    await render('<a href="/go?to={{ url }}">', { url: 'javascript:' }),
    '<a href="/go?to=javascript:">',
  );
});

test('XSS: templates cannot reach constructors, prototypes or globals', async () => {
  for (const path of [
    'x.constructor',
    'x.__proto__',
    'x["constructor"]["constructor"]',
    'list.constructor',
    'constructor',
    'toString',
    '__proto__',
    'process.env',
    'text.constructor',
  ])
    assert.equal(await render(`{% if ${path} %}reached{% endif %}`, { x: {}, list: [], text: '' }), '', path);
});

test('XSS property: whatever the value, text and quoted attributes hold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (value) => {
      const html = await render('<p title="{{ v }}" class=\'{{ v }}\'>{{ v }}</p>', { v: value });
      const inner = /^<p title="([^"<>]*)" class='([^'<>]*)'>([^<>]*)<\/p>$/s.exec(html);
      assert.ok(inner !== null, html);
    }),
    { numRuns: 300 },
  );
});
