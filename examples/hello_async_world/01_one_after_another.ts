/**
 * Lesson 1: await, one after another.
 *
 * A small restaurant, run by one person. Three customers sit down; each reads the menu for a while. The cook stands
 * beside the first until the order comes, then beside the second, then beside the third.
 *
 * `await` means: go on here when this is done. It does not mean: do something else meanwhile. So the waits add up.
 */
import { run, sleep } from 'sobaya/asyncio';
import { Timeline } from './timeline.ts';

const timeline = new Timeline('Lesson 1: one after another');

async function takeOrder(customer: string, dish: string, ms: number): Promise<string> {
  timeline.begin(customer, 'reads the menu');
  await sleep(ms); // nobody needs the cook now, but the cook waits all the same
  timeline.end(customer, `orders ${dish}`);
  return dish;
}

async function main(): Promise<void> {
  const orders = [
    await takeOrder('customer 1', 'kake', 600),
    await takeOrder('customer 2', 'zaru', 400),
    await takeOrder('customer 3', 'tempura', 200),
  ];
  timeline.draw();
  console.log(`\nOrders: ${orders.join(', ')}. 600 + 400 + 200 ms: the waits add up.`);
}

await run(main);
