import type { Header, HttpScope, Send } from '../asgi/index.ts';
import { type BaseResponse, HttpResponse, type StreamingHttpResponse } from './response.ts';

const none = Buffer.alloc(0);

/** Sends a response as ASGI events: what is there in one go, what streams piece by piece with back-pressure. */
export function sendResponse(scope: HttpScope, response: BaseResponse, send: Send): Promise<void> {
  if (response instanceof HttpResponse) return sendWhole(scope, response, send);
  return sendStream(scope, response as StreamingHttpResponse, send);
}

/** 204 and 304 have no content (RFC 9110, 6.4.1), whatever the view gave. */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304;
}

async function sendWhole(scope: HttpScope, response: HttpResponse, send: Send): Promise<void> {
  const { status } = response;
  const { list } = response.headers;
  let body: Uint8Array = none;
  if (!hasNoContent(status)) {
    body = response.bytes();
    let known = false;
    for (const header of list) if (header[0] === 'content-length') known = true;
    if (!known) list.push(['content-length', String(body.length)] as Header);
    if (scope.method === 'HEAD') body = none;
  } else response.headers.delete('content-length');
  await send({ type: 'http.response.start', status, headers: list });
  await send({ type: 'http.response.body', body, moreBody: false });
  if (response.holds) await response.close();
}

async function sendStream(scope: HttpScope, response: StreamingHttpResponse, send: Send): Promise<void> {
  try {
    await send({ type: 'http.response.start', status: response.status, headers: response.headers.list });
    if (scope.method !== 'HEAD' && !hasNoContent(response.status)) {
      for await (const chunk of response.take()) {
        const body = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        if (body.length > 0) await send({ type: 'http.response.body', body, moreBody: true });
      }
    }
    await send({ type: 'http.response.body', body: none, moreBody: false });
  } finally {
    await response.close();
  }
}
