import type { HttpRequest } from './request.ts';
import type { AnyResponse } from './response.ts';

/** What a view may give: a response of ours, a web-standard one, or a promise of either. */
export type ViewResult = AnyResponse | Response | Promise<AnyResponse | Response>;

/** A view: sync or async. */
export type View<P = Record<never, never>> = (request: HttpRequest, params: P) => ViewResult;
export type AsyncView<P = Record<never, never>> = (
  request: HttpRequest,
  params: P,
) => Promise<AnyResponse | Response>;

/** The rest of the application, seen from a middleware: never throws, errors have become responses. */
export type GetResponse = (request: HttpRequest) => AnyResponse | Promise<AnyResponse>;

/**
 * The one middleware protocol: called once at start with the rest of the application, gives a function that is
 * called for each request. `(getResponse) => async (request) => { …; const response = await getResponse(request); …; return response; }`
 */
export type Middleware = (getResponse: GetResponse) => GetResponse;
