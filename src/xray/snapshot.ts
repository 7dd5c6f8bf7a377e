import { randomBytes } from 'node:crypto';
import { Kind, kindNames, OPEN, OWN_TIMELINE, statusNames } from './kinds.ts';
import { Sized } from './observers.ts';
import { settleHttp } from './recorder.ts';
import type { RequestRecord, SpanRecord } from './records.ts';
import {
  cut,
  readSql,
  redactAddress,
  redactHeader,
  redactQuery,
  redactText,
  redactUrl,
  showValue,
} from './redact.ts';
import { readSite } from './sites.ts';
import type { Columns, Trace } from './trace.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The W3C trace id; made when first asked for. */
export function traceIdOf(trace: Trace): string {
  if (trace.traceId === '') trace.traceId = randomBytes(16).toString('hex');
  return trace.traceId;
}

/** A timeline as plain, redacted data. Null when it was forgotten. */
export function snapshot(trace: Trace): RequestRecord | null {
  const { columns } = trace;
  if (columns === null) return null;
  if (trace.http !== null) settleHttp(trace);
  const origin = columns.start[0] ?? 0;
  const running = trace.state === 'running';
  const slots = Array.from({ length: trace.used }, (_, slot) => slot).sort(
    (a, b) => (columns.seq[a] ?? 0) - (columns.seq[b] ?? 0),
  );
  const parents = parentsOf(columns, slots, trace.mainTask);
  const uses = usesOf(columns, slots);
  const spans: SpanRecord[] = [];
  for (const slot of slots) spans.push(readSpan(trace, columns, slot, origin, parents, uses));
  return {
    id: trace.id,
    traceId: traceIdOf(trace),
    type: trace.type,
    method: cut(trace.method, 40),
    path: redactText(cut(trace.path, 2000)),
    query: redactQuery(cut(trace.query, 2000)),
    route: trace.route,
    view: trace.view,
    status: trace.responseStatus || null,
    state: trace.state,
    error: columns.error[0] == null ? null : redactText(columns.error[0]),
    startedAt: trace.startedAt,
    duration: (running ? performance.now() : (columns.end[0] ?? 0)) - origin,
    headAt: trace.headAt === 0 ? null : trace.headAt - origin,
    client: trace.client === null ? null : redactAddress(trace.client),
    bytesOut: trace.bytesOut,
    headers: trace.headers.slice(0, 64).map(([name, value]) => [cut(name, 100), redactHeader(name, value)]),
    task: trace.mainTask,
    spans,
    spanCount: trace.count,
    counts: trace.countsByName(),
    sites: trace.owner.callSites,
    dependencies: trace.owner.dependencies,
  };
}

function readSpan(
  trace: Trace,
  columns: Columns,
  slot: number,
  origin: number,
  parents: ReadonlyMap<number, number>,
  uses: ReadonlyMap<number, readonly number[]>,
): SpanRecord {
  const seq = columns.seq[slot] ?? 0;
  const kind = columns.kind[slot] ?? 0;
  const status = columns.status[slot] ?? OPEN;
  const raw = columns.name[slot] ?? '';
  const span: Mutable<SpanRecord> = {
    id: seq,
    parent: parents.get(seq) ?? 0,
    task: columns.task[slot] ?? 0,
    kind: kindNames[kind] ?? 'other',
    name: raw,
    start: (columns.start[slot] ?? 0) - origin,
    end: status === OPEN ? null : (columns.end[slot] ?? 0) - origin,
    status: statusNames[status] ?? 'open',
  };
  if (kind === Kind.request) {
    span.name = `${cut(trace.method, 40)} ${redactText(cut(trace.path, 500))}`.trim();
    span.parent = -1;
  } else if (kind === Kind.query) {
    const { display, shape } = readSql(raw);
    span.name = display;
    span.shape = shape;
  } else if (kind === Kind.client) {
    const at = raw.indexOf(' ');
    span.name = `${raw.slice(0, at)} ${redactUrl(raw.slice(at + 1))}`;
    span.shape = shapeOfUrl(span.name);
  } else {
    span.name = redactText(raw);
    if (kind !== Kind.blocked && kind !== Kind.task) span.shape = span.name;
  }
  const amount = columns.amount[slot] ?? Number.NaN;
  if (kind !== Kind.task && !Number.isNaN(amount) && Number.isFinite(amount)) span.amount = amount;
  const waited = columns.waited[slot] ?? -1;
  if (waited >= 0) span.waited = waited;
  const detail = columns.detail[slot];
  if (detail?.startsWith(OWN_TIMELINE)) {
    span.detail = OWN_TIMELINE;
    span.inner = detail.slice(OWN_TIMELINE.length + 1);
  } else if (detail != null) span.detail = redactText(detail);
  const error = columns.error[slot];
  if (error != null) span.error = redactText(error);
  const params = columns.params[slot];
  if (params != null)
    span.params = params.map((value) =>
      value instanceof Sized ? value.toString() : showValue(value, trace.owner.values),
    );
  const text = columns.site[slot];
  if (text != null) {
    const site = readSite(text);
    if (site !== null) span.site = site;
  }
  const used = uses.get(seq);
  if (used !== undefined) span.uses = used;
  const blocked = columns.blocked[slot];
  if (blocked != null)
    span.blocked = { ...blocked, request: blocked.request === null ? null : redactText(blocked.request) };
  return span;
}

/**
 * A task's own calls were made under the span that was open when the task was started. They belong under the task.
 */
function parentsOf(columns: Columns, slots: readonly number[], mainTask: number): Map<number, number> {
  const taskSpan = new Map<number, number>();
  const taskOf = new Map<number, number>();
  for (const slot of slots) {
    const seq = columns.seq[slot] ?? 0;
    const task = columns.task[slot] ?? 0;
    if (columns.kind[slot] === Kind.task) taskSpan.set(task, seq);
    taskOf.set(seq, task);
  }
  const parents = new Map<number, number>();
  for (const slot of slots) {
    const seq = columns.seq[slot] ?? 0;
    let parent = columns.parent[slot] ?? 0;
    // For a task, who started it; for a call, who made it.
    const maker = columns.kind[slot] === Kind.task ? (columns.amount[slot] ?? 0) : (columns.task[slot] ?? 0);
    if (maker !== mainTask && taskOf.get(parent) !== maker) parent = taskSpan.get(maker) ?? parent;
    parents.set(seq, taskOf.has(parent) ? parent : 0);
  }
  return parents;
}

function usesOf(columns: Columns, slots: readonly number[]): Map<number, readonly number[]> {
  const uses = new Map<number, readonly number[]>();
  const writers = new Map<number, number[]>();
  // In order of time: a result can only be used by what began after it came.
  const events: { at: number; slot: number; end: boolean }[] = [];
  for (const slot of slots) {
    if (columns.reads[slot]?.length) events.push({ at: columns.start[slot] ?? 0, slot, end: false });
    if (columns.wrote[slot]?.length && columns.status[slot] !== OPEN)
      events.push({ at: columns.end[slot] ?? 0, slot, end: true });
  }
  events.sort((a, b) => a.at - b.at || Number(b.end) - Number(a.end));
  for (const { slot, end } of events) {
    const seq = columns.seq[slot] ?? 0;
    if (end) {
      // A value that was in the question is nothing that the answer brought.
      const asked = columns.reads[slot];
      for (const hash of columns.wrote[slot] ?? []) {
        if (asked?.includes(hash)) continue;
        const list = writers.get(hash);
        if (list === undefined) writers.set(hash, [seq]);
        else if (list.length < 8) list.push(seq);
      }
    } else {
      const found = new Set<number>();
      for (const hash of columns.reads[slot] ?? [])
        for (const writer of writers.get(hash) ?? []) found.add(writer);
      if (found.size > 0)
        uses.set(
          seq,
          [...found].sort((a, b) => a - b),
        );
    }
  }
  return uses;
}

/** Method, host and path without numbers and ids: what repeats when the same thing is asked for many. */
export function shapeOfUrl(nameOfCall: string): string {
  return nameOfCall
    .replace(/\?.*$/, '')
    .replace(/\/(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,})(?=\/|$)/gi, '/…');
}
