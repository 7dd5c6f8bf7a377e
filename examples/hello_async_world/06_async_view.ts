/**
 * Lesson 6: async_view.
 *
 * What all of it is for: a view of a web application that needs ten answers from elsewhere. It asks for all ten at
 * once, so the visitor waits for the slowest, not for the sum; and while it waits, the same process serves others.
 * The view is in asgi.ts. Here it is put on a real server and visited by two people at the same time.
 */
import { gather, run } from 'sobaya/asyncio';
import { AsyncClient } from 'sobaya/client';
import { serve, silentLog } from 'sobaya/server';
import { application } from './asgi.ts';
import { Timeline } from './timeline.ts';

const timeline = new Timeline('Lesson 6: async_view, ten outgoing requests at once');
const server = await serve(application, { port: 0, log: silentLog });
const browser = new AsyncClient({ baseUrl: `http://127.0.0.1:${server.port}` });

async function visit(visitor: string): Promise<string> {
  timeline.begin(visitor, 'opens the page');
  const page = await browser.get('/');
  timeline.end(visitor, 'has the page');
  return page.raiseForStatus().text();
}

async function main(): Promise<void> {
  const [page] = await gather(
    () => visit('visitor 1'),
    () => visit('visitor 2'),
  );
  timeline.draw();
  console.log(`\nWhat visitor 1 got:\n\n${page.replace(/^/gm, '  ').trimEnd()}`);
}

await run(main);
await browser.close();
await server.close();
