import { applyPreconditions, etagOf, HttpResponse, type Middleware } from '../http/index.ts';
import { processing } from './protocol.ts';

/** Gives responses an ETag, and answers 304 to a client that has the same already. */
export function conditionalGet(): Middleware {
  return processing('conditionalGet', {
    processResponse(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return response;
      if (response.status !== 200) return response;
      const { headers } = response;
      let etag = false;
      let modified = false;
      for (const [name, value] of headers.list) {
        if (name === 'etag') etag = true;
        else if (name === 'last-modified') modified = true;
        else if (name === 'cache-control' && /no-store/i.test(value)) return response;
      }
      if (!etag && response instanceof HttpResponse && response.content.length > 0) {
        headers.list.push(['etag', etagOf(response.content)]);
        etag = true;
      }
      return etag || modified ? applyPreconditions(request, response) : response;
    },
  });
}
