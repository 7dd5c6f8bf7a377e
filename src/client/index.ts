/** An HTTP client for async code: pooled, with deadlines, cancelled with its scope. */
export {
  ClientProtocolError,
  ClientStatusError,
  ClientTimeoutError,
  ClientTransportError,
  type FailedRequest,
} from '../errors/index.ts';
export type { BodyInput, BodyOptions } from './body.ts';
export { type ClientRequestMessage, clientRequestChannel } from './channels.ts';
export {
  AsyncClient,
  type ClientHooks,
  type ClientOptions,
  type ClientRequest,
  type RequestOptions,
} from './client.ts';
export { CookieJar } from './cookies.ts';
export { type ClientError, isClientError } from './faults.ts';
export { HeaderList, type HeadersInput, type HeaderValue } from './headers.ts';
export type { MultipartFields, MultipartFile } from './multipart.ts';
export { ClientResponse, type ResponseHead, type ServerSentEvent, StreamingResponse } from './response.ts';
export type { RetryOptions } from './retries.ts';
export type { Timeouts } from './timeouts.ts';
export type {
  Phase,
  Transport,
  TransportBody,
  TransportCall,
  TransportRequest,
  TransportResponse,
} from './transport.ts';
export { AsgiTransport, type AsgiTransportOptions } from './transports/asgi.ts';
export { HttpTransport, type HttpTransportOptions, type TlsOptions } from './transports/http.ts';
export { type MockAnswer, type MockHandler, type MockRequest, MockTransport } from './transports/mock.ts';
export type { Params, ParamValue } from './url.ts';
