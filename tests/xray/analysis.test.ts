import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createTask, gather, timeout } from 'sobaya/asyncio';
import { record as recordWith, span } from 'sobaya/xray';
import { api, database, sleep, view } from './programs.ts';

/** A machine that does other work as well leaves longer pauses between two waits. */
const record = <T>(fn: () => T | PromiseLike<T>, options: Parameters<typeof recordWith>[1] = {}) =>
  recordWith(fn, { gap: 30, ...options });

const rules = (recording: { hints: readonly { rule: string }[] }): string[] =>
  recording.hints.map((hint) => hint.rule);

describe('waits in a row', () => {
  test('three waits that do not need each other are reported, with the saving, the place and the change', async () => {
    const seen = await record(async () => {
      await view('home', async () => {
        const user = await database.query('select * from user', [], [{ id: 901 }], 20);
        const weather = await api('/weather', 40);
        const news = await database.query('select * from news', [], [], 20);
        return [user, weather, news];
      });
    });
    const [hint] = seen.hints;
    assert.equal(hint?.rule, 'sequential');
    assert.equal(hint.spans.length, 3);
    assert.ok((hint.saves ?? 0) > 30, String(hint.saves));
    assert.match(hint.title, /^3 waits in a row: \d+ ms → about \d+ ms with gather$/);
    assert.match(hint.site?.file ?? '', /analysis\.test\.ts$/);
    assert.equal(
      hint.change?.after,
      `const [user, weather, news] = await gather(
  () => database.query('select * from user', [], [{ id: 901 }], 20),
  () => api('/weather', 40),
  () => database.query('select * from news', [], [], 20),
);`,
    );
    assert.match(hint.unknown, /if your code decides by a result/);
  });

  test('gathered waits are left alone', async () => {
    const seen = await record(() =>
      gather(
        () => database.query('select 1'),
        () => api('/a', 20),
        () => sleep(20),
      ),
    );
    assert.deepEqual(rules(seen), []);
    assert.equal(seen.request.counts.task, 3);
  });

  test('a query that uses what the one before returned is left alone', async () => {
    const seen = await record(async () => {
      const [user] = await database.query('select * from user where name = ?', ['ann'], [{ id: 4711 }], 20);
      await database.query('select * from orders where user_id = ?', [user?.id], [], 20);
    });
    assert.deepEqual(rules(seen), []);
    assert.deepEqual(seen.request.spans.at(-1)?.uses, [1]);
  });

  test('an outgoing request that uses a value of a body is left alone, also through a JSON text', async () => {
    const seen = await record(async () => {
      const { body } = await api('/orders/latest', 20, '{"order":"A-7788"}');
      await api(`/orders/${(JSON.parse(body) as { order: string }).order}`, 20);
    });
    assert.deepEqual(rules(seen), []);
  });

  test('names of fields, and what the question held already, are no dependency', async () => {
    const seen = await record(async () => {
      await api('/izumo/price', 20, '{"price":500,"of":"izumo"}');
      await api('/iya/price', 20, '{"price":480,"of":"iya"}');
    });
    assert.deepEqual(rules(seen), ['sequential']);
  });

  test('tasks awaited one after another are reported as well, and so are timeouts around each call', async () => {
    const seen = await record(async () => {
      await createTask(() => api('/a', 25), { name: 'a' });
      await createTask(() => api('/b', 25), { name: 'b' });
    });
    assert.deepEqual(rules(seen), ['sequential']);
    const timed = await record(async () => {
      await timeout(1000, () => api('/c', 25));
      await timeout(1000, () => api('/d', 25));
    });
    assert.deepEqual(rules(timed), ['sequential']);
  });

  test('a write in the row keeps its place: no advice across it', async () => {
    const seen = await record(async () => {
      await database.query('select * from a', [], [], 20);
      await database.query('insert into b values (?)', [1], [], 20);
      await database.query('select * from c', [], [], 20);
    });
    assert.deepEqual(rules(seen), []);
  });

  test('the queries of one transaction share its connection: no advice', async () => {
    const seen = await record(() =>
      database.atomic(async () => {
        await database.query('select * from a', [], [], 20);
        await database.query('select * from b', [], [], 20);
      }),
    );
    assert.deepEqual(rules(seen), []);
  });

  test('named sections that each wait are units; sections that only work are not', async () => {
    const waiting = await record(async () => {
      await span('prices', () => api('/prices', 25));
      await span('stock', () => api('/stock', 25));
    });
    assert.deepEqual(rules(waiting), ['sequential']);
    const spin = (ms: number): void => {
      const end = performance.now() + ms;
      while (performance.now() < end);
    };
    const working = await record(async () => {
      await span('sum', () => spin(20));
      await span('sort', () => spin(20));
    });
    assert.deepEqual(rules(working), []);
  });

  test('work between two waits means that they are no row', async () => {
    const seen = await record(async () => {
      await api('/a', 20);
      const end = performance.now() + 60;
      while (performance.now() < end);
      await api('/b', 20);
    });
    assert.deepEqual(rules(seen), []);
  });

  test('a loop over items shows mapConcurrent', async () => {
    const seen = await record(async () => {
      for (const item of ['/x', '/y', '/z']) {
        await api(item, 15);
      }
    });
    const [hint] = seen.hints;
    assert.equal(hint?.rule, 'sequential');
    assert.equal(hint.change?.after, 'await mapConcurrent(items, 10, (item) => api(item, 15));');
  });

  test('two waits of which one is short save too little to speak of', async () => {
    const seen = await record(async () => {
      await api('/a', 40);
      await api('/b', 2);
    });
    assert.deepEqual(rules(seen), []);
  });
});

describe('repeated shapes', () => {
  test('N+1: the shape, the line that caused it, the query it came from', async () => {
    const seen = await record(async () => {
      const posts = await database.query(
        'select id from post',
        [],
        Array.from({ length: 7 }, (_, i) => ({ id: 1100 + i })),
        4,
      );
      for (const post of posts)
        await database.query('select * from comment where post_id = ?', [post.id], [], 3);
    });
    const [hint] = seen.hints;
    assert.equal(hint?.rule, 'repeated');
    assert.match(hint.title, /^7 queries of one shape \(N\+1\)/);
    assert.match(hint.text, /Each asked for something that “select id from post” had returned/);
    assert.match(hint.text, /at analysis\.test\.ts:\d+/);
    assert.match(hint.change?.after ?? '', /prefetchRelated\('comment'\)/);
    assert.equal(seen.hints.length, 1, 'the same calls are not reported as a row as well');
  });

  test('values inside the SQL and lists of different length do not hide the shape', async () => {
    const seen = await record(async () => {
      for (let i = 0; i < 5; i++)
        await database.query(
          `select * from item where id = ${i} and name = 'it''s ${i}' and kind in (${Array.from({ length: i + 2 }, () => '?').join(', ')})`,
          [],
          [],
          1,
        );
    });
    assert.equal(seen.hints[0]?.rule, 'repeated');
    assert.equal(
      seen.request.spans[1]?.shape,
      'select * from item where id = ? and name = ? and kind in (?, …)',
    );
  });

  test('four of a kind are not five', async () => {
    const seen = await record(
      async () => {
        for (let i = 0; i < 4; i++) await database.query('select * from c where p = ?', [i], [], 1);
        // What counts here is the number of them: on a slow machine they may well be waits in a row.
      },
      { minSaving: 10_000 },
    );
    assert.deepEqual(rules(seen), []);
  });

  test('one outgoing request per item is a row of waits; gathered it is fine; the same one again is repeated', async () => {
    const row = await record(async () => {
      for (let i = 0; i < 6; i++) {
        await api(`/item/${i + 1000}`, 4);
      }
    });
    assert.deepEqual(rules(row), ['sequential']);
    const gathered = await record(() =>
      gather(...Array.from({ length: 6 }, (_, i) => () => api(`/item/${i + 1000}`, 4))),
    );
    assert.deepEqual(rules(gathered), []);
    const same = await record(async () => {
      for (let i = 0; i < 5; i++) await api('/rates', 2);
    });
    assert.equal(same.hints[0]?.title, 'The same outgoing request 5 times: GET http://supplier.test/rates');
  });
});

describe('pool, orphans, transactions, slow queries', () => {
  test('time in line for a connection', async () => {
    const seen = await record(() => database.query('select 1', [], [], 30, 25));
    assert.equal(seen.hints[0]?.rule, 'pool');
    assert.match(seen.hints[0].title, /^25 ms in line for a connection$/);
  });

  test('what outlives the request is named', async () => {
    let late: Promise<unknown> = Promise.resolve();
    const seen = await record(async () => {
      late = api('/audit', 60);
      await sleep(5);
    });
    assert.equal(seen.hints[0]?.rule, 'orphan');
    assert.match(seen.hints[0].text, /GET http:\/\/supplier\.test\/audit/);
    assert.match(seen.hints[0].unknown, /background\(fn\)/);
    await late;
  });

  test('waiting for another server inside a transaction', async () => {
    const seen = await record(() => database.atomic(() => api('/payment', 30)));
    assert.deepEqual(rules(seen), ['transaction']);
  });

  test('one query that takes most of the time', async () => {
    const seen = await record(() => database.query('select * from big', [], [], 70));
    assert.deepEqual(rules(seen), ['slow']);
  });
});

test('tasks of tasks and sections nest as they were started', async () => {
  const seen = await record(() =>
    view('nest', () =>
      createTask(async function outer() {
        await createTask(async function inner() {
          await sleep(2);
        });
        await span('kept', () => sleep(1));
      }).then(() => {}),
    ),
  );
  const { spans } = seen.request;
  const path = (name: string): string => {
    const names: string[] = [];
    for (
      let at = spans.find((one) => one.name === name);
      at !== undefined;
      at = spans.find((one) => one.id === at?.parent)
    )
      names.unshift(at.name || 'request');
    return names.join(' > ');
  };
  assert.equal(path('sleep 2 ms'), 'request > nest > outer > inner > sleep 2 ms');
  assert.equal(path('sleep 1 ms'), 'request > nest > outer > kept > sleep 1 ms');
});
