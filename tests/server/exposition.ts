import assert from 'node:assert/strict';

const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const sample =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*"(?:,(?!\})|(?=\})))*)\})? (\+Inf|NaN|-?[0-9.]+(?:e[+-]?\d+)?)$/;

/**
 * Reads the text format of Prometheus and holds it to the rules that `promtool check metrics` and its parser have:
 * HELP and TYPE once, before the samples, which stand together; names by their type; no series twice; histograms
 * that add up.
 */
export function readExposition(text: string): Map<string, number> {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const series = new Map<string, number>();
  const types = new Map<string, string>();
  const helps = new Set<string>();
  let family = '';
  const closed = new Set<string>();
  const enter = (next: string): void => {
    if (next === family) return;
    assert.ok(!closed.has(next), `${next} stands together`);
    if (family !== '') closed.add(family);
    family = next;
  };
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, of = '', rest = ''] = comment;
      assert.match(of, name);
      enter(of);
      if (kind === 'HELP') {
        assert.ok(!helps.has(of), `one HELP for ${of}`);
        helps.add(of);
        assert.ok(rest.trim() !== '');
      } else {
        assert.ok(!types.has(of), `one TYPE for ${of}`);
        assert.match(rest, /^(counter|gauge|histogram)$/);
        types.set(of, rest);
        if (rest === 'counter') assert.match(of, /_total$/);
        else assert.doesNotMatch(of, /_(total|count|sum|bucket)$/);
        assert.doesNotMatch(of, /_(milliseconds|ms|kilobytes|megabytes|percent)(_|$)/, 'base units');
      }
      continue;
    }
    const found = sample.exec(line);
    assert.ok(found !== null, `a sample: ${line}`);
    const [, of = '', labels = '', value = ''] = found;
    const base = types.get(of) === undefined ? of.replace(/_(bucket|sum|count)$/, '') : of;
    assert.equal(base, family, `${of} stands under its TYPE`);
    assert.ok(types.has(base) && helps.has(base));
    if (base !== of) assert.equal(types.get(base), 'histogram');
    const labelNames = [...labels.matchAll(/([a-zA-Z_]\w*)="/g)].map(([, label]) => label);
    assert.equal(new Set(labelNames).size, labelNames.length);
    const key = labels === '' ? of : `${of}{${labels}}`;
    assert.ok(!series.has(key), `${key} once`);
    series.set(key, Number(value.replace('+Inf', 'Infinity')));
    if (types.get(base) === 'counter') assert.ok(series.get(key)! >= 0);
  }
  for (const [of, type] of types) {
    if (type !== 'histogram') continue;
    const inside = [...series].filter(([key]) => key.startsWith(`${of}_bucket{`));
    let below = 0;
    let limit = Number.NEGATIVE_INFINITY;
    for (const [key, value] of inside) {
      const le = Number(/le="([^"]*)"/.exec(key)?.[1]?.replace('+Inf', 'Infinity'));
      assert.ok(le > limit && value >= below, `${key} is cumulative`);
      below = value;
      limit = le;
    }
    assert.equal(limit, Number.POSITIVE_INFINITY);
    assert.equal(below, series.get(`${of}_count`));
    assert.ok(series.has(`${of}_sum`));
  }
  return series;
}
