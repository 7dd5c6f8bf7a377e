import { h, replace, theme } from './dom.js';
import { ms } from './format.js';

const ROW = 30;
const TOP = 96;
const hues = [214, 152, 28, 280, 342, 188, 96, 46, 248, 4];

function hue(index, dark) {
  return `hsl(${hues[index % hues.length]} ${dark ? '62% 66%' : '48% 42%'})`;
}

/**
 * The talk's drawing, from real requests: one cook above, an order per row below. Solid is where the cook's hands
 * were on an order, thin is where it waited for a pot, red is where everybody waited for the cook.
 */
export class Kitchen {
  constructor(main, open) {
    this.main = main;
    this.open = open;
    this.window = 2000;
    this.requests = [];
    this.canvas = h('canvas', {
      tabindex: '0',
      role: 'img',
      'aria-label': 'Requests of the last seconds on a common clock',
    });
    this.tip = h('div', { class: 'tip', hidden: true });
    this.note = h('p', { class: 'kitchen-note' });
    const lengths = [500, 2000, 10000, 60000];
    this.buttons = lengths.map((length) =>
      h(
        'button',
        {
          type: 'button',
          'aria-pressed': String(length === this.window),
          onclick: () => this.choose(length),
        },
        length >= 1000 ? `${length / 1000} s` : `${length} ms`,
      ),
    );
    this.lengths = lengths;
    replace(
      main,
      h(
        'div',
        { class: 'head' },
        h('h1', {}, 'One cook, many orders'),
        h('div', { class: 'actions' }, this.buttons),
      ),
      this.note,
      h('div', { class: 'board' }, this.canvas),
      h(
        'ul',
        { class: 'reading' },
        [
          [
            'own',
            'The cook works on it, or it is next in line: there is one cook, and your code runs one thing at a time.',
          ],
          ['waiting', 'It is in a pot: a database, another server, a timer. The cook is free for others.'],
          ['blocked', 'Ready for the cook, who is held by another order. Somebody keeps the loop.'],
          ['served', 'Served. Click an order to see what happened to it.'],
        ].map(([what, text]) => h('li', { data: { what } }, h('i', { 'aria-hidden': 'true' }), text)),
      ),
      this.tip,
    );
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas.parentElement);
    this.canvas.addEventListener('pointermove', (event) => this.hover(event));
    this.canvas.addEventListener('pointerleave', () => {
      this.tip.hidden = true;
    });
    this.canvas.addEventListener('click', (event) => {
      const one = this.at(event);
      if (one) this.open(one.id);
    });
  }

  dispose() {
    this.observer.disconnect();
  }

  choose(length) {
    this.window = length;
    for (const [index, button] of this.buttons.entries())
      button.setAttribute('aria-pressed', String(this.lengths[index] === length));
    this.draw();
  }

  take(requests) {
    this.requests = requests;
    this.draw();
  }

  draw() {
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    const dark = document.documentElement.dataset.theme === 'dark';
    const color = theme();
    const last = Math.max(0, ...this.requests.map((one) => one.at + one.duration));
    const from = last - this.window;
    this.shown = this.requests
      .filter((one) => one.at + one.duration > from)
      .sort((a, b) => a.at - b.at)
      .slice(-60);
    const height = TOP + Math.max(4, this.shown.length) * ROW + 16;
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.height = `${height}px`;
    this.canvas.style.width = '100%';
    const context = this.canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = color('card');
    context.fillRect(0, 0, width, height);
    const left = Math.min(220, width * 0.24);
    // As wide as what is there: a short burst fills the board.
    const first = Math.max(from, Math.min(last, ...this.shown.map((one) => one.at)));
    const scale = (width - left - 34) / Math.max(1, last - first);
    const x = (time) => left + Math.max(0, time - first) * scale;
    this.geometry = { left };

    context.textBaseline = 'middle';
    context.font = `11px ${color('sans')}`;
    context.strokeStyle = color('edge');
    const span = last - first;
    const raw = span / Math.max(2, (width - left) / 100);
    const power = 10 ** Math.floor(Math.log10(Math.max(raw, 0.001)));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
    for (let at = 0; at <= span; at += step) {
      const px = Math.round(x(first + at)) + 0.5;
      context.beginPath();
      context.moveTo(px, 20);
      context.lineTo(px, height);
      context.stroke();
      context.fillStyle = color('soft');
      context.fillText(ms(at), px + 3, 11);
    }

    cook(context, color, 18, 40);
    context.fillStyle = color('ink');
    context.font = `600 12.5px ${color('sans')}`;
    context.fillText('the cook', 58, 58);
    const hands = [];
    let held = 0;
    for (const [index, one] of this.shown.entries())
      for (const [start, end, what] of one.segments) {
        if (what !== 0) continue;
        const a = x(one.at + start);
        const b = x(one.at + end);
        if (one.at + end < first) continue;
        hands.push([Math.max(first, one.at + start), one.at + end]);
        context.fillStyle = hue(index, dark);
        context.fillRect(a, 44, Math.max(0.8, b - a), 26);
      }

    const work = covered(hands);
    // The counter between the cook and the orders.
    context.fillStyle = color('edge');
    context.fillRect(0, TOP - 18, width, 5);
    context.globalAlpha = 0.5;
    context.fillRect(0, TOP - 13, width, 2);
    context.globalAlpha = 1;
    context.font = `12px ${color('sans')}`;
    for (const [index, one] of this.shown.entries()) {
      const y = TOP + index * ROW;
      slip(context, color, 10, y + 3, left - 22, ROW - 6, hue(index, dark));
      context.fillStyle = color('ink');
      context.fillText(fit(context, `${one.method} ${one.path}`.trim(), left - 44), 22, y + ROW / 2);
      for (const [start, end, what] of one.segments) {
        const a = x(one.at + start);
        const b = Math.max(a + 0.8, x(one.at + end));
        if (one.at + end < first) continue;
        if (what === 2) held += end - start;
        context.fillStyle = what === 2 ? color('blocked') : hue(index, dark);
        context.globalAlpha = what === 1 ? 0.35 : 1;
        if (what === 1) context.fillRect(a, y + ROW / 2 - 2, b - a, 4);
        else {
          context.beginPath();
          context.roundRect(a, y + 6, b - a, ROW - 12, Math.min(3, (b - a) / 2));
          context.fill();
        }
        context.globalAlpha = 1;
        if (what === 1 && b - a > 46) pot(context, color, (a + b) / 2, y + ROW / 2);
      }
      const end = x(one.at + one.duration);
      if (one.state !== 'running' && end + 24 < width) bowl(context, color, end + 13, y + ROW / 2, one);
    }
    this.note.textContent =
      this.shown.length === 0
        ? 'No orders yet. Open a page of your application, and it is drawn here.'
        : `${this.shown.length} orders in ${ms(span)}. Solid: the cook's hands were on it (${ms(work)} in all). Thin: it waited for a pot, and the cook was free for others.${held > 0 ? ` Red: everybody waited for the cook, ${ms(held)}.` : ''}`;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.shown?.[Math.floor((event.clientY - box.top - TOP) / ROW)] ?? null;
  }

  hover(event) {
    const one = this.at(event);
    this.canvas.style.cursor = one ? 'pointer' : 'default';
    this.tip.hidden = one === null;
    if (one === null) return;
    this.tip.textContent = `${`${one.method} ${one.path}`.trim()} · ${ms(one.duration)} · own ${ms(one.split[0])}, waiting ${ms(one.split[1])}, blocked ${ms(one.split[2])}`;
    this.tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - this.tip.offsetWidth - 8)}px`;
    this.tip.style.top = `${event.clientY + 16}px`;
  }
}

function fit(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let short = text.slice(0, 80);
  while (short.length > 1 && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}

/** Time that at least one of the stretches covers: an order inside of an order is not worked on twice. */
function covered(stretches) {
  let sum = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const [from, to] of stretches.sort((a, b) => a[0] - b[0])) {
    if (to <= until) continue;
    sum += to - Math.max(from, until);
    until = to;
  }
  return sum;
}

/** An order on its slip of paper, pinned with the colour it has on the board. */
function slip(context, color, x, y, width, height, pin) {
  context.fillStyle = color('paper');
  context.strokeStyle = color('edge');
  context.beginPath();
  context.roundRect(x, y, width, height, 3);
  context.fill();
  context.stroke();
  context.fillStyle = pin;
  context.fillRect(x, y, 4, height);
}

/** A pot with steam: something that cooks without the cook. */
function pot(context, color, x, y) {
  context.fillStyle = color('card');
  context.fillRect(x - 11, y - 3, 22, 6);
  context.fillStyle = color('soft');
  context.beginPath();
  context.moveTo(x - 7, y - 1);
  context.lineTo(x + 7, y - 1);
  context.lineTo(x + 6, y + 6);
  context.quadraticCurveTo(x + 5, y + 8, x + 3, y + 8);
  context.lineTo(x - 3, y + 8);
  context.quadraticCurveTo(x - 5, y + 8, x - 6, y + 6);
  context.fill();
  context.fillRect(x - 10, y - 1, 20, 2);
  context.strokeStyle = color('faint');
  context.lineWidth = 1.2;
  for (const dx of [-3, 3]) {
    context.beginPath();
    context.moveTo(x + dx, y - 4);
    context.quadraticCurveTo(x + dx - 3, y - 7, x + dx, y - 9);
    context.stroke();
  }
  context.lineWidth = 1;
}

/** What was served; broken where it failed. */
function bowl(context, color, x, y, { state, status }) {
  const bad = state !== 'done' || (status ?? 0) >= 500;
  context.fillStyle = color(bad ? 'shu' : 'own');
  context.beginPath();
  context.moveTo(x - 8, y - 1);
  context.lineTo(x + 8, y - 1);
  context.quadraticCurveTo(x + 7, y + 8, x, y + 8);
  context.quadraticCurveTo(x - 7, y + 8, x - 8, y - 1);
  context.fill();
  if (!bad) {
    context.fillStyle = color('shu');
    context.fillRect(x - 9, y - 3, 18, 2.4);
    return;
  }
  context.strokeStyle = color('card');
  context.beginPath();
  context.moveTo(x + 1, y - 2);
  context.lineTo(x - 2, y + 2);
  context.lineTo(x + 2, y + 4);
  context.lineTo(x - 1, y + 9);
  context.stroke();
}

/** A cook with a hachimaki and a bowl, in a few strokes. */
function cook(context, color, x, y) {
  context.save();
  context.translate(x, y);
  context.fillStyle = color('noren');
  context.beginPath();
  context.moveTo(0, 34);
  context.quadraticCurveTo(1, 19, 14, 18);
  context.quadraticCurveTo(27, 19, 28, 34);
  context.fill();
  context.fillStyle = '#f0d4b4';
  context.beginPath();
  context.arc(14, 10, 8, 0, 7);
  context.fill();
  context.fillStyle = '#fff';
  context.fillRect(5.5, 3.6, 17, 3.6);
  context.fillStyle = color('shu');
  context.beginPath();
  context.arc(14, 5.4, 1.6, 0, 7);
  context.fill();
  context.restore();
}
