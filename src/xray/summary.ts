import { analyse, splitTime } from './analysis/index.ts';
import type { RequestRecord } from './records.ts';
import { snapshot } from './snapshot.ts';
import type { Trace } from './trace.ts';

/** A request in the live list. */
export interface Summary {
  readonly id: string;
  readonly type: RequestRecord['type'];
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly route: string | null;
  readonly view: string | null;
  readonly status: number | null;
  readonly state: RequestRecord['state'];
  readonly startedAt: number;
  /** Beginning on the monotonic clock of the process, ms. */
  readonly at: number;
  readonly duration: number;
  readonly counts: RequestRecord['counts'];
  readonly hints: readonly { readonly rule: string; readonly weight: number; readonly title: string }[];
  readonly split: readonly [own: number, waiting: number, blocked: number];
  /** The drawing of the kitchen: from, to, and 0 own, 1 waiting, 2 blocked. At most 60. */
  readonly segments: readonly (readonly [number, number, number])[];
}

const summaries = new WeakMap<Trace, Summary>();
const whats = { own: 0, waiting: 1, blocked: 2 } as const;

/** Null when it was forgotten. A finished one is worked out once. */
export function summaryOf(trace: Trace): Summary | null {
  if (trace.columns === null) return null;
  const known = summaries.get(trace);
  // A block of the loop is reported a moment after the request it delayed has ended.
  if (known !== undefined && known.counts.blocked === trace.countsByName().blocked) return known;
  const record = snapshot(trace);
  if (record === null) return null;
  const split = splitTime(record);
  const summary: Summary = {
    id: record.id,
    type: record.type,
    method: record.method,
    path: record.path,
    query: record.query,
    route: record.route,
    view: record.view,
    status: record.status,
    state: record.state,
    startedAt: record.startedAt,
    at: trace.columns.start[0] ?? 0,
    duration: record.duration,
    counts: record.counts,
    hints: analyse(record).map(({ rule, weight, title }) => ({ rule, weight, title })),
    split: [split.own, split.waiting, split.blocked],
    segments: fewer(split.segments.map(({ from, to, what }) => [round(from), round(to), whats[what]])),
  };
  if (trace.state !== 'running') summaries.set(trace, summary);
  return summary;
}

const round = (value: number): number => Math.round(value * 100) / 100;

type Piece = readonly [number, number, number];

/** The longest 60; the gaps between them become what is next to them. */
function fewer(segments: Piece[]): Piece[] {
  if (segments.length <= 60) return segments;
  const long = new Set([...segments].sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, 60));
  const kept: Piece[] = [];
  for (const segment of segments) {
    const last = kept.at(-1);
    if (long.has(segment) || last === undefined) kept.push(segment);
    else kept[kept.length - 1] = [last[0], segment[1], last[2]];
  }
  return kept;
}
