/** The test kit under Vitest: run by `npm run package`, against the packed files. */
import { createApp, defineApp, JsonResponse, path, sleep } from 'sobaya';
import { Model, text } from 'sobaya/db';
import { assertNumQueries, Client, isolate, setupDatabases, virtualClock } from 'sobaya/test';
import { expect, test } from 'vitest';

class Dish extends Model({ name: text({ maxLength: 20 }) }) {}

const application = createApp({
  debug: false,
  apps: [defineApp({ label: 'shop', models: [Dish] })],
  urls: [
    path(
      '',
      async () => new JsonResponse(await Dish.all().orderBy('name').valuesList('name', { flat: true })),
    ),
    path('fail/', () => {
      throw new Error('the pot boiled over');
    }),
  ],
  databases: { default: 'sqlite:nothing-is-written-here.sqlite3' },
});

await setupDatabases(application);

for (const turn of [1, 2])
  test(
    `what a test wrote is rolled back, ${turn}`,
    isolate(application, async () => {
      await using client = new Client(application);
      await Dish.create({ name: 'kake' });
      const response = await assertNumQueries(1, () => client.get('/'));
      expect(response.json()).toEqual(['kake']);
    }),
  );

test('an error in a view is thrown by the call', async () => {
  await using client = new Client(application);
  await expect(client.get('/fail/')).rejects.toThrow('the pot boiled over');
});

test('time is a parameter', async () => {
  using clock = virtualClock();
  const before = clock.now();
  await sleep(3_600_000);
  expect(clock.now() - before).toBe(3_600_000);
});
