import type { Backend, Executor } from '../../backends/base.ts';
import { type ModelState, samePlain } from '../../migrations/state.ts';
import type { SchemaBackend } from '../backend.ts';
import type { TableChange } from '../diff.ts';
import { type EditorOptions, SchemaEditor } from '../editor.ts';
import {
  type ColumnSpec,
  type ForeignKeySpec,
  type IndexSpec,
  objectName,
  type TableSpec,
  tableOf,
  type UniqueSpec,
} from '../spec.ts';
import { postgresSpec } from './backend.ts';

interface Named {
  readonly name: string;
}

/** Alters in place. Foreign keys are dropped before and added after everything else, so that types may change on both sides. */
export class PostgresSchemaEditor extends SchemaEditor {
  readonly spec: SchemaBackend;

  constructor(backend: Backend, executor: Executor, options?: EditorOptions) {
    super(backend, executor, options);
    this.spec = postgresSpec(backend);
  }

  get #concurrently(): boolean {
    return this.manner === 'concurrent';
  }

  get #notValid(): string {
    return this.manner === 'notValid' ? ' NOT VALID' : '';
  }

  protected async createTables(tables: readonly TableSpec[]): Promise<void> {
    const made = new Set<string>();
    const late: [TableSpec, ForeignKeySpec][] = [];
    const names = new Set(tables.map((table) => table.name));
    for (const table of tables) {
      made.add(table.name);
      const keys = table.foreignKeys.filter((key) => made.has(key.table) || !names.has(key.table));
      for (const key of table.foreignKeys) if (!keys.includes(key)) late.push([table, key]);
      const lines = table.columns.map((column) => this.#columnSql(column));
      const primary = table.columns
        .filter((column) => column.primaryKey)
        .map((column) => this.quote(column.name));
      if (primary.length > 0)
        lines.push(`CONSTRAINT ${this.quote(primaryName(table))} PRIMARY KEY (${primary.join(', ')})`);
      for (const unique of table.uniques) lines.push(this.#uniqueSql(unique));
      for (const check of table.checks) lines.push(this.#checkSql(check));
      for (const other of table.others) lines.push(`CONSTRAINT ${this.quote(other.name)} ${other.sql}`);
      for (const key of keys) lines.push(this.#keySql(key));
      await this.run(`CREATE TABLE ${this.quote(table.name)} (${lines.join(', ')})`);
      for (const index of table.indexes) await this.run(this.#indexSql(table, index));
      if (table.comment !== null) await this.#commentTable(table);
      for (const column of table.columns)
        if (column.comment !== null) await this.#commentColumn(table, column);
    }
    for (const [table, key] of late)
      await this.run(`ALTER TABLE ${this.quote(table.name)} ADD ${this.#keySql(key)}`);
  }

  protected async dropTables(tables: readonly TableSpec[]): Promise<void> {
    for (const table of tables) await this.run(`DROP TABLE ${this.quote(table.name)} CASCADE`);
  }

  protected async renameTable(from: string, to: string): Promise<void> {
    await this.run(`ALTER TABLE ${this.quote(from)} RENAME TO ${this.quote(to)}`);
  }

  protected override async beforeChanges(changes: readonly TableChange[]): Promise<void> {
    for (const change of changes)
      for (const key of droppedKeys(change))
        await this.run(`ALTER TABLE ${this.quote(change.to.name)} DROP CONSTRAINT ${this.quote(key.name)}`);
  }

  protected override async afterChanges(changes: readonly TableChange[]): Promise<void> {
    for (const change of changes) {
      const table = this.quote(change.to.name);
      for (const key of addedKeys(change))
        await this.run(`ALTER TABLE ${table} ADD ${this.#keySql(key)}${this.#notValid}`);
    }
  }

  protected async changeTable(change: TableChange): Promise<void> {
    const { was, from, to, kept, fills } = change;
    const table = this.quote(to.name);
    const alter = (sql: string): Promise<void> => this.run(`ALTER TABLE ${table} ${sql}`);
    await this.#renameColumns(change);
    const now = (name: string): string => [...kept].find(([, then]) => then === name)?.[0] ?? name;
    const old = withNewColumns(from, now, (name) => this.quote(name));
    const oldPrimary = primaryKey(old);
    const oldPrimaryName = primaryName({ ...from, name: was });
    const samePrimary = samePlain(oldPrimary, primaryKey(to));

    const uniques = match(old.uniques, to.uniques);
    const checks = match(old.checks, to.checks);
    const others = match(old.others, to.others);
    const indexes = match(old.indexes, to.indexes);
    for (const { dropped } of [uniques, checks, others])
      for (const one of dropped)
        await alter(`DROP CONSTRAINT ${this.#concurrently ? 'IF EXISTS ' : ''}${this.quote(one.name)}`);
    for (const one of indexes.dropped)
      await this.run(
        `DROP INDEX ${this.#concurrently ? 'CONCURRENTLY IF EXISTS ' : ''}${this.quote(one.name)}`,
      );
    for (const { renamed } of [uniques, checks, others])
      for (const [then, name] of renamed)
        await alter(`RENAME CONSTRAINT ${this.quote(then)} TO ${this.quote(name)}`);
    for (const [then, name] of indexes.renamed)
      await this.run(`ALTER INDEX ${this.quote(then)} RENAME TO ${this.quote(name)}`);
    for (const [then, name] of keptKeys(change))
      if (then !== name) await alter(`RENAME CONSTRAINT ${this.quote(then)} TO ${this.quote(name)}`);
    if (!samePrimary && oldPrimary.length > 0)
      await alter(`DROP CONSTRAINT ${this.quote(oldPrimaryName)} CASCADE`);
    else if (oldPrimary.length > 0 && oldPrimaryName !== primaryName(to))
      await alter(`RENAME CONSTRAINT ${this.quote(oldPrimaryName)} TO ${this.quote(primaryName(to))}`);

    for (const column of old.columns)
      if (!to.columns.some((other) => other.name === column.name))
        await alter(`DROP COLUMN ${this.quote(column.name)} CASCADE`);
    for (const column of to.columns) {
      const before = old.columns.find((other) => other.name === column.name);
      if (before === undefined) await this.#addColumn(to, column, fills.get(column.name));
      else await this.#alterColumn(to, before, column, fills.get(column.name));
    }
    if (!samePrimary && primaryKey(to).length > 0)
      await alter(
        `ADD CONSTRAINT ${this.quote(primaryName(to))} PRIMARY KEY (${primaryKey(to)
          .map((name) => this.quote(name))
          .join(', ')})`,
      );
    for (const one of uniques.added)
      if (this.#concurrently) await this.#uniqueConcurrently(to, one);
      else await alter(`ADD ${this.#uniqueSql(one)}`);
    for (const one of checks.added) await alter(`ADD ${this.#checkSql(one)}${this.#notValid}`);
    for (const one of others.added) await alter(`ADD CONSTRAINT ${this.quote(one.name)} ${one.sql}`);
    for (const one of indexes.added) {
      // An attempt that broke off leaves an invalid index behind.
      if (this.#concurrently) await this.run(`DROP INDEX CONCURRENTLY IF EXISTS ${this.quote(one.name)}`);
      await this.run(this.#indexSql(to, one));
    }
    if (from.comment !== to.comment) await this.#commentTable(to);
  }

  async #renameColumns({ to, kept }: TableChange): Promise<void> {
    const renames = [...kept].filter(([now, then]) => now !== then);
    const rename = (then: string, now: string): Promise<void> =>
      this.run(`ALTER TABLE ${this.quote(to.name)} RENAME COLUMN ${this.quote(then)} TO ${this.quote(now)}`);
    const taken = new Set(renames.map(([, then]) => then));
    const late: [string, string][] = [];
    for (const [now, then] of renames)
      if (taken.has(now)) {
        await rename(then, `sobaya_rename_${now}`);
        late.push([`sobaya_rename_${now}`, now]);
      } else await rename(then, now);
    for (const [then, now] of late) await rename(then, now);
  }

  async #addColumn(table: TableSpec, column: ColumnSpec, fill: string | undefined): Promise<void> {
    const alter = (sql: string): Promise<void> => this.run(`ALTER TABLE ${this.quote(table.name)} ${sql}`);
    const filled = fill !== undefined && fill !== column.default;
    await alter(`ADD COLUMN ${this.#columnSql(filled ? { ...column, default: fill } : column)}`);
    // The default was for the rows that are there; new rows get theirs from the program.
    if (filled) await this.#setDefault(table, column);
    if (column.comment !== null) await this.#commentColumn(table, column);
  }

  async #setDefault(table: TableSpec, column: ColumnSpec): Promise<void> {
    await this.run(
      `ALTER TABLE ${this.quote(table.name)} ALTER COLUMN ${this.quote(column.name)} ${column.default === null ? 'DROP DEFAULT' : `SET DEFAULT ${expression(column.default)}`}`,
    );
  }

  async #alterColumn(
    table: TableSpec,
    from: ColumnSpec,
    to: ColumnSpec,
    fill: string | undefined,
  ): Promise<void> {
    const column = this.quote(to.name);
    const alter = (sql: string): Promise<void> =>
      this.run(`ALTER TABLE ${this.quote(table.name)} ALTER COLUMN ${column} ${sql}`);
    if (from.auto && !to.auto) await alter('DROP IDENTITY');
    const retype = from.type !== to.type || from.collation !== to.collation;
    if (retype) {
      if (from.default !== null) await alter('DROP DEFAULT');
      const collate = to.collation === null ? '' : ` COLLATE ${this.quote(to.collation)}`;
      const using = castUsing(from, to, column);
      await alter(`TYPE ${to.type}${collate}${using === null ? '' : ` USING ${using}`}`);
    }
    if (retype ? to.default !== null : from.default !== to.default) await this.#setDefault(table, to);
    if (from.null && !to.null) {
      if (fill !== undefined) {
        await this.run(`UPDATE ${this.quote(table.name)} SET ${column} = ${fill} WHERE ${column} IS NULL`);
        await this.dataChanged();
      }
      await alter('SET NOT NULL');
    } else if (!from.null && to.null) await alter('DROP NOT NULL');
    if (!from.auto && to.auto) {
      await alter('ADD GENERATED BY DEFAULT AS IDENTITY');
      await this.run(
        `SELECT setval(pg_get_serial_sequence('${this.quote(table.name).replaceAll("'", "''")}', '${to.name.replaceAll("'", "''")}'), coalesce((SELECT max(${column}) FROM ${this.quote(table.name)}), 0) + 1, false)`,
      );
    }
    if (from.comment !== to.comment) await this.#commentColumn(table, to);
  }

  #columnSql(column: ColumnSpec): string {
    let sql = `${this.quote(column.name)} ${column.type}`;
    if (column.collation !== null) sql += ` COLLATE ${this.quote(column.collation)}`;
    if (column.generated !== null) return `${sql} GENERATED ALWAYS AS (${column.generated.sql}) STORED`;
    sql += column.null ? ' NULL' : ' NOT NULL';
    if (column.auto) sql += ' GENERATED BY DEFAULT AS IDENTITY';
    else if (column.default !== null) sql += ` DEFAULT ${expression(column.default)}`;
    return sql;
  }

  #uniqueSql(unique: UniqueSpec): string {
    const { columns, include, deferrable, nulls } = this.#uniqueParts(unique);
    return `CONSTRAINT ${this.quote(unique.name)} UNIQUE${nulls} (${columns})${include}${deferrable}`;
  }

  #uniqueParts(unique: UniqueSpec): {
    readonly columns: string;
    readonly include: string;
    readonly deferrable: string;
    readonly nulls: string;
  } {
    const list = (names: readonly string[]): string => names.map((name) => this.quote(name)).join(', ');
    return {
      columns: list(unique.columns),
      include: unique.include.length === 0 ? '' : ` INCLUDE (${list(unique.include)})`,
      deferrable:
        unique.deferrable === null ? '' : ` DEFERRABLE INITIALLY ${unique.deferrable.toUpperCase()}`,
      nulls: unique.nullsDistinct ? '' : ' NULLS NOT DISTINCT',
    };
  }

  #checkSql(check: { readonly name: string; readonly sql: string }): string {
    return `CONSTRAINT ${this.quote(check.name)} CHECK (${check.sql})`;
  }

  #keySql(key: ForeignKeySpec): string {
    return `CONSTRAINT ${this.quote(key.name)} FOREIGN KEY (${this.quote(key.column)}) REFERENCES ${this.quote(key.table)} (${this.quote(key.target)}) DEFERRABLE INITIALLY DEFERRED`;
  }

  #indexSql(table: TableSpec, index: IndexSpec): string {
    const columns = index.columns
      .map(
        (column) =>
          `${column.column === null ? `(${column.sql})` : column.sql}${column.opclass === null ? '' : ` ${column.opclass}`}${column.descending ? ' DESC' : ''}`,
      )
      .join(', ');
    const using = index.using === null ? '' : ` USING ${index.using}`;
    const include =
      index.include.length === 0
        ? ''
        : ` INCLUDE (${index.include.map((name) => this.quote(name)).join(', ')})`;
    const nulls = index.unique && !index.nullsDistinct ? ' NULLS NOT DISTINCT' : '';
    const where = index.where === null ? '' : ` WHERE ${index.where}`;
    return `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${this.#concurrently ? 'CONCURRENTLY ' : ''}${this.quote(index.name)} ON ${this.quote(table.name)}${using} (${columns})${include}${nulls}${where}`;
  }

  /** The index first, while writes go on; then the constraint takes it. Goes on where an attempt broke off. */
  async #uniqueConcurrently(table: TableSpec, unique: UniqueSpec): Promise<void> {
    const { rows } = await this.read(
      'SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2',
      [this.quote(table.name), unique.name],
    );
    if (rows.length > 0) return;
    const name = this.quote(unique.name);
    await this.run(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    const { columns, include, deferrable, nulls } = this.#uniqueParts(unique);
    await this.run(
      `CREATE UNIQUE INDEX CONCURRENTLY ${name} ON ${this.quote(table.name)} (${columns})${include}${nulls}`,
    );
    await this.run(
      `ALTER TABLE ${this.quote(table.name)} ADD CONSTRAINT ${name} UNIQUE USING INDEX ${name}${deferrable}`,
    );
  }

  async #commentTable(table: TableSpec): Promise<void> {
    await this.run(`COMMENT ON TABLE ${this.quote(table.name)} IS ${text(table.comment)}`);
  }

  async #commentColumn(table: TableSpec, column: ColumnSpec): Promise<void> {
    await this.run(
      `COMMENT ON COLUMN ${this.quote(table.name)}.${this.quote(column.name)} IS ${text(column.comment)}`,
    );
  }

  /** Deferred checks of changed rows would stand in the way of ALTER TABLE: "pending trigger events". */
  override async dataChanged(): Promise<void> {
    await this.run('SET CONSTRAINTS ALL IMMEDIATE');
    await this.run('SET CONSTRAINTS ALL DEFERRED');
  }

  override async validateConstraint(model: ModelState, name: string): Promise<void> {
    await this.run(`ALTER TABLE ${this.quote(tableOf(model))} VALIDATE CONSTRAINT ${this.quote(name)}`);
  }
}

const text = (value: string | null): string => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`);
const primaryKey = (table: TableSpec): string[] =>
  table.columns.filter((column) => column.primaryKey).map((column) => column.name);
const primaryName = (table: TableSpec): string => objectName(table.name, primaryKey(table), 'pk');
/** A default is an expression of its own in PostgreSQL; operators in it need parentheses. */
const expression = (sql: string): string =>
  /^[\w.]+$|^'(?:[^']|'')*'$|^-?[\d.]+$/.test(sql) ? sql : `(${sql})`;

function castUsing(from: ColumnSpec, to: ColumnSpec, column: string): string | null {
  const text = /^(varchar(\(\d+\))?|text)$/;
  // An explicit cast to varchar(n) would cut the text short in silence; the implicit one refuses.
  if (text.test(to.type)) return text.test(from.type) ? null : `${column}::text`;
  if (from.type === to.type) return null;
  const whole = /^(smallint|integer|bigint)$/;
  const numeric = /^(smallint|integer|bigint|numeric|double)/;
  if (whole.test(to.type) && /^(numeric|double)/.test(from.type))
    // The plain cast would round in silence; by way of text a fraction is refused.
    return `(CASE WHEN ${column} = trunc(${column}) THEN ${column}::${to.type} ELSE ${column}::text::${to.type} END)`;
  if (numeric.test(from.type) && numeric.test(to.type)) return `${column}::${to.type}`;
  if (to.type === 'boolean' && whole.test(from.type)) return `(${column}::integer)::boolean`;
  if (from.type === 'boolean' && numeric.test(to.type)) return `${column}::integer::${to.type}`;
  if (to.type.startsWith('timestamp') && from.type === 'date')
    return `(${column}::timestamp AT TIME ZONE 'UTC')`;
  if (from.type.startsWith('timestamp') && (to.type === 'date' || to.type.startsWith('time')))
    return `(${column} AT TIME ZONE 'UTC')::${to.type}`;
  // By way of text every cast exists; whether a value fits is seen when it is read.
  return `${column}::text::${to.type}`;
}

/** Pairs what stays; among the rest, those that differ in their names alone are renamed. */
function match<T extends Named>(
  old: readonly T[],
  now: readonly T[],
): { dropped: T[]; added: T[]; renamed: [string, string][] } {
  const same = (a: T, b: T): boolean => samePlain({ ...a, name: '' }, { ...b, name: '' });
  const added = now.filter((one) => !old.some((other) => other.name === one.name && same(other, one)));
  const renamed: [string, string][] = [];
  const dropped: T[] = [];
  for (const one of old) {
    if (now.some((other) => other.name === one.name && same(other, one))) continue;
    const at = added.findIndex(
      (other) => same(other, one) && !old.some((taken) => taken.name === other.name),
    );
    if (at >= 0) renamed.push([one.name, (added.splice(at, 1)[0] as T).name]);
    else dropped.push(one);
  }
  return { dropped, added, renamed };
}

/** Keys that stay as they are but for their names: [old, new]. */
function keptKeys({ from, to, kept }: TableChange): [string, string][] {
  const pairs: [string, string][] = [];
  for (const key of to.foreignKeys) {
    const old = from.foreignKeys.find(
      (other) =>
        other.column === (kept.get(key.column) ?? key.column) &&
        other.table === key.table &&
        other.target === key.target,
    );
    if (old === undefined) continue;
    const before = from.columns.find((column) => column.name === old.column);
    const after = to.columns.find((column) => column.name === key.column);
    if (before?.type === after?.type) pairs.push([old.name, key.name]);
  }
  return pairs;
}
const droppedKeys = (change: TableChange): ForeignKeySpec[] => {
  const stays = new Set(keptKeys(change).map(([old]) => old));
  return change.from.foreignKeys.filter((key) => !stays.has(key.name));
};
const addedKeys = (change: TableChange): ForeignKeySpec[] => {
  const stays = new Set(keptKeys(change).map(([, now]) => now));
  return change.to.foreignKeys.filter((key) => !stays.has(key.name));
};

function withNewColumns(
  table: TableSpec,
  name: (column: string) => string,
  quote: (name: string) => string,
): TableSpec {
  const inSql = (sql: string): string => {
    let changed = sql;
    for (const column of table.columns)
      changed = changed.replaceAll(quote(column.name), quote(name(column.name)));
    return changed;
  };
  return {
    ...table,
    columns: table.columns.map((column) => ({ ...column, name: name(column.name) })),
    uniques: table.uniques.map((unique) => ({
      ...unique,
      columns: unique.columns.map(name),
      include: unique.include.map(name),
    })),
    checks: table.checks.map((check) => ({
      ...check,
      sql: inSql(check.sql),
      column: check.column === null ? null : name(check.column),
    })),
    others: table.others.map((other) => ({ ...other, sql: inSql(other.sql) })),
    indexes: table.indexes.map((index) => ({
      ...index,
      where: index.where === null ? null : inSql(index.where),
      include: index.include.map(name),
      columns: index.columns.map((column) => ({
        ...column,
        column: column.column === null ? null : name(column.column),
        sql: inSql(column.sql),
      })),
    })),
  };
}
