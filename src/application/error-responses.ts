import { STATUS_CODES } from '../asgi/status/index.ts';
import { isSobayaError } from '../errors/index.ts';
import { type AnyResponse, type HttpRequest, HttpResponse, RequestVar, type View } from '../http/index.ts';
import type { Leaf } from '../urls/index.ts';
import { asResponse } from './chain.ts';
import { errorPage, errorText, escapeHtml, notFoundPage } from './debug-page.ts';

export interface ErrorResponder {
  readonly debug: boolean;
  readonly leaves: readonly Leaf[];
  readonly views: Readonly<Record<number, View<{ error: unknown }>>>;
  readonly report: (error: unknown, request: HttpRequest) => void;
}

/** The error behind a 500, for whoever looks at the request afterwards: the test client. */
export const failure: RequestVar<unknown> = new RequestVar<unknown>('failure');

/** The status an error stands for: its own where it is one of ours that has one, else 500. */
export function statusOf(error: unknown): number {
  if (!isSobayaError(error)) return 500;
  const { status } = error as { status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

/** Turns an error into a response; reports those nobody expects. Never throws. */
export async function respondTo(
  responder: ErrorResponder,
  request: HttpRequest,
  error: unknown,
): Promise<AnyResponse> {
  const status = statusOf(error);
  if (status >= 500) {
    failure.set(request, error);
    responder.report(error, request);
  }
  const view = Object.hasOwn(responder.views, status) ? responder.views[status] : undefined;
  if (view !== undefined && !(responder.debug && status >= 500)) {
    try {
      const response = asResponse(await view(request, { error }), () => `The view for errors ${status}`);
      if (response.status === 200) response.status = status;
      return response;
    } catch (second) {
      responder.report(second, request);
      return plain(request, 500);
    }
  }
  if (!responder.debug) return withHeaders(plain(request, status), error);
  return withHeaders(debugResponse(responder, request, error, status), error);
}

/** Headers an error wants on its response, such as Retry-After or Allow. */
function withHeaders(response: HttpResponse, error: unknown): HttpResponse {
  const headers = (error as { headers?: unknown } | null)?.headers;
  if (isSobayaError(error) && typeof headers === 'object' && headers !== null)
    response.headers.update(headers as Record<string, string>);
  return response;
}

type Kind = 'html' | 'json' | 'text';

function kindFor(request: HttpRequest): Kind {
  const accept = request.header('accept') ?? '';
  if (/text\/html|application\/xhtml/i.test(accept)) return 'html';
  return /json/i.test(accept) ? 'json' : 'text';
}

function plain(request: HttpRequest, status: number): HttpResponse {
  const title = STATUS_CODES[status] ?? 'Error';
  switch (kindFor(request)) {
    case 'html':
      return new HttpResponse(
        `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><h1>${escapeHtml(title)}</h1></html>`,
        { status },
      );
    case 'json':
      return problem({ type: 'about:blank', title, status });
    default:
      return new HttpResponse(`${title}\n`, { status, contentType: 'text/plain; charset=utf-8' });
  }
}

function problem(data: { title: string; status: number; [key: string]: unknown }): HttpResponse {
  return new HttpResponse(JSON.stringify(data), {
    status: data.status,
    contentType: 'application/problem+json',
  });
}

function debugResponse(
  { leaves }: ErrorResponder,
  request: HttpRequest,
  error: unknown,
  status: number,
): HttpResponse {
  switch (kindFor(request)) {
    case 'html':
      return new HttpResponse(
        status === 404 ? notFoundPage(request, error, leaves) : errorPage(request, error, status),
        { status },
      );
    case 'json':
      return problem({
        type: 'about:blank',
        title: STATUS_CODES[status] ?? 'Error',
        status,
        detail: error instanceof Error ? error.message : String(error),
        ...(isSobayaError(error) ? { code: error.code } : {}),
        ...(status >= 500 && error instanceof Error
          ? {
              stack: error.stack
                ?.split('\n')
                .slice(1)
                .map((line) => line.trim()),
            }
          : {}),
      });
    default:
      return new HttpResponse(errorText(request, error, status, leaves), {
        status,
        contentType: 'text/plain; charset=utf-8',
      });
  }
}
