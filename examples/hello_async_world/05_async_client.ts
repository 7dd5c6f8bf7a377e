/**
 * Lesson 5: the same with an async client.
 *
 * One line has changed: `blockingGet(…)` has become `await client.get(…)`. The function hands the thread back
 * while the answer is on its way, so the searches overlap and the clock ticks on.
 */
import { createTask, gather, run, sleep } from 'sobaya/asyncio';
import { AsyncClient } from 'sobaya/client';
import { startSearchSite } from './search_site.ts';
import { Timeline } from './timeline.ts';

const site = await startSearchSite();
const client = new AsyncClient({ baseUrl: site.url });
const timeline = new Timeline('Lesson 5: the same with an async client');

async function lookUp(customer: string, dish: string): Promise<string> {
  timeline.begin(customer, `looks for ${dish}`);
  const response = await client.get('search', { params: { q: dish, ms: 300 } });
  timeline.end(customer, `found ${response.text()}`);
  return response.text();
}

async function wallClock(): Promise<void> {
  for (;;) {
    timeline.tick('wall clock');
    await sleep(50);
  }
}

async function main(): Promise<void> {
  const clock = createTask(wallClock);
  await sleep(200);
  await gather(
    () => lookUp('customer 1', 'kake'),
    () => lookUp('customer 2', 'zaru'),
    () => lookUp('customer 3', 'tempura'),
  );
  await sleep(200);
  clock.cancel();
  timeline.draw();
  console.log('\nThree searches in the time of one, and the clock never missed a tick.');
}

await run(main);
await client.close();
await site.close();
