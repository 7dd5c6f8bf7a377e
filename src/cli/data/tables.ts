/** The tables of a project's models, as dumping and loading see them. */
import { type Databases, type Meta, metaOf } from '../../db/index.ts';
import { liveState, tableOf, throughModel } from '../../db/migrations/index.ts';
import { fault } from '../../errors/index.ts';
import type { Project } from '../project.ts';

type Backend = ReturnType<Databases['get']>;

export interface DataColumn {
  readonly field: string;
  readonly column: string;
  readonly family: string;
  readonly kind: string;
  readonly primaryKey: boolean;
  /** Key of the model it refers to. */
  readonly to: string | null;
  /** From the driver's value to what JSON holds. */
  readonly dump: (raw: unknown) => unknown;
  /** From JSON to what the driver takes. */
  readonly load: (value: unknown) => unknown;
}

export interface DataLink {
  readonly field: string;
  readonly to: string;
  readonly table: string;
  readonly source: string;
  readonly target: string;
}

export interface DataTable {
  readonly key: string;
  readonly table: string;
  readonly columns: readonly DataColumn[];
  readonly pk: DataColumn;
  readonly links: readonly DataLink[];
  /** Fields that name a row without its primary key: `static naturalKey = ['slug']`. */
  readonly natural: readonly string[] | null;
}

/** Every managed model with a table of its own, those that are referred to first. */
export function dataTables(project: Project, backend: Backend): DataTable[] {
  const state = liveState(project.apps);
  const tables = new Map<string, DataTable>();
  for (const app of project.apps)
    for (const model of app.models) {
      const meta = metaOf(model);
      const key = `${app.label}.${meta.name}`;
      // Each table of a chain of models has its own part of the row, and a proxy has no table.
      const own = state.get(key);
      if (own === undefined || own.options['managed'] === false || tables.has(key)) continue;
      const columns = meta.local
        .filter((field) => !field.generated)
        .map((field) =>
          columnOf(field, own.fields.find(([name]) => name === field.name)?.[1].options['to'], backend),
        );
      const links: DataLink[] = [];
      for (const [name, field] of own.fields) {
        if (field.kind !== 'manyToMany' || typeof field.options['through'] === 'string') continue;
        const through = throughModel(own, name, field);
        const column = (part: string): string =>
          String(through.fields.find(([other]) => other === part)?.[1].options['column']);
        links.push({
          field: name,
          to: String(field.options['to']),
          table: tableOf(through),
          source: column('source'),
          target: column('target'),
        });
      }
      const natural = (model as { naturalKey?: unknown }).naturalKey;
      tables.set(key, {
        key,
        table: tableOf(own),
        columns,
        pk: columns.find((column) => column.primaryKey) as DataColumn,
        links,
        natural: Array.isArray(natural) ? (natural as string[]) : null,
      });
    }
  return inOrder(tables);
}

function columnOf(field: Meta['columns'][number], to: unknown, backend: Backend): DataColumn {
  const { storage, family } = field;
  const decode = storage.spec.decode as ((raw: unknown) => unknown) | undefined;
  const adapt = backend.dialect.adapter(family) as ((value: unknown) => unknown) | null;
  const big = storage.kind === 'bigInteger' || storage.kind === 'positiveBigInteger';
  return {
    field: field.name,
    column: field.column,
    family,
    kind: storage.kind,
    primaryKey: field.primaryKey,
    to: typeof to === 'string' ? to : null,
    dump(raw): unknown {
      if (raw === null || raw === undefined) return null;
      const value = decode === undefined ? raw : decode(raw);
      // Where the database has no arrays they are kept as JSON.
      if (family === 'array' && typeof value === 'string') return JSON.parse(value) as unknown;
      if (typeof value === 'bigint') return String(value);
      if (value instanceof Date) return value.toISOString();
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      return value;
    },
    load(given): unknown {
      if (given === null || given === undefined) return null;
      let value = given;
      if (family === 'dateTime' && typeof given === 'string') value = new Date(given);
      else if (family === 'binary' && typeof given === 'string')
        value = new Uint8Array(Buffer.from(given, 'base64'));
      else if (big && (typeof given === 'string' || typeof given === 'number')) value = BigInt(given);
      storage.check(value);
      return adapt === null ? value : adapt(value);
    },
  };
}

/** What is referred to before what refers to it; members of a cycle as they come. */
function inOrder(tables: ReadonlyMap<string, DataTable>): DataTable[] {
  const done = new Set<string>();
  const ordered: DataTable[] = [];
  const visit = (table: DataTable): void => {
    if (done.has(table.key)) return;
    done.add(table.key);
    for (const { to } of [...table.columns, ...table.links]) {
      const target = to === null ? undefined : tables.get(to);
      if (target !== undefined) visit(target);
    }
    ordered.push(table);
  };
  for (const table of tables.values()) visit(table);
  return ordered;
}

/** The tables of labels: an app, or `app.Model`. */
export function pickTables(all: readonly DataTable[], labels: readonly string[]): DataTable[] {
  const picked = new Set<DataTable>();
  for (const label of labels) {
    const found = all.filter(
      (table) => table.key.toLowerCase() === label.toLowerCase() || table.key.startsWith(`${label}.`),
    );
    if (found.length === 0)
      throw fault('SBY_MIGRATIONS_UNKNOWN_APP', {
        app: label,
        known: [...new Set(all.flatMap((table) => [table.key.slice(0, table.key.indexOf('.')), table.key]))],
      });
    for (const table of found) picked.add(table);
  }
  return all.filter((table) => picked.has(table));
}
