import { waitingKinds } from '../kinds.ts';
import type { RequestRecord, SpanRecord } from '../records.ts';
import { type AnalysisOptions, brief, type Hint, list, ms, place } from './hints.ts';

/** Something that took its time and could have run next to others: a wait, a task, a named section. */
interface Unit {
  readonly span: SpanRecord;
  readonly end: number;
  /** Ids of the spans whose results it used, those of what runs inside included. */
  readonly uses: ReadonlySet<number>;
  /** Spans inside, itself included. */
  readonly inside: ReadonlySet<number>;
  /** It may change something (or is reported otherwise): nothing moves across it. */
  readonly barrier: boolean;
}

const gatherable = new Set(['query', 'client', 'sleep', 'thread', 'task', 'span']);
const readOnly = /^(?:\s|\()*(?:select|with|values|show|explain|pragma)\b/i;
const writesInside = /\b(?:insert|update|delete|merge)\b/i;

/** Whether a call may change something, so that its place in the order may matter. */
export function mayWrite(span: SpanRecord): boolean {
  if (span.kind === 'query') return !readOnly.test(span.name) || writesInside.test(span.name);
  if (span.kind === 'client') return !/^(?:GET|HEAD|OPTIONS) /.test(span.name);
  return span.kind === 'transaction';
}

/** Waits in a row, of one task, that did not need each other as far as values tell. */
export function sequential(
  request: RequestRecord,
  options: AnalysisOptions,
  ignored: ReadonlySet<number>,
): Hint[] {
  const { minSaving = 10, gap = 2 } = options;
  const children = childrenOf(request);
  const hints: Hint[] = [];
  for (const [parent, spans] of children) {
    const around = request.spans.find((span) => span.id === parent);
    // On the one connection of a transaction its queries cannot run side by side.
    if (around !== undefined && insideTransaction(around, request)) continue;
    for (const row of rowsOf(spans, request.spans, children, ignored, gap)) {
      const first = row[0];
      const last = row.at(-1);
      if (first === undefined || last === undefined || row.length < 2) continue;
      // While the loop was held nothing could go on; gather would not have helped against that.
      const times = row.map(
        (unit) => unit.end - unit.span.start - busy(request.spans, unit.span.start, unit.end),
      );
      const took = last.end - first.span.start - busy(request.spans, first.span.start, last.end);
      const longest = Math.max(...times);
      const saves = took - longest;
      if (saves < minSaving) continue;
      hints.push(hintOf(request, row, times, took, longest, saves, options));
    }
  }
  return hints;
}

function hintOf(
  request: RequestRecord,
  row: readonly Unit[],
  times: readonly number[],
  took: number,
  longest: number,
  saves: number,
  options: AnalysisOptions,
): Hint {
  const sum = times.length <= 6 ? `${times.map((time) => Math.round(time)).join(' + ')} ms` : ms(took);
  const sites = row.map((unit) => place(unit.span.site)).filter((text) => text !== '');
  const where = sites.length > 0 ? ` at ${list([...new Set(sites)].slice(0, 6))}` : '';
  const databases = row.filter((unit) => unit.span.kind === 'query').length;
  return {
    rule: 'sequential',
    weight: saves >= request.duration * 0.2 || saves >= 100 ? 3 : 2,
    title: `${row.length} waits in a row: ${ms(took)} → about ${ms(longest)} with gather`,
    text: `${list([...row.slice(0, 4).map((unit) => brief(unit.span.name)), ...(row.length > 4 ? [`${row.length - 4} more`] : [])])} were awaited one after another${where} (${sum}). An await waits; only gather and createTask make two things run at once.`,
    unknown: `${
      request.dependencies
        ? 'No value that one of them returned was given to a later one, but x-ray sees only values: if your code decides by a result whether to make the next call, the order is needed.'
        : 'Whether a later one needs the result of an earlier one was not recorded; turn call sites on to know more.'
    }${databases > 1 ? ' Each query at the same time takes a connection of its own.' : ''}`,
    saves,
    spans: row.map((unit) => unit.span.id),
    site: row[0]?.span.site ?? null,
    change: changeOf(row, options),
  };
}

function childrenOf(request: RequestRecord): Map<number, SpanRecord[]> {
  const children = new Map<number, SpanRecord[]>();
  for (const span of request.spans) {
    const list = children.get(span.parent);
    if (list === undefined) children.set(span.parent, [span]);
    else list.push(span);
  }
  return children;
}

function insideTransaction(span: SpanRecord, request: RequestRecord): boolean {
  const byId = new Map(request.spans.map((one) => [one.id, one]));
  const seen = new Set<number>();
  for (
    let at: SpanRecord | undefined = span;
    at !== undefined && !seen.has(at.id);
    at = byId.get(at.parent)
  ) {
    if (at.kind === 'transaction') return true;
    seen.add(at.id);
  }
  return false;
}

/** Chains of units under one parent, each beginning where the one before ended. */
function* rowsOf(
  spans: readonly SpanRecord[],
  all: readonly SpanRecord[],
  children: ReadonlyMap<number, readonly SpanRecord[]>,
  ignored: ReadonlySet<number>,
  gap: number,
): Generator<Unit[]> {
  const units: Unit[] = [];
  for (const span of spans) {
    if (!gatherable.has(span.kind) && span.kind !== 'transaction') continue;
    if (span.end === null || span.status === 'cancelled') continue;
    const unit = unitOf(span, span.end, children, ignored);
    if (unit !== null) units.push(unit);
  }
  units.sort((a, b) => a.span.start - b.span.start);
  let row: Unit[] = [];
  for (const [index, unit] of units.entries()) {
    const before = row.at(-1);
    // What overlaps its neighbour was gathered already, and so is its turn in the row.
    const next = units[index + 1];
    const alone = next === undefined || next.span.start >= unit.end;
    const follows =
      before !== undefined &&
      unit.span.start >= before.end - 0.05 &&
      unit.span.start - before.end <= pause(before, unit, gap) + busy(all, before.end, unit.span.start);
    const dependent = follows && row.some((one) => [...one.inside].some((id) => unit.uses.has(id)));
    if (row.length > 0 && (!follows || dependent)) {
      yield row;
      row = [];
    }
    if (alone && !unit.barrier) row.push(unit);
    else {
      yield row;
      row = [];
    }
  }
  yield row;
}

/** Beside long waits a little work between them is no reason to keep them in a row: a quarter of the shorter, up to 25 ms. */
function pause(before: Unit, after: Unit, gap: number): number {
  const shorter = Math.min(before.end - before.span.start, after.end - after.span.start);
  return Math.max(gap, Math.min(25, shorter / 4));
}

/** The loop's standstill between two calls is no work of this code. */
function busy(spans: readonly SpanRecord[], from: number, to: number): number {
  let total = 0;
  for (const span of spans)
    if (span.kind === 'blocked' && span.end !== null)
      total += Math.max(0, Math.min(span.end, to) - Math.max(span.start, from));
  return total;
}

function unitOf(
  span: SpanRecord,
  end: number,
  children: ReadonlyMap<number, readonly SpanRecord[]>,
  ignored: ReadonlySet<number>,
): Unit | null {
  const inside = new Set<number>();
  const uses = new Set<number>();
  const visit = (one: SpanRecord): boolean => {
    if (inside.has(one.id)) return true;
    inside.add(one.id);
    if (ignored.has(one.id) || mayWrite(one)) return false;
    for (const id of one.uses ?? []) uses.add(id);
    for (const child of children.get(one.id) ?? []) if (!visit(child)) return false;
    return true;
  };
  const barrier = !visit(span);
  // A task or section in which nothing was waited for is work, and the loop works at one thing at a time.
  if (!waitingKinds.has(span.kind) && ![...inside].some((id) => id !== span.id && waits(id, span, children)))
    return null;
  return { span, end, uses, inside, barrier };
}

function waits(id: number, top: SpanRecord, children: ReadonlyMap<number, readonly SpanRecord[]>): boolean {
  const stack = [top];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at.id === id) return waitingKinds.has(at.kind);
    stack.push(...(children.get(at.id) ?? []));
  }
  return false;
}

const statement =
  /^(?:(?:const|let|var)\s+(?<target>[\w$]+|\{[^{}]*\}|\[[^[\]]*\])(?:\s*:[^=]+)?\s*=\s*)?await\s+(?<call>.+?);?\s*(?:\/\/.*)?$/;

/** The lines as they are, and as one gather. Only when every line is a whole `await` statement of its own. */
function changeOf(row: readonly Unit[], { source }: AnalysisOptions): Hint['change'] {
  if (source === undefined) return null;
  const before: string[] = [];
  const targets: string[] = [];
  const calls: string[] = [];
  const seen = new Set<number>();
  const file = row[0]?.span.site?.file;
  for (const { span } of row) {
    const { site } = span;
    if (site === undefined || site.file !== file) return null;
    if (seen.has(site.line)) return loopChange(row, source);
    seen.add(site.line);
    const line = source(site.file, site.line)?.trim();
    const match = line === undefined ? null : statement.exec(line);
    if (line === undefined || match === null || line.length > 300) return null;
    const call = match.groups?.['call'] ?? '';
    if (!balanced(call)) return null;
    before.push(line);
    targets.push(match.groups?.['target'] ?? '');
    calls.push(call);
  }
  const named = targets.some((target) => target !== '');
  const left = named ? `const [${targets.join(', ').replace(/(?:, )+$/, '')}] = ` : '';
  return {
    before: before.join('\n'),
    after: `${left}await gather(\n${calls.map((call) => `  () => ${call},`).join('\n')}\n);`,
  };
}

/** The same line again and again: a loop. */
function loopChange(row: readonly Unit[], source: NonNullable<AnalysisOptions['source']>): Hint['change'] {
  const site = row[0]?.span.site;
  if (site === undefined || !row.every(({ span }) => span.site?.line === site.line)) return null;
  const line = source(site.file, site.line)?.trim();
  const call = line === undefined ? null : /await\s+(.+?);?\s*(?:\/\/.*)?$/.exec(line)?.[1];
  if (line === undefined || !call || !balanced(call) || line.length > 300) return null;
  return {
    before: `for (const item of items) {\n  ${line}\n}`,
    after: `await mapConcurrent(items, 10, (item) => ${call});`,
  };
}

function balanced(code: string): boolean {
  let depth = 0;
  for (const char of code) {
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && --depth < 0) return false;
  }
  return depth === 0;
}
