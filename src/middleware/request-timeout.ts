import { timeout } from '../asyncio/index.ts';
import { TimeoutError } from '../errors/index.ts';
import { HttpResponse, type Middleware } from '../http/index.ts';

/** Cancels what takes longer than `ms`, with everything it waits for, and answers 503. Streams run on. */
export function requestTimeout(ms: number): Middleware {
  return function requestTimeout(getResponse) {
    return async (request) => {
      try {
        return await timeout(ms, async () => await getResponse(request));
      } catch (error) {
        // What is inside has turned its own errors into responses; this one is the deadline's.
        if (!(error instanceof TimeoutError)) throw error;
        return new HttpResponse('Service Unavailable\n', {
          status: 503,
          contentType: 'text/plain; charset=utf-8',
          headers: { 'retry-after': 1 },
        });
      }
    };
  };
}
