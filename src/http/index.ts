/** Requests and responses. */
export {
  ContentTooLarge,
  Http404,
  HttpError,
  PermissionDenied,
  SuspiciousOperation,
  TooManyRequests,
  UnsupportedMediaType,
} from '../errors/index.ts';
export {
  type MiddlewareMessage,
  middlewareChannel,
  type RequestMessage,
  requestChannel,
  type ViewMessage,
  viewChannel,
} from './channels.ts';
export { type ConditionOptions, condition } from './condition.ts';
export {
  applyPreconditions,
  type ByteRange,
  etagMatches,
  etagOf,
  evaluatePreconditions,
  notModified,
  parseHttpDate,
  parseRange,
  type Validators,
} from './conditional.ts';
export { type CookieOptions, formatCookie, parseCookies } from './cookies.ts';
export { contentDisposition } from './disposition.ts';
export {
  type EventStreamOptions,
  EventStreamResponse,
  type Events,
  formatEvent,
  lastEventId,
  type ServerSentEvent,
} from './event-stream.ts';
export { type FileResponseOptions, fileResponse } from './file-response.ts';
export {
  type HeaderValues,
  headerName,
  headerValue,
  RequestHeaders,
  ResponseHeaders,
  splitList,
} from './headers.ts';
export { addressList, isAllowedHost, splitHost } from './host.ts';
export { contentTypeOf } from './media-types.ts';
export {
  type CacheControl,
  cacheControl,
  type MethodsView,
  type MethodTable,
  methods,
  neverCache,
  onResponse,
  requireGet,
  requireMethods,
  requirePost,
  requireSafe,
  varyOn,
  viewMethods,
} from './methods.ts';
export { bestOf, parseAccept } from './negotiation.ts';
export { QueryDict } from './query.ts';
export { HttpRequest, RequestVar, type RouteMatch } from './request.ts';
export {
  type AnyResponse,
  BaseResponse,
  type Chunks,
  type Content,
  fromWebResponse,
  HttpResponse,
  HttpResponseBadRequest,
  HttpResponseForbidden,
  HttpResponseGone,
  HttpResponseNoContent,
  HttpResponseNotAllowed,
  HttpResponseNotFound,
  HttpResponseNotModified,
  HttpResponsePermanentRedirect,
  HttpResponseRedirect,
  HttpResponseServerError,
  isResponse,
  JsonResponse,
  type ResponseOptions,
  StreamingHttpResponse,
} from './response.ts';
export { sendResponse } from './send.ts';
export { defaultLimits, defaultSettings, type RequestLimits, type RequestSettings } from './settings.ts';
export { type RedirectOptions, redirect, safeRedirectTarget } from './shortcuts.ts';
export { Signer, type UnsignOptions } from './signing.ts';
export { safeFilename, UploadedFile, UploadedFiles } from './uploads.ts';
export type { AsyncView, GetResponse, Middleware, View, ViewResult } from './view.ts';
export { type AcceptOptions, type Message, WebSocketConnection, type WebSocketView } from './websocket.ts';
