/** Values as SQL text, for defaults and fills. Values come from models and migration files, never from requests; they are quoted all the same. */
import { decodeValue } from '../migrations/fields.ts';
import type { FieldState } from '../migrations/state.ts';

export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export interface LiteralRules {
  boolean(value: boolean): string;
  dateTime(value: Date): string;
  duration(ms: number): string;
  json(text: string): string;
  array(values: readonly unknown[], of: FieldState | undefined): string;
  bytes(value: Uint8Array): string;
}

export function literalWith(rules: LiteralRules, given: unknown, field: FieldState): string {
  const value = decodeValue(given);
  if (value === null || value === undefined) return 'NULL';
  if (
    typeof value === 'object' &&
    typeof (value as { sql?: unknown }).sql === 'string' &&
    field.kind !== 'json'
  )
    return (value as { sql: string }).sql;
  if (field.kind === 'json') {
    const { sql } = value as { sql?: unknown };
    if (typeof sql === 'string' && Object.keys(value as object).length === 1) return sql;
    return rules.json(JSON.stringify(value));
  }
  if (typeof value === 'boolean') return rules.boolean(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') {
    if (field.kind === 'duration') return rules.duration(value);
    if (field.kind === 'boolean') return rules.boolean(value !== 0);
    if (field.kind === 'decimal' || textual.has(field.kind)) return quoteText(String(value));
    return String(value);
  }
  if (value instanceof Date) return rules.dateTime(value);
  if (value instanceof Uint8Array) return rules.bytes(value);
  if (Array.isArray(value)) return rules.array(value, field.options['of'] as FieldState | undefined);
  if (typeof value === 'object') return rules.json(JSON.stringify(value));
  const text = String(value);
  if (field.kind === 'dateTime') {
    const date = new Date(
      /[zZ]|[+-]\d\d:?\d\d$/.test(text) || text.length === 10 ? text : `${text.replace(' ', 'T')}Z`,
    );
    if (!Number.isNaN(date.getTime())) return rules.dateTime(date);
  }
  return quoteText(field.kind === 'uuid' ? text.toLowerCase() : text);
}

const textual = new Set(['text', 'email', 'url', 'slug', 'ipAddress', 'uuid']);
