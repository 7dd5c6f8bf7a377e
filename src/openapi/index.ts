/** Typed endpoints, their OpenAPI document and page, and a client typed from them. */
export { type ApiClient, type ApiClientOptions, ApiError, apiClient, type Operations } from './client.ts';
export { type OpenApiDocument, type OpenApiInfo, openApiDocument } from './document.ts';
export {
  type Endpoint,
  type EndpointDefinition,
  type EndpointInput,
  type EndpointOutput,
  endpoint,
  endpointDefinition,
  type Method,
  type Schema,
} from './endpoint.ts';
export type { JsonSchema, SchemaConverter } from './json-schema.ts';
export { type Problem, type ProblemIssue, problem } from './problem.ts';
export { openApiUrls } from './urls.ts';
