/**
 * Lesson 4: a blocking call inside an async function.
 *
 * Now the customers look their dish up on a search site. The function is async, gather starts all three at once, and
 * yet nothing overlaps: `blockingGet` does not return until it has its answer, and meanwhile the one thread stands
 * still. Not only these three wait. Everybody does: the clock on the wall stops ticking.
 *
 * In the talk this is `requests.get`. In JavaScript it is whatever ends in Sync, and every long loop.
 */
import { createTask, gather, run, sleep } from 'sobaya/asyncio';
import { blockingGet } from './blocking_get.ts';
import { startSearchSite } from './search_site.ts';
import { Timeline } from './timeline.ts';

const site = await startSearchSite();
const timeline = new Timeline('Lesson 4: a blocking call in an async function');

async function lookUp(customer: string, dish: string): Promise<string> {
  timeline.begin(customer, `looks for ${dish}`, '█');
  const answer = blockingGet(`${site.url}/search?q=${dish}&ms=300`); // no await, and none would help
  timeline.end(customer, `found ${answer}`);
  return answer;
}

/** Ticks every 50 ms, if anybody lets it. */
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
  console.log('\nStarted together, done one after another, and the clock stood still all the while.');
}

await run(main);
await site.close();
