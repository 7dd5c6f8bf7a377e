import { currentContext, tracePromise } from '../asyncio/index.ts';
import { spanChannel } from './channels.ts';
import { ERROR, Kind, OK, OWN_TIMELINE } from './kinds.ts';
import { errorText } from './observers.ts';
import type { Recorder } from './recorder.ts';
import { Trace } from './trace.ts';

/**
 * Names a section of work: it gets a bar of its own on the timeline, and what runs inside becomes its child. Costs
 * one property read when nobody records.
 */
export function span<T>(
  name: string,
  fn: () => T | PromiseLike<T>,
  attributes?: Readonly<Record<string, unknown>>,
): Promise<Awaited<T>> {
  const work = async (): Promise<Awaited<T>> => await fn();
  if (!spanChannel.start.hasSubscribers) return work();
  return tracePromise(spanChannel, work, { name, attributes });
}

export interface XrayLink {
  readonly id: string;
  /** Its page, when `xray()` serves one. */
  readonly url: string | null;
}

/** The x-ray of the current request, to link to. Null: not recorded. */
export function currentXray(): XrayLink | null {
  const { trace } = currentContext();
  return trace instanceof Trace ? linkTo(trace) : null;
}

function linkTo(trace: Trace): XrayLink {
  const { page } = trace.owner as Recorder;
  return { id: trace.id, url: page === null ? null : `${page}#/${trace.id}` };
}

/**
 * Gives a part of a request a timeline of its own in the list: one of several ways that are compared, one job of a
 * batch. Gives the value and where to look at it (null when nobody records). What runs inside is drawn there, and is
 * one bar on the timeline around it.
 */
export async function timeline<T>(
  name: string,
  fn: () => T | PromiseLike<T>,
): Promise<{ readonly value: Awaited<T>; readonly xray: XrayLink | null }> {
  const { trace, span: parent, task } = currentContext();
  const inner = trace instanceof Trace ? (trace.owner as Recorder).open('recording') : null;
  if (!(trace instanceof Trace) || inner === null) return { value: await fn(), xray: null };
  const recorder = trace.owner as Recorder;
  inner.path = name;
  inner.outer = trace;
  const bar = trace.begin(Kind.other, name, parent, task?.id ?? 0);
  const slot = trace.find(bar);
  if (slot >= 0 && trace.columns !== null) trace.columns.detail[slot] = `${OWN_TIMELINE} ${inner.id}`;
  try {
    const value = await recorder.run(inner, async () => await fn());
    recorder.close(inner, 'done');
    trace.end(bar, OK);
    return { value, xray: linkTo(inner) };
  } catch (error) {
    recorder.close(inner, 'failed', errorText(error));
    trace.end(bar, ERROR);
    throw error;
  }
}
