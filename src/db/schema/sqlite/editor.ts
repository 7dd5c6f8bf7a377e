import { fault } from '../../../errors/index.ts';
import type { Backend, Executor } from '../../backends/base.ts';
import { samePlain } from '../../migrations/state.ts';
import type { SchemaBackend } from '../backend.ts';
import type { TableChange } from '../diff.ts';
import { type EditorOptions, SchemaEditor } from '../editor.ts';
import type { CheckSpec, ColumnSpec, ForeignKeySpec, IndexSpec, TableSpec, UniqueSpec } from '../spec.ts';
import { sqliteSpec } from './backend.ts';
import { conversion } from './convert.ts';
import { type Handmade, handmade, NOTHING, strictType } from './handmade.ts';

/**
 * SQLite alters little in place. Everything else makes the table anew: copy, drop, rename (https://sqlite.org/lang_altertable.html,
 * section 7), with foreign keys off, so that dropping deletes nothing elsewhere, and with the indexes and triggers put back.
 */
export class SqliteSchemaEditor extends SchemaEditor {
  readonly spec: SchemaBackend;
  readonly #touched = new Set<string>();

  constructor(backend: Backend, executor: Executor, options?: EditorOptions) {
    super(backend, executor, options);
    this.spec = sqliteSpec(backend);
  }

  protected async createTables(tables: readonly TableSpec[]): Promise<void> {
    for (const table of tables) {
      await this.run(this.#createSql(table, table.name));
      for (const sql of this.#indexSql(table).values()) await this.run(sql);
    }
  }

  protected async dropTables(tables: readonly TableSpec[]): Promise<void> {
    for (const table of tables) {
      this.#touched.delete(table.name);
      await this.run(`DROP TABLE ${this.quote(table.name)}`);
    }
  }

  protected async renameTable(from: string, to: string): Promise<void> {
    if (this.#touched.delete(from)) this.#touched.add(to);
    if (from.toLowerCase() === to.toLowerCase()) {
      // Names differ in case only: SQLite takes them for one and the same table.
      await this.run(`ALTER TABLE ${this.quote(from)} RENAME TO ${this.quote(`sobaya_rename_${to}`)}`);
      await this.run(`ALTER TABLE ${this.quote(`sobaya_rename_${to}`)} RENAME TO ${this.quote(to)}`);
      return;
    }
    await this.run(`ALTER TABLE ${this.quote(from)} RENAME TO ${this.quote(to)}`);
  }

  protected async changeTable(change: TableChange): Promise<void> {
    const { to, fills } = change;
    const from = await this.#renameColumns(change);
    const oldIndexes = this.#indexSql(from);
    const newIndexes = this.#indexSql(to);
    for (const [name, sql] of oldIndexes)
      if (newIndexes.get(name) !== sql) await this.run(`DROP INDEX IF EXISTS ${this.quote(name)}`);
    const plan = tablePlan(from, to, fills);
    if (plan === 'rebuild') {
      await this.#rebuild(from, to, fills);
      return;
    }
    for (const column of plan.dropped)
      await this.run(`ALTER TABLE ${this.quote(to.name)} DROP COLUMN ${this.quote(column.name)}`);
    for (const column of plan.added)
      await this.run(
        `ALTER TABLE ${this.quote(to.name)} ADD COLUMN ${this.#columnSql(
          column,
          to.foreignKeys.find((key) => key.column === column.name),
          to.checks.find((check) => check.column === column.name),
        )}`,
      );
    for (const [name, sql] of newIndexes) if (oldIndexes.get(name) !== sql) await this.run(sql);
  }

  /** Renames natively: triggers, views and keys of other tables follow. Gives the table as it is after that. */
  async #renameColumns({ from, to, kept }: TableChange): Promise<TableSpec> {
    const renames = [...kept].filter(([now, then]) => now !== then);
    if (renames.length === 0) return from;
    const table = this.quote(to.name);
    const rename = (then: string, now: string): Promise<void> =>
      this.run(`ALTER TABLE ${table} RENAME COLUMN ${this.quote(then)} TO ${this.quote(now)}`);
    const taken = new Set(from.columns.map((column) => column.name.toLowerCase()));
    const late: [string, string][] = [];
    for (const [now, then] of renames)
      if (taken.has(now.toLowerCase())) {
        await rename(then, `sobaya_rename_${now}`);
        late.push([`sobaya_rename_${now}`, now]);
      } else await rename(then, now);
    for (const [then, now] of late) await rename(then, now);
    return withRenamedColumns(from, new Map(renames.map(([now, then]) => [then, now])), (name) =>
      this.quote(name),
    );
  }

  async #rebuild(from: TableSpec, to: TableSpec, fills: ReadonlyMap<string, string>): Promise<void> {
    const name = to.name;
    const temporary = `sobaya_new_${name}`;
    const kept = await this.#attached(from);
    const extras = await handmade(from, (sql) => this.read(sql));
    const columns: string[] = [];
    const values: string[] = [];
    for (const column of to.columns) {
      if (column.generated !== null) continue;
      const old = from.columns.find((other) => other.key === column.key);
      const fill = fills.get(column.name);
      if (old === undefined || old.generated !== null) {
        if (fill === undefined) continue;
        columns.push(this.quote(column.name));
        values.push(fill);
        continue;
      }
      const source = this.quote(old.name);
      const { value, refused } = conversion(old, column, source);
      if (refused !== null) await this.#refuse(name, column, source, refused);
      columns.push(this.quote(column.name));
      values.push(fill !== undefined && old.null && !column.null ? `coalesce(${value}, ${fill})` : value);
    }
    await this.run(this.#createSql(to, temporary, extras));
    await this.run(
      columns.length === 0
        ? `INSERT INTO ${this.quote(temporary)} SELECT NULL FROM ${this.quote(name)} WHERE 0`
        : `INSERT INTO ${this.quote(temporary)} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM ${this.quote(name)}`,
    );
    if (to.columns.some((column) => column.auto) && from.columns.some((column) => column.auto)) {
      // The counter: a key that was given and deleted must not be given again.
      await this.run(`DELETE FROM sqlite_sequence WHERE name = ${literal(temporary)}`);
      await this.run(
        `INSERT INTO sqlite_sequence (name, seq) SELECT ${literal(temporary)}, seq FROM sqlite_sequence WHERE name = ${literal(name)}`,
      );
    }
    // Legacy: views and triggers elsewhere that name the table are left as they are while it is away.
    await this.run('PRAGMA legacy_alter_table = ON');
    await this.run(`DROP TABLE ${this.quote(name)}`);
    await this.run(`ALTER TABLE ${this.quote(temporary)} RENAME TO ${this.quote(name)}`);
    await this.run('PRAGMA legacy_alter_table = OFF');
    for (const sql of this.#indexSql(to).values()) await this.run(sql);
    for (const sql of kept) await this.run(sql);
    this.#touched.add(name);
  }

  /** Triggers, and indexes that are not of ours: dropping the table would drop them. */
  async #attached(from: TableSpec): Promise<string[]> {
    const own = this.#indexSql(from);
    const { rows: columns } = await this.read(`SELECT name FROM pragma_table_xinfo(${literal(from.name)})`);
    const known = new Set(from.columns.map((column) => column.name.toLowerCase()));
    const strange = columns.map(([name]) => String(name)).filter((name) => !known.has(name.toLowerCase()));
    if (strange.length > 0)
      throw fault('SBY_MIGRATIONS_UNKNOWN_COLUMNS', { table: from.name, columns: strange });
    const { rows } = await this.read(
      `SELECT name, sql FROM sqlite_schema WHERE tbl_name = ${literal(from.name)} COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid`,
    );
    return rows.filter(([name]) => !own.has(String(name))).map(([, sql]) => String(sql));
  }

  /** SQLite would keep any value in any column: what the new type cannot hold is refused here, before anything is copied. */
  async #refuse(table: string, column: ColumnSpec, source: string, refused: string): Promise<void> {
    const { rows } = await this.read(
      `SELECT count(*), min(CAST(${source} AS TEXT)) FROM ${this.quote(table)} WHERE ${refused}`,
    );
    const [count, example] = (rows[0] ?? [0, null]) as [number, string | null];
    if (Number(count) > 0)
      throw fault('SBY_MIGRATIONS_DATA_REFUSED', {
        table,
        column: column.name,
        type: column.type,
        count: Number(count),
        example,
      });
  }

  /** Rows that point to nothing: foreign keys were off while the migration ran. */
  override async finish(): Promise<void> {
    await super.finish();
    if (this.collecting) return;
    const tables: (string | null)[] = this.checkAll ? [null] : [...this.#touched];
    // Rows elsewhere that point into a table that was made anew.
    for (const table of this.checkAll ? [] : this.#touched)
      for (const [child] of (
        await this.read(
          `SELECT DISTINCT s.name FROM sqlite_schema s, pragma_foreign_key_list(s.name) k WHERE s.type = 'table' AND k."table" = ${literal(table)} COLLATE NOCASE`,
        )
      ).rows)
        if (!tables.includes(String(child))) tables.push(String(child));
    for (const table of tables) {
      const { rows } = await this.read(
        table === null ? 'PRAGMA foreign_key_check' : `PRAGMA foreign_key_check(${this.quote(table)})`,
      );
      if (rows.length > 0) {
        const [child, , parent] = rows[0] as [string, unknown, string];
        throw fault('SBY_MIGRATIONS_FOREIGN_KEYS', { count: rows.length, table: child, parent });
      }
    }
  }

  #createSql(table: TableSpec, name: string, extras: Handmade = NOTHING): string {
    const lines = table.columns.map((column) => {
      const key = table.foreignKeys.find((one) => one.column === column.name);
      const check = table.checks.find((one) => one.column === column.name);
      const action = key === undefined ? undefined : extras.actions.get(column.name);
      const collation = column.collation ?? extras.collations.get(column.name) ?? null;
      const type = extras.strict ? strictType(column.type) : column.type;
      return this.#columnSql({ ...column, type, collation }, key, check, action);
    });
    for (const check of table.checks)
      if (check.column === null) lines.push(`CONSTRAINT ${this.quote(check.name)} CHECK (${check.sql})`);
    const isThere = (column: string): boolean => table.columns.some((one) => one.name === column);
    for (const { columns, sql } of extras.constraints) if (columns.every(isThere)) lines.push(sql);
    const withoutRowId = extras.withoutRowId && !table.columns.some((column) => column.auto);
    const options = [...(extras.strict ? ['STRICT'] : []), ...(withoutRowId ? ['WITHOUT ROWID'] : [])];
    return `CREATE TABLE ${this.quote(name)} (${lines.join(', ')})${options.length > 0 ? ` ${options.join(', ')}` : ''}`;
  }

  #columnSql(
    column: ColumnSpec,
    key: ForeignKeySpec | undefined,
    check: CheckSpec | undefined,
    action = '',
  ): string {
    let sql = `${this.quote(column.name)} ${column.type}`;
    if (column.generated !== null)
      return `${sql} GENERATED ALWAYS AS (${column.generated.sql}) ${column.generated.stored ? 'STORED' : 'VIRTUAL'}`;
    sql += column.null ? ' NULL' : ' NOT NULL';
    if (column.primaryKey) sql += column.auto ? ' PRIMARY KEY AUTOINCREMENT' : ' PRIMARY KEY';
    if (column.default !== null) sql += ` DEFAULT ${bareDefault(column.default)}`;
    if (column.collation !== null) sql += ` COLLATE ${this.quote(column.collation)}`;
    if (check !== undefined) sql += ` CONSTRAINT ${this.quote(check.name)} CHECK (${check.sql})`;
    if (key !== undefined)
      sql += ` REFERENCES ${this.quote(key.table)} (${this.quote(key.target)})${action} DEFERRABLE INITIALLY DEFERRED`;
    return sql;
  }

  /** Every index by name; unique constraints too, since an index can be added without making the table anew. */
  #indexSql(table: TableSpec): Map<string, string> {
    const sql = new Map<string, string>();
    for (const unique of table.uniques) sql.set(unique.name, this.#uniqueSql(table, unique));
    for (const index of table.indexes) sql.set(index.name, this.#plainIndexSql(table, index));
    return sql;
  }

  #uniqueSql(table: TableSpec, unique: UniqueSpec): string {
    const columns = unique.columns.map((column) => this.quote(column)).join(', ');
    return `CREATE UNIQUE INDEX ${this.quote(unique.name)} ON ${this.quote(table.name)} (${columns})`;
  }

  #plainIndexSql(table: TableSpec, index: IndexSpec): string {
    const columns = index.columns
      .map(
        (column) =>
          `${column.column === null ? `(${column.sql})` : column.sql}${column.descending ? ' DESC' : ''}`,
      )
      .join(', ');
    const where = index.where === null ? '' : ` WHERE ${index.where}`;
    return `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${this.quote(index.name)} ON ${this.quote(table.name)} (${columns})${where}`;
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** SQLite wants an expression in parentheses, and takes a literal without. */
function bareDefault(sql: string): string {
  return /^(?:[+-]?[\d.]+(?:e[+-]?\d+)?|'(?:[^']|'')*'|x'[0-9a-f]*'|NULL|TRUE|FALSE|CURRENT_(?:TIMESTAMP|DATE|TIME))$/i.test(
    sql,
  )
    ? sql
    : `(${sql})`;
}

interface InPlace {
  readonly added: readonly ColumnSpec[];
  readonly dropped: readonly ColumnSpec[];
}

/** What ALTER TABLE can do, or 'rebuild'. Columns have their new names already. */
function tablePlan(from: TableSpec, to: TableSpec, fills: ReadonlyMap<string, string>): InPlace | 'rebuild' {
  const added = to.columns.filter((column) => !from.columns.some((other) => other.key === column.key));
  const dropped = from.columns.filter((column) => !to.columns.some((other) => other.key === column.key));
  const isNew = (name: string | null): boolean => added.some((column) => column.name === name);
  for (const column of added) {
    const plain = column.null && column.default === null && !column.primaryKey && !fills.has(column.name);
    if (column.generated !== null ? column.generated.stored : !plain) return 'rebuild';
  }
  for (const column of dropped) {
    const inKey = from.foreignKeys.some((key) => key.column === column.name);
    const quoted = `"${column.name}"`;
    const inText = [
      ...from.checks.map((check) => check.sql),
      ...from.columns.map((other) => other.generated?.sql ?? ''),
    ].some((sql) => sql.includes(quoted) || new RegExp(`\\b${column.name}\\b`).test(sql));
    if (column.primaryKey || inKey || inText) return 'rebuild';
  }
  const strip = (table: TableSpec): unknown => ({
    columns: table.columns
      .filter((column) => !isNew(column.name) && !dropped.includes(column))
      .map((column) => ({ ...column, holds: '', comment: null, key: '' })),
    foreignKeys: table.foreignKeys.filter((key) => !isNew(key.column)).map((key) => ({ ...key, name: '' })),
    checks: table.checks.filter((check) => !isNew(check.column)),
    others: table.others,
  });
  return samePlain(strip(from), strip(to)) ? { added, dropped } : 'rebuild';
}

/** The specification as SQLite leaves it after RENAME COLUMN; names of indexes and checks stay. */
function withRenamedColumns(
  table: TableSpec,
  renames: ReadonlyMap<string, string>,
  quote: (name: string) => string,
): TableSpec {
  const name = (column: string): string => renames.get(column) ?? column;
  const inSql = (sql: string): string => {
    let changed = sql;
    for (const [then, now] of renames) changed = changed.replaceAll(quote(then), quote(now));
    return changed;
  };
  return {
    ...table,
    columns: table.columns.map((column) => ({ ...column, name: name(column.name) })),
    foreignKeys: table.foreignKeys.map((key) => ({ ...key, column: name(key.column) })),
    uniques: table.uniques.map((unique) => ({ ...unique, columns: unique.columns.map(name) })),
    checks: table.checks.map((check) => ({
      ...check,
      sql: inSql(check.sql),
      column: check.column === null ? null : name(check.column),
    })),
    indexes: table.indexes.map((index) => ({
      ...index,
      where: index.where === null ? null : inSql(index.where),
      columns: index.columns.map((column) => ({
        ...column,
        column: column.column === null ? null : name(column.column),
        sql: inSql(column.sql),
      })),
    })),
  };
}
