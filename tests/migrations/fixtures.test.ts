/** Every kind of value, dumped and loaded, on both databases. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dumpObjects } from '../../src/cli/data/dump.ts';
import { loadObjects } from '../../src/cli/data/load.ts';
import { dataTables } from '../../src/cli/data/tables.ts';
import {
  array,
  bigInteger,
  binary,
  Databases,
  decimal,
  duration,
  float,
  integer,
  json,
  Model,
  registerModels,
  text,
} from '../../src/db/index.ts';
import {
  Autodetector,
  liveState,
  MigrationExecutor,
  MigrationGraph,
  MigrationLoader,
} from '../../src/db/migrations/index.ts';
import { PostgresDatabase, postgresMissing } from './postgres.ts';
import { questioner } from './schemas.ts';

class Doc extends Model({
  data: json(),
  maybe: json({ null: true }),
  list: array(integer(), { null: true }),
  words: array(text(), { null: true }),
  took: duration({ null: true }),
  price: decimal({ maxDigits: 9, decimalPlaces: 2, null: true }),
  bytes: binary({ null: true }),
  big: bigInteger({ null: true }),
  ratio: float({ null: true }),
  note: text({ null: true }),
}) {}
registerModels('docs', [Doc]);

async function thereAndBack(databases: Databases): Promise<void> {
  const backend = databases.get();
  const apps = [{ label: 'docs', models: [Doc], migrations: null }];
  const detector = new Autodetector(new MigrationGraph().state(), liveState(apps), {
    questioner: questioner(false),
  });
  const made = [...(await detector.changes(new MigrationGraph())).values()].flat();
  await new MigrationExecutor(databases, MigrationLoader.of(made)).migrate();
  await databases.run(async () => {
    await Doc.create({
      data: { n: null, deep: [1, 'é', { a: false }] },
      list: [1, 2],
      words: ["it's", 'a,b', '"'],
      took: 1.5,
      price: '-1.50',
      bytes: new Uint8Array([0, 255]),
      big: -9223372036854775808n,
      ratio: 1e300,
      note: 'two\nlines \u2028 and "quotes"',
    } as never);
    await Doc.create({ data: 'text', list: [], words: [], maybe: 0 } as never);
    const tables = dataTables({ application: null as never, apps, databases } as never, backend);
    const dump = async (): Promise<string> => {
      const all: object[] = [];
      for await (const some of dumpObjects(backend, tables, tables)) all.push(...some);
      return JSON.stringify(all);
    };
    const before = await dump();
    assert.match(before, /"list":\[1,2\],"words":\["it's","a,b","\\""\],"took":1\.5,"price":"-1\.5/);
    await backend.script('DELETE FROM docs_doc');
    const objects = (JSON.parse(before) as unknown[]).map((one, at) => [one, at + 1] as const);
    await loadObjects(
      backend,
      tables,
      (async function* () {
        yield objects;
      })(),
      { file: 'docs.json' },
    );
    assert.equal(await dump(), before);
  });
}

describe('values in fixtures', () => {
  it('on SQLite', async () => {
    const databases = await new Databases({ default: 'sqlite::memory:' }).open();
    await thereAndBack(databases);
    await databases.close();
  });
  it('on PostgreSQL', async (t) => {
    const missing = await postgresMissing();
    if (missing) return t.skip(missing);
    const database = await new PostgresDatabase().create();
    try {
      await thereAndBack(database);
    } finally {
      await database.drop();
    }
  });
});
