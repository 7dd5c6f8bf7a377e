import { Kind, type KindName, OPEN } from './kinds.ts';
import type { Trace } from './trace.ts';

const shown: readonly (readonly [KindName, string, string])[] = [
  ['query', 'db', 'queries'],
  ['client', 'http', 'outgoing'],
  ['template', 'template', 'templates'],
  ['thread', 'thread', 'threads'],
  ['wait', 'lock', 'locks'],
  ['sleep', 'sleep', 'sleeps'],
];

/** The value of `Server-Timing` for what is known when the head goes out. Durations only, no names of anything. */
export function serverTiming(trace: Trace): string {
  const { columns } = trace;
  if (columns === null) return '';
  const now = performance.now();
  const parts = [`total;dur=${(now - (columns.start[0] ?? now)).toFixed(1)}`];
  const sums = new Float64Array(16);
  const counts = new Uint32Array(16);
  const { used } = trace;
  for (let slot = 1; slot < used; slot++) {
    const kind = columns.kind[slot] ?? 0;
    const end = columns.status[slot] === OPEN ? now : (columns.end[slot] ?? 0);
    sums[kind] = (sums[kind] ?? 0) + end - (columns.start[slot] ?? 0);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const [kind, name, what] of shown) {
    const count = counts[Kind[kind]] ?? 0;
    if (count > 0) parts.push(`${name};dur=${(sums[Kind[kind]] ?? 0).toFixed(1)};desc="${count} ${what}"`);
  }
  return parts.join(', ');
}
