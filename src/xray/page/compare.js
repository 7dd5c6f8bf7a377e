import { board, groupsOf, splitBar, titleOf } from './detail.js';
import { h, replace } from './dom.js';
import { countsText, ms } from './format.js';

function change(before, after, format = (value) => String(value)) {
  const delta = after - before;
  if (Math.abs(delta) < 0.005) return h('td', { class: 'number' }, '·');
  return h(
    'td',
    { class: `number ${delta < 0 ? 'better' : 'worse'}` },
    `${delta < 0 ? '−' : '+'}${format(Math.abs(delta))}`,
  );
}

/** Two requests, one above the other on one scale, and what is different between them. */
export function drawCompare(main, before, after, options) {
  const total = Math.max(before.request.duration, after.request.duration);
  const boards = [before, after].map((one) =>
    board(one.request, one.split, { ...options, imported: options.importedIds.has(one.request.id), total }),
  );
  const faster = before.request.duration / Math.max(after.request.duration, 0.001);
  const verdict =
    faster > 1.05
      ? `The second one is ${faster.toFixed(1)} times as fast.`
      : faster < 0.95
        ? `The second one takes ${(1 / faster).toFixed(1)} times as long.`
        : 'Both take about the same time.';
  const side = (one, index) =>
    h(
      'section',
      {},
      h(
        'div',
        { class: 'head' },
        h('h1', {}, titleOf(one.request)),
        h('div', { class: 'actions' }, h('a', { class: 'button', href: `#/${one.request.id}` }, 'Open')),
      ),
      h(
        'div',
        { class: 'facts' },
        h('span', {}, index === 0 ? 'first' : 'second'),
        h('span', {}, 'took ', h('b', {}, ms(one.request.duration))),
        h('span', {}, countsText(one.request.counts)),
      ),
      splitBar(one.split, total),
      h('p', {}),
      boards[index].element,
    );
  const groups = new Map();
  for (const [index, one] of [before, after].entries())
    for (const group of groupsOf(one.request)) {
      const key = `${group.kind} ${group.name}`;
      const row = groups.get(key) ?? { kind: group.kind, name: group.name, sides: [null, null] };
      row.sides[index] = group;
      groups.set(key, row);
    }
  const rows = [...groups.values()].sort((a, b) => difference(b) - difference(a)).slice(0, 100);
  replace(
    main,
    h(
      'p',
      { class: 'facts' },
      h('b', {}, verdict),
      h('a', { href: `#/compare/${after.request.id}/${before.request.id}` }, 'the other way round'),
    ),
    h('div', { class: 'pair' }, side(before, 0), side(after, 1)),
    h('h2', {}, 'What is different'),
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', {}, 'what'),
          h('th', {}, 'kind'),
          ['first', 'second', 'times', 'time'].map((name) => h('th', { class: 'number' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        h(
          'tr',
          {},
          h('td', {}, h('b', {}, 'the whole request')),
          h('td', {}),
          h('td', { class: 'number' }, ms(before.request.duration)),
          h('td', { class: 'number' }, ms(after.request.duration)),
          h('td', {}),
          change(before.request.duration, after.request.duration, ms),
        ),
        rows.map(({ kind, name, sides: [a, b] }) =>
          h(
            'tr',
            {},
            h('td', {}, name),
            h('td', {}, kind),
            h('td', { class: 'number' }, a ? `${a.count} × ${ms(a.took / a.count)}` : '–'),
            h('td', { class: 'number' }, b ? `${b.count} × ${ms(b.took / b.count)}` : '–'),
            change(a?.count ?? 0, b?.count ?? 0),
            change(a?.took ?? 0, b?.took ?? 0, ms),
          ),
        ),
      ),
    ),
  );
  for (const { waterfall } of boards) waterfall.resize();
  return boards.map(({ waterfall }) => waterfall);
}

function difference({ sides: [a, b] }) {
  return Math.abs((a?.took ?? 0) - (b?.took ?? 0));
}
