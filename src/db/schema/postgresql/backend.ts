import type { Backend } from '../../backends/base.ts';
import type { FieldState } from '../../migrations/state.ts';
import type { SchemaBackend } from '../backend.ts';
import { type LiteralRules, literalWith, quoteText } from '../literal.ts';

/** Text inside an array literal, quoted so that nothing in it can end the element. */
function arrayText(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (value === null || value === undefined) return 'NULL';
    if (Array.isArray(value)) return arrayText(value);
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    return `"${String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  });
  return `{${items.join(',')}}`;
}

const rules: LiteralRules = {
  boolean: (value) => (value ? 'true' : 'false'),
  dateTime: (value) => quoteText(value.toISOString()),
  duration: (ms) => quoteText(`${Math.round(ms * 1000)} microseconds`),
  json: (text) => quoteText(text),
  array: (values) => quoteText(arrayText(values)),
  bytes: (value) => quoteText(`\\x${Buffer.from(value).toString('hex')}`),
};

export function postgresSpec(backend: Backend): SchemaBackend {
  const columnType = (field: FieldState): string => backend.columnType(field);
  return {
    vendor: 'postgresql',
    features: backend.features,
    quote: (name) => backend.quote(name),
    columnType,
    autoType: (kind) => columnType({ kind, options: {} }),
    literal: (value, field) => literalWith(rules, value, field),
    columnCheck: (field, column) =>
      field.kind.startsWith('positive') ? `${backend.quote(column)} >= 0` : null,
  };
}
