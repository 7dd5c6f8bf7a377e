import { currentContext } from '../asyncio/index.ts';
import { spanChannel } from './channels.ts';
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
  return spanChannel.tracePromise(work, { name, attributes });
}

/** The x-ray of the current request, to link to: its id, and its page when `xray()` serves one. Null: not recorded. */
export function currentXray(): { readonly id: string; readonly url: string | null } | null {
  const { trace } = currentContext();
  if (!(trace instanceof Trace)) return null;
  const { page } = trace.owner as { page?: string | null };
  return { id: trace.id, url: page ? `${page}#/${trace.id}` : null };
}
