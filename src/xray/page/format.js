export function ms(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 10000) return `${Math.round(value / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  if (value >= 99.5) return `${Math.round(value)} ms`;
  if (value >= 9.95) return `${value.toFixed(1)} ms`;
  if (value >= 0.1) return `${value.toFixed(2)} ms`;
  return `${Math.round(value * 1000)} µs`;
}

export function bytes(value) {
  if (value >= 1048576) return `${(value / 1048576).toFixed(1)} MB`;
  if (value >= 1024) return `${(value / 1024).toFixed(1)} KB`;
  return `${value} B`;
}

export function clock(epoch) {
  const date = new Date(epoch);
  return Number.isNaN(date.getTime())
    ? ''
    : `${date.toLocaleTimeString(undefined, { hour12: false })}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function shortFile(file) {
  return String(file).split(/[/\\]/).at(-1);
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

export function countsText(counts) {
  const parts = [];
  if (counts.query) parts.push(plural(counts.query, 'query', 'queries'));
  if (counts.client) parts.push(`${counts.client} outgoing`);
  if (counts.task) parts.push(plural(counts.task, 'task'));
  if (counts.thread) parts.push(plural(counts.thread, 'thread call'));
  return parts.join(' · ');
}

/** The link that opens a place in the editor; null where there is none. */
export function editorUrl(template, site) {
  if (!template || !/^([/\\]|[A-Za-z]:[/\\])/.test(site.file)) return null;
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(template) || /^(javascript|data|vbscript):/i.test(template))
    return null;
  const file = site.file
    .split('/')
    .map(encodeURIComponent)
    .join('/')
    .replace(/^([A-Za-z])%3A/, '$1:');
  return template
    .replaceAll('{file}', file)
    .replaceAll('{line}', String(site.line | 0))
    .replaceAll('{column}', String(site.column | 0));
}

const sqlBreaks =
  /\s+(?=(?:from|where|(?:left |inner |cross |right )?(?:outer )?join|order by|group by|having|limit|returning|union|values|set|on conflict)\b)/gi;
export function prettySql(sql) {
  return sql.replace(sqlBreaks, '\n').replace(/\n(?=(?:limit|set|values)\b)/gi, '\n');
}
