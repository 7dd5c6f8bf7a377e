import { BadRequest, type ErrorParts } from './base.ts';

/**
 * What a view or middleware throws to answer with a status. The message reaches the client only in debug mode;
 * in production it sees the reason phrase and nothing else.
 */
export class HttpError extends BadRequest {
  constructor(message: string | ErrorParts, options?: ErrorOptions) {
    super(typeof message === 'string' ? { code: 'SBY_HTTP_ERROR', what: message } : message, options);
  }
}

/** There is nothing under this address. Django's name. */
export class Http404 extends HttpError {
  override readonly status: number = 404;
  constructor(message: string | ErrorParts = 'Not found', options?: ErrorOptions) {
    super(typeof message === 'string' ? { code: 'SBY_HTTP_404', what: message } : message, options);
  }
}

/** Whoever asks may not do this: 403. */
export class PermissionDenied extends HttpError {
  override readonly status: number = 403;
  constructor(message: string | ErrorParts = 'Permission denied', options?: ErrorOptions) {
    super(typeof message === 'string' ? { code: 'SBY_HTTP_FORBIDDEN', what: message } : message, options);
  }
}

/** A request that looks like an attack: 400, and a warning in the log. */
export class SuspiciousOperation extends HttpError {}

/** The body, or a part of it, is larger than this application takes: 413. */
export class ContentTooLarge extends HttpError {
  override readonly status: number = 413;
}

/** The body is of a kind that the view cannot read: 415. */
export class UnsupportedMediaType extends HttpError {
  override readonly status: number = 415;
}

/** More requests than this client may make: 429. */
export class TooManyRequests extends HttpError {
  override readonly status: number = 429;
}
