/**
 * The application of lesson 6: `async_view` asks the search site ten times, at once.
 *
 *     npm run sobaya -- serve examples/hello_async_world/asgi.ts:application
 */
import { createApp, gather, HttpResponse, path } from 'sobaya';
import { AsyncClient } from 'sobaya/client';
import { type SearchSite, startSearchSite } from './search_site.ts';

const words = 'soba,kake,zaru,tempura,kitsune,tanuki,sansai,tororo,nishin,curry'.split(',');

let site: SearchSite;
let client: AsyncClient;

async function search(word: string): Promise<string> {
  const began = performance.now();
  const response = await client.get('search', { params: { q: word } });
  return `${response.raiseForStatus().text()}, after ${Math.round(performance.now() - began)} ms`;
}

/** Ten outgoing requests, as long as the slowest of them. If the visitor leaves, all ten end at once. */
async function asyncView(): Promise<HttpResponse> {
  const began = performance.now();
  const found = await gather(...words.map((word) => () => search(word)));
  const took = Math.round(performance.now() - began);
  return new HttpResponse(`${found.join('\n')}\n\nTen searches at once: ${took} ms\n`, {
    contentType: 'text/plain; charset=utf-8',
  });
}

/** When the application starts; what it gives back runs when the application stops. */
async function openSearch(): Promise<() => Promise<void>> {
  site = await startSearchSite();
  client = new AsyncClient({ baseUrl: site.url });
  return async () => {
    await client.close();
    await site.close();
  };
}

export const application = createApp({
  urls: [path('', asyncView, { name: 'async_view' })],
  lifespan: openSearch,
});
