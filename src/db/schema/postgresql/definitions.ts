/**
 * Constraints, indexes and defaults in PostgreSQL's own words. What the models want is made as temporary tables in a
 * transaction that is rolled back: only the database knows that `a >= 0 AND a < 9` is what it calls
 * `CHECK (((a >= 0) AND (a < 9)))`.
 */
import type { Backend, Connection, Executor } from '../../backends/base.ts';
import type { TableSpec } from '../spec.ts';

/** By table, by what is defined: `constraint age_ok`, `index age_idx`, `default of column age`. */
export type Definitions = ReadonlyMap<string, ReadonlyMap<string, string>>;

async function definitions(executor: Executor, tables: string): Promise<Definitions> {
  const { rows } = await executor.query(
    `WITH t AS (SELECT c.oid, c.relname::text AS name FROM pg_class c WHERE c.relkind IN ('r', 'p') AND ${tables})
     SELECT t.name, 'constraint ' || o.conname, pg_get_constraintdef(o.oid)
       FROM t JOIN pg_constraint o ON o.conrelid = t.oid AND o.contype IN ('c', 'x', 'u')
     UNION ALL
     SELECT t.name, 'index ' || i.relname,
            CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END
              || regexp_replace(pg_get_indexdef(x.indexrelid), '^.*? USING ', '')
              || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
       FROM t JOIN pg_index x ON x.indrelid = t.oid AND NOT x.indisprimary JOIN pg_class i ON i.oid = x.indexrelid
      WHERE NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.indexrelid AND o.contype IN ('u', 'x'))
     UNION ALL
     SELECT t.name, CASE WHEN a.attgenerated = '' THEN 'default of column ' ELSE 'expression of column ' END || a.attname,
            pg_get_expr(d.adbin, d.adrelid)
       FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum`,
  );
  const found = new Map<string, Map<string, string>>();
  for (const [table, name, text] of rows as [string, string, string][]) {
    const own = found.get(table) ?? new Map<string, string>();
    found.set(table, own.set(name, text));
  }
  return found;
}

export const liveDefinitions = (executor: Executor): Promise<Definitions> =>
  definitions(executor, 'pg_table_is_visible(c.oid) AND c.relnamespace <> pg_my_temp_schema()');

/** `sqlOf` gives the statements that make a table. Tables that cannot be made are left out. */
export async function wantedDefinitions(
  backend: Backend,
  wanted: readonly TableSpec[],
  sqlOf: (table: TableSpec) => Promise<readonly string[]>,
): Promise<Definitions> {
  const connection: Connection = await backend.connect();
  try {
    await connection.begin({});
    try {
      for (const table of wanted) {
        const statements = await sqlOf({ ...table, foreignKeys: [], comment: null });
        const temporary = statements.map((sql) => sql.replace(/^CREATE TABLE /, 'CREATE TEMPORARY TABLE '));
        await connection.script('SAVEPOINT made');
        try {
          await connection.script(temporary.join('\n'));
        } catch {
          await connection.script('ROLLBACK TO SAVEPOINT made');
        }
      }
      return await definitions(connection, 'c.relnamespace = pg_my_temp_schema()');
    } finally {
      await connection.rollback().catch(() => {});
    }
  } finally {
    connection.release();
  }
}
