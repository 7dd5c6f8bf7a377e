import type { HttpRequest } from './request.ts';
import { StreamingHttpResponse } from './response.ts';

/** One event of a server-sent event stream. */
export interface ServerSentEvent {
  /** Text; anything else is written as JSON. */
  readonly data: unknown;
  /** The kind, for `addEventListener`; without it `message`. */
  readonly event?: string;
  /** What the browser sends back as Last-Event-ID when it connects again. */
  readonly id?: string | number;
  /** How long the browser waits before it connects again, ms. */
  readonly retry?: number;
}

export interface EventStreamOptions {
  /** A comment is sent when nothing else was for so many ms, so that proxies keep the connection. Default 15,000; 0: never. */
  readonly keepAlive?: number;
}

const lineEnd = /\r\n|\r|\n/;

/** One event as text (HTML, 9.2). No value can end its line and begin a field of its own. */
export function formatEvent({ data, event, id, retry }: ServerSentEvent): string {
  let text = '';
  if (event !== undefined) text += `event: ${event.replace(/[\r\n]/g, ' ')}\n`;
  if (id !== undefined) text += `id: ${String(id).replace(/[\r\n\0]/g, '')}\n`;
  if (retry !== undefined) text += `retry: ${Math.max(0, Math.floor(retry))}\n`;
  const body = typeof data === 'string' ? data : (JSON.stringify(data) ?? 'null');
  for (const line of body.split(lineEnd)) text += `data: ${line}\n`;
  return `${text}\n`;
}

/** Events as they come; a text or value that is no event object is its data. */
export type Events = AsyncIterable<ServerSentEvent | string> | Iterable<ServerSentEvent | string>;

/** The id of the last event that a browser which connects again has seen; null the first time. */
export function lastEventId(request: HttpRequest): string | null {
  const id = request.header('last-event-id');
  // Sent as UTF-8 (HTML, 9.2.4), and headers come as latin-1.
  return id === null ? null : Buffer.from(id, 'latin1').toString();
}

/** A stream of server-sent events. It ends, and releases what it holds, when the client leaves. */
export class EventStreamResponse extends StreamingHttpResponse {
  constructor(events: Events, { keepAlive = 15_000 }: EventStreamOptions = {}) {
    super(eventText(events, keepAlive), {
      contentType: 'text/event-stream; charset=utf-8',
      // Proxies that buffer or store would hold events back.
      headers: { 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' },
    });
    this.onClose(() => letGo(events));
  }
}

async function* eventText(events: Events, keepAlive: number): AsyncGenerator<string, void, undefined> {
  const source = Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]();
  // Tells the browser at once that the stream is open.
  yield ': open\n\n';
  try {
    let next = Promise.resolve(source.next());
    while (true) {
      const result = keepAlive > 0 ? await orTimeout(next, keepAlive) : await next;
      if (result === null) {
        yield ': keep-alive\n\n';
        continue;
      }
      if (result.done) return;
      const { value } = result;
      yield formatEvent(typeof value === 'string' ? { data: value } : value);
      next = Promise.resolve(source.next());
    }
  } finally {
    letGo(source);
  }
}

/** The value of `promise`, or null when it takes longer than `ms`; the promise can be waited for again. */
async function orTimeout<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a source without waiting for it: it may hang in something that never ends. */
function letGo(source: object): void {
  const { return: end } = source as { return?: () => unknown };
  if (typeof end === 'function') Promise.resolve(end.call(source)).catch(() => {});
}
