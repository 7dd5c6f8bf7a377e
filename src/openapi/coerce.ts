import type { Schema } from './endpoint.ts';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';

type Kind = 'number' | 'boolean' | 'array' | null;
const kinds = new WeakMap<Schema, Map<string, { kind: Kind; items: Kind }>>();

/**
 * A query is text; a schema that says number, boolean or array means the value written as text. Only where the
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
  const properties = jsonSchemaOf(schema, 'input')?.['properties'] as Record<string, JsonSchema> | undefined;
  for (const [name, property] of Object.entries(properties ?? {}))
    table.set(name, {
      kind: kindOf(property),
      items: kindOf((property['items'] as JsonSchema | undefined) ?? {}),
    });
  return table;
}

function kindOf(schema: JsonSchema): Kind {
  const { type } = schema;
  const options = [schema['anyOf'], schema['oneOf']]
    .flat()
    .filter((one) => typeof one === 'object' && one !== null) as JsonSchema[];
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean' || type === 'array') return type;
  const known = options.map(kindOf).filter((kind) => kind !== null);
  return known.length === 1 && !options.some((option) => option['type'] === 'string') ? known[0]! : null;
}
