import type { Executor } from '../../backends/base.ts';
import type { LiveColumn, LiveForeignKey, LiveIndex, LiveTable } from '../live.ts';

const VISIBLE =
  "pg_catalog.pg_table_is_visible(c.oid) AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

interface Draft {
  name: string;
  kind: 'table' | 'view';
  columns: LiveColumn[];
  foreignKeys: LiveForeignKey[];
  indexes: LiveIndex[];
  checks: { name: string; sql: string }[];
  comment: string | null;
}

/** JSON text, because drivers differ in how they give arrays. */
const json = <T>(value: unknown): T => (typeof value === 'string' ? JSON.parse(value) : value) as T;

export async function postgresTables(executor: Executor): Promise<Map<string, LiveTable>> {
  const tables = new Map<string, Draft>();
  const relations = await executor.query(
    `SELECT c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class')
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm') AND ${VISIBLE} ORDER BY c.relname`,
  );
  for (const [name, kind, comment] of relations.rows as [string, string, string | null][])
    tables.set(name, {
      name,
      kind: kind === 'v' || kind === 'm' ? 'view' : 'table',
      columns: [],
      foreignKeys: [],
      indexes: [],
      checks: [],
      comment,
    });

  const columns = await executor.query(
    `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::int, (a.attidentity <> '')::int,
            CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
            CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
            coalesce(a.attnum = ANY(p.conkey), false)::int, col_description(c.oid, a.attnum)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND ${VISIBLE}
     ORDER BY c.relname, a.attnum`,
  );
  for (const row of columns.rows as [
    string,
    string,
    string,
    number,
    number,
    string | null,
    string | null,
    number,
    string | null,
  ][]) {
    const [table, name, type, nullable, identity, value, generated, primary, comment] = row;
    const counted = value?.startsWith('nextval(') === true;
    tables.get(table)?.columns.push({
      name,
      type,
      null: Number(nullable) === 1,
      primaryKey: Number(primary) === 1,
      auto: Number(identity) === 1 || counted,
      default: counted ? null : value,
      generated,
      stored: generated !== null,
      comment,
    });
  }

  const keys = await executor.query(
    `SELECT c.relname::text, t.relname::text,
            (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(o.conkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.num)::text,
            (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(o.confkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.num)::text
     FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class t ON t.oid = o.confrelid
     WHERE o.contype = 'f' AND ${VISIBLE} ORDER BY c.relname, o.conname`,
  );
  for (const [table, target, own, theirs] of keys.rows as [string, string, unknown, unknown][])
    tables.get(table)?.foreignKeys.push({ columns: json(own), table: target, targets: json(theirs) });

  const indexes = await executor.query(
    `SELECT c.relname::text, i.relname::text, x.indisunique::int, x.indisprimary::int, (x.indpred IS NOT NULL)::int, m.amname::text,
            (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(x.indkey) WITH ORDINALITY k(num, n) LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.n <= x.indnkeyatts)::text,
            (SELECT json_agg((o.opt & 1) = 1 ORDER BY o.n) FROM unnest(x.indoption) WITH ORDINALITY o(opt, n) WHERE o.n <= x.indnkeyatts)::text,
            (SELECT json_agg(pg_get_indexdef(x.indexrelid, k, true) ORDER BY k) FROM generate_series(1, x.indnkeyatts) k)::text,
            pg_get_expr(x.indpred, x.indrelid),
            (SELECT coalesce(json_agg(a.attname ORDER BY k.n), '[]') FROM unnest(x.indkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num WHERE k.n > x.indnkeyatts)::text
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = i.relam
     WHERE ${VISIBLE} ORDER BY c.relname, i.relname`,
  );
  for (const row of indexes.rows as [
    string,
    string,
    number,
    number,
    number,
    string,
    unknown,
    unknown,
    unknown,
    string | null,
    unknown,
  ][]) {
    const [table, name, unique, primary, partial, method, names, descending, sql, where, include] = row;
    tables.get(table)?.indexes.push({
      name,
      columns: json(names),
      unique: Number(unique) === 1,
      primary: Number(primary) === 1,
      partial: Number(partial) === 1,
      descending: json(descending),
      method,
      sql: json(sql),
      where,
      include: json(include),
    });
  }

  const checks = await executor.query(
    `SELECT c.relname::text, o.conname::text, pg_get_constraintdef(o.oid)
     FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE o.contype IN ('c', 'x') AND ${VISIBLE} ORDER BY c.relname, o.conname`,
  );
  for (const [table, name, sql] of checks.rows as [string, string, string][])
    tables.get(table)?.checks.push({ name, sql });
  return tables;
}
