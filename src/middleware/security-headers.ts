import { randomBytes } from 'node:crypto';
import { type AnyResponse, type HttpRequest, type Middleware, RequestVar } from '../http/index.ts';
import { andThen } from './protocol.ts';

/** Directives by name; `nonce` among the sources stands for the nonce of the request. */
export type ContentSecurityPolicy = Readonly<Record<string, readonly string[] | boolean>>;

export interface SecurityHeadersOptions {
  /** False sends none. Default: everything from this site only, no plugins, no frames around it. */
  readonly contentSecurityPolicy?: ContentSecurityPolicy | false;
  /** Only reports what the policy would stop. */
  readonly reportOnly?: boolean;
  /** Default `same-origin`. */
  readonly referrerPolicy?: string | false;
  /** Default `DENY`. */
  readonly frameOptions?: 'DENY' | 'SAMEORIGIN' | false;
  /** Default `same-origin`. */
  readonly crossOriginOpenerPolicy?: string | false;
  readonly crossOriginResourcePolicy?: string | false;
  readonly permissionsPolicy?: string | false;
}

const defaultPolicy: ContentSecurityPolicy = {
  'default-src': ["'self'"],
  'script-src': ["'self'", 'nonce'],
  'style-src': ["'self'", 'nonce'],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'base-uri': ["'self'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
};

const nonces: RequestVar<string> = new RequestVar<string>('csp nonce');

/** The nonce for inline scripts and styles of this response: `<script nonce="${cspNonce(request)}">`. */
export function cspNonce(request: HttpRequest): string {
  let nonce = nonces.get(request);
  if (nonce === undefined) nonces.set(request, (nonce = randomBytes(16).toString('base64url')));
  return nonce;
}

/** Django's SecurityMiddleware, XFrameOptionsMiddleware and a content security policy. What a view has set stays. */
export function securityHeaders(options: SecurityHeadersOptions = {}): Middleware {
  const policy = options.contentSecurityPolicy ?? defaultPolicy;
  const policyHeader = options.reportOnly ? 'content-security-policy-report-only' : 'content-security-policy';
  const write = policy === false ? null : policyWriter(policy);
  const fixed: (readonly [string, string])[] = [['x-content-type-options', 'nosniff']];
  const add = (name: string, value: string | false): void => {
    if (value !== false) fixed.push([name, value]);
  };
  add('referrer-policy', options.referrerPolicy ?? 'same-origin');
  add('x-frame-options', options.frameOptions ?? 'DENY');
  add('cross-origin-opener-policy', options.crossOriginOpenerPolicy ?? 'same-origin');
  add('cross-origin-resource-policy', options.crossOriginResourcePolicy ?? false);
  add('permissions-policy', options.permissionsPolicy ?? false);
  return function securityHeaders(getResponse) {
    return (request) =>
      andThen(getResponse(request), (response: AnyResponse) => {
        for (const [name, value] of fixed) response.headers.setDefault(name, value);
        if (write !== null && !response.headers.has(policyHeader))
          response.headers.set(policyHeader, write(nonces.get(request)));
        return response;
      });
  };
}

function policyWriter(policy: ContentSecurityPolicy): (nonce: string | undefined) => string {
  const write = (nonce: string | undefined): string =>
    Object.entries(policy)
      .filter(([, sources]) => sources !== false)
      .map(([name, sources]) => {
        const list = (Array.isArray(sources) ? sources : []).flatMap((source: string) =>
          source !== 'nonce' ? [source] : nonce === undefined ? [] : [`'nonce-${nonce}'`],
        );
        return [name, ...list].join(' ');
      })
      .join('; ');
  const without = write(undefined);
  return (nonce) => (nonce === undefined ? without : write(nonce));
}
