import { STATUS_CODES } from '../asgi/status/index.ts';
import type { HttpError } from '../errors/index.ts';
import { HttpResponse } from '../http/index.ts';

/** One thing that is wrong with a request. */
export interface ProblemIssue {
  readonly in: 'query' | 'header' | 'body';
  /** A JSON pointer (RFC 6901) into it; empty for the whole. */
  readonly pointer: string;
  readonly message: string;
}

/** Problem details, RFC 9457. */
export interface Problem {
  readonly type?: string;
  readonly title?: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly [extension: string]: unknown;
}

/** A response of problem details. */
export function problem(details: Problem): HttpResponse {
  const { status, type = 'about:blank', title = STATUS_CODES[status] ?? 'Error', ...rest } = details;
  return new HttpResponse(JSON.stringify({ type, title, status, ...rest }), {
    status,
    contentType: 'application/problem+json',
  });
}

export function problemOf(error: HttpError): HttpResponse {
  return problem({ status: error.status, detail: error.what, code: error.code });
}
