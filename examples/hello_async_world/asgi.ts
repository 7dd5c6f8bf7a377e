/**
 * The application of lesson 6: `async_view` asks the search site ten times, at once.
 *
 *     npm run sobaya -- serve examples/hello_async_world/asgi.ts:application
 */
import type { Application } from 'sobaya/asgi';
import { gather } from 'sobaya/asyncio';
import { AsyncClient } from 'sobaya/client';
import { type SearchSite, startSearchSite } from './search_site.ts';

const words = 'soba,kake,zaru,tempura,kitsune,tanuki,sansai,tororo,nishin,curry'.split(',');

let site: SearchSite | null = null;
const client = new AsyncClient();

async function search(word: string): Promise<string> {
  const began = performance.now();
  const response = await client.get(`${site?.url}/search`, { params: { q: word } });
  return `${response.raiseForStatus().text()}, after ${Math.round(performance.now() - began)} ms`;
}

/** Ten outgoing requests, as long as the slowest of them. */
async function asyncView(): Promise<string> {
  const began = performance.now();
  const found = await gather(...words.map((word) => () => search(word)));
  const took = Math.round(performance.now() - began);
  return `${found.join('\n')}\n\nTen searches at once: ${took} ms\n`;
}

export const application: Application = async (scope, receive, send) => {
  if (scope.type === 'lifespan') {
    await receive(); // lifespan.startup
    site = await startSearchSite();
    await send({ type: 'lifespan.startup.complete' });
    await receive(); // lifespan.shutdown
    await client.close();
    await site.close();
    await send({ type: 'lifespan.shutdown.complete' });
    return;
  }
  if (scope.type !== 'http') return;
  const body = Buffer.from(await asyncView());
  await send({
    type: 'http.response.start',
    status: 200,
    headers: [
      ['content-type', 'text/plain; charset=utf-8'],
      ['content-length', String(body.length)],
    ],
  });
  await send({ type: 'http.response.body', body });
};
