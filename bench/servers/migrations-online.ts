/** A table of a million rows changed by the recommended recipe while 50 clients read and write it. */
import pg from 'pg';
import {
  addConstraintNotValid,
  addField,
  addIndexConcurrently,
  alterField,
  check,
  createModel,
  field,
  index,
  Migration,
  type MigrationArgs,
  MigrationExecutor,
  MigrationLoader,
  runCode,
  validateConstraint,
} from '../../src/db/migrations/index.ts';
import { PostgresDatabase } from '../../tests/migrations/postgres.ts';
import type { Measured } from '../harness.ts';

const ROWS = 1_000_000;
const CLIENTS = 50;
const BATCH = 5_000;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const first = new Migration('shop', '0001_initial', {
  operations: [
    createModel({
      name: 'Line',
      fields: {
        id: field.bigAuto({ primaryKey: true }),
        name: field.text(),
        views: field.integer({ default: 0 }),
      },
    }),
  ],
});
const steps: readonly (readonly [name: string, args: MigrationArgs])[] = [
  [
    '0002_price',
    { operations: [addField({ model: 'Line', name: 'price', field: field.integer({ null: true }) })] },
  ],
  [
    '0003_fill',
    {
      atomic: false,
      operations: [
        runCode({
          atomic: false,
          async forwards({ connection }) {
            for (let from = 0; from < ROWS; from += BATCH)
              await connection.execute(
                'UPDATE shop_line SET price = views WHERE id > $1 AND id <= $2 AND price IS NULL',
                [from, from + BATCH],
              );
          },
        }),
      ],
    },
  ],
  [
    '0004_check',
    {
      operations: [
        addConstraintNotValid({
          model: 'Line',
          constraint: check({ name: 'price_there', check: { price__isnull: false } }),
        }),
      ],
    },
  ],
  ['0005_valid', { operations: [validateConstraint({ model: 'Line', name: 'price_there' })] }],
  ['0006_not_null', { operations: [alterField({ model: 'Line', name: 'price', field: field.integer() })] }],
  [
    '0007_index',
    {
      atomic: false,
      operations: [
        addIndexConcurrently({ model: 'Line', index: index({ name: 'price_idx', fields: ['price'] }) }),
      ],
    },
  ],
];

class Meter {
  max = 0;
  count = 0;
  #stop = false;
  readonly #loops: Promise<void>[] = [];

  start(url: string): void {
    for (let n = 0; n < CLIENTS; n++) this.#loops.push(this.#loop(url, n));
  }

  async #loop(url: string, n: number): Promise<void> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    while (!this.#stop) {
      const id = 1 + Math.floor(Math.random() * ROWS);
      const began = performance.now();
      if (n % 2 === 0) await client.query('SELECT name, views FROM shop_line WHERE id = $1', [id]);
      else await client.query('UPDATE shop_line SET views = views + 1 WHERE id = $1', [id]);
      this.max = Math.max(this.max, performance.now() - began);
      this.count++;
      await pause(20);
    }
    await client.end();
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#loops);
  }
}

export async function start(): Promise<Measured> {
  const database = await new PostgresDatabase().create();
  const { url } = database;
  return {
    async round() {
      await database.clear();
      const migrations = [first];
      for (const [name, args] of steps)
        migrations.push(
          new Migration('shop', name, { ...args, dependencies: [(migrations.at(-1) as Migration).key] }),
        );
      const executor = new MigrationExecutor(database, MigrationLoader.of(migrations));
      await executor.migrate({ target: { app: 'shop', name: '0001' } });
      await database
        .get()
        .script(
          `INSERT INTO shop_line (name, views) SELECT 'name ' || n, n % 1000 FROM generate_series(1, ${ROWS}) n; ANALYZE shop_line`,
        );
      const idle = new Meter();
      idle.start(url);
      await pause(2000);
      await idle.stop();
      const meter = new Meter();
      meter.start(url);
      const began = performance.now();
      await executor.migrate({ lockTimeout: 100, retries: 20 });
      const seconds = (performance.now() - began) / 1000;
      await meter.stop();
      return { longestWaitMs: meter.max, longestWithoutMs: idle.max, seconds, statements: meter.count };
    },
    close: () => database.drop(),
  };
}
