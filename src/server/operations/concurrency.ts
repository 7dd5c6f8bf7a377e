import type { Application } from '../../asgi/index.ts';
import { Semaphore } from '../../asyncio/index.ts';
import { answer } from './answer.ts';

/** How busy a server with a limit is. */
export interface Places {
  queued: number;
  /** Requests that were told to come back. */
  refused: number;
}

/**
 * At most `limit` requests run, `queue` more wait in order; who comes then is told to come back. A request whose
 * client leaves gives up its place in the queue. Idle connections and WebSockets take no place.
 */
export function limited(app: Application, limit: number, queue: number, places: Places): Application {
  const semaphore = new Semaphore(limit, 'limitConcurrency');
  return async (scope, receive, send) => {
    if (scope.type !== 'http') return await app(scope, receive, send);
    if (!semaphore.tryAcquire()) {
      if (places.queued >= queue) {
        places.refused++;
        return await answer(send, 503, 'The server is busy\n', [['retry-after', '1']]);
      }
      places.queued++;
      try {
        await semaphore.acquire();
      } finally {
        places.queued--;
      }
    }
    try {
      await app(scope, receive, send);
    } finally {
      semaphore.release();
    }
  };
}
