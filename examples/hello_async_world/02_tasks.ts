/**
 * Lesson 2: tasks.
 *
 * The same customers, but the cook asks all three at once and then waits for the answers. `createTask` starts a
 * function now, and gives a Task to be awaited later. While one customer reads, the others read too.
 *
 * It takes a *function*, not a promise: what is only to be started can be named, timed and cancelled.
 */
import { createTask, run, sleep } from 'sobaya/asyncio';
import { Timeline } from './timeline.ts';

const timeline = new Timeline('Lesson 2: tasks');

async function takeOrder(customer: string, dish: string, ms: number): Promise<string> {
  timeline.begin(customer, 'reads the menu');
  await sleep(ms);
  timeline.end(customer, `orders ${dish}`);
  return dish;
}

async function main(): Promise<void> {
  const first = createTask(() => takeOrder('customer 1', 'kake', 600), { name: 'customer 1' });
  const second = createTask(() => takeOrder('customer 2', 'zaru', 400), { name: 'customer 2' });
  const third = createTask(() => takeOrder('customer 3', 'tempura', 200), { name: 'customer 3' });
  timeline.say('cook', 'has asked everybody, and could wash the dishes now');

  const orders = [await first, await second, await third];
  timeline.draw();
  console.log(`\nOrders: ${orders.join(', ')}. As long as the slowest one, not as long as all of them.`);
}

await run(main);
