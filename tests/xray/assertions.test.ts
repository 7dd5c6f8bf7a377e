import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gather } from 'sobaya/asyncio';
import { assertGathered, assertNotBlocked, assertNumQueries, withWaterfall } from 'sobaya/xray';
import { api, database, sleep } from './programs.ts';

describe('assertions', () => {
  test('assertNumQueries passes and gives the value, or lists the queries with their lines and the waterfall', async () => {
    assert.deepEqual(await assertNumQueries(1, () => database.query('select 1', [], [1], 1)), [1]);
    await assert.rejects(
      () =>
        assertNumQueries(1, async () => {
          await database.query('select * from dish', [], [], 1);
          await database.query('select * from price', [], [], 1);
        }),
      (error: Error) => {
        assert.match(
          error.message,
          /^Expected 1 query, got 2:\n {2}1\. select \* from dish {2}\(assertions\.test\.ts:\d+\)\n {2}2\. select \* from price/,
        );
        assert.match(error.message, /select \* from price.*│.*━/);
        return error.name === 'AssertionError';
      },
    );
  });

  test('assertGathered', async () => {
    await assertGathered(() =>
      gather(
        () => api('/a', 20),
        () => api('/b', 20),
      ),
    );
    await assert.rejects(
      () =>
        assertGathered(async () => {
          await api('/a', 90);
          await api('/b', 90);
        }),
      /^AssertionError.*Awaited one after another what could run at the same time: 2 waits in a row.*\(assertions\.test\.ts:\d+\)/,
    );
  });

  test('assertNotBlocked', async () => {
    await assertNotBlocked(() => sleep(5), { ms: 400 });
    await assert.rejects(
      () =>
        assertNotBlocked(() => {
          const end = performance.now() + 150;
          while (performance.now() < end);
        }),
      /The event loop was held for \d+ ms, longer than 100 ms/,
    );
  });

  test('an error of the work itself passes as it is; withWaterfall adds the drawing to it', async () => {
    const fails = async (): Promise<never> => {
      await database.query('select 1', [], [], 1);
      throw new RangeError('no soba left');
    };
    await assert.rejects(() => assertNumQueries(1, fails), { name: 'RangeError', message: 'no soba left' });
    await assert.rejects(
      () => withWaterfall(fails),
      (error: Error) => {
        assert.match(error.message, /^no soba left\n\nrecording in .*\n(?:.*\n)*.*select 1/);
        return error instanceof RangeError;
      },
    );
  });
});
