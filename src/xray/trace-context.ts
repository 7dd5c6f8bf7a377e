import type { Headers } from '../asgi/index.ts';
import { traceIdOf } from './snapshot.ts';
import type { Trace } from './trace.ts';

/** W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/). */
export interface TraceParent {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Section 3.2: null for whatever the specification calls invalid; the trace starts anew then. */
export function parseTraceparent(value: string): TraceParent | null {
  const match = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(value.trim());
  if (match === null) return null;
  const [, version, traceId = '', spanId = '', flags = '00', rest] = match;
  // Version ff is forbidden; version 00 has exactly four fields, later ones may have more.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Takes over what the caller sent. A header that came twice counts as invalid. */
export function readTraceContext(trace: Trace, headers: Headers): void {
  let parent: string | null = null;
  let twice = false;
  let state = '';
  for (const [name, value] of headers) {
    if (name === 'traceparent') {
      twice = parent !== null;
      parent = value;
    } else if (name === 'tracestate') state = state === '' ? value : `${state},${value}`;
  }
  if (parent === null || twice) return;
  const read = parseTraceparent(parent);
  if (read === null) return;
  trace.traceId = read.traceId;
  trace.remoteParent = read.spanId;
  trace.remoteSampled = read.sampled;
  if (state.length <= 512) trace.tracestate = state;
}

/** The id of a span: the trace's own eight digits and its number. */
export function spanIdOf(trace: Trace, seq: number): string {
  const traceId = traceIdOf(trace);
  // Two servers may record one trace: their spans differ by the request's own id.
  let hash = 0x811c9dc5;
  for (const char of trace.id) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  const prefix = ((Number.parseInt(traceId.slice(0, 8), 16) ^ hash) >>> 0).toString(16).padStart(8, '0');
  return prefix + (seq + 1).toString(16).padStart(8, '0');
}

export function formatTraceparent(trace: Trace, seq: number): string {
  const sampled = trace.remoteSampled ?? true;
  return `00-${traceIdOf(trace)}-${spanIdOf(trace, seq)}-${sampled ? '01' : '00'}`;
}
