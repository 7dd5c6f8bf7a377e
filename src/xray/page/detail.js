import { h, replace } from './dom.js';
import { bytes, clock, countsText, editorUrl, ms, plural, prettySql, shortFile } from './format.js';
import { labelOf as ruleLabel } from './list.js';
import { labelOf, legend, Waterfall } from './waterfall.js';

/** A place in the source: a link into the editor where the file is on this machine. */
export function siteLink(site, editor, imported) {
  const text = `${shortFile(site.file)}:${site.line}`;
  const url = imported ? null : editorUrl(editor, site);
  const title = `${site.file}:${site.line}:${site.column}${site.function ? `, ${site.function}` : ''}`;
  return url === null
    ? h('span', { class: 'site', title }, text)
    : h('a', { class: 'site', href: url, title }, text);
}

export function splitBar(split, total) {
  return h(
    'div',
    { class: 'split', 'aria-hidden': 'true' },
    ['own', 'waiting', 'blocked'].map((what) =>
      h('i', { data: { what }, style: { width: `${(100 * split[what]) / Math.max(total, 0.001)}%` } }),
    ),
  );
}

function shares(request, split) {
  const row = (what, label, title) =>
    h('span', { data: { what }, title }, `${label} `, h('b', {}, ms(split[what])));
  return h(
    'div',
    { class: 'shares' },
    splitBar(split, request.duration),
    row(
      'own',
      'own work',
      'Its own work on the loop, its turn in line for the loop, and waits that nothing told of',
    ),
    row('waiting', 'waiting', 'For a database, another server, a timer, a thread or a lock'),
    row('blocked', 'blocked by others', 'Somebody else held the event loop'),
  );
}

function hintCard(hint, { editor, imported, onshow }) {
  return h(
    'article',
    { class: 'hint', data: { weight: String(hint.weight), rule: hint.rule } },
    h('h3', {}, hint.title),
    h('p', {}, hint.text),
    hint.change
      ? h(
          'div',
          { class: 'change' },
          h('div', {}, h('small', {}, 'now'), h('pre', { data: { side: 'before' } }, hint.change.before)),
          h('div', {}, h('small', {}, 'better'), h('pre', { data: { side: 'after' } }, hint.change.after)),
        )
      : null,
    h('p', { class: 'unknown' }, hint.unknown),
    h(
      'p',
      { class: 'line' },
      h('span', { class: 'badge', data: { weight: String(hint.weight) } }, ruleLabel(hint.rule)),
      hint.site ? siteLink(hint.site, editor, imported) : null,
      hint.spans.length > 0
        ? h(
            'button',
            { type: 'button', onclick: () => onshow(hint.spans) },
            `Show ${plural(hint.spans.length, 'bar')}`,
          )
        : null,
    ),
  );
}

function spanDetails(span, request, { editor, imported }) {
  const rows = [];
  const row = (name, value) => {
    if (value !== undefined && value !== null && value !== '')
      rows.push(h('dt', {}, name), h('dd', {}, value));
  };
  row(
    'time',
    `${ms((span.end ?? request.duration) - span.start)}${span.end === null ? ', still open' : ''}, from ${ms(span.start)}${span.end === null ? '' : ` to ${ms(span.end)}`}`,
  );
  if (span.waited !== undefined) row('in line first', ms(span.waited));
  if (span.site) row('called at', siteLink(span.site, editor, imported));
  if (span.site?.function) row('in', span.site.function);
  if (span.kind === 'query') {
    row('rows', span.amount);
    row('database', span.detail);
  } else if (span.kind === 'client') row('status', span.amount);
  else if (span.kind === 'template' && span.amount !== undefined) row('size', bytes(span.amount));
  else row('detail', span.detail);
  if (span.params?.length) row('parameters', span.params.join(', '));
  if (span.uses?.length) {
    const used = span.uses.map((id) => request.spans.find((one) => one.id === id)?.name).filter(Boolean);
    row('uses results of', used.slice(0, 4).join(' · '));
  }
  row('error', span.error);
  if (span.status === 'cancelled') row('ended', 'cancelled');
  if (span.blocked) {
    row('held by', span.blocked.request ?? 'work outside of requests');
    row('native call', span.blocked.native);
    row('task', span.blocked.task);
    if (!span.blocked.exact)
      row('note', 'The native call could not be interrupted: in or just before that line.');
    if (span.blocked.victims?.length)
      row('stood in line', span.blocked.victims.map((one) => `${one.label} (${ms(one.ms)})`).join(', '));
    if (span.blocked.frames.length) row('stack', h('pre', {}, span.blocked.frames.join('\n')));
  }
  return [
    span.kind === 'query' ? h('pre', { tabindex: '0' }, prettySql(span.name)) : h('b', {}, labelOf(span)),
    h('dl', {}, rows),
    innerLink(span, request),
    span.kind === 'query' && !imported ? planPart(span, request, { editor, imported }) : null,
  ];
}

/** A part that was drawn by itself (`timeline()`): the way there. */
function innerLink(span) {
  return span.inner ? h('a', { class: 'button', href: `#/${span.inner}` }, 'Open its own timeline') : null;
}

/** Asks the database how it answers this query; nothing is asked before somebody wants to know. */
function planPart(span, request, options) {
  const out = h('div', { class: 'plan', 'aria-live': 'polite' });
  const ask = async (analyze) => {
    replace(out, h('p', {}, 'Asking the database…'));
    try {
      const response = await fetch(
        `api/requests/${encodeURIComponent(request.id)}/plan/${span.id}${analyze ? '?analyze' : ''}`,
        { method: 'POST', headers: { 'x-sobaya-xray': '1' } },
      );
      const { plan, problem, hints = [], error } = await response.json();
      if (!plan) return replace(out, h('p', { class: 'unknown' }, problem ?? error ?? 'There is no plan.'));
      replace(
        out,
        h('pre', { tabindex: '0' }, plan.lines.join('\n')),
        hints.map((hint) => hintCard(hint, { ...options, onshow: () => {} })),
        hints.length === 0
          ? h(
              'p',
              { class: 'unknown' },
              plan.scans.length > 0
                ? 'A table is read whole, but no index would spare that: the query asks for all of it, by something an index does not know, or throws too little away.'
                : 'Every table is read through an index.',
            )
          : null,
        plan.vendor === 'postgresql' && !plan.analyzed
          ? h(
              'button',
              {
                type: 'button',
                onclick: () => ask(true),
                title: 'EXPLAIN ANALYZE, in a transaction that is rolled back',
              },
              'Run it and count the rows',
            )
          : null,
      );
    } catch {
      replace(out, h('p', { class: 'unknown' }, 'The application does not answer.'));
    }
  };
  return h(
    'div',
    {},
    h('button', { type: 'button', onclick: () => ask(false) }, 'How does the database answer this?'),
    out,
  );
}

/** The drawing with its legend, zoom buttons, and what is known of the chosen bar. */
export function board(request, split, options) {
  const chosen = h(
    'div',
    { class: 'selected' },
    h(
      'p',
      {},
      'Choose a bar to see where it came from. Double-click zooms to it; drag, or shift and wheel, moves; ctrl and wheel zooms.',
    ),
  );
  const waterfall = new Waterfall(request, split, {
    total: options.total,
    onselect: (span) => {
      if (span) replace(chosen, spanDetails(span, request, options));
      else replace(chosen, h('p', {}, 'Choose a bar to see where it came from.'));
    },
  });
  const kinds = new Set(request.spans.map((span) => span.kind));
  const nest = ['middleware', 'view', 'template', 'span', 'transaction', 'other'];
  const shown = legend.filter(
    ([kind]) => kinds.has(kind) || (kind === 'nest' && nest.some((one) => kinds.has(one))),
  );
  const element = h(
    'section',
    { class: 'board', 'aria-label': 'Timeline' },
    h(
      'div',
      { class: 'bar' },
      h(
        'div',
        { class: 'legend' },
        shown.map(([kind, label]) => h('span', { style: { '--dot': `var(--${kind})` } }, label)),
      ),
      h(
        'div',
        { class: 'zoom' },
        h('button', { type: 'button', onclick: () => waterfall.zoom(0.6), 'aria-label': 'Zoom in' }, '+'),
        h('button', { type: 'button', onclick: () => waterfall.zoom(1.7), 'aria-label': 'Zoom out' }, '−'),
        h('button', { type: 'button', onclick: () => waterfall.view(0, waterfall.total) }, 'All'),
      ),
    ),
    waterfall.element,
    chosen,
  );
  return { element, waterfall };
}

function table(request) {
  const groups = new Map();
  for (const span of request.spans) {
    if (['request', 'task', 'blocked'].includes(span.kind)) continue;
    const key = `${span.kind} ${span.shape ?? span.name}`;
    const took = (span.end ?? request.duration) - span.start;
    const group = groups.get(key);
    if (group) {
      group.count++;
      group.took += took;
      group.most = Math.max(group.most, took);
    } else groups.set(key, { kind: span.kind, name: span.shape ?? span.name, count: 1, took, most: took });
  }
  return [...groups.values()].sort((a, b) => b.took - a.took);
}

export function tableOf(request) {
  const rows = table(request).slice(0, 200);
  return h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ['what', 'kind'].map((name) => h('th', {}, name)),
        ['times', 'in all', 'longest'].map((name) => h('th', { class: 'number' }, name)),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map((row) =>
        h(
          'tr',
          {},
          h('td', {}, row.name),
          h('td', {}, row.kind),
          h('td', { class: 'number' }, row.count),
          h('td', { class: 'number' }, ms(row.took)),
          h('td', { class: 'number' }, ms(row.most)),
        ),
      ),
    ),
  );
}
export { table as groupsOf };

export function titleOf(request) {
  return [
    h('b', {}, request.type === 'recording' ? 'recording' : request.method),
    `${request.path}${request.query ? `?${request.query}` : ''}`,
  ];
}

/** One request, whole. Gives what it must let go of. */
export function drawDetail(main, data, options) {
  const { request, hints, split } = data;
  const { element, waterfall } = board(request, split, options);
  const fact = (label, value, kind) =>
    value === null || value === undefined || value === ''
      ? null
      : h('span', {}, `${label} `, h('b', { class: kind }, value));
  const bad = request.state === 'failed' || (request.status ?? 0) >= 500;
  const onshow = (ids) => {
    waterfall.mark(ids);
    element.scrollIntoView({ block: 'nearest' });
  };
  const cards = hints.map((hint) => hintCard(hint, { ...options, onshow }));
  replace(
    main,
    options.notice ? h('p', { class: 'notice' }, options.notice) : null,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, titleOf(request)),
      h(
        'div',
        { class: 'actions' },
        h(
          'button',
          { type: 'button', onclick: options.oncompare, title: 'Put another request next to this one (c)' },
          options.comparing ? 'Choose the other one…' : 'Compare',
        ),
        options.imported
          ? null
          : h(
              'a',
              { class: 'button', href: `api/export?ids=${encodeURIComponent(request.id)}`, download: '' },
              'Save',
            ),
        h('button', { type: 'button', onclick: () => window.print() }, 'Print'),
      ),
    ),
    h(
      'div',
      { class: 'facts' },
      fact('status', request.status ?? request.state, bad ? 'bad' : ''),
      fact('took', request.state === 'running' ? `${ms(request.duration)} so far` : ms(request.duration)),
      fact('first byte', request.headAt === null ? null : ms(request.headAt)),
      fact('view', request.view),
      fact('route', request.route),
      fact('', countsText(request.counts)),
      fact('sent', request.bytesOut ? bytes(request.bytesOut) : null),
      fact('from', request.client),
      fact('at', clock(request.startedAt)),
      request.spanCount > request.spans.length
        ? fact('spans', `the last ${request.spans.length} of ${request.spanCount}`, 'bad')
        : null,
    ),
    request.error ? h('p', { class: 'notice' }, request.error) : null,
    shares(request, split),
    hints.length > 0 ? h('div', { class: 'hints' }, cards.slice(0, 6)) : null,
    cards.length > 6
      ? h(
          'details',
          {},
          h('summary', {}, `${cards.length - 6} more`),
          h('div', { class: 'hints' }, cards.slice(6, 100)),
        )
      : null,
    h('h2', {}, 'What happened, and when'),
    element,
    h('details', { open: request.spans.length < 40 || null }, h('summary', {}, 'By kind'), tableOf(request)),
    request.headers.length > 0
      ? h(
          'details',
          {},
          h('summary', {}, plural(request.headers.length, 'header')),
          h(
            'dl',
            { class: 'pairs' },
            request.headers.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
          ),
        )
      : null,
    h(
      'p',
      { class: 'foot' },
      `trace ${request.traceId}${request.sites ? '' : ' · call sites were not recorded'}`,
    ),
  );
  waterfall.resize();
  return waterfall;
}
