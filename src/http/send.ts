import type { DirectSend, Header, HttpScope, Send } from '../asgi/index.ts';
import { until } from '../asyncio/index.ts';
import { FileContent } from './file-content.ts';
import { type BaseResponse, type Chunks, HttpResponse, type StreamingHttpResponse } from './response.ts';

const none = Buffer.alloc(0);
/** Longer ones are as well written as bytes. */
const longestText = 65_536;

/**
 * Sends a response as ASGI events: what is there in one go, what streams piece by piece with back-pressure.
 * `beforeEnd` is called before the last event: from then on a client that leaves has got everything.
 */
export function sendResponse(
  scope: HttpScope,
  response: BaseResponse,
  send: Send,
  beforeEnd?: () => void,
): Promise<void> {
  if (response instanceof HttpResponse) {
    beforeEnd?.();
    return sendWhole(scope, response, send);
  }
  return sendStream(scope, response as StreamingHttpResponse, send, beforeEnd);
}

/** 204 and 304 have no content (RFC 9110, 6.4.1), whatever the view gave. */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304;
}

function sendWhole(scope: HttpScope, response: HttpResponse, send: Send): Promise<void> {
  const { status } = response;
  const { list } = response.headers;
  const { direct } = send as DirectSend;
  if (direct !== undefined && scope.method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304) {
    const { content } = response;
    // As many bytes as characters: ASCII, which need not become bytes to become text again.
    if (
      typeof content === 'string' &&
      content.length < longestText &&
      Buffer.byteLength(content) === content.length
    ) {
      const sent = direct.respond(status, list, content);
      return response.holds ? sent.finally(() => response.close()) : sent;
    }
  }
  let body: Uint8Array = none;
  if (hasNoContent(status)) response.headers.delete('content-length');
  else {
    body = response.bytes();
    let known = false;
    for (let index = 0; index < list.length; index++) if (list[index]![0] === 'content-length') known = true;
    if (!known) list.push(['content-length', String(body.length)] as Header);
    if (scope.method === 'HEAD') body = none;
  }
  const started = send({ type: 'http.response.start', status, headers: list });
  const ended = send({ type: 'http.response.body', body, moreBody: false });
  if (response.holds) return both(started, ended).finally(() => response.close());
  // A server that takes events without waiting gives one promise for all of them: nothing to wait for twice.
  return started === ended ? ended : both(started, ended);
}

async function both(started: Promise<void>, ended: Promise<void>): Promise<void> {
  // If the first fails so does the second; one report is enough.
  ended.catch(() => {});
  await started;
  await ended;
}

async function sendStream(
  scope: HttpScope,
  response: StreamingHttpResponse,
  send: Send,
  beforeEnd: (() => void) | undefined,
): Promise<void> {
  try {
    await send({ type: 'http.response.start', status: response.status, headers: response.headers.list });
    if (scope.method !== 'HEAD' && !hasNoContent(response.status)) {
      const chunks = response.take();
      // A file that nothing stands in front of, to a server that is done with a piece when it has sent it.
      const reusing = (send as DirectSend).direct?.borrows === true && chunks instanceof FileContent;
      await sendChunks(reusing ? chunks.reusing() : chunks, send);
    }
    beforeEnd?.();
    await send({ type: 'http.response.body', body: none, moreBody: false });
  } finally {
    await response.close();
  }
}

async function sendChunks(chunks: Chunks, send: Send): Promise<void> {
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  let done = false;
  try {
    while (true) {
      // A source that hangs in something foreign must not keep a request whose client has left.
      const next = await until(Promise.resolve(source.next()), 'the next piece of a streaming response');
      if (next.done) {
        done = true;
        return;
      }
      const body = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
      if (body.length > 0) await send({ type: 'http.response.body', body, moreBody: true });
    }
  } finally {
    if (!done && source.return !== undefined) {
      const ended = Promise.resolve(source.return()).catch(() => {});
      // Long enough for a source that ends, not for one that hangs.
      await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))]);
    }
  }
}
