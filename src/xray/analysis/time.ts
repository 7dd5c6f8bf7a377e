import { OWN_TIMELINE, waitingKinds } from '../kinds.ts';
import type { RequestRecord } from '../records.ts';

export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly what: 'own' | 'waiting' | 'blocked';
}

export interface TimeSplit {
  /** Its own work on the loop, standing in line for the loop, and waits that no channel tells of. */
  readonly own: number;
  /** Every task of it waited for somebody else: a database, another server, a timer, a thread, a lock. */
  readonly waiting: number;
  /** Somebody else held the loop. */
  readonly blocked: number;
  /** The same in order of time. */
  readonly segments: readonly Segment[];
}

type Interval = [from: number, to: number];

function union(intervals: Interval[]): Interval[] {
  intervals.sort((a, b) => a[0] - b[0]);
  const merged: Interval[] = [];
  for (const [from, to] of intervals) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** Where the time of a request went. The three add up to its duration. */
export function splitTime(request: RequestRecord): TimeSplit {
  const total = request.duration;
  const clip = (from: number, to: number): Interval => [Math.max(0, from), Math.min(total, to)];
  const waits: Interval[] = [];
  const blocks: Interval[] = [];
  for (const span of request.spans) {
    const interval = clip(span.start, span.end ?? total);
    if (interval[1] <= interval[0]) continue;
    if (span.kind === 'blocked') {
      if (span.blocked?.role !== 'culprit') blocks.push(interval);
    } else if (waitingKinds.has(span.kind) || span.detail === OWN_TIMELINE) waits.push(interval);
  }
  const own: Interval[] = request.spans
    .filter((span) => span.kind === 'blocked' && span.blocked?.role === 'culprit')
    .map((span) => clip(span.start, span.end ?? total));
  const segments: Segment[] = [];
  const edges = new Set<number>([0, total]);
  const mergedWaits = union(waits);
  const mergedBlocks = union(blocks);
  const mergedOwn = union(own);
  for (const list of [mergedWaits, mergedBlocks, mergedOwn])
    for (const [from, to] of list) edges.add(from).add(to);
  const sorted = [...edges].filter((at) => at >= 0 && at <= total).sort((a, b) => a - b);
  const within = (list: readonly Interval[]): ((at: number) => boolean) => {
    let index = 0;
    return (at) => {
      while (index < list.length && (list[index]?.[1] ?? 0) <= at) index++;
      return (list[index]?.[0] ?? Number.POSITIVE_INFINITY) <= at;
    };
  };
  const isOwn = within(mergedOwn);
  const isBlocked = within(mergedBlocks);
  const isWait = within(mergedWaits);
  const sums = { own: 0, waiting: 0, blocked: 0 };
  for (let i = 0; i + 1 < sorted.length; i++) {
    const from = sorted[i] as number;
    const to = sorted[i + 1] as number;
    const ownNow = isOwn(from);
    const blockedNow = isBlocked(from);
    const waitNow = isWait(from);
    const what = ownNow ? 'own' : blockedNow ? 'blocked' : waitNow ? 'waiting' : 'own';
    sums[what] += to - from;
    const last = segments.at(-1);
    if (last?.what === what && last.to === from) segments[segments.length - 1] = { ...last, to };
    else segments.push({ from, to, what });
  }
  return { ...sums, segments };
}
