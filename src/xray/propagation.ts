import { clientHooks } from './observers.ts';
import type { Recorder } from './recorder.ts';
import { formatTraceparent } from './trace-context.ts';

/** Adds `traceparent` to outgoing requests of `recorder`'s timelines. Gives what ends it. */
export function propagate(recorder: Recorder, mode: boolean | 'follow'): () => void {
  if (mode === false) return () => {};
  const hook: Parameters<typeof clientHooks.add>[0] = (message, trace, slot) => {
    if (trace.owner !== recorder || trace.bridge !== null) return;
    if (mode === 'follow' && trace.remoteSampled === null) return;
    const headers = message['headers'] as HeaderBag | undefined;
    if (typeof headers?.set !== 'function' || headers.has?.('traceparent')) return;
    headers.set('traceparent', formatTraceparent(trace, trace.columns?.seq[slot] ?? 0));
    if (trace.tracestate !== '') headers.set('tracestate', trace.tracestate);
  };
  clientHooks.add(hook);
  return () => void clientHooks.delete(hook);
}

/** What is needed of the message's headers. */
export interface HeaderBag {
  has?(name: string): boolean;
  set(name: string, value: string): unknown;
}
