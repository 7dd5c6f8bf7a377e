/**
 * Lesson 3: gather.
 *
 * The same in one line. `gather` starts everything, waits until everything has ended, and gives the results in the
 * order of the arguments, whoever was ready first. If one of them failed, it would cancel the others and throw.
 */
import { gather, run, sleep } from 'sobaya/asyncio';
import { Timeline } from './timeline.ts';

const timeline = new Timeline('Lesson 3: gather, with results in order');

async function takeOrder(customer: string, dish: string, ms: number): Promise<string> {
  timeline.begin(customer, 'reads the menu');
  await sleep(ms);
  timeline.end(customer, `orders ${dish}`);
  return dish;
}

async function main(): Promise<void> {
  const orders = await gather(
    () => takeOrder('customer 1', 'kake', 600),
    () => takeOrder('customer 2', 'zaru', 400),
    () => takeOrder('customer 3', 'tempura', 200),
  );
  timeline.draw();
  console.log(`\nCustomer 3 was first, and still the orders are: ${orders.join(', ')}.`);
}

await run(main);
