import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, fault, HttpError } from '../errors/index.ts';
import {
  type AnyResponse,
  BaseResponse,
  fromWebResponse,
  type HttpRequest,
  HttpResponse,
  HttpResponseNotAllowed,
  JsonResponse,
} from '../http/index.ts';
import { coerce } from './coerce.ts';
import { type ProblemIssue, problem, problemOf } from './problem.ts';

export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What an endpoint declares; schemas of any Standard Schema library (zod, valibot, arktype). */
export interface EndpointDefinition {
  /** Default POST with a body, else GET. */
  readonly method?: Method;
  readonly query?: Schema;
  readonly headers?: Schema;
  /** JSON. */
  readonly body?: Schema;
  /** What is sent; what it does not name is left out, and what does not fit is an error of ours, never sent. */
  readonly response?: Schema;
  /** Default 200; 204 without a response schema on DELETE. */
  readonly status?: number;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly operationId?: string;
  readonly deprecated?: boolean;
  /** How requests prove who they are, where it differs from the whole API: `[{ bearer: [] }]`, or `[]` for nothing at all. Told, not enforced. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  /** Other answers, by status: their description, or a schema of their JSON. */
  readonly responses?: Readonly<Record<number, string | Schema>>;
}

type Out<S, Otherwise> = S extends Schema ? StandardSchemaV1.InferOutput<S> : Otherwise;
type In<S, Otherwise> = S extends Schema ? StandardSchemaV1.InferInput<S> : Otherwise;

/** What a handler gets: validated, typed. */
export interface EndpointInput<D extends EndpointDefinition> {
  readonly request: HttpRequest;
  readonly query: Out<D['query'], Readonly<Record<string, never>>>;
  readonly headers: Out<D['headers'], Readonly<Record<string, never>>>;
  readonly body: Out<D['body'], undefined>;
}
/** What it gives: data for the response schema, or a response of its own. */
export type EndpointOutput<D extends EndpointDefinition> =
  | (D['response'] extends Schema ? StandardSchemaV1.InferInput<D['response']> : unknown)
  | AnyResponse;

export const endpointDefinition: unique symbol = Symbol.for('sobaya.endpoint') as never;

/** A view that knows what goes in and out. */
export interface Endpoint<D extends EndpointDefinition = EndpointDefinition, P = never> {
  (request: HttpRequest, params: P): Promise<AnyResponse>;
  readonly [endpointDefinition]: D;
  /** Only for the compiler: what a client gives and gets. */
  readonly ' client'?: {
    query: In<D['query'], undefined>;
    headers: In<D['headers'], undefined>;
    body: In<D['body'], undefined>;
    response: Out<D['response'], unknown>;
  };
}

/**
 * A typed endpoint: `endpoint({ body: OrderIn, response: OrderOut }, async ({ body }) => createOrder(body))`. Input that
 * does not fit is answered 422 with what is wrong where (RFC 9457); the handler never sees it. Route parameters are
 * the handler's second argument.
 */
export function endpoint<const D extends EndpointDefinition, P = Record<never, never>>(
  definition: D,
  handler: (input: EndpointInput<D>, params: P) => EndpointOutput<D> | Promise<EndpointOutput<D>>,
): Endpoint<D, P> {
  const method = definition.method ?? (definition.body === undefined ? 'GET' : 'POST');
  const allow = method === 'GET' ? ['GET', 'HEAD'] : [method];
  const name = definition.operationId ?? (handler.name || 'endpoint');
  const view = async (request: HttpRequest, params: P): Promise<AnyResponse> => {
    if (!allow.includes(request.method)) return new HttpResponseNotAllowed(allow);
    try {
      const issues: ProblemIssue[] = [];
      const query = await check(
        definition.query,
        () => queryObject(request, definition.query),
        'query',
        issues,
      );
      const headers = await check(
        definition.headers,
        () => coerce(headerObject(request), definition.headers),
        'header',
        issues,
      );
      const body = await check(definition.body, () => jsonBody(request, definition.body), 'body', issues);
      if (issues.length > 0)
        return problem({ status: 422, title: 'The request is not valid', errors: issues });
      const given = await handler({ request, query, headers, body } as EndpointInput<D>, params);
      if (given instanceof BaseResponse) return given as AnyResponse;
      if (given instanceof Response) return fromWebResponse(given);
      return await respond(definition, given, name);
    } catch (error) {
      if (error instanceof HttpError) return problemOf(error);
      throw error;
    }
  };
  Object.defineProperty(view, 'name', { value: name, configurable: true });
  return Object.assign(view, { [endpointDefinition]: { ...definition, method } }) as unknown as Endpoint<
    D,
    P
  >;
}

async function check(
  schema: Schema | undefined,
  read: () => unknown,
  where: ProblemIssue['in'],
  issues: ProblemIssue[],
): Promise<unknown> {
  if (schema === undefined) return where === 'body' ? undefined : {};
  const result = await schema['~standard'].validate(await read());
  if (result.issues === undefined) return result.value;
  for (const issue of result.issues.slice(0, 100)) {
    const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
    issues.push({
      in: where,
      pointer: path.map((part) => `/${part.replace(/~/g, '~0').replace(/\//g, '~1')}`).join(''),
      message: issue.message,
    });
  }
  return undefined;
}

/** Undefined where the schema allows that nothing is sent. */
async function jsonBody(request: HttpRequest, schema: Schema | undefined): Promise<unknown> {
  if (
    request.contentType === null &&
    schema !== undefined &&
    (await request.body()).length === 0 &&
    (await schema['~standard'].validate(undefined)).issues === undefined
  )
    return undefined;
  return await request.json();
}

/** Names with one value as text, with several as array; turned into numbers and booleans where the schema says so. */
function queryObject(request: HttpRequest, schema: Schema | undefined): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null);
  for (const name of request.query.keys()) {
    const values = request.query.getAll(name);
    object[name] = values.length === 1 ? values[0] : values;
  }
  return coerce({ ...object }, schema);
}

function headerObject(request: HttpRequest): Record<string, string> {
  return Object.fromEntries(request.headers);
}

async function respond(definition: EndpointDefinition, given: unknown, name: string): Promise<AnyResponse> {
  const { response } = definition;
  if (response === undefined) {
    if (given === undefined) return new HttpResponse('', { status: definition.status ?? 204 });
    return new JsonResponse(given, { status: definition.status ?? 200 });
  }
  const result = await response['~standard'].validate(given);
  if (result.issues !== undefined)
    throw fault('SBY_OPENAPI_BAD_RESPONSE', {
      endpoint: name,
      got: describe(given),
      why: result.issues
        .slice(0, 5)
        .map(
          (issue) =>
            `${(issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.') || 'it'}: ${issue.message}`,
        )
        .join('; '),
    });
  return new JsonResponse(result.value, { status: definition.status ?? 200 });
}
