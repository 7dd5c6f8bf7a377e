import { h } from './dom.js';
import { clock, countsText, ms } from './format.js';

const MOST = 1000;
const SHOWN = 300;

const chips = [
  ['hints', 'with hints', (one) => one.hints.length > 0],
  ['errors', 'errors', (one) => one.state === 'failed' || (one.status ?? 0) >= 500],
  ['slow', 'slow', (one) => one.duration >= 100],
  ['queries', 'with queries', (one) => (one.counts.query ?? 0) > 0],
  ['blocked', 'blocked', (one) => (one.counts.blocked ?? 0) > 0],
  ['running', 'running', (one) => one.state === 'running'],
];

/** What the search box says, as a test of one request. Words are looked for in path, view, route and hints. */
export function filterOf(text) {
  const tests = [];
  for (const word of text.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
    const slower = /^([<>])(\d+(?:\.\d+)?)(ms|s)?$/.exec(word);
    const field = /^(status|method|view|route|state):(.+)$/.exec(word);
    const count = /^(query|queries|client|task|tasks)([<>])(\d+)$/.exec(word);
    if (slower) {
      const limit = Number(slower[2]) * (slower[3] === 's' ? 1000 : 1);
      tests.push((one) => (slower[1] === '>' ? one.duration > limit : one.duration < limit));
    } else if (count) {
      const kind = count[1] === 'queries' ? 'query' : count[1].replace(/s$/, '');
      const limit = Number(count[3]);
      tests.push((one) =>
        count[2] === '>' ? (one.counts[kind] ?? 0) > limit : (one.counts[kind] ?? 0) < limit,
      );
    } else if (field) {
      const wanted = field[2];
      if (field[1] === 'status' && /^\dxx$/.test(wanted))
        tests.push((one) => Math.floor((one.status ?? 0) / 100) === Number(wanted[0]));
      else
        tests.push((one) =>
          String(one[field[1]] ?? '')
            .toLowerCase()
            .includes(wanted),
        );
    } else if (word === 'hint' || word === 'hints') tests.push((one) => one.hints.length > 0);
    else if (word.startsWith('-') && word.length > 1)
      tests.push((one) => !haystack(one).includes(word.slice(1)));
    else tests.push((one) => haystack(one).includes(word));
  }
  return (one) => tests.every((test) => test(one));
}

function haystack(one) {
  return `${one.method} ${one.path}?${one.query} ${one.view ?? ''} ${one.route ?? ''} ${one.status ?? ''} ${one.hints.map((hint) => `${hint.rule} ${hint.title}`).join(' ')}`.toLowerCase();
}

export class List {
  constructor({ slips, search, chipBox, foot, open }) {
    this.slips = slips;
    this.search = search;
    this.foot = foot;
    this.open = open;
    this.all = new Map();
    this.order = [];
    this.pressed = new Set();
    this.current = null;
    this.left = 0;
    this.stats = null;
    this.paused = false;
    this.elements = new Map();
    for (const [name, label] of chips)
      chipBox.append(
        h(
          'button',
          {
            type: 'button',
            'aria-pressed': 'false',
            data: { chip: name },
            onclick: (event) => this.press(name, event.currentTarget),
          },
          label,
        ),
      );
    for (const event of ['input', 'search', 'change']) search.addEventListener(event, () => this.draw());
    search.form?.addEventListener('submit', (event) => event.preventDefault());
  }

  press(name, button) {
    if (this.pressed.has(name)) this.pressed.delete(name);
    else this.pressed.add(name);
    button.setAttribute('aria-pressed', String(this.pressed.has(name)));
    this.draw();
  }

  /** Adds or renews requests. */
  take(requests, { left = 0, stats = null } = {}) {
    for (const one of requests) {
      if (!this.all.has(one.id)) this.order.push(one.id);
      this.all.set(one.id, one);
    }
    this.order.sort((a, b) => this.all.get(b).at - this.all.get(a).at);
    while (this.order.length > MOST) {
      const gone = this.order.pop();
      this.all.delete(gone);
      this.elements.delete(gone);
    }
    this.left += left;
    if (stats) this.stats = stats;
    if (!this.paused) this.draw();
  }

  clear() {
    this.all.clear();
    this.elements.clear();
    this.order = [];
    this.left = 0;
    this.draw();
  }

  visible() {
    const test = filterOf(this.search.value);
    const pressed = chips.filter(([name]) => this.pressed.has(name)).map(([, , one]) => one);
    return this.order
      .map((id) => this.all.get(id))
      .filter((one) => test(one) && pressed.every((p) => p(one)));
  }

  select(id) {
    this.current = id;
    for (const [other, { link }] of this.elements)
      if (other === id) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    this.elements.get(id)?.element.scrollIntoView({ block: 'nearest' });
  }

  /** The request before or after the current one in the list. */
  step(by) {
    const visible = this.visible().slice(0, SHOWN);
    const at = visible.findIndex((one) => one.id === this.current);
    const next = visible[Math.max(0, Math.min(visible.length - 1, at < 0 ? 0 : at + by))];
    if (next) this.open(next.id);
  }

  draw() {
    const visible = this.visible();
    const elements = visible.slice(0, SHOWN).map((one) => this.slip(one));
    const old = this.slips.children;
    // Only what changed is touched: the list may be drawn four times a second.
    if (elements.length !== old.length || elements.some((element, index) => element !== old[index]))
      this.slips.replaceChildren(...elements);
    const parts = [`${visible.length} of ${this.order.length} shown`];
    if (this.left > 0) parts.push(`${this.left.toLocaleString()} more went by too fast to list`);
    if (this.stats) {
      parts.push(
        `${(this.stats.bytes / 1048576).toFixed(1)} of ${Math.round(this.stats.memory / 1048576)} MB`,
      );
      if (this.stats.skipped > 0) parts.push(`${this.stats.skipped.toLocaleString()} not sampled`);
    }
    this.foot.textContent = parts.join(' · ');
  }

  slip(one) {
    const known = this.elements.get(one.id);
    if (known && known.one === one) return known.element;
    const heavy = one.hints.some((hint) => hint.weight === 3);
    const bad = one.state === 'failed' || (one.status ?? 0) >= 500;
    const tone =
      one.state === 'running'
        ? 'open'
        : bad || heavy
          ? 'bad'
          : one.hints.length > 0 || (one.status ?? 0) >= 400
            ? 'warn'
            : 'good';
    const total = Math.max(one.duration, 0.001);
    const element = h(
      'li',
      {},
      h(
        'a',
        {
          class: 'slip',
          href: `#/${one.id}`,
          data: { tone },
          'aria-current': one.id === this.current ? 'true' : null,
          title: one.hints.map((hint) => hint.title).join('\n') || null,
        },
        h(
          'span',
          { class: 'what' },
          one.method ? h('b', {}, one.method) : null,
          `${one.path}${one.query ? `?${one.query}` : ''}`,
        ),
        h('span', { class: 'time' }, one.state === 'running' ? `${ms(one.duration)}…` : ms(one.duration)),
        h(
          'span',
          { class: 'meta' },
          one.hints
            .slice(0, 2)
            .map((hint) =>
              h('span', { class: 'badge', data: { weight: String(hint.weight) } }, labelOf(hint.rule)),
            ),
          [clock(one.startedAt), countsText(one.counts)].filter(Boolean).join(' · '),
        ),
        h('span', { class: 'status' }, one.status ?? (one.state === 'running' ? '…' : one.state)),
        h(
          'span',
          { class: 'split', 'aria-hidden': 'true' },
          ['own', 'waiting', 'blocked'].map((what, index) =>
            h('i', { data: { what }, style: { width: `${(100 * one.split[index]) / total}%` } }),
          ),
        ),
      ),
    );
    this.elements.set(one.id, { one, element, link: element.firstElementChild });
    return element;
  }
}

const labels = {
  sequential: 'in a row',
  repeated: 'repeated',
  pool: 'pool',
  orphan: 'orphan',
  blocked: 'held the loop',
  delayed: 'stood in line',
  index: 'index',
  slow: 'slow query',
  transaction: 'transaction',
};
export function labelOf(rule) {
  return labels[rule] ?? rule;
}
