import { fault } from '../errors/index.ts';
import { type HttpRequest, HttpResponse, JsonResponse } from '../http/index.ts';
import { cspNonce } from '../middleware/index.ts';
import { currentUrlconf, path, type Resolver, type UrlPattern } from '../urls/index.ts';
import { docsPage } from './docs-page.ts';
import { type OpenApiDocument, type OpenApiInfo, openApiDocument } from './document.ts';

/** The document at `openapi.json` and a page that shows it at `docs/`, offline: `include('api/', openApiUrls({ title, version }))`. */
export function openApiUrls(info: OpenApiInfo): readonly [UrlPattern, UrlPattern] {
  const made = new WeakMap<Resolver, OpenApiDocument>();
  const openapi = (): HttpResponse => {
    const resolver = currentUrlconf.get()?.resolver;
    if (resolver === undefined) throw fault('SBY_URLS_NO_RESOLVER', { count: 0 });
    let document = made.get(resolver);
    if (document === undefined) made.set(resolver, (document = openApiDocument(resolver, info)));
    return new JsonResponse(document);
  };
  const docs = (request: HttpRequest): HttpResponse => {
    const here = request.scope.rawPath;
    return new HttpResponse(
      docsPage(here.replace(/[^/]*\/?$/, 'openapi.json'), info.title, cspNonce(request)),
    );
  };
  return [
    path('openapi.json', openapi, { name: 'openapi' }),
    path('docs/', docs, { name: 'openapi-docs' }),
  ] as unknown as readonly [UrlPattern, UrlPattern];
}
