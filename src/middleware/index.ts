/** Middleware: one protocol, one file each. */
export { asAsgi } from './as-asgi.ts';
export { type CollectOptions, type CollectReport, collectStatic } from './collect-static.ts';
export { type CompressionOptions, compression, type Encoding } from './compression.ts';
export { conditionalGet } from './conditional-get.ts';
export { type CorsOptions, cors } from './cors.ts';
export { type CsrfOptions, csrf, csrfExempt, csrfToken, rotateCsrfToken } from './csrf.ts';
export { hostCheck } from './host-check.ts';
export { type HttpsRedirectOptions, httpsRedirect } from './https-redirect.ts';
export { type LoggingOptions, logging, type RequestLogger, type RequestRecord } from './logging.ts';
export { type Processing, processing, processingOf } from './protocol.ts';
export {
  MemoryRateStore,
  type RateLimitOptions,
  type RateResult,
  type RateStore,
  type RedisLike,
  RedisRateStore,
  rateLimit,
} from './rate-limit.ts';
export {
  type RequestIdOptions,
  requestId,
  requestIdOf,
  type TraceContext,
  traceContextOf,
  traceparent,
} from './request-id.ts';
export { requestTimeout } from './request-timeout.ts';
export {
  type ContentSecurityPolicy,
  cspNonce,
  type SecurityHeadersOptions,
  securityHeaders,
} from './security-headers.ts';
export { isSafeName, type StaticFilesOptions, staticFiles, staticUrls } from './static-files.ts';
