import { STATUS_CODES } from '../asgi/status/index.ts';
import { viewMethods } from '../http/index.ts';
import type { Leaf, Resolver } from '../urls/index.ts';
import { type EndpointDefinition, endpointDefinition, type Method, type Schema } from './endpoint.ts';
import { type JsonSchema, jsonSchemaOf, type SchemaConverter } from './json-schema.ts';

export interface OpenApiInfo {
  readonly title: string;
  /** Of the API, not of OpenAPI. */
  readonly version: string;
  readonly description?: string;
  readonly servers?: readonly { readonly url: string; readonly description?: string }[];
  /** How requests prove who they are; by name, as OpenAPI spells it. */
  readonly securitySchemes?: Readonly<Record<string, JsonSchema>>;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  /** JSON Schema for libraries that do not give it themselves. */
  readonly convert?: SchemaConverter;
}

export type OpenApiDocument = Record<string, unknown>;

/** The endpoints behind a leaf: the view itself, or those of methods(). */
function endpointsOf(leaf: Leaf): [Method, EndpointDefinition][] {
  const own = (leaf.view as { [endpointDefinition]?: EndpointDefinition })[endpointDefinition];
  if (own !== undefined) return [[own.method ?? 'GET', own]];
  const table = (leaf.view as { [viewMethods]?: Record<string, unknown> })[viewMethods];
  return Object.entries(table ?? {}).flatMap(([method, view]) => {
    const definition = (view as { [endpointDefinition]?: EndpointDefinition })[endpointDefinition];
    return definition === undefined ? [] : [[method as Method, definition] as [Method, EndpointDefinition]];
  });
}

/** The OpenAPI 3.1 document of an application's endpoints. */
export function openApiDocument(resolver: Resolver, info: OpenApiInfo): OpenApiDocument {
  const builder = new Builder(info);
  for (const leaf of resolver.leaves) if (leaf.kind === 'http' && leaf.tail === null) builder.add(leaf);
  return builder.document();
}

class Builder {
  readonly #info: OpenApiInfo;
  readonly #paths = new Map<string, Record<string, unknown>>();
  readonly #schemas = new Map<string, JsonSchema>([['Problem', problemSchema]]);
  readonly #ids = new Set<string>();
  readonly #tags = new Set<string>();

  constructor(info: OpenApiInfo) {
    this.#info = info;
  }

  add(leaf: Leaf): void {
    const endpoints = endpointsOf(leaf);
    if (endpoints.length === 0) return;
    const path = `/${leaf.tokens.map((token) => (typeof token === 'string' ? token : `{${token.name}}`)).join('')}`;
    const item = this.#paths.get(path) ?? {};
    this.#paths.set(path, item);
    // The first route wins, here as in serving.
    for (const [method, definition] of endpoints)
      item[method.toLowerCase()] ??= this.#operation(leaf, method, definition);
  }

  #operation(leaf: Leaf, method: Method, definition: EndpointDefinition): Record<string, unknown> {
    const id = this.#id(
      definition.operationId ?? `${method.toLowerCase()}_${leaf.viewName.replace(/\W+/g, '_')}`,
    );
    for (const tag of definition.tags ?? []) this.#tags.add(tag);
    const parameters = [
      ...leaf.params.map((param) => ({
        name: param.name,
        in: 'path',
        required: true,
        schema: pathSchemas[param.kind] ?? { type: 'string', pattern: `^(?:${param.converter.regex})$` },
      })),
      ...this.#parameters(definition.query, 'query', id),
      ...this.#parameters(definition.headers, 'header', id),
    ];
    const responses: Record<string, unknown> = {};
    const status =
      definition.status ?? (definition.response === undefined && method === 'DELETE' ? 204 : 200);
    responses[status] = {
      description: STATUS_CODES[status] ?? 'Response',
      ...(definition.response === undefined
        ? {}
        : {
            content: {
              'application/json': { schema: this.#schema(definition.response, 'output', `${id}_response`) },
            },
          }),
    };
    for (const [code, about] of Object.entries(definition.responses ?? {}))
      responses[code] =
        typeof about === 'string'
          ? { description: about }
          : {
              description: STATUS_CODES[Number(code)] ?? 'Response',
              content: { 'application/json': { schema: this.#schema(about, 'output', `${id}_${code}`) } },
            };
    if (definition.body !== undefined || definition.query !== undefined || definition.headers !== undefined)
      responses['422'] ??= {
        description: 'The request is not valid',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      };
    return {
      operationId: id,
      ...(definition.summary === undefined ? {} : { summary: definition.summary }),
      ...(definition.description === undefined ? {} : { description: definition.description }),
      ...(definition.tags === undefined ? {} : { tags: definition.tags }),
      ...(definition.deprecated ? { deprecated: true } : {}),
      ...(definition.security === undefined ? {} : { security: definition.security }),
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(definition.body === undefined
        ? {}
        : {
            requestBody: {
              required: !acceptsNothing(definition.body),
              content: {
                'application/json': { schema: this.#schema(definition.body, 'input', `${id}_body`) },
              },
            },
          }),
      responses,
    };
  }

  #id(wanted: string): string {
    let id = wanted;
    for (let count = 2; this.#ids.has(id); count++) id = `${wanted}_${count}`;
    this.#ids.add(id);
    return id;
  }

  #parameters(schema: Schema | undefined, where: 'query' | 'header', id: string): unknown[] {
    if (schema === undefined) return [];
    const json = this.#plain(schema, 'input', `${id}_${where}`);
    const properties = (json['properties'] ?? {}) as Record<string, JsonSchema>;
    const required = new Set((json['required'] ?? []) as string[]);
    return Object.entries(properties).map(([name, property]) => {
      const { description, deprecated, ...rest } = property;
      return {
        name,
        in: where,
        ...(required.has(name) ? { required: true } : {}),
        ...(typeof description === 'string' ? { description } : {}),
        ...(deprecated === true ? { deprecated } : {}),
        schema: rest,
      };
    });
  }

  #schema(schema: Schema, side: 'input' | 'output', name: string): JsonSchema {
    const plain = this.#plain(schema, side, name);
    const { title } = plain;
    // A title names a schema that several endpoints share.
    if (typeof title !== 'string' || !/^\w+$/.test(title)) return plain;
    const same = this.#schemas.get(title);
    if (same === undefined) this.#schemas.set(title, plain);
    else if (JSON.stringify(same) !== JSON.stringify(plain)) return plain;
    return { $ref: `#/components/schemas/${title}` };
  }

  /** Without dialect and definitions of its own: a $ref inside would point into the whole document. */
  #plain(schema: Schema, side: 'input' | 'output', wanted: string): JsonSchema {
    // OpenAPI 3.1, 4.8.7: keys of components have these characters only; an operationId may have others.
    const name = wanted.replace(/[^\w.-]+/g, '_');
    const json = jsonSchemaOf(schema, side, this.#info.convert);
    if (json === null) return {};
    const {
      $schema: _,
      $defs,
      ...rest
    } = structuredClone(json) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    const names = new Map<string, string>();
    for (const key of Object.keys($defs ?? {}))
      names.set(`#/$defs/${key}`, `${name}_${key.replace(/\W+/g, '_')}`);
    let self = false;
    const rewrite = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(rewrite);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => {
          if (key !== '$ref' || typeof inner !== 'string') return [key, rewrite(inner)];
          if (inner === '#') {
            self = true;
            return [key, `#/components/schemas/${name}`];
          }
          const known = names.get(inner);
          return [key, known === undefined ? inner : `#/components/schemas/${known}`];
        }),
      );
    };
    for (const [key, definition] of Object.entries($defs ?? {}))
      this.#schemas.set(names.get(`#/$defs/${key}`)!, rewrite(definition) as JsonSchema);
    const plain = rewrite(rest) as JsonSchema;
    if (!self) return plain;
    this.#schemas.set(name, plain);
    return { $ref: `#/components/schemas/${name}` };
  }

  document(): OpenApiDocument {
    const { title, version, description, servers, securitySchemes, security } = this.#info;
    return {
      openapi: '3.1.0',
      info: { title, version, ...(description === undefined ? {} : { description }) },
      ...(servers === undefined ? {} : { servers }),
      ...(security === undefined ? {} : { security }),
      ...(this.#tags.size === 0 ? {} : { tags: [...this.#tags].map((name) => ({ name })) }),
      paths: Object.fromEntries(this.#paths),
      components: {
        schemas: Object.fromEntries(this.#schemas),
        ...(securitySchemes === undefined ? {} : { securitySchemes }),
      },
    };
  }
}

function acceptsNothing(schema: Schema): boolean {
  try {
    const result = schema['~standard'].validate(undefined);
    if (!(result instanceof Promise)) return result.issues === undefined;
    result.catch(() => {});
  } catch {
    // A schema that throws accepts nothing less than what it was made for.
  }
  return false;
}

const pathSchemas: Readonly<Record<string, JsonSchema>> = {
  int: { type: 'integer', minimum: 0 },
  str: { type: 'string', minLength: 1 },
  slug: { type: 'string', pattern: '^[-a-zA-Z0-9_]+$' },
  uuid: { type: 'string', format: 'uuid' },
  path: { type: 'string', minLength: 1, description: 'May hold slashes.' },
};

const problemSchema: JsonSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457)',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['in', 'pointer', 'message'],
        properties: {
          in: { enum: ['query', 'header', 'body'] },
          pointer: { type: 'string', description: 'A JSON pointer (RFC 6901)' },
          message: { type: 'string' },
        },
      },
    },
  },
};
