import { applyPreconditions, etagOf, HttpResponse, type Middleware } from '../http/index.ts';
import { andThen } from './protocol.ts';

/** Gives responses an ETag, and answers 304 to a client that has the same already. */
export function conditionalGet(): Middleware {
  return function conditionalGet(getResponse) {
    return (request) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return getResponse(request);
      return andThen(getResponse(request), (response) => {
        if (response.status !== 200) return response;
        const { headers } = response;
        if (/no-store/i.test(headers.get('cache-control') ?? '')) return response;
        if (response instanceof HttpResponse && !headers.has('etag') && response.content.length > 0)
          headers.set('etag', etagOf(response.content));
        return headers.has('etag') || headers.has('last-modified')
          ? applyPreconditions(request, response)
          : response;
      });
    };
  };
}
