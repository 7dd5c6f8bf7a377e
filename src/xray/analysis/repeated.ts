import type { RequestRecord, Site, SpanRecord } from '../records.ts';
import { type AnalysisOptions, brief, type Hint, ms, place } from './hints.ts';

/** Groups of calls of one shape, made one by one: N+1 queries, one outgoing request per item. */
export function repeatedGroups(request: RequestRecord, options: AnalysisOptions): SpanRecord[][] {
  const { repeats = 5 } = options;
  const groups = new Map<string, SpanRecord[]>();
  for (const span of request.spans) {
    if (span.kind !== 'query' && span.kind !== 'client') continue;
    if (span.shape === undefined || isFrame(span.shape)) continue;
    // The same statement with other values is N+1; the same URL with another id is a loop, and gather's business.
    const key = span.kind === 'query' ? `${span.detail ?? ''} ${span.shape}` : span.name;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [span]);
    else group.push(span);
  }
  return [...groups.values()].filter((group) => group.length >= repeats);
}

/** BEGIN, COMMIT, SAVEPOINT, SET: not questions. */
function isFrame(shape: string): boolean {
  return /^(?:begin|commit|rollback|savepoint|release|start transaction|set|pragma)\b/i.test(shape);
}

export function repeated(request: RequestRecord, groups: readonly SpanRecord[][]): Hint[] {
  return groups.map((group) => {
    const first = group[0] as SpanRecord;
    const took = group.reduce((sum, span) => sum + ((span.end ?? span.start) - span.start), 0);
    const longest = Math.max(...group.map((span) => (span.end ?? span.start) - span.start));
    const sites = bySite(group);
    const main = sites[0]?.site ?? null;
    const source = sourceOf(request, group);
    const where = main === null ? '' : ` at ${place(main)}${main.function ? ` in ${main.function}` : ''}`;
    const others =
      sites.length > 1 ? `, and from ${sites.length - 1} other place${sites.length > 2 ? 's' : ''}` : '';
    if (first.kind === 'client') {
      return {
        rule: 'repeated',
        weight: took >= 100 ? 3 : 2,
        title: `The same outgoing request ${group.length} times: ${brief(first.name)}`,
        text: `It was sent ${group.length} times${where}${others}, ${ms(took)} of waiting in all.`,
        unknown:
          'Whether the answer may differ from one time to the next is not known to x-ray; if not, ask once and keep it.',
        saves: overlapping(group) ? null : took - longest,
        spans: group.map((span) => span.id),
        site: main,
        change: null,
      } satisfies Hint;
    }
    return {
      rule: 'repeated',
      weight: group.length >= 10 || took >= 50 ? 3 : 2,
      title: `${group.length} queries of one shape (N+1), ${ms(took)} in all`,
      text: `“${brief(first.shape ?? first.name, 140)}” ran ${group.length} times${where}${others}.${source === null ? '' : ` Each asked for something that “${brief(source.name, 80)}” had returned.`} One query can fetch them all.`,
      unknown: identical(group)
        ? 'They were the same down to their values where values were recorded: keeping the first answer may be enough.'
        : 'How the rows are used is not visible from here: for relations use selectRelated or prefetchRelated, for the rest filter({ id__in: … }).',
      saves: overlapping(group) ? null : took - longest,
      spans: group.map((span) => span.id),
      site: main,
      change: changeFor(first, main),
    } satisfies Hint;
  });
}

function bySite(group: readonly SpanRecord[]): { site: Site; count: number }[] {
  const sites = new Map<string, { site: Site; count: number }>();
  for (const { site } of group) {
    if (site === undefined) continue;
    const key = `${site.file}:${site.line}`;
    const known = sites.get(key);
    if (known === undefined) sites.set(key, { site, count: 1 });
    else known.count++;
  }
  return [...sites.values()].sort((a, b) => b.count - a.count);
}

/** The one query whose result most of the group used: the "1" of N+1. */
function sourceOf(request: RequestRecord, group: readonly SpanRecord[]): SpanRecord | null {
  const ids = new Set(group.map((span) => span.id));
  const counts = new Map<number, number>();
  for (const span of group)
    for (const id of span.uses ?? []) if (!ids.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
  const best = [...counts].sort((a, b) => b[1] - a[1])[0];
  if (best === undefined || best[1] < group.length / 2) return null;
  return request.spans.find((span) => span.id === best[0]) ?? null;
}

function overlapping(group: readonly SpanRecord[]): boolean {
  let end = Number.NEGATIVE_INFINITY;
  for (const span of group) {
    if (span.start < end) return true;
    end = Math.max(end, span.end ?? Number.POSITIVE_INFINITY);
  }
  return false;
}

function identical(group: readonly SpanRecord[]): boolean {
  const first = group[0]?.params?.join();
  if (first === undefined || /\b(?:text|bytes|integer|list|object|date|number)\b/.test(first)) return false;
  return group.every((span) => span.params?.join() === first);
}

function changeFor(first: SpanRecord, site: Site | null): Hint['change'] {
  if (site === null) return null;
  const table = /\bfrom\s+["`]?(?:\w+["`]?\.["`]?)?(\w+)["`]?/i.exec(first.shape ?? '')?.[1];
  const column = /\bwhere\b.*?["`]?(\w+)["`]?\s*=\s*\?/is.exec(first.shape ?? '')?.[1];
  if (table === undefined || column === undefined) return null;
  const byKey = column === 'id' || column.endsWith('_pk');
  return byKey
    ? {
        before: `for (const item of await items) await item.relation.load();   // ${table} by ${column}, once per item`,
        after: `for (const item of await items.selectRelated('relation')) …      // one query with a join`,
      }
    : {
        before: `for (const item of await items) await item.${table}.all();   // where ${column} = ?, once per item`,
        after: `for (const item of await items.prefetchRelated('${table}')) …   // one query: where ${column} in (…)`,
      };
}
