import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp, defineApp, HttpResponse, path } from 'sobaya';
import { ambient, index, integer, Model, text } from 'sobaya/db';
import type { Hint, Plan } from 'sobaya/xray';
import { indexColumns, readPostgresPlan, readSqlitePlan } from '../../src/xray/plan/read.ts';
import { call, httpScope } from './applications.ts';

describe('which columns an index would need', () => {
  const cases: readonly (readonly [sql: string, table: string, columns: readonly string[]])[] = [
    ['SELECT * FROM "bowl" t0 WHERE t0."kind" = ? AND t0."price" > ?', 't0', ['kind', 'price']],
    ['SELECT * FROM "bowl" t0 WHERE t0."price" > ? AND t0."kind" = ?', 't0', ['kind', 'price']],
    ['SELECT * FROM bowl WHERE kind IN (?, ?) ORDER BY price DESC LIMIT 3', 'bowl', ['kind', '-price']],
    ['SELECT * FROM bowl ORDER BY price DESC, name', 'bowl', ['-price', 'name']],
    ['SELECT * FROM bowl', 'bowl', []],
    // Of two ranges one index serves one.
    ['SELECT * FROM bowl WHERE price > ? AND weight < ?', 'bowl', ['price']],
    ['SELECT * FROM bowl WHERE price > ? ORDER BY price', 'bowl', ['price']],
    // What an index on the column does not know.
    ['SELECT * FROM bowl WHERE lower(name) = ?', 'bowl', []],
    ['SELECT * FROM bowl WHERE name LIKE ?', 'bowl', []],
    ['SELECT * FROM bowl WHERE kind = ? OR price = ?', 'bowl', []],
    // Columns of the other table are not of this one.
    [
      'SELECT * FROM "bowl" t0 INNER JOIN "cook" t1 ON (t0."cook_id" = t1."id") WHERE t1."name" = ? AND t0."kind" = ?',
      't0',
      ['kind'],
    ],
    ['SELECT * FROM bowl b JOIN cook c ON b.cook_id = c.id WHERE c.name = ?', 'c', ['name']],
  ];
  for (const [sql, table, columns] of cases)
    test(sql, () => assert.deepEqual(indexColumns(sql, table), columns));
});

test('plans of SQLite: read whole, sorted by hand, indexes of the moment', () => {
  const plan = readSqlitePlan(
    '3 0 0 SCAN t0\n8 0 0 SEARCH t1 USING AUTOMATIC COVERING INDEX (cook_id=?)\n20 0 0 USE TEMP B-TREE FOR ORDER BY',
  );
  assert.deepEqual(plan.scans, [
    { table: 't0', removed: null },
    { table: 't1', removed: null, columns: ['cook_id'] },
  ]);
  assert.equal(plan.sorts, true);
  for (const good of [
    '2 0 0 SEARCH t0 USING INTEGER PRIMARY KEY (rowid=?)',
    '2 0 0 SCAN t0 USING COVERING INDEX a',
    '2 0 0 SCAN json_each VIRTUAL TABLE INDEX 1:',
    '2 0 0 SCAN CONSTANT ROW',
  ])
    assert.deepEqual(readSqlitePlan(good).scans, [], good);
});

test('plans of PostgreSQL: rows thrown away by a filter; values are not shown; nonsense is shown as it is', () => {
  const plan = readPostgresPlan(
    JSON.stringify([
      {
        Plan: {
          'Node Type': 'Sort',
          'Sort Key': ['name'],
          Plans: [
            {
              'Node Type': 'Seq Scan',
              'Relation Name': 'bowl',
              Filter: "((mail)::text = 'ann@example.com'::text)",
              'Rows Removed by Filter': 9000,
              'Actual Rows': 1,
              'Actual Loops': 2,
              'Actual Total Time': 3.5,
            },
          ],
        },
      },
    ]),
  );
  assert.deepEqual(plan.scans, [{ table: 'bowl', removed: 18_000 }]);
  assert.equal(plan.sorts, true);
  assert.equal(plan.analyzed, true);
  assert.doesNotMatch(plan.lines.join('\n'), /ann@/);
  assert.deepEqual(readPostgresPlan('Seq Scan on x').scans, []);
});

const reached = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => {});
    socket.once('connect', () => socket.destroy());
  });
const postgres = process.env['SOBAYA_TEST_POSTGRES'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

interface Answer {
  readonly plan: Plan | null;
  readonly problem: string | null;
  readonly hints: readonly Hint[];
}

for (const vendor of ['sqlite', 'postgresql'] as const)
  describe(`a plan on demand, ${vendor}`, {
    skip: vendor === 'postgresql' && !(await reached(5432)) ? 'no PostgreSQL at 127.0.0.1:5432' : false,
  }, () => {
    const table = `xray_plan_${process.pid}`;
    class Bowl extends Model(
      { kind: text({ maxLength: 20 }), price: integer(), maker: integer() },
      { table, indexes: [index({ fields: ['maker'], name: `${table}_maker` })] },
    ) {}
    let folder = '';
    let application: ReturnType<typeof make>;
    /** The application is up from `before` to `after`. */
    let close = (): void => {};
    let running: Promise<void> = Promise.resolve();
    const inside = <T>(fn: () => T | Promise<T>): Promise<T> =>
      Promise.resolve(ambient.run({ databases: application.databases, transactions: new Map() }, fn));
    const make = (database: string) =>
      createApp({
        apps: [defineApp({ label: `plan_${vendor}`, models: [Bowl] })],
        urls: [
          path('kind/', async () => new HttpResponse(String((await Bowl.filter({ kind: 'hot' })).length))),
          path('maker/', async () => new HttpResponse(String((await Bowl.filter({ maker: 7 })).length))),
          path('all/', async () => new HttpResponse(String((await Bowl.all()).length))),
        ],
        databases: { default: database },
        debug: true,
        xray: true,
      });

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'xray-plan-'));
      application = make(vendor === 'sqlite' ? `sqlite:${join(folder, 'db.sqlite3')}` : postgres);
      const up = Promise.withResolvers<void>();
      running = application.run(() => {
        up.resolve();
        return new Promise<void>((resolve) => {
          close = resolve;
        });
      });
      running.catch(up.reject);
      await up.promise;
      await inside(async () => {
        const database = application.databases.get('default');
        const key = vendor === 'sqlite' ? 'integer primary key' : 'bigserial primary key';
        await database.execute(
          `create table ${table} (id ${key}, kind varchar(20) not null, price integer not null, maker integer not null)`,
          [],
        );
        await database.execute(`create index ${table}_maker on ${table} (maker)`, []);
        for (let from = 0; from < 2000; from += 500)
          await Bowl.bulkCreate(
            Array.from({ length: 500 }, (_, at) => new Bowl({ kind: `k${at}`, price: at, maker: from + at })),
          );
        if (vendor === 'postgresql') await database.execute(`analyze ${table}`, []);
      });
    });
    after(async () => {
      if (vendor === 'postgresql')
        await application.databases.get('default').execute(`drop table ${table}`, []);
      close();
      await running;
      await rm(folder, { recursive: true, force: true });
    });

    const local = {
      client: ['127.0.0.1', 5] as const,
      headers: [
        ['host', 'localhost'],
        ['x-sobaya-xray', '1'],
      ] as const,
    };
    async function planOf(view: string, analyze = ''): Promise<Answer> {
      return inside(async () => {
        const { headers } = await call(application, httpScope(`/${view}/`, local));
        const link = headers.get('x-sobaya-xray') ?? '';
        const id = link.split('/').at(-1);
        const { request } = JSON.parse(
          (await call(application, httpScope(`/__xray__/api/requests/${id}`, local))).text,
        ) as { request: { spans: { id: number; kind: string }[] } };
        const query = request.spans.find((span) => span.kind === 'query');
        const answer = await call(
          application,
          httpScope(`/__xray__/api/requests/${id}/plan/${query?.id}`, {
            ...local,
            method: 'POST',
            queryString: analyze,
          }),
        );
        assert.equal(answer.status, 200, answer.text);
        return JSON.parse(answer.text) as Answer;
      });
    }

    test('a table read whole for want of an index: the declaration to add, with file and line', async () => {
      const { hints, plan, problem } = await planOf('kind', 'analyze');
      assert.equal(problem, null);
      assert.equal(plan?.analyzed, vendor === 'postgresql');
      assert.equal(hints[0]?.rule, 'index');
      assert.match(hints[0].change?.after ?? '', /index\(\{ fields: \['kind'\] \}\)/);
      assert.match(hints[0].site?.file ?? 'plan.test.ts', /\.ts$/);
      if (vendor === 'postgresql') assert.match(hints[0].text, /2,000 rows only to throw them away/);
    });

    test('through an index, and everything: nothing to say', async () => {
      assert.deepEqual((await planOf('maker')).hints, []);
      assert.deepEqual((await planOf('all', 'analyze')).hints, []);
    });

    test('not by GET, not without the header, not for what is no query', async () => {
      await inside(async () => {
        const { headers } = await call(application, httpScope('/kind/', local));
        const id = headers.get('x-sobaya-xray')?.split('/').at(-1);
        const at = `/__xray__/api/requests/${id}/plan/`;
        const status = async (place: string, more: object): Promise<number> =>
          (await call(application, httpScope(place, { ...local, ...more }))).status;
        assert.equal(await status(`${at}1`, {}), 405);
        assert.equal(await status(`${at}1`, { method: 'POST', headers: [['host', 'localhost']] }), 405);
        assert.equal(await status('/__xray__/api/requests/nobody/plan/1', { method: 'POST' }), 404);
        const other = await call(application, httpScope(`${at}0`, { ...local, method: 'POST' }));
        assert.equal((JSON.parse(other.text) as Answer).problem, 'This is no query.');
      });
    });
  });
