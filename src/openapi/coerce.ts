import type { Schema } from './endpoint.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';

type Kind = 'number' | 'boolean' | 'array' | null;
const kinds = new WeakMap<Schema, Map<string, { kind: Kind; items: Kind }>>();

/**
 * A query and headers are text; a schema that says number, boolean or array means the value written as text. Only where the
 * schema library tells its JSON Schema; elsewhere coercion is the schema's.
 */
export function coerce(values: Record<string, unknown>, schema: Schema | undefined): Record<string, unknown> {
  if (schema === undefined) return values;
  let table = kinds.get(schema);
  if (table === undefined) kinds.set(schema, (table = kindsOf(schema)));
  for (const [name, { kind, items }] of table) {
    if (!Object.hasOwn(values, name)) continue;
    const value = values[name];
    if (kind === 'array')
      values[name] = (Array.isArray(value) ? value : [value]).map((one) => coerceOne(one, items));
    else values[name] = coerceOne(value, kind);
  }
  return values;
}

function coerceOne(value: unknown, kind: Kind): unknown {
  if (typeof value !== 'string') return value;
  if (kind === 'number')
    return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value) ? Number(value) : value;
  if (kind === 'boolean')
    return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value;
  return value;
}

function kindsOf(schema: Schema): Map<string, { kind: Kind; items: Kind }> {
  const table = new Map<string, { kind: Kind; items: Kind }>();
  const json = jsonSchemaOf(schema, 'input');
  const definitions = (json?.['$defs'] ?? {}) as Record<string, JsonSchema>;
  for (const [name, property] of Object.entries((json?.['properties'] ?? {}) as Record<string, JsonSchema>)) {
    const forms = formsOf(property, definitions);
    const items = forms.flatMap((form) =>
      form['items'] === undefined ? [] : formsOf(form['items'] as JsonSchema, definitions),
    );
    table.set(name, { kind: kindOf(forms), items: kindOf(items) });
  }
  return table;
}

/** The plain schemas that a schema may stand for: unions and references taken apart. */
function formsOf(schema: JsonSchema, definitions: Record<string, JsonSchema>, depth = 0): JsonSchema[] {
  const name = /^#\/\$defs\/(.+)$/.exec(String(schema['$ref'] ?? ''))?.[1];
  const referred = name === undefined ? undefined : definitions[name];
  const options = [schema['anyOf'], schema['oneOf'], schema['allOf'], referred]
    .flat()
    .filter((one) => typeof one === 'object' && one !== null) as JsonSchema[];
  // A schema that refers to itself says nothing about a value in a query.
  if (options.length === 0 || depth > 8) return [schema];
  return options.flatMap((option) => formsOf(option, definitions, depth + 1));
}

/** What text has to become: null where it may stay text, or may become two things. */
function kindOf(forms: readonly JsonSchema[]): Kind {
  const types = new Set(
    forms.flatMap(({ type, const: only, enum: several }) => {
      if (type !== undefined) return type as string | string[];
      const values = Array.isArray(several) ? (several as unknown[]) : only === undefined ? [] : [only];
      return values.map((value) => (value === null ? 'null' : typeof value));
    }),
  );
  types.delete('null');
  if (types.delete('integer')) types.add('number');
  const [one] = types;
  return types.size === 1 && (one === 'number' || one === 'boolean' || one === 'array') ? one : null;
}
