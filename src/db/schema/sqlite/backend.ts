import type { Backend } from '../../backends/base.ts';
import { dateTimeText } from '../../backends/sqlite/dialect.ts';
import type { SchemaBackend } from '../backend.ts';
import { type LiteralRules, literalWith, quoteText } from '../literal.ts';

const rules: LiteralRules = {
  boolean: (value) => (value ? '1' : '0'),
  dateTime: (value) => quoteText(dateTimeText(value)),
  duration: (ms) => String(Math.round(ms * 1000)),
  json: (text) => quoteText(text),
  array: (values) => quoteText(JSON.stringify(values)),
  bytes: (value) => `x'${Buffer.from(value).toString('hex')}'`,
};

export function sqliteSpec(backend: Backend): SchemaBackend {
  return {
    vendor: 'sqlite',
    features: backend.features,
    quote: (name) => backend.quote(name),
    columnType: (field) => backend.columnType(field),
    // Nothing else makes a column the row's own id.
    autoType: () => 'integer',
    literal: (value, field) => literalWith(rules, value, field),
    columnCheck: (field, column) =>
      field.kind.startsWith('positive')
        ? `${backend.quote(column)} >= 0`
        : field.kind === 'json'
          ? `json_valid(${backend.quote(column)})`
          : null,
  };
}
