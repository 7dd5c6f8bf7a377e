import type { Schema } from './endpoint.ts';

export type JsonSchema = Record<string, unknown>;

/** Gives JSON Schema for schemas that cannot do it themselves; undefined: cannot either. */
export type SchemaConverter = (schema: Schema, side: 'input' | 'output') => JsonSchema | undefined;

interface WithJsonSchema {
  readonly jsonSchema?: Record<
    'input' | 'output',
    (options: { target: string; libraryOptions?: Record<string, unknown> }) => JsonSchema
  >;
}

// One field without a counterpart must not take the description of its neighbours with it.
const zodOptions = {
  unrepresentable: 'any',
  override({
    zodSchema,
    jsonSchema,
  }: {
    zodSchema: { _zod?: { def?: { type?: string } } };
    jsonSchema: JsonSchema;
  }): void {
    // JSON writes a Date as ISO 8601, and what is read into one is written so.
    if (zodSchema._zod?.def?.type === 'date')
      Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
  },
};

/** The JSON Schema (2020-12) of a schema, by Standard JSON Schema or `convert`; null when nobody knows it. */
export function jsonSchemaOf(
  schema: Schema,
  side: 'input' | 'output',
  convert?: SchemaConverter,
): JsonSchema | null {
  const converted = convert?.(schema, side);
  if (converted !== undefined) return converted;
  const own = (schema['~standard'] as WithJsonSchema).jsonSchema;
  if (own === undefined) return null;
  try {
    return own[side]({
      target: 'draft-2020-12',
      ...(schema['~standard'].vendor === 'zod' ? { libraryOptions: zodOptions } : {}),
    });
  } catch {
    // What has no counterpart in JSON Schema, such as a transform, is any value.
    return null;
  }
}
