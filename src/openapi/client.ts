import { fault } from '../errors/index.ts';
import type { MethodsView } from '../http/index.ts';
import type { ParamsOf, UrlInclude, UrlPattern, Urls } from '../urls/index.ts';
import type { Endpoint, EndpointDefinition, Method } from './endpoint.ts';
import type { Problem } from './problem.ts';

type MethodOf<D extends EndpointDefinition> = D['method'] extends Method
  ? D['method']
  : D['body'] extends object
    ? 'POST'
    : 'GET';

/** `[method, route, endpoint]` of every endpoint of urls, as a union. */
export type Operations<U, Prefix extends string = ''> = U extends readonly (infer Item)[]
  ? Item extends UrlInclude<infer R, infer Inner, string>
    ? Urls extends Inner
      ? never
      : Operations<Inner, `${Prefix}${R}`>
    : Item extends UrlPattern<infer R, string, infer V, unknown>
      ? OperationsOf<V, `${Prefix}${R}`>
      : never
  : never;
type OperationsOf<V, R extends string> =
  V extends Endpoint<infer D, never>
    ? [MethodOf<D>, R, V]
    : V extends MethodsView<infer T>
      ? { [M in keyof T]: T[M] extends Endpoint<EndpointDefinition, never> ? [M, R, T[M]] : never }[keyof T]
      : never;

interface Shape {
  query: unknown;
  headers: unknown;
  body: unknown;
  response: unknown;
}
type Client<E> = E extends { readonly ' client'?: infer C }
  ? NonNullable<C> extends Shape
    ? NonNullable<C>
    : never
  : never;
type Field<Name extends string, T> = [T] extends [undefined]
  ? { [K in Name]?: undefined }
  : Partial<T & object> extends T
    ? { [K in Name]?: T }
    : { [K in Name]: T };
type Needed<R extends string, E> = (keyof ParamsOf<R> extends never
  ? { params?: Record<never, never> }
  : { params: ParamsOf<R> }) &
  Field<'query', Client<E>['query']> &
  Field<'body', Client<E>['body']> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  };
type Args<R extends string, E> =
  Partial<Needed<R, E>> extends Needed<R, E> ? [options?: Needed<R, E>] : [options: Needed<R, E>];

/** Calls endpoints by method and route: what they take and give is typed from the urls, with no code generation. */
export type ApiClient<U> = <
  M extends Operations<U>[0],
  R extends Extract<Operations<U>, readonly [M, string, unknown]>[1],
>(
  method: M,
  route: R,
  ...args: Args<R, Extract<Operations<U>, readonly [M, R, unknown]>[2]>
) => Promise<Client<Extract<Operations<U>, readonly [M, R, unknown]>[2]>['response']>;

export interface ApiClientOptions {
  /** Where the urls begin: `https://soba.example/`. */
  readonly baseUrl: string;
  /** Default: the platform's. */
  readonly fetch?: (
    url: string,
    init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
  ) => Promise<Response>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is no success. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | null;
  constructor(status: number, problem: Problem | null, what: string) {
    super(
      `${what}: ${status}${problem?.detail ? `, ${problem.detail}` : problem?.title ? `, ${problem.title}` : ''}`,
    );
    this.status = status;
    this.problem = problem;
  }
  override get name(): string {
    return 'ApiError';
  }
}

/**
 * A typed client: `const api = apiClient<typeof urls>({ baseUrl })`, then `await api('GET', 'orders/<int:id>/', { params: { id: 3 } })`.
 * Only the type of the urls is needed, so nothing of the server comes into a browser.
 */
export function apiClient<U extends Urls>({
  baseUrl,
  fetch: call = globalThis.fetch as never,
  headers: common = {},
}: ApiClientOptions): ApiClient<U> {
  const base = baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`;
  const request = async (
    method: string,
    route: string,
    options: {
      params?: Record<string, unknown>;
      query?: Record<string, unknown>;
      body?: unknown;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<unknown> => {
    const path = route.replace(/<(?:([\w-]+):)?(\w+)>/g, (_, kind: string | undefined, name: string) => {
      const value = options.params?.[name];
      if (value === undefined || value === null) throw fault('SBY_OPENAPI_MISSING_PARAM', { route, name });
      const text = encodeURIComponent(String(value));
      return kind === 'path' ? text.replace(/%2F/g, '/') : text;
    });
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options.query ?? {}))
      for (const one of [value].flat())
        if (one !== undefined && one !== null) query.append(name, String(one));
    const headers: Record<string, string> = { accept: 'application/json', ...common, ...options.headers };
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    const response = await call(`${base}${path}${query.size > 0 ? `?${query}` : ''}`, {
      method,
      headers,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const isJson = /json/i.test(response.headers.get('content-type') ?? '');
    const data: unknown = isJson ? await response.json() : await response.text();
    if (!response.ok)
      throw new ApiError(response.status, isJson ? (data as Problem) : null, `${method} ${route}`);
    return isJson ? data : data === '' ? undefined : data;
  };
  return request as unknown as ApiClient<U>;
}
