import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createTask, currentContext } from 'sobaya/asyncio';
import {
  drawText,
  exportFile,
  importFile,
  parseTraceparent,
  Recorder,
  record,
  type Trace,
  xray,
} from 'sobaya/xray';
import { call, httpScope, pagesApp } from './applications.ts';
import { api, database, sleep } from './programs.ts';

describe('what is hidden by default', () => {
  test('values of queries: their kind and size', async () => {
    const seen = await record(
      () =>
        database.query('select ?', [
          'hunter2',
          42,
          12345678,
          1.5,
          null,
          true,
          new Date(0),
          Buffer.alloc(3),
          ['a'],
        ]),
      { values: false },
    );
    assert.deepEqual(seen.request.spans[1]?.params, [
      'text(7)',
      '42',
      'integer',
      'number',
      'null',
      'true',
      'date',
      'bytes(3)',
      'list(1)',
    ]);
    assert.doesNotMatch(JSON.stringify(seen.request), /hunter2|12345678/);
  });

  test('with values on, what looks like an address, a token or a card is still hidden', async () => {
    const seen = await record(
      () =>
        database.query('select ?', [
          'soba',
          'ann@example.com',
          'Bearer abcdef123456789',
          '4111 1111 1111 1111',
        ]),
      { values: true },
    );
    assert.deepEqual(seen.request.spans[1]?.params, [
      '"soba"',
      '"‹email›"',
      '"Bearer ‹token›"',
      '"‹number›"',
    ]);
  });

  test('literals and comments inside SQL', async () => {
    const seen = await record(() =>
      database.query(
        `select * from "user's" where mail = 'ann@x.jp' and note = E'it''s' and card = 4111111111111111 and n = 12 -- secret\n/* more */ and j = $tag$ private $tag$ and k = $1`,
      ),
    );
    assert.equal(
      seen.request.spans[1]?.name,
      `select * from "user's" where mail = '…' and note = '…' and card = ? and n = 12 and j = '…' and k = $1`,
    );
  });

  test('secrets in URLs of outgoing requests', async () => {
    const seen = await record(async () => {
      await api('/a?api_key=12345&q=soba&mail=ann%40x.jp', 1);
      await api('/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc', 1);
    });
    assert.equal(
      seen.request.spans[1]?.name,
      'GET http://supplier.test/a?api_key=‹hidden›&q=soba&mail=‹email›',
    );
    assert.equal(seen.request.spans[2]?.name, 'GET http://supplier.test/reset/‹token›');
  });
});

describe('a file that is not ours', () => {
  const good = async (): Promise<string> => exportFile([(await record(() => sleep(1))).request]);
  const cases: [string, (text: string) => string, RegExp][] = [
    ['no JSON', () => 'PNG\0', /this file is no x-ray recording: it is not JSON\. Export one/],
    ['other JSON', () => '{"a":1}', /it has no "format": "sobaya-xray"/],
    ['null', () => 'null', /the file is not an object/],
    [
      'another version',
      (text) => text.replace('"version":1', '"version":2'),
      /it is of version 2, this program reads 1/,
    ],
    [
      'requests that are no list',
      () => '{"format":"sobaya-xray","version":1,"requests":{}}',
      /requests is not a list/,
    ],
    [
      'too many requests',
      () => `{"format":"sobaya-xray","version":1,"requests":[${'0,'.repeat(1000)}0]}`,
      /at most 1000/,
    ],
    [
      'a span of an unknown kind',
      (text) => text.replace('"kind":"sleep"', '"kind":"__proto__"'),
      /spans\[1\]\.kind is not one of/,
    ],
    [
      'a time that is no number',
      (text) => text.replace(/"duration":[\d.]+/, '"duration":"1"'),
      /duration is not a number/,
    ],
    [
      'no spans',
      (text) => text.replace(/"spans":\[.*?\}\],"spanCount"/, '"spans":[],"spanCount"'),
      /is not the request/,
    ],
  ];
  for (const [what, change, message] of cases)
    test(`${what} is refused by name`, async () => {
      const text = change(await good());
      assert.throws(() => importFile(text), { code: 'SBY_XRAY_BAD_FILE', message });
    });

  test('property: any JSON is read or refused with a catalogue error, and a mutated good file too', async () => {
    const text = await good();
    fc.assert(
      fc.property(fc.json(), (json) => {
        try {
          importFile(json);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'SBY_XRAY_BAD_FILE');
        }
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 6 }), (at, piece) => {
        try {
          for (const request of importFile(text.slice(0, at) + piece + text.slice(at + piece.length)))
            drawText(request);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'SBY_XRAY_BAD_FILE');
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('control characters and bidirectional marks do not reach the terminal', async () => {
  const seen = await record(() => database.query('select "\u001b]0;owned\u0007\u202e" from t', [], [], 1));
  const text = drawText(seen.request);
  assert.ok(!/[\x1b\x07\u202e]/.test(text));
});

test('traceparent: what the specification calls invalid starts anew', () => {
  const good = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  assert.deepEqual(parseTraceparent(good), {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    sampled: true,
  });
  assert.equal(
    parseTraceparent(`01${good.slice(2)}-extra`)?.sampled,
    true,
    'a later version may have more fields',
  );
  for (const bad of [
    '',
    good.slice(0, -1),
    `${good}-extra`,
    good.toUpperCase(),
    `ff${good.slice(2)}`,
    good.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    good.replace('00f067aa0ba902b7', '0'.repeat(16)),
    good.replace(/-/g, '_'),
  ])
    assert.equal(parseTraceparent(bad), null, bad);
});

describe('memory stays within its setting', () => {
  const memory = 4 * 1024 * 1024;
  const context = currentContext();
  /** A request that goes on until it is closed. */
  const open = (recorder: Recorder): Trace => recorder.open('http') as Trace;
  const ask = (recorder: Recorder, trace: Trace, sql: string, params: readonly unknown[]): Promise<unknown> =>
    recorder.run(trace, () => database.query(sql, params, [], 0));

  test('a request that never ends and asks with new and giant statements and values', async () => {
    const recorder = new Recorder({ memory, callSites: true, maxSpans: 5000 }).start();
    try {
      const trace = open(recorder);
      for (let round = 0; round < 30 && trace.columns !== null; round++) {
        await Promise.all(
          Array.from({ length: 256 }, (_, i) =>
            ask(
              recorder,
              trace,
              `select ${'x'.repeat(20_000)} from t where a = ${round} and b = ${i}`,
              Array.from({ length: 40 }, () => `${'y'.repeat(5000)}${i}`),
            ),
          ),
        );
        assert.ok(recorder.bytes <= memory, `${recorder.bytes} after ${round}`);
      }
      assert.equal(trace.columns, null, 'it was forgotten, alone being too much');
      recorder.close(trace, 'done');
      assert.equal(recorder.bytes, 0);
      assert.equal(recorder.finished.size, 0);
    } finally {
      recorder.stop();
    }
  });

  test('ten thousand requests at once, with giant paths, that all stay open', async () => {
    const recorder = new Recorder({ memory, callSites: true }).start();
    const app = xray(pagesApp({}), { debug: true, memory, blame: false });
    try {
      const traces = Array.from({ length: 10_000 }, () => recorder.open('http'));
      assert.ok(recorder.bytes <= memory);
      assert.ok(traces.includes(null), 'those without room are served unrecorded');
      for (let i = 0; i < 2000; i++)
        await call(app, httpScope(`/${'p'.repeat(60_000)}`, { queryString: 'q'.repeat(60_000) }));
      assert.ok(app.recorder.bytes <= memory, String(app.recorder.bytes));
      for (const trace of traces) if (trace) recorder.close(trace, 'done');
      assert.ok(recorder.bytes <= memory);
      recorder.clear();
      assert.equal(recorder.bytes, 0);
    } finally {
      recorder.stop();
      await app.stop();
    }
  });

  test('tasks inside of tasks, two thousand deep', async () => {
    const deep = async (left: number): Promise<void> => {
      // Each level on a stack of its own.
      await null;
      if (left > 0) await createTask(() => deep(left - 1));
    };
    const seen = await record(() => deep(2000));
    assert.equal(seen.failed, false);
    assert.equal(seen.request.counts.task, 2000);
    assert.ok(
      drawText(seen.request, { width: 80 })
        .split('\n')
        .every((line) => line.length <= 200),
    );
    assert.ok(currentContext() === context);
  });
});
