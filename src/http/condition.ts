import { evaluatePreconditions, notModified } from './conditional.ts';
import { wrap } from './methods.ts';
import type { HttpRequest } from './request.ts';
import { type AnyResponse, HttpResponse } from './response.ts';
import type { View } from './view.ts';

export interface ConditionOptions<P> {
  /** The entity tag, quoted, of what the view would answer; cheaper than the view itself. */
  readonly etag?: (request: HttpRequest, params: P) => string | null | Promise<string | null>;
  readonly lastModified?: (request: HttpRequest, params: P) => Date | null | Promise<Date | null>;
}

/**
 * Answers preconditions before the view runs: 304 for readers that have the same, 412 for writers that have seen
 * something else. Django's `condition`.
 */
export function condition<P>(options: ConditionOptions<P>, view: View<P>): View<P> {
  const conditional = async (request: HttpRequest, params: P): Promise<AnyResponse | Response> => {
    const etag = (await options.etag?.(request, params)) ?? null;
    const lastModified = (await options.lastModified?.(request, params)) ?? null;
    const outcome = evaluatePreconditions(request, { etag, lastModified });
    const mark = (response: AnyResponse): AnyResponse => {
      if (etag !== null) response.headers.setDefault('etag', etag);
      if (lastModified !== null) response.headers.setDefault('last-modified', lastModified.toUTCString());
      return response;
    };
    if (outcome === 'not modified') return notModified(mark(new HttpResponse()));
    if (outcome === 'failed')
      return new HttpResponse('Precondition Failed\n', {
        status: 412,
        contentType: 'text/plain; charset=utf-8',
      });
    const response = await view(request, params);
    const safe = request.method === 'GET' || request.method === 'HEAD';
    return safe && response instanceof HttpResponse ? mark(response) : response;
  };
  return wrap<View<P>>(view, conditional);
}
