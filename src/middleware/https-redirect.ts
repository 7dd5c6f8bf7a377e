import { HttpResponseRedirect, type Middleware } from '../http/index.ts';
import { andThen } from './protocol.ts';

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
  const { hstsSeconds = 3600, exempt = [] } = options;
  const hsts = `max-age=${hstsSeconds}${options.includeSubDomains ? '; includeSubDomains' : ''}${options.preload ? '; preload' : ''}`;
  return function httpsRedirect(getResponse) {
    return (request) => {
      if (request.isSecure) {
        const response = getResponse(request);
        return hstsSeconds === 0
          ? response
          : andThen(response, (made) => {
              made.headers.setDefault('strict-transport-security', hsts);
              return made;
            });
      }
      if (exempt.some((pattern) => pattern.test(request.path))) return getResponse(request);
      const host = options.host ?? request.host.replace(/:\d+$/, '');
      const safe = request.method === 'GET' || request.method === 'HEAD';
      return new HttpResponseRedirect(`https://${host}${request.fullPath}`, { status: safe ? 301 : 308 });
    };
  };
}
