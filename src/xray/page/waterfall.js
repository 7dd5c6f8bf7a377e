import { h, theme } from './dom.js';
import { ms } from './format.js';

const ROW = 20;
const BAR = 16;
const AXIS = 24;
const COOK = 26;
const PAD = 7;
const waiting = new Set(['query', 'client', 'sleep', 'wait', 'thread']);
const colors = {
  query: 'query',
  client: 'client',
  sleep: 'sleep',
  wait: 'wait',
  thread: 'thread',
  blocked: 'blocked',
};

export const legend = [
  ['query', 'query'],
  ['client', 'outgoing'],
  ['thread', 'thread'],
  ['wait', 'lock or queue'],
  ['sleep', 'sleep'],
  ['nest', 'middleware, view, template, section'],
  ['blocked', 'loop held'],
];

/**
 * Puts the spans into lanes, one per task, and rows within a lane, so that nothing covers anything. Work of one pass
 * over the spans in order of time.
 */
export function layout(request) {
  const lanes = new Map();
  const lane = (id) => {
    let one = lanes.get(id);
    if (one === undefined) {
      one = {
        id,
        name: '',
        frame: null,
        parent: null,
        depth: 0,
        rows: [],
        top: 0,
        height: 0,
        start: Infinity,
      };
      lanes.set(id, one);
    }
    return one;
  };
  const main = lane(request.task);
  main.name = request.type === 'recording' ? 'recording' : 'request';
  main.start = -1;
  const byId = new Map();
  const blocks = [];
  for (const span of request.spans) byId.set(span.id, span);
  for (const span of request.spans)
    if (span.kind === 'task') {
      const one = lane(span.task);
      one.name = span.name;
      one.frame = span;
      one.start = span.start;
      one.parent = byId.get(span.parent)?.task ?? request.task;
    }
  const sorted = [...request.spans].sort((a, b) => a.start - b.start || a.id - b.id);
  const rowOf = new Map();
  for (const span of sorted) {
    if (span.kind === 'request' || span.kind === 'task') continue;
    if (span.kind === 'blocked') {
      blocks.push(span);
      continue;
    }
    const one = lanes.has(span.task) ? lane(span.task) : main;
    const parent = byId.get(span.parent);
    let row =
      parent !== undefined && parent.kind !== 'task' && rowOf.has(parent.id) && parent.task === span.task
        ? rowOf.get(parent.id) + 1
        : 0;
    while (row < one.rows.length && one.rows[row].end > span.start + 0.0005) row++;
    while (one.rows.length <= row) one.rows.push({ spans: [], end: -Infinity });
    one.rows[row].spans.push(span);
    one.rows[row].end = Math.max(one.rows[row].end, span.end ?? request.duration);
    rowOf.set(span.id, row);
  }
  const children = new Map();
  for (const one of lanes.values())
    if (one !== main) {
      const parent = one.parent !== one.id && lanes.has(one.parent) ? one.parent : main.id;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(one);
    }
  const ordered = [];
  const seen = new Set();
  const visit = (one, depth) => {
    if (seen.has(one)) return;
    seen.add(one);
    one.depth = depth;
    ordered.push(one);
    for (const child of (children.get(one.id) ?? []).sort((a, b) => a.start - b.start))
      visit(child, depth + 1);
  };
  visit(main, 0);
  for (const one of lanes.values()) visit(one, 1);
  let top = 0;
  for (const one of ordered) {
    one.top = top;
    one.height = Math.max(1, one.rows.length) * ROW + PAD;
    top += one.height;
  }
  return {
    lanes: ordered,
    blocks,
    height: top,
    byId,
    sorted: sorted.filter((span) => span.kind !== 'request'),
  };
}

export class Waterfall {
  constructor(request, split, { onselect, total } = {}) {
    this.request = request;
    this.split = split;
    this.onselect = onselect;
    this.plan = layout(request);
    this.total = Math.max(
      total ?? 0,
      request.duration,
      ...this.plan.blocks.map((span) => span.end ?? 0),
      0.01,
    );
    this.from = 0;
    this.to = this.total;
    this.selected = null;
    this.marked = new Set();
    this.canvas = h('canvas', {
      tabindex: '0',
      role: 'application',
      'aria-label': `Timeline of ${request.method} ${request.path}: ${request.spans.length} spans in ${this.plan.lanes.length} lanes. Arrow keys move, plus and minus zoom.`,
    });
    this.spacer = h('div', { 'aria-hidden': 'true' });
    this.scroller = h('div', { class: 'scroller' }, this.canvas, this.spacer);
    this.tip = h('div', { class: 'tip', hidden: true });
    this.spoken = h('p', { class: 'unseen', 'aria-live': 'polite' });
    this.element = h('div', {}, this.scroller, this.tip, this.spoken);
    this.frame = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.scroller);
    this.scroller.addEventListener('scroll', () => this.later());
    this.listen();
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  later() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  get gutter() {
    return this.width < 620 ? 84 : 148;
  }

  resize(full = false) {
    this.width = this.scroller.clientWidth || 900;
    const content = AXIS + COOK + this.plan.height;
    const most = full ? 12000 : Math.max(180, Math.round(window.innerHeight * 0.62));
    this.height = Math.min(content, most);
    const ratio = full ? 2 : Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    this.spacer.style.height = `${Math.max(0, content - this.height)}px`;
    this.ratio = ratio;
    this.draw();
  }

  x(time) {
    return this.gutter + ((time - this.from) / (this.to - this.from)) * (this.width - this.gutter - 10);
  }

  time(x) {
    return this.from + ((x - this.gutter) / (this.width - this.gutter - 10)) * (this.to - this.from);
  }

  draw() {
    if (!this.width) return;
    const started = performance.now();
    const context = this.canvas.getContext('2d');
    const color = theme();
    const { width, height, gutter } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = color('card');
    context.fillRect(0, 0, width, height);
    const scroll = this.scroller.scrollTop;
    const sans = color('sans');
    context.font = `11.5px ${sans}`;
    context.textBaseline = 'middle';

    // lanes
    context.save();
    context.beginPath();
    context.rect(0, AXIS + COOK, width, height - AXIS - COOK);
    context.clip();
    this.drawAxis(context, color, true);
    const offset = AXIS + COOK - scroll;
    for (const [index, lane] of this.plan.lanes.entries()) {
      const y = offset + lane.top;
      if (y > height || y + lane.height < AXIS + COOK) continue;
      this.drawLane(context, color, lane, y, index);
    }
    context.restore();

    // the loop held
    for (const block of this.plan.blocks) {
      const from = Math.max(gutter, this.x(block.start));
      const to = Math.min(width, this.x(block.end ?? this.total));
      if (to < gutter || from > width) continue;
      context.globalAlpha = 0.14;
      context.fillStyle = color('blocked');
      context.fillRect(from, AXIS, Math.max(2, to - from), height - AXIS);
      context.globalAlpha = 1;
    }
    this.drawAxis(context, color, false);
    this.drawCook(context, color);
    this.drawn = performance.now() - started;
  }

  drawAxis(context, color, behind) {
    const { width, gutter } = this;
    context.fillStyle = color('card');
    if (!behind) context.fillRect(0, 0, width, AXIS);
    const span = this.to - this.from;
    const steps = Math.max(2, Math.floor((width - gutter) / 90));
    const raw = span / steps;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
    context.strokeStyle = color('edge');
    context.fillStyle = color('soft');
    context.lineWidth = 1;
    context.font = `11px ${color('sans')}`;
    context.textAlign = 'left';
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      context.globalAlpha = 0.6;
      context.beginPath();
      context.moveTo(x, behind ? AXIS + COOK : AXIS - 5);
      context.lineTo(x, behind ? this.height : AXIS);
      context.stroke();
      context.globalAlpha = 1;
      if (behind) continue;
      const label =
        step >= 1000
          ? `${(at / 1000).toFixed(step % 1000 ? 1 : 0)} s`
          : step >= 1
            ? `${Math.round(at)} ms`
            : `${at.toFixed(step >= 0.1 ? 1 : 2)} ms`;
      if (x < width - 44) context.fillText(label, x + 3, AXIS / 2);
    }
    if (behind) return;
    const end = this.x(this.request.duration);
    if (end >= gutter && end <= width) {
      context.strokeStyle = color('soft');
      context.setLineDash([3, 3]);
      context.beginPath();
      context.moveTo(end, AXIS);
      context.lineTo(end, this.height);
      context.stroke();
      context.setLineDash([]);
    }
  }

  /** The cook: what the loop did for this order. */
  drawCook(context, color) {
    const { width, gutter } = this;
    context.fillStyle = color('card');
    context.fillRect(0, AXIS, width, COOK);
    context.fillStyle = color('soft');
    context.textAlign = 'left';
    context.font = `600 11.5px ${color('sans')}`;
    context.fillText('the cook', 12, AXIS + COOK / 2);
    const y = AXIS + 5;
    for (const { from, to, what } of this.split?.segments ?? []) {
      const a = Math.max(gutter, this.x(from));
      const b = Math.min(width, this.x(to));
      if (b < gutter || a > width) continue;
      context.fillStyle = color(what);
      context.fillRect(
        a,
        what === 'waiting' ? y + 5 : y,
        Math.max(0.75, b - a),
        what === 'waiting' ? BAR - 10 : BAR,
      );
    }
    context.strokeStyle = color('edge');
    context.beginPath();
    context.moveTo(0, AXIS + COOK - 0.5);
    context.lineTo(width, AXIS + COOK - 0.5);
    context.stroke();
  }

  drawLane(context, color, lane, y, index) {
    const { width, gutter } = this;
    if (index % 2 === 1) {
      context.globalAlpha = 0.45;
      context.fillStyle = color('paper');
      context.fillRect(0, y, width, lane.height);
      context.globalAlpha = 1;
    }
    if (lane.frame !== null) {
      const a = Math.max(gutter - 2, this.x(lane.frame.start));
      const b = Math.min(width + 2, this.x(lane.frame.end ?? this.total));
      context.strokeStyle = lane.frame.status === 'error' ? color('shu') : color('task');
      context.globalAlpha = lane.frame.status === 'cancelled' ? 0.45 : 0.9;
      context.lineWidth = this.selected === lane.frame ? 2.5 : 1;
      context.setLineDash(lane.frame.status === 'cancelled' ? [4, 3] : []);
      context.beginPath();
      context.roundRect(a - 1, y + 1.5, Math.max(3, b - a + 2), lane.height - 4, 4);
      context.stroke();
      context.setLineDash([]);
      context.globalAlpha = 1;
    }
    for (const [rowIndex, row] of lane.rows.entries()) {
      const top = y + rowIndex * ROW + 4;
      if (top > this.height || top + ROW < AXIS) continue;
      const { spans } = row;
      let painted = -1;
      for (let i = firstVisible(spans, this.from, this.request.duration); i < spans.length; i++) {
        const span = spans[i];
        if (span.start > this.to) break;
        const a = this.x(span.start);
        const b = Math.max(a + 1.5, this.x(span.end ?? this.total));
        // Thousands of bars in one pixel are one bar.
        if (b <= painted && span !== this.selected && !this.marked.has(span.id)) continue;
        const from = Math.max(gutter, a);
        const to = Math.min(width, b);
        painted = to;
        this.drawBar(context, color, span, from, to, top);
        const next = spans[i + 1];
        const room = (next === undefined ? width : Math.min(width, this.x(next.start))) - to - 8;
        this.drawLabel(context, color, span, from, to, top, room);
      }
    }
    // the name of the lane
    context.fillStyle = index % 2 === 1 ? mix(color('card'), color('paper')) : color('card');
    context.fillRect(0, y, gutter - 4, lane.height);
    context.fillStyle = color('ink');
    context.font = `${lane.depth === 0 ? '600 ' : ''}11.5px ${color('sans')}`;
    const indent = 12 + Math.min(lane.depth, 5) * 9;
    context.fillText(
      clip(context, lane.name || `task ${lane.id}`, gutter - indent - 10),
      indent,
      y + ROW / 2 + 2,
    );
  }

  drawBar(context, color, span, from, to, top) {
    const name = colors[span.kind];
    context.fillStyle = color(name ?? 'nest');
    context.globalAlpha = span.status === 'cancelled' ? 0.4 : 1;
    context.beginPath();
    context.roundRect(from, top, to - from, BAR, Math.min(3, (to - from) / 2));
    context.fill();
    if (span.waited > 0) {
      // In line for a connection or a thread: the work itself began later.
      const until = Math.min(to, this.x(span.start + span.waited));
      context.fillStyle = color('card');
      context.globalAlpha = 0.55;
      for (let x = from; x < until; x += 5) context.fillRect(x, top, 2.5, BAR);
      context.globalAlpha = 1;
    }
    if (span.end === null) {
      context.fillStyle = color('card');
      for (let i = 0; i < 4; i++) context.fillRect(to - 4 - i * 6, top, 2, BAR);
    }
    context.globalAlpha = 1;
    if (span.status === 'error') {
      context.fillStyle = color('shu');
      context.fillRect(from, top + BAR - 3, to - from, 3);
    }
    if (span === this.selected || this.marked.has(span.id)) {
      context.strokeStyle = span === this.selected ? color('ink') : color('shu');
      context.lineWidth = 2;
      context.beginPath();
      context.roundRect(from - 1, top - 1, to - from + 2, BAR + 2, 3);
      context.stroke();
      context.lineWidth = 1;
    }
  }

  drawLabel(context, color, span, from, to, top, room) {
    const inside = to - from - 8;
    const y = top + BAR / 2 + 0.5;
    context.font = `11.5px ${color('sans')}`;
    if (inside > 34 && (inside > room || inside > 120)) {
      context.fillStyle = color(colors[span.kind] ? 'on-bar' : 'ink');
      context.fillText(clip(context, labelOf(span), inside), from + 4, y);
    } else if (room > 34) {
      context.fillStyle = color('ink');
      context.fillText(clip(context, labelOf(span), room), to + 5, y);
    }
  }

  // ---- what people do with it

  listen() {
    const { canvas } = this;
    let dragging = null;
    canvas.addEventListener('pointermove', (event) => {
      if (dragging !== null) {
        const moved = event.clientX - dragging.x;
        if (Math.abs(moved) > 3) dragging.moved = true;
        const scale = (dragging.to - dragging.from) / (this.width - this.gutter - 10);
        this.view(dragging.from - moved * scale, dragging.to - moved * scale);
        return;
      }
      this.hover(event);
    });
    canvas.addEventListener('pointerleave', () => {
      this.tip.hidden = true;
    });
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      dragging = { x: event.clientX, from: this.from, to: this.to, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointerup', (event) => {
      const was = dragging;
      dragging = null;
      if (was !== null && !was.moved) this.select(this.hit(event));
    });
    canvas.addEventListener('pointercancel', () => {
      dragging = null;
    });
    canvas.addEventListener('dblclick', (event) => {
      const span = this.hit(event);
      if (span) this.zoomTo(span);
      else this.view(0, this.total);
    });
    canvas.addEventListener(
      'wheel',
      (event) => {
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          this.zoom(Math.exp(event.deltaY / 240), this.time(this.local(event).x));
        } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          event.preventDefault();
          const by = ((event.deltaX || event.deltaY) / this.width) * (this.to - this.from);
          this.view(this.from + by, this.to + by);
        }
      },
      { passive: false },
    );
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  local(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  hit(event) {
    const { x, y } = this.local(event);
    const time = this.time(x);
    const slack = ((this.to - this.from) / this.width) * 3;
    if (y < AXIS + COOK)
      return (
        this.plan.blocks.find(
          (span) => span.start - slack <= time && (span.end ?? this.total) + slack >= time,
        ) ?? null
      );
    const at = y - AXIS - COOK + this.scroller.scrollTop;
    const lane = this.plan.lanes.find((one) => at >= one.top && at < one.top + one.height);
    if (lane === undefined) return null;
    const row = lane.rows[Math.floor((at - lane.top - 2) / ROW)];
    const near = (row?.spans ?? []).filter(
      (one) => one.start - slack <= time && (one.end ?? this.total) + slack >= time,
    );
    return near.at(-1) ?? (x < this.gutter ? lane.frame : null) ?? lane.frame ?? null;
  }

  hover(event) {
    const span = this.hit(event);
    this.canvas.style.cursor = span ? 'pointer' : 'default';
    if (!span) {
      this.tip.hidden = true;
      return;
    }
    this.tip.textContent = `${labelOf(span)} · ${ms((span.end ?? this.request.duration) - span.start)}${span.site ? ` · ${span.site.file.split(/[/\\]/).at(-1)}:${span.site.line}` : ''}`;
    this.tip.hidden = false;
    this.tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - this.tip.offsetWidth - 8)}px`;
    this.tip.style.top = `${event.clientY + 18}px`;
  }

  view(from, to) {
    const length = Math.min(Math.max(to - from, 0.02), this.total * 1.05);
    this.from = Math.max(-this.total * 0.02, Math.min(from, this.total * 1.02 - length));
    this.to = this.from + length;
    this.later();
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.view(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  zoomTo(span) {
    const length = Math.max((span.end ?? this.total) - span.start, 0.02);
    this.view(span.start - length * 0.15, span.start + length * 1.15);
  }

  select(span, scroll = false) {
    this.selected = span;
    if (span) {
      this.spoken.textContent = `${labelOf(span)}, ${ms((span.end ?? this.request.duration) - span.start)}, from ${ms(span.start)}`;
      if (scroll) this.reveal(span);
    }
    this.onselect?.(span);
    this.later();
  }

  /** Marks the spans of a hint and shows them all. */
  mark(ids) {
    this.marked = new Set(ids);
    const spans = ids.map((id) => this.plan.byId.get(id)).filter(Boolean);
    if (spans.length > 0) {
      const from = Math.min(...spans.map((span) => span.start));
      const to = Math.max(...spans.map((span) => span.end ?? this.total));
      const room = Math.max((to - from) * 0.15, 0.05);
      this.view(from - room, to + room);
      this.select(spans[0], true);
    }
    this.later();
  }

  reveal(span) {
    const lane = this.plan.lanes.find(
      (one) => one.frame === span || one.rows.some((row) => row.spans.includes(span)),
    );
    if (!lane) return;
    const row = Math.max(
      0,
      lane.rows.findIndex((one) => one.spans.includes(span)),
    );
    const y = lane.top + row * ROW;
    const room = this.height - AXIS - COOK;
    if (y < this.scroller.scrollTop || y + ROW > this.scroller.scrollTop + room)
      this.scroller.scrollTop = Math.max(0, y - room / 2);
    if ((span.end ?? this.total) < this.from || span.start > this.to) {
      const length = this.to - this.from;
      this.view(span.start - length * 0.2, span.start + length * 0.8);
    }
  }

  key(event) {
    const { sorted } = this.plan;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.selected ? sorted.indexOf(this.selected) : -1;
    const move = (by) => {
      const next = sorted[Math.max(0, Math.min(sorted.length - 1, at + by))];
      if (next) this.select(next, true);
    };
    switch (event.key) {
      case 'ArrowRight':
        move(1);
        break;
      case 'ArrowLeft':
        move(-1);
        break;
      case 'ArrowDown':
        move(sorted.slice(at + 1).findIndex((one) => one.task !== this.selected?.task) + 1 || 1);
        break;
      case 'ArrowUp': {
        const before = sorted
          .slice(0, Math.max(0, at))
          .findLastIndex((one) => one.task !== this.selected?.task);
        move(before < 0 ? -1 : before - at);
        break;
      }
      case 'Home':
        if (sorted[0]) this.select(sorted[0], true);
        break;
      case 'End':
        if (sorted.length > 0) this.select(sorted.at(-1), true);
        break;
      case 'Enter':
        if (this.selected) this.zoomTo(this.selected);
        break;
      case '+':
      case '=':
        this.zoom(0.6);
        break;
      case '-':
        this.zoom(1.7);
        break;
      case '0':
        this.view(0, this.total);
        break;
      case 'Escape':
        this.marked.clear();
        this.select(null);
        this.view(0, this.total);
        break;
      case 'PageDown':
        this.view(this.from + (this.to - this.from) * 0.5, this.to + (this.to - this.from) * 0.5);
        break;
      case 'PageUp':
        this.view(this.from - (this.to - this.from) * 0.5, this.to - (this.to - this.from) * 0.5);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** The first span that may still be seen: rows do not overlap, so their ends are in order too. */
function firstVisible(spans, from, open) {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle].end ?? open) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function clip(context, text, width) {
  const short = text.length > 160 ? text.slice(0, 160) : text;
  if (context.measureText(short).width <= width) return short;
  let low = 0;
  let high = short.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${short.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? '' : `${short.slice(0, low)}…`;
}

function mix(a, b) {
  return `color-mix(in srgb, ${a} 55%, ${b})`;
}

export function labelOf(span) {
  switch (span.kind) {
    case 'blocked':
      return `${span.blocked?.role === 'culprit' ? 'held the loop' : 'in line'}: ${span.name}`;
    case 'thread':
      return `${span.name}() in a thread`;
    case 'task':
      return `task ${span.name}`;
    case 'client':
      return span.amount ? `${span.name} → ${span.amount}` : span.name;
    case 'query':
      return span.amount === undefined
        ? span.name
        : `${span.name} · ${span.amount} ${span.amount === 1 ? 'row' : 'rows'}`;
    default:
      return span.name;
  }
}

export { waiting };
