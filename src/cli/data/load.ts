import { atomic, currentTransaction, type Databases, StatementShape } from '../../db/index.ts';
import { fault, isSobayaError } from '../../errors/index.ts';
import type { Numbered } from './json-stream.ts';
import type { DataColumn, DataTable } from './tables.ts';

type Backend = ReturnType<Databases['get']>;

export interface LoadOptions {
  readonly file: string;
  /** Leave out models and fields that do not exist any more. */
  readonly ignoreUnknown?: boolean;
  readonly onProgress?: (count: number) => void;
}

interface Batch {
  readonly table: DataTable;
  readonly columns: readonly DataColumn[];
  /** All rows, one after another. */
  readonly values: unknown[];
  readonly numbers: number[];
}

/** Rows in one INSERT: as many as keep the statement short, so that it is prepared once and used again. */
const ROWS = 100;

/**
 * Writes objects of a fixture: rows whose key is there are changed, others are made. All in one transaction, whose
 * foreign keys are checked at its end, so that objects may come in any order.
 */
export async function loadObjects(
  backend: Backend,
  tables: readonly DataTable[],
  objects: AsyncIterable<readonly Numbered[]>,
  options: LoadOptions,
): Promise<number> {
  const loader = new Loader(backend, tables, options);
  return atomic(
    async () => {
      if (backend.vendor === 'sqlite') await loader.executor.script('PRAGMA defer_foreign_keys = ON');
      else await loader.executor.script('SET CONSTRAINTS ALL DEFERRED');
      for await (const some of objects)
        for (const [object, number] of some) {
          // Most objects need no wait; awaiting each all the same would take as long as reading it.
          const wait = loader.add(object, number);
          if (wait !== undefined) await wait;
        }
      return loader.finish();
    },
    { using: backend.alias },
  );
}

class Loader {
  readonly #backend: Backend;
  readonly #tables: Map<string, DataTable>;
  readonly #options: LoadOptions;
  readonly #natural = new Map<string, unknown>();
  readonly #touched = new Set<DataTable>();
  readonly #columnsOf = new Map<string, readonly DataColumn[]>();
  #last: {
    readonly table: DataTable;
    readonly withKey: boolean;
    readonly names: readonly string[];
    readonly columns: readonly DataColumn[];
  } | null = null;
  readonly #forms = new Map<readonly DataColumn[], Map<number, StatementShape>>();
  #batch: Batch | null = null;
  #sent: Promise<void> | undefined;
  #count = 0;

  constructor(backend: Backend, tables: readonly DataTable[], options: LoadOptions) {
    this.#backend = backend;
    this.#tables = new Map(tables.map((table) => [table.key, table]));
    this.#options = options;
  }

  get executor(): NonNullable<ReturnType<typeof currentTransaction>> {
    const transaction = currentTransaction(this.#backend.alias);
    if (transaction === null) throw new TypeError('not inside a transaction');
    return transaction;
  }

  #bad(number: number, problem: string, cause?: unknown): Error {
    return fault('SBY_CLI_BAD_FIXTURE', { file: this.#options.file, number, problem }, { cause });
  }

  add(object: unknown, number: number): Promise<void> | undefined {
    const { model, pk, fields } = (object ?? {}) as { model?: unknown; pk?: unknown; fields?: unknown };
    if (typeof model !== 'string' || typeof fields !== 'object' || fields === null)
      throw this.#bad(number, 'it is not { "model": "app.Model", "pk": …, "fields": { … } }');
    const table = this.#tables.get(model);
    if (table === undefined) {
      if (this.#options.ignoreUnknown) return undefined;
      throw this.#bad(number, `there is no model ${model}`);
    }
    const values = fields as Record<string, unknown>;
    if ((pk === undefined || pk === null) && table.natural !== null)
      return this.#addNatural(table, values, number);
    return this.#addRow(table, pk, values, number);
  }

  async #addNatural(table: DataTable, values: Record<string, unknown>, number: number): Promise<void> {
    const natural = (table.natural as readonly string[]).map((name) => values[name]);
    await this.#addRow(table, await this.#byNatural(table, natural), values, number);
  }

  #addRow(
    table: DataTable,
    key: unknown,
    values: Record<string, unknown>,
    number: number,
  ): Promise<void> | undefined {
    const columns = this.#columns(table, values, key !== undefined && key !== null, number);
    const withKey = columns[0] === table.pk && !(table.pk.field in values);
    const row: unknown[] = [];
    try {
      for (const column of columns) {
        const value = withKey && column === table.pk ? key : values[column.field];
        if (column.to !== null && Array.isArray(value)) return this.#addReferring(table, key, values, number);
        row.push(column.load(value));
      }
    } catch (error) {
      throw this.#bad(
        number,
        isSobayaError(error) ? `${error.what}. ${error.fix}` : (error as Error).message,
        error,
      );
    }
    return this.#append(table, columns, row, key, values, number);
  }

  /** References by natural keys: looked up first, and then it is a row like others. */
  async #addReferring(
    table: DataTable,
    key: unknown,
    values: Record<string, unknown>,
    number: number,
  ): Promise<void> {
    const resolved = { ...values };
    for (const column of table.columns) {
      const value = values[column.field];
      if (column.to !== null && Array.isArray(value))
        resolved[column.field] = await this.#refer(column.to, value, number);
    }
    await this.#addRow(table, key, resolved, number);
  }

  #append(
    table: DataTable,
    columns: readonly DataColumn[],
    row: readonly unknown[],
    key: unknown,
    values: Record<string, unknown>,
    number: number,
  ): Promise<void> | undefined {
    let wait: Promise<void> | undefined;
    if (this.#batch !== null && (this.#batch.table !== table || this.#batch.columns !== columns))
      wait = this.#flush();
    this.#batch ??= { table, columns, values: [], numbers: [] };
    const batch = this.#batch;
    for (const value of row) batch.values.push(value);
    batch.numbers.push(number);
    this.#touched.add(table);
    const limit = Math.min(
      ROWS,
      Math.floor(this.#backend.features.maxParameters / Math.max(1, columns.length)),
    );
    if (batch.numbers.length >= limit) wait = this.#flush();
    if (++this.#count % 1000 === 0) this.#options.onProgress?.(this.#count);
    if (table.links.length === 0) return wait;
    const links = table.links.filter((link) => Array.isArray(values[link.field]));
    return links.length === 0 ? wait : this.#links(wait, table, links, key, values, number);
  }

  async #links(
    wait: Promise<void> | undefined,
    table: DataTable,
    links: DataTable['links'],
    key: unknown,
    values: Record<string, unknown>,
    number: number,
  ): Promise<void> {
    await wait;
    for (const link of links)
      await this.#link(table, link.field, key, values[link.field] as unknown[], number);
  }

  /** Columns by their names, the same array for the same names: it tells whether rows go into one statement. */
  #columns(
    table: DataTable,
    values: Record<string, unknown>,
    withKey: boolean,
    number: number,
  ): readonly DataColumn[] {
    // Most objects are like the one before.
    const last = this.#last;
    if (last !== null && last.table === table && last.withKey === withKey) {
      let n = 0;
      for (const name in values)
        if (name === last.names[n]) n++;
        else n = Number.NaN;
      if (n === last.names.length) return last.columns;
    }
    const names = Object.keys(values);
    const id = `${withKey ? '+' : ''}${table.key} ${JSON.stringify(names)}`;
    const known = this.#columnsOf.get(id);
    if (known !== undefined) {
      this.#last = { table, withKey, names, columns: known };
      return known;
    }
    const columns = withKey && !(table.pk.field in values) ? [table.pk] : [];
    for (const name of names) {
      const column = table.columns.find((one) => one.field === name);
      if (column !== undefined) columns.push(column);
      else if (!table.links.some((link) => link.field === name) && !this.#options.ignoreUnknown)
        throw this.#bad(number, `${table.key} has no field ${JSON.stringify(name)}`);
    }
    this.#columnsOf.set(id, columns);
    return columns;
  }

  /** Sends the batch. Waits only for the one before: while the database writes, the next is read. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = null;
    if (batch === null) return;
    const before = this.#sent;
    this.#sent = this.#write(batch);
    // Whoever waits for it hears of its failure; until then it is nobody's.
    this.#sent.catch(() => {});
    await before;
  }

  async #settle(): Promise<void> {
    await this.#flush();
    await this.#sent;
  }

  async #write({ table, columns, values, numbers }: Batch): Promise<void> {
    const form = this.#insert(table, columns, numbers.length);
    try {
      await this.executor.execute(form.sql, values, form);
    } catch (error) {
      const [first, last] = [numbers[0] as number, numbers.at(-1) as number];
      throw this.#bad(
        first,
        `${first === last ? '' : `it or one of those up to ${last} (all ${table.key}): `}${(error as Error).message}`,
        error,
      );
    }
  }

  /** One form of statement per table, columns and number of rows: prepared once. */
  #insert(table: DataTable, columns: readonly DataColumn[], rows: number): StatementShape {
    const forms = this.#forms.get(columns) ?? new Map<number, StatementShape>();
    this.#forms.set(columns, forms);
    const known = forms.get(rows);
    if (known !== undefined) return known;
    const quote = (name: string): string => this.#backend.quote(name);
    let n = 0;
    const row = (): string => `(${columns.map(() => this.#backend.dialect.placeholder(++n)).join(', ')})`;
    const others = columns.filter((column) => column !== table.pk);
    const update = others
      .map((column) => `${quote(column.column)} = excluded.${quote(column.column)}`)
      .join(', ');
    const conflict = columns.includes(table.pk)
      ? ` ON CONFLICT (${quote(table.pk.column)}) ${others.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${update}`}`
      : '';
    const names = columns.map((column) => quote(column.column)).join(', ');
    const form = new StatementShape(
      `INSERT INTO ${quote(table.table)} (${names}) VALUES ${Array.from({ length: rows }, row).join(', ')}${conflict}`,
      false,
    );
    forms.set(rows, form);
    return form;
  }

  async #link(
    table: DataTable,
    field: string,
    pk: unknown,
    targets: readonly unknown[],
    number: number,
  ): Promise<void> {
    const link = table.links.find((one) => one.field === field);
    if (link === undefined) return;
    await this.#settle();
    const { dialect } = this.#backend;
    const quote = (name: string): string => this.#backend.quote(name);
    const source = pk ?? (table.natural === null ? null : await this.#lastKey(table));
    if (source === null || source === undefined)
      throw this.#bad(number, `the many-to-many field ${field} needs a pk`);
    const key = table.pk.load(source);
    await this.executor.execute(
      `DELETE FROM ${quote(link.table)} WHERE ${quote(link.source)} = ${dialect.placeholder(1)}`,
      [key],
    );
    for (const target of targets)
      await this.executor.execute(
        `INSERT INTO ${quote(link.table)} (${quote(link.source)}, ${quote(link.target)}) VALUES (${dialect.placeholder(1)}, ${dialect.placeholder(2)})`,
        [key, Array.isArray(target) ? await this.#refer(link.to, target, number) : target],
      );
  }

  async #lastKey(table: DataTable): Promise<unknown> {
    const { rows } = await this.executor.query(
      `SELECT max(${this.#backend.quote(table.pk.column)}) FROM ${this.#backend.quote(table.table)}`,
    );
    return rows[0]?.[0];
  }

  async #refer(to: string, natural: readonly unknown[], number: number): Promise<unknown> {
    const table = this.#tables.get(to);
    const found = table === undefined ? undefined : await this.#byNatural(table, natural);
    if (found === undefined)
      throw this.#bad(number, `no ${to} has the natural key ${JSON.stringify(natural)}`);
    return found;
  }

  /** The primary key of the row with this natural key. */
  async #byNatural(table: DataTable, natural: readonly unknown[]): Promise<unknown> {
    const id = JSON.stringify([table.key, natural]);
    if (this.#natural.has(id)) return this.#natural.get(id);
    await this.#settle();
    const names = table.natural ?? [];
    const columns = names.map((name) => table.columns.find((column) => column.field === name) as DataColumn);
    const where = columns
      .map(
        (column, index) =>
          `${this.#backend.quote(column.column)} = ${this.#backend.dialect.placeholder(index + 1)}`,
      )
      .join(' AND ');
    const { rows } = await this.executor.execute(
      `SELECT ${this.#backend.quote(table.pk.column)} FROM ${this.#backend.quote(table.table)} WHERE ${where}`,
      columns.map((column, index) => column.load(natural[index])),
    );
    const pk = rows[0]?.[0];
    if (pk !== undefined) this.#natural.set(id, pk);
    return pk;
  }

  /** Before COMMIT would say no more than that something is wrong. */
  async #checkReferences(): Promise<void> {
    const { file } = this.#options;
    if (this.#backend.vendor !== 'sqlite') {
      try {
        await this.executor.script('SET CONSTRAINTS ALL IMMEDIATE');
      } catch (cause) {
        throw fault('SBY_CLI_FIXTURE_REFERENCE', { file, problem: (cause as Error).message }, { cause });
      }
      return;
    }
    for (const table of this.#touched)
      for (const name of [table.table, ...table.links.map((link) => link.table)]) {
        const { rows } = await this.executor.query(`PRAGMA foreign_key_check(${this.#backend.quote(name)})`);
        const [child, row, parent] = rows[0] ?? [];
        if (child !== undefined)
          throw fault('SBY_CLI_FIXTURE_REFERENCE', {
            file,
            problem: `row ${String(row)} of ${String(child)} refers to a row of ${String(parent)} that does not exist`,
          });
      }
  }

  async finish(): Promise<number> {
    await this.#settle();
    await this.#checkReferences();
    for (const sql of sequenceResets(this.#backend, [...this.#touched])) await this.executor.script(sql);
    return this.#count;
  }
}

/** Statements that let counted keys go on after the highest that is there. SQLite does so by itself. */
export function sequenceResets(backend: Backend, tables: readonly DataTable[]): string[] {
  if (backend.vendor === 'sqlite') return [];
  return tables
    .filter((table) => ['auto', 'bigAuto', 'smallAuto'].includes(table.pk.kind) && table.pk.to === null)
    .map((table) => {
      const name = backend.quote(table.table);
      const column = backend.quote(table.pk.column);
      return `SELECT setval(pg_get_serial_sequence('${name.replaceAll("'", "''")}', '${table.pk.column.replaceAll("'", "''")}'), coalesce(max(${column}), 1), max(${column}) IS NOT NULL) FROM ${name}`;
    });
}
