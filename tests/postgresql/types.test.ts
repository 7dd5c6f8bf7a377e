import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { type Codec, Interval, Range, RawJson } from 'sobaya/postgresql';
import { connect, skip } from './database.ts';

/** SQL expressions and what they are read as. */
const cases: [string, unknown][] = [
  ['true', true],
  ["'-32768'::int2", -32768],
  ["'-2147483648'::int4", -2147483648],
  ['200::int4', 200],
  ['9007199254740991::int8', 9007199254740991],
  ['-9007199254740991::int8', -9007199254740991],
  ['4294967295::oid', 4294967295],
  ['0.1::float4', 0.1],
  ['0.1::float8', 0.1],
  ["'NaN'::float8", Number.NaN],
  ["'-Infinity'::float8", Number.NEGATIVE_INFINITY],
  ['12345678901234567890.0123456789::numeric', '12345678901234567890.0123456789'],
  ["'NaN'::numeric", 'NaN'],
  ["''::text", ''],
  ["'é日本😀'::text", 'é日本😀'],
  ["'ab'::char(4)", 'ab  '],
  ['\'x\'::"char"', 'x'],
  ["'\\x00ff10'::bytea", Buffer.from([0, 255, 16])],
  ["''::bytea", Buffer.alloc(0)],
  ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ["'2026-03-04 05:06:07.891+00'::timestamptz", new Date('2026-03-04T05:06:07.891Z')],
  ["'1969-12-31 23:59:59.999999+00'::timestamptz", new Date('1969-12-31T23:59:59.999Z')],
  ["'1883-11-18 12:00:00+00'::timestamptz", new Date('1883-11-18T12:00:00Z')],
  ["'9999-12-31 23:59:59.999999+00'::timestamptz", new Date('9999-12-31T23:59:59.999Z')],
  ["'infinity'::timestamptz", Number.POSITIVE_INFINITY],
  ["'-infinity'::timestamp", Number.NEGATIVE_INFINITY],
  ["'0044-03-15 12:00:00+00 BC'::timestamptz", new Date('-000043-03-15T12:00:00Z')],
  ["'2026-03-04 05:06:07'::timestamp", new Date('2026-03-04T05:06:07Z')],
  ["'2024-02-29'::date", '2024-02-29'],
  ["'0001-01-01'::date", '0001-01-01'],
  ["'0044-03-15 BC'::date", '0044-03-15 BC'],
  ["'infinity'::date", 'infinity'],
  ["'00:00:00'::time", '00:00:00'],
  ["'23:59:59.000001'::time", '23:59:59.000001'],
  ["'24:00:00'::time", '24:00:00'],
  ["'04:05:06+02'::timetz", '04:05:06+02'],
  [
    "'1 year 2 mons -3 days 04:05:06.789'::interval",
    new Interval({ months: 14, days: -3, microseconds: 14706789000n }),
  ],
  ["'-00:00:00.5'::interval", new Interval({ microseconds: -500000n })],
  ['\'{"a": [1, null, "é"]}\'::json', { a: [1, null, 'é'] }],
  ["'null'::jsonb", null],
  ['\'"text"\'::jsonb', 'text'],
  ["'10.1.2.3/8'::inet", '10.1.2.3/8'],
  ["'::1'::inet", '::1'],
  ["'08:00:2b:01:02:03'::macaddr", '08:00:2b:01:02:03'],
  ["'101'::bit(3)", '101'],
  ["'(1,2)'::point", '(1,2)'],
  ["'{}'::int[]", []],
  ["'{1,NULL,-3}'::int[]", [1, null, -3]],
  [
    "'{{1,2},{3,4}}'::int8[]",
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ["'[2:3]={7,8}'::int[]", [7, 8]],
  [
    "ARRAY['a\"b', 'c\\d', 'e,f', '{}', '', NULL, 'NULL', 'null', ' ']",
    ['a"b', 'c\\d', 'e,f', '{}', '', null, 'NULL', 'null', ' '],
  ],
  ["'{t,f,NULL}'::bool[]", [true, false, null]],
  ["'{1.50,2}'::numeric[]", ['1.50', '2']],
  ['ARRAY[\'{"a":"}"}\'::jsonb]', [{ a: '}' }]],
  ["ARRAY['\\x01'::bytea, NULL]", [Buffer.from([1]), null]],
  ["ARRAY['2024-02-29'::date]", ['2024-02-29']],
  ["'[1,5)'::int4range", new Range(1, 5)],
  ["'(,5)'::int4range", new Range<number>(null, 5, '()')],
  ["'empty'::int4range", Range.empty()],
  ["'[1.5,2.5]'::numrange", new Range('1.5', '2.5', '[]')],
  ['\'["2026-01-01 00:00:00+00",)\'::tstzrange', new Range(new Date('2026-01-01T00:00:00Z'), null)],
  ["'[2026-01-01,2026-02-01)'::daterange", new Range('2026-01-01', '2026-02-01')],
  ["ARRAY['[1,5)'::int4range, 'empty']", [new Range(1, 5), Range.empty()]],
  ["'{[1,3),[5,7)}'::int4multirange", [new Range(1, 3), new Range(5, 7)]],
  ['NULL::int', null],
  ["'\\x0102'::text", '\\x0102'],
];

describe('types', { skip }, () => {
  test('are read exactly', async (t) => {
    const binary = await connect(t);
    for (const [sql, expected] of cases) {
      const [row] = await binary.execute(`SELECT ${sql}`, [], { row: 'array' });
      assert.deepEqual(row, [expected], sql);
    }
  });

  test('are written so that the same comes back', async (t) => {
    const c = await connect(t);
    for (const [sql, value] of cases) {
      if (sql.includes('"char"') || sql.includes("'null'::jsonb")) continue;
      const { fields } = await c.query(`SELECT ${sql} AS v`);
      const [type] = await c.execute('SELECT format_type($1, $2)', [fields[0]!.oid, fields[0]!.modifier], {
        row: 'array',
      });
      const back = await c.execute(`SELECT $1::${type}`, [value], { row: 'array' });
      assert.deepEqual(back, [[value]], sql);
    }
  });

  test('numbers, text, dates and arrays of any content go there and back', async (t) => {
    const c = await connect(t);
    // PostgreSQL has no NUL in text, and no lone surrogates.
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''));
    const date = fc.date({
      min: new Date('-004700-01-01'),
      max: new Date('+275760-01-01'),
      noInvalidDate: true,
    });
    // JSON has no -0, and PostgreSQL's JSON no NUL.
    const json = fc
      .jsonValue()
      .filter(
        (value) =>
          isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value) &&
          !JSON.stringify(value).includes('\\u0000'),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double(),
        text,
        date,
        fc.uint8Array(),
        fc.array(fc.option(text)),
        fc.array(fc.option(fc.integer({ min: -32768, max: 32767 }))),
        json,
        async (...values) => {
          const sql =
            'SELECT $1::int4, $2::int8, $3::int8, $4::float8, $5::text, $6::timestamptz, $7::bytea, $8::text[], $9::int2[], $10::json';
          const shape = { row: 'array' as const, read: [undefined, undefined, 'bigint'] };
          const [row] = await c.execute(sql, values, shape);
          assert.deepEqual(
            row,
            values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value)),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  test('int8 is a number, a bigint or text, by declaration, and never wrong', async (t) => {
    const sql = "SELECT '9223372036854775807'::int8 AS n";
    const safe = await connect(t);
    await assert.rejects(safe.query(sql), {
      code: 'SBY_POSTGRESQL_DECODE',
      message:
        "A value of type int8 cannot be read: 9223372036854775807 is no safe integer. Read it as a bigint: types: { int8: 'bigint' }",
    });
    assert.deepEqual((await safe.query('SELECT 1 AS a')).rows, [{ a: 1 }]);
    const big = await connect(t, { types: { int8: 'bigint' } });
    assert.deepEqual((await big.query(sql)).rows, [{ n: 9223372036854775807n }]);
    assert.deepEqual((await big.query('SELECT ARRAY[1::int8] AS n')).rows, [{ n: [1n] }]);
    const text = await connect(t, { types: { int8: 'text' } });
    assert.deepEqual((await text.query(sql)).rows, [{ n: '9223372036854775807' }]);
  });

  test('timestamps keep their microseconds where that is asked for', async (t) => {
    const c = await connect(t, { types: { timestamptz: 'iso', timestamp: 'iso' } });
    const values = [
      '2026-01-02T03:04:05.000006Z',
      '1969-12-31T23:59:59.999999Z',
      '0044-03-15T12:00:00Z BC',
      'infinity',
    ];
    for (const value of values) {
      assert.deepEqual(await c.execute('SELECT $1::timestamptz', [value], { row: 'array' }), [[value]]);
    }
    assert.deepEqual(await c.execute("SELECT '2026-01-02 03:04:05.1'::timestamp", [], { row: 'array' }), [
      ['2026-01-02T03:04:05.1'],
    ]);
  });

  test('the zone and the date style of the session make no difference', async (t) => {
    const c = await connect(t, {
      settings: { TimeZone: 'Asia/Kathmandu', IntervalStyle: 'sql_standard', extra_float_digits: 0 },
    });
    await c.query("SET DateStyle = 'German'");
    const sql =
      "SELECT '2026-01-02 03:04:05+00'::timestamptz, '2026-01-02'::date, '1 day 01:00'::interval, 0.1::float8 + 0.2";
    assert.deepEqual(await c.execute(sql, [], { row: 'array' }), [
      [
        new Date('2026-01-02T03:04:05Z'),
        '2026-01-02',
        new Interval({ days: 1, microseconds: 3600000000n }),
        0.30000000000000004,
      ],
    ]);
  });

  test('enums, domains, composites and arrays of them are learned from the catalogue', async (t) => {
    const c = await connect(t);
    await c.script(`
      DROP SCHEMA IF EXISTS learn CASCADE; CREATE SCHEMA learn;
      CREATE TYPE learn.mood AS ENUM ('sad', 'so so', 'happy');
      CREATE DOMAIN learn.age AS int CHECK (VALUE >= 0);
      CREATE TYPE learn.point3 AS (x int, y float8, label text, mood learn.mood, tags text[]);
      CREATE TYPE learn.span AS RANGE (subtype = int8);
      CREATE TABLE learn.t (m learn.mood, ms learn.mood[], a learn.age, "as" learn.age[], p learn.point3, ps learn.point3[], s learn.span)`);
    const point = { x: 1, y: 2.5, label: 'a "b", (c)\\', mood: 'so so', tags: ['x', null, 'y z'] };
    const values = [
      'happy',
      ['sad', null, 'so so'],
      30,
      [1, 2],
      point,
      [point, { ...point, label: null, tags: [] }],
      new Range(1, 9),
    ];
    await c.query('INSERT INTO learn.t VALUES ($1, $2, $3, $4, $5, $6, $7)', values);
    assert.deepEqual(await c.execute('SELECT * FROM learn.t', [], { row: 'array' }), [values]);
    assert.deepEqual((await c.query('SELECT t AS row FROM learn.t t')).rows, [
      { row: { m: values[0], ms: values[1], a: 30, as: [1, 2], p: point, ps: values[5], s: values[6] } },
    ]);
    await assert.rejects(c.query('INSERT INTO learn.t (m) VALUES ($1)', ['angry']), { sqlState: '22P02' });
  });

  test('a codec of your own is used for its type, in arrays and by column too', async (t) => {
    class Money {
      readonly cents: bigint;
      constructor(cents: bigint) {
        this.cents = cents;
      }
    }
    const codec: Codec<Money> = {
      decode: (text) => new Money(BigInt(Math.round(Number(text) * 100))),
      encode: (value) => `${value.cents / 100n}.${String(value.cents % 100n).padStart(2, '0')}`,
    };
    const c = await connect(t, { types: { numeric: codec } });
    const value = new Money(1999n);
    assert.deepEqual((await c.query('SELECT $1::numeric AS a, ARRAY[$1::numeric] AS b', [value])).rows, [
      { a: value, b: [value] },
    ]);
    const upper: Codec<string> = { decode: (text) => text.toUpperCase(), encode: (text) => text };
    assert.deepEqual(await c.execute("SELECT 'a'::text, 'b'::text", [], { row: 'array', read: [upper] }), [
      ['A', 'b'],
    ]);
    const raw: Codec<number> = {
      decode: Number,
      decodeBinary: (bytes, start) => bytes.readInt32BE(start) * 10,
      encode: (value) => Buffer.from([0, 0, 0, value]),
    };
    const binary = await connect(t, { types: { int4: raw } });
    assert.deepEqual(await binary.execute('SELECT $1::int4', [7], { row: 'array' }), [[70]]);
    await assert.rejects(connect(t, { types: { int8: 'float' as 'number' } }), {
      message: 'types.int8 is "float". It takes one of number, bigint, string, text, or a codec',
    });
  });

  test('JSON is a value, not text: what goes in comes out', async (t) => {
    const c = await connect(t);
    for (const value of [{ a: 1 }, [1, [2]], 'text', '{"a":1}', 5, true]) {
      assert.deepEqual(await c.execute('SELECT $1::jsonb', [value], { row: 'array' }), [[value]]);
    }
    assert.deepEqual(await c.execute('SELECT $1::jsonb', [new RawJson('{"a": 1}')], { row: 'array' }), [
      [{ a: 1 }],
    ]);
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await assert.rejects(c.query('SELECT $1::jsonb', [circular]), /Give a value that JSON can say/);
  });

  test('column names are data: they cannot break or change the row', async (t) => {
    const c = await connect(t);
    const names = ['__proto__', 'constructor', 'a"b', "a'b", 'a\\b', '\u2028', '$`{1}', '`', 'é', '1'];
    const sql = `SELECT ${names.map((name, i) => `${i} AS "${name.replaceAll('"', '""')}"`).join(', ')}`;
    const [row] = (await c.query(sql)).rows as [Record<string, number>];
    for (const [i, name] of names.entries())
      assert.equal(Object.getOwnPropertyDescriptor(row, name)?.value, i, name);
    assert.equal(Object.getPrototypeOf(row), Object.prototype);
  });
});
