import { drawCompare } from './compare.js';
import { drawDetail } from './detail.js';
import { h, replace, svg } from './dom.js';
import { readFile, summaryOf } from './file.js';
import { Kitchen } from './kitchen.js';
import { List } from './list.js';

const byId = (id) => document.getElementById(id);
const main = byId('main');
const imported = new Map();
let editor = '';
let drawn = [];
let kitchen = null;
let comparing = null;
let notice = null;
let refreshing = 0;

// ---- light and dark

const dark = matchMedia('(prefers-color-scheme: dark)');
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem('xray-theme', name);
  } catch {
    // Private windows remember nothing.
  }
  for (const one of drawn) one.later();
  kitchen?.draw();
}
let stored = null;
try {
  stored = localStorage.getItem('xray-theme');
} catch {
  stored = null;
}
setTheme(stored === 'dark' || stored === 'light' ? stored : dark.matches ? 'dark' : 'light');
const turnTheme = () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');

// ---- the list

const list = new List({
  slips: byId('slips'),
  search: byId('search'),
  chipBox: byId('chips'),
  foot: byId('foot'),
  open: (id) => {
    location.hash = `#/${id}`;
  },
});

byId('slips').addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a.slip') : null;
  if (link === null || comparing === null) return;
  event.preventDefault();
  const other = link.getAttribute('href').slice(2);
  location.hash = `#/compare/${comparing}/${other}`;
  comparing = null;
});

// ---- live

const live = byId('live');
function say(state, text) {
  live.dataset.state = state;
  live.lastElementChild.textContent = text;
}

let source = null;
function connect() {
  source?.close();
  source = new EventSource('api/feed');
  source.addEventListener('hello', () =>
    say(list.paused ? 'paused' : 'on', list.paused ? 'held still' : 'live'),
  );
  source.addEventListener('batch', (event) => {
    const { requests, left, ...stats } = JSON.parse(event.data);
    list.take(requests, { left, stats });
    if (kitchen !== null && !list.paused) kitchen.take(list.visible());
  });
  source.addEventListener('error', () => say('off', 'not connected; trying again'));
}

async function load() {
  try {
    const response = await fetch('api/requests');
    if (!response.ok) throw new Error(String(response.status));
    const { requests, editor: template, ...stats } = await response.json();
    editor = template;
    list.take(requests, { stats });
  } catch {
    say('off', 'not connected');
  }
}

// ---- views

async function dataOf(id) {
  const known = imported.get(id);
  if (known !== undefined) return known;
  const response = await fetch(`api/requests/${encodeURIComponent(id)}`);
  const data = await response.json();
  if (!response.ok) throw new Error(data.error ?? `The server answered ${response.status}.`);
  return data;
}

function letGo() {
  clearTimeout(refreshing);
  for (const one of drawn) one.dispose();
  drawn = [];
  kitchen?.dispose();
  kitchen = null;
}

let turn = 0;
async function show() {
  const mine = ++turn;
  const [, first = '', ...rest] = location.hash.split('/');
  const view = first === 'kitchen' ? 'kitchen' : 'requests';
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll('nav a'))
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  if (view === 'kitchen') {
    letGo();
    kitchen = new Kitchen(main, (id) => {
      location.hash = `#/${id}`;
    });
    kitchen.take(list.visible());
    return;
  }
  try {
    if (first === 'compare' && rest.length >= 2) {
      const [before, after] = await Promise.all([dataOf(rest[0]), dataOf(rest[1])]);
      if (mine !== turn) return;
      letGo();
      drawn = drawCompare(main, before, after, { editor, importedIds: new Set(imported.keys()) });
      list.select(rest[1]);
      document.title = 'Compare · X-ray';
      return;
    }
    if (first !== '') {
      const data = await dataOf(first);
      if (mine !== turn) return;
      letGo();
      drawn = [
        drawDetail(main, data, {
          editor,
          notice,
          imported: imported.has(first),
          comparing: comparing === first,
          oncompare: () => compare(),
        }),
      ];
      notice = null;
      list.select(first);
      document.title = `${data.request.method} ${data.request.path} · X-ray`;
      if (data.request.state === 'running') refreshing = setTimeout(show, 1500);
      return;
    }
  } catch (error) {
    if (mine !== turn) return;
    letGo();
    replace(main, h('p', { class: 'notice' }, error.message));
    return;
  }
  letGo();
  list.select(null);
  document.title = 'X-ray · Sobaya';
  welcome();
}

function compare() {
  const [, first = ''] = location.hash.split('/');
  if (first === '' || first === 'compare' || first === 'kitchen') return;
  comparing = comparing === first ? null : first;
  void show();
}

function welcome() {
  replace(
    main,
    h(
      'div',
      { class: 'empty' },
      drawing(),
      h('h1', {}, list.order.length > 0 ? 'Choose an order on the left' : 'One cook, many orders'),
      h(
        'p',
        {},
        'Every request of your application is drawn here: what it waited for, in which task, from which line, and what would make it quicker.',
      ),
      h(
        'p',
        {},
        'Keys: ',
        h('kbd', {}, 'j'),
        ' ',
        h('kbd', {}, 'k'),
        ' next and previous, ',
        h('kbd', {}, '/'),
        ' filter, ',
        h('kbd', {}, '?'),
        ' all of them. In a terminal: ',
        h('code', {}, 'sobaya xray'),
      ),
      notice ? h('p', { class: 'notice' }, notice) : null,
    ),
  );
  notice = null;
}

/** The counter of a small restaurant: a cook, three pots, the slips of the orders. */
function drawing() {
  const slip = (x, width) =>
    svg(
      'g',
      {},
      svg('rect', { x, y: 22, width: 46, height: 34, rx: 3, fill: 'var(--card)', stroke: 'var(--edge)' }),
      svg('rect', { x: x + 8, y: 31, width, height: 4, rx: 2, fill: 'var(--own)' }),
      svg('rect', { x: x + 8, y: 41, width: 30, height: 4, rx: 2, fill: 'var(--waiting)' }),
    );
  const pot = (x, steam) =>
    svg(
      'g',
      {},
      svg('path', { d: `M${x} 128h64v16c0 13-9 20-32 20s-32-7-32-20z`, fill: 'var(--noren)' }),
      svg('path', { d: `M${x - 5} 122h74v8h-74z`, fill: 'var(--shu)' }),
      steam
        ? svg('path', {
            d: `M${x + 20} 112c-6-8 6-12 0-22M${x + 34} 112c-6-8 6-12 0-22M${x + 48} 112c-6-8 6-12 0-22`,
            fill: 'none',
            stroke: 'var(--faint)',
            'stroke-width': 3,
            'stroke-linecap': 'round',
          })
        : null,
    );
  return svg(
    'svg',
    {
      viewBox: '0 0 460 210',
      role: 'img',
      'aria-label': 'A cook behind a counter with three pots, order slips above',
    },
    svg('path', { d: 'M20 18h420', stroke: 'var(--faint)', 'stroke-width': 3, 'stroke-linecap': 'round' }),
    slip(58, 12),
    slip(132, 22),
    slip(206, 8),
    slip(280, 16),
    slip(354, 26),
    pot(70, true),
    svg(
      'g',
      {},
      svg('path', { d: 'M196 168c0-34 12-50 34-50s34 16 34 50z', fill: 'var(--noren)' }),
      svg('circle', { cx: 230, cy: 96, r: 20, fill: '#f0d4b4' }),
      svg('path', { d: 'M209 87h42v8h-42z', fill: '#fff' }),
      svg('circle', { cx: 230, cy: 91, r: 3.6, fill: 'var(--shu)' }),
      svg('path', {
        d: 'M203 140c-18 2-34-2-46-10M257 140c18 2 34-2 46-10',
        stroke: 'var(--noren)',
        'stroke-width': 11,
        fill: 'none',
        'stroke-linecap': 'round',
      }),
    ),
    pot(306, true),
    svg('path', { d: 'M20 166h420v10h-420z', fill: 'var(--edge)' }),
    svg('path', { d: 'M36 176h388v24h-388z', fill: 'var(--nest)' }),
  );
}

// ---- keys and buttons

function pause() {
  list.paused = !list.paused;
  byId('pause').setAttribute('aria-pressed', String(list.paused));
  say(list.paused ? 'paused' : 'on', list.paused ? 'held still' : 'live');
  if (!list.paused) list.draw();
}

async function clear() {
  const response = await fetch('api/clear', { method: 'POST', headers: { 'x-sobaya-xray': '1' } });
  if (!response.ok) return;
  list.clear();
  location.hash = '#/';
}

async function take(files) {
  try {
    for (const file of files) {
      const records = await readFile(file);
      for (const record of records) imported.set(record.request.id, record);
      list.take(records.map(summaryOf));
      if (records[0]) location.hash = `#/${records[0].request.id}`;
    }
  } catch (error) {
    notice = error.message;
    if (location.hash === '#/') void show();
    else location.hash = '#/';
  }
}

const keys = [
  ['j k', 'next and previous request'],
  ['/', 'filter: words, status:5xx, >200ms, query>5, hint, -word'],
  ['p', 'hold the list still'],
  ['c', 'compare with another request'],
  ['w', 'go to the drawing'],
  ['← →', 'bar by bar, in order of time'],
  ['↑ ↓', 'to another lane'],
  ['+ − 0', 'zoom in, out, all'],
  ['Enter', 'zoom to the chosen bar'],
  ['Esc', 'let go'],
  ['o', 'open the line of the chosen bar in the editor'],
  ['g', 'the kitchen'],
  ['t', 'light or dark'],
];

function help() {
  const dialog = byId('keys');
  replace(
    dialog,
    h('h2', {}, 'Keys'),
    h(
      'dl',
      { class: 'pairs' },
      keys.map(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)]),
    ),
    h('p', {}, h('button', { type: 'button', onclick: () => dialog.close() }, 'Close')),
  );
  dialog.showModal();
}

byId('pause').addEventListener('click', pause);
byId('clear').addEventListener('click', clear);
byId('theme').addEventListener('click', turnTheme);
byId('help').addEventListener('click', help);
byId('import').addEventListener('change', (event) => {
  void take([...event.target.files]);
  event.target.value = '';
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  if (event.dataTransfer?.files.length) void take([...event.dataTransfer.files]);
});
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target instanceof HTMLInputElement) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const actions = {
    j: () => list.step(1),
    k: () => list.step(-1),
    '/': () => byId('search').focus(),
    '?': help,
    p: pause,
    c: compare,
    t: turnTheme,
    g: () => {
      location.hash = location.hash === '#/kitchen' ? '#/' : '#/kitchen';
    },
    w: () => drawn[0]?.canvas.focus(),
    o: () => document.querySelector('.selected a.site')?.click(),
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});
addEventListener('beforeprint', () => {
  document.documentElement.dataset.wasTheme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = 'light';
  for (const one of drawn) one.resize(true);
});
addEventListener('afterprint', () => {
  document.documentElement.dataset.theme = document.documentElement.dataset.wasTheme;
  for (const one of drawn) one.resize();
});
addEventListener('hashchange', () => show());

void load().then(() => {
  void show();
  connect();
});
