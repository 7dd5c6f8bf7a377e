/** Sides of bench/cases/migrations.ts: each measures itself, in a project of its own in a temporary folder. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { Measured } from '../harness.ts';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sobaya-bench-'));
  mkdirSync(join(made, 'node_modules'));
  symlinkSync(root, join(made, 'node_modules/sobaya'));
  writeFileSync(
    join(made, 'package.json'),
    '{"type":"module","sobaya":{"application":"./app.ts:application"}}',
  );
  mkdirSync(join(made, 'migrations'));
  return made;
}

function application(made: string, models: string, names: readonly string[]): void {
  writeFileSync(
    join(made, 'app.ts'),
    `import { createApp, defineApp } from 'sobaya';
import { boolean, dateTime, foreignKey, integer, Model, text } from 'sobaya/db';
${models}
export const application = createApp({
  apps: [defineApp({ label: 'shop', models: [${names.join(', ')}], migrations: new URL('./migrations/', import.meta.url) })],
  databases: { default: 'sqlite:${join(made, 'db.sqlite3')}' },
});
`,
  );
}

const sobaya = (made: string, ...words: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, ['--conditions=sobaya:source', join(root, 'src/cli/main.ts'), ...words], {
    cwd: made,
    maxBuffer: 1 << 26,
  });

const TEN = (n: number): string =>
  `class M${n} extends Model({ a: text({ maxLength: 50 }), b: integer({ default: 0 }), c: boolean({ default: false }), d: dateTime({ null: true }), e: text(), f: integer({ null: true }), g: text({ unique: true }), h: integer({ index: true })${n > 0 ? `, get parent() { return foreignKey(M${n - 1}); }` : ''} }) {}`;

async function noChanges(count: number): Promise<Measured> {
  const made = folder();
  const numbers = Array.from({ length: count }, (_, n) => n);
  application(
    made,
    numbers.map(TEN).join('\n'),
    numbers.map((n) => `M${n}`),
  );
  await sobaya(made, 'makemigrations');
  return {
    async round() {
      const began = performance.now();
      const { stdout } = await sobaya(made, 'makemigrations');
      if (!stdout.includes('No changes')) throw new Error(stdout);
      return { ms: performance.now() - began };
    },
    close: () => rmSync(made, { recursive: true }),
  };
}

async function apply(count: number): Promise<Measured> {
  const made = folder();
  application(made, '', []);
  for (let n = 1; n <= count; n++) {
    const name = `${String(n).padStart(4, '0')}_step`;
    const model = `M${Math.floor((n - 1) / 5)}`;
    const operation =
      n % 5 === 1
        ? `createModel({ name: '${model}', fields: { id: field.bigAuto({ primaryKey: true }), name: field.text() } })`
        : `addField({ model: '${model}', name: 'f${n}', field: field.integer({ ${n % 5 === 0 ? 'default: 0' : 'null: true'} }) })`;
    const before = n === 1 ? '' : `'shop.${String(n - 1).padStart(4, '0')}_step'`;
    writeFileSync(
      join(made, 'migrations', `${name}.ts`),
      `import { addField, createModel, field, migration } from 'sobaya/db/migrations';\nexport default migration({ dependencies: [${before}], operations: [${operation}] });\n`,
    );
  }
  writeFileSync(
    join(made, 'app.ts'),
    `import { createApp, defineApp } from 'sobaya';
export const application = createApp({
  apps: [defineApp({ label: 'shop', migrations: new URL('./migrations/', import.meta.url) })],
  databases: { default: 'sqlite:${join(made, 'db.sqlite3')}' },
});
`,
  );
  return {
    async round() {
      for (const end of ['', '-wal', '-shm']) rmSync(join(made, `db.sqlite3${end}`), { force: true });
      const began = performance.now();
      const { stdout } = await sobaya(made, 'migrate');
      if (!stdout.includes(`applied shop.${String(count).padStart(4, '0')}_step`))
        throw new Error(stdout.slice(-500));
      return { ms: performance.now() - began };
    },
    close: () => rmSync(made, { recursive: true }),
  };
}

/** The table that loaddata fills, and the values a raw program would have in its hands. */
const ROWS = 100_000;
const values = (n: number): [number, string, string, number, number] => [
  n,
  `name ${n}`,
  'x'.repeat(30),
  n % 1000,
  n & 1,
];

async function loadData(): Promise<Measured> {
  const made = folder();
  const { loadObjects } = await import('../../src/cli/data/load.ts');
  const { jsonObjects } = await import('../../src/cli/data/json-stream.ts');
  const { dataTables } = await import('../../src/cli/data/tables.ts');
  const { boolean, Databases, integer, Model, registerModels, text } = await import('../../src/db/index.ts');
  const { createReadStream } = await import('node:fs');
  class Row extends Model({ name: text(), note: text(), views: integer(), active: boolean() }) {}
  registerModels('bench', [Row]);
  const file = join(made, 'rows.json');
  const lines = Array.from({ length: ROWS }, (_, n) => {
    const [pk, name, note, views, active] = values(n + 1);
    return JSON.stringify({ model: 'bench.Row', pk, fields: { name, note, views, active: active === 1 } });
  });
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
  return {
    async round() {
      const path = join(made, `${Math.random()}.sqlite3`);
      create(path).close();
      const databases = await new Databases({
        default: { engine: 'sqlite', file: path, inline: 'always' },
      }).open();
      const backend = databases.get();
      const project = {
        application: null as never,
        apps: [{ label: 'bench', models: [Row], migrations: null }],
        databases,
      };
      const began = performance.now();
      const count = await databases.run(() =>
        loadObjects(
          backend,
          dataTables(project, backend),
          jsonObjects(createReadStream(file, 'utf8') as AsyncIterable<string>, file),
          { file },
        ),
      );
      const perSecond = (ROWS / (performance.now() - began)) * 1000;
      if (count !== ROWS) throw new Error(String(count));
      await databases.close();
      return { perSecond };
    },
    close: () => rmSync(made, { recursive: true }),
  };
}

function create(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  database.exec(
    'CREATE TABLE bench_row (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name text NOT NULL, note text NOT NULL, views integer NOT NULL, active bool NOT NULL)',
  );
  return database;
}

/** The quickest that node:sqlite does: one prepared statement, one transaction, values already made. */
function raw(): Measured {
  const made = folder();
  const rows = Array.from({ length: ROWS }, (_, n) => values(n + 1));
  return {
    round() {
      const database = create(join(made, `${Math.random()}.sqlite3`));
      const insert = database.prepare(
        'INSERT INTO bench_row (id, name, note, views, active) VALUES (?, ?, ?, ?, ?)',
      );
      const began = performance.now();
      database.exec('BEGIN');
      for (const row of rows) insert.run(...row);
      database.exec('COMMIT');
      const perSecond = (ROWS / (performance.now() - began)) * 1000;
      database.close();
      return { perSecond };
    },
    close: () => rmSync(made, { recursive: true }),
  };
}

export function start(options: {
  readonly side: string;
  readonly count?: number;
}): Promise<Measured> | Measured {
  if (options.side === 'no changes') return noChanges(options.count ?? 200);
  if (options.side === 'apply') return apply(options.count ?? 500);
  return options.side === 'loaddata' ? loadData() : raw();
}
