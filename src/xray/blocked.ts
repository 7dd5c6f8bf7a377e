import { Kind, OK } from './kinds.ts';
import type { Recorder } from './recorder.ts';
import type { BlockedRecord } from './records.ts';
import { Trace } from './trace.ts';

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function label(trace: Trace): string {
  return `${trace.method} ${trace.path}`.trim();
}

/** Whether it was this request, or something recorded by itself inside of it. */
function holds(trace: Trace, culprit: Trace | null): boolean {
  for (let at = culprit; at !== null; at = at.outer) if (at === trace) return true;
  return false;
}

/** When a span of `trace` overlaps the stretch, how long; else 0. */
function overlap(trace: Trace, from: number, to: number): number {
  const { columns } = trace;
  if (columns === null) return 0;
  const start = columns.start[0] ?? 0;
  const end = trace.state === 'running' ? Number.POSITIVE_INFINITY : (columns.end[0] ?? 0);
  return Math.max(0, Math.min(end, to) - Math.max(start, from));
}

/** A message of `sobaya:asyncio.blocked`: goes onto every timeline that it delayed. */
export function blockedMessage(raw: unknown, recorders: Iterable<Recorder>): void {
  const message = raw as Record<string, unknown>;
  const ms = message['ms'];
  const from = message['from'];
  if (typeof ms !== 'number' || typeof from !== 'number') return;
  const to = from + ms;
  const ambient = (message['context'] as { trace?: unknown } | null | undefined)?.trace;
  const culprit = ambient instanceof Trace ? ambient : null;
  const file = text(message['file']);
  const functionName = text(message['functionName']);
  const site =
    file === null
      ? null
      : `${file}\n${Number(message['line'] ?? 0)}\n${Number(message['column'] ?? 0)}\n${functionName ?? ''}`;
  const frames = Array.isArray(message['frames'])
    ? (message['frames'] as unknown[])
        .slice(0, 20)
        .map(String)
        .map((frame) => frame.slice(0, 300))
    : [];
  const name =
    [text(message['native']), functionName].filter((part) => part !== null && part !== '').join(' in ') ||
    'the event loop was held';

  for (const recorder of recorders) {
    const delayed: { id: string; label: string; ms: number }[] = [];
    const mark = (trace: Trace): void => {
      const during = overlap(trace, from, to);
      if (during <= 0 && trace !== culprit) return;
      const seq = trace.begin(Kind.blocked, name, 0, trace.mainTask);
      const slot = trace.find(seq);
      const { columns } = trace;
      if (slot < 0 || columns === null) return;
      const role = holds(trace, culprit) ? 'culprit' : 'victim';
      columns.start[slot] = from;
      columns.end[slot] = to;
      columns.status[slot] = OK;
      columns.site[slot] = site;
      const record: BlockedRecord = {
        role,
        functionName,
        native: text(message['native']),
        exact: message['exact'] !== false,
        task: text(message['task']),
        request: culprit === null ? null : label(culprit),
        requestId: culprit?.id ?? null,
        frames,
        ...(role === 'culprit' ? { victims: delayed } : {}),
      };
      columns.blocked[slot] = record;
      if (role === 'victim' && delayed.length < 100)
        delayed.push({ id: trace.id, label: label(trace), ms: during });
    };
    for (const trace of recorder.active) mark(trace);
    // Newest first would be quicker to leave, but a Map only goes forward; a block is rare.
    for (const trace of recorder.finished.values()) if (overlap(trace, from, to) > 0) mark(trace);
  }
}
