import { HttpResponseRedirect, type Middleware } from '../http/index.ts';
import { processing, stateless } from './protocol.ts';

export interface HttpsRedirectOptions {
  /** How long browsers shall only use HTTPS, seconds; 0 sends no header. Default one hour: raise it when all works. */
  readonly hstsSeconds?: number;
  readonly includeSubDomains?: boolean;
  readonly preload?: boolean;
  /** Paths that stay on http, such as a health check. */
  readonly exempt?: readonly RegExp[];
  /** Default: the request's host. */
  readonly host?: string;
}

/** Leads from http to https, and tells browsers to stay there (RFC 6797). Behind a proxy, needs `trustedProxies`. */
export function httpsRedirect(options: HttpsRedirectOptions = {}): Middleware {
  const { hstsSeconds = 3600 } = options;
  const exempt = (options.exempt ?? []).map(stateless);
  const hsts = [
    [
      'strict-transport-security',
      `max-age=${hstsSeconds}${options.includeSubDomains ? '; includeSubDomains' : ''}${options.preload ? '; preload' : ''}`,
    ],
  ] as const;
  return processing('httpsRedirect', {
    processRequest(request) {
      if (request.isSecure || exempt.some((pattern) => pattern.test(request.path))) return;
      const host = options.host ?? request.host.replace(/:\d+$/, '');
      const safe = request.method === 'GET' || request.method === 'HEAD';
      return new HttpResponseRedirect(`https://${host}${request.fullPath}`, { status: safe ? 301 : 308 });
    },
    processResponse(request, response) {
      // Over plain http browsers ignore it, and anybody could have put it there (RFC 6797, 7.2).
      if (hstsSeconds > 0 && request.isSecure) response.headers.addMissing(hsts);
      return response;
    },
  });
}
