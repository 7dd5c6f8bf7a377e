import { randomBytes } from 'node:crypto';
import { fault } from '../errors/index.ts';
import { type HttpRequest, headerValue, type Middleware, RequestVar } from '../http/index.ts';
import { processing } from './protocol.ts';

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
    if (value !== false) fixed.push([name, headerValue(name, value)]);
  };
  add('referrer-policy', options.referrerPolicy ?? 'same-origin');
  add('x-frame-options', options.frameOptions ?? 'DENY');
  add('cross-origin-opener-policy', options.crossOriginOpenerPolicy ?? 'same-origin');
  add('cross-origin-resource-policy', options.crossOriginResourcePolicy ?? false);
  add('permissions-policy', options.permissionsPolicy ?? false);
  const withoutNonce = write === null ? fixed : [...fixed, [policyHeader, write(undefined)] as const];
  return processing('securityHeaders', {
    processResponse(request, response) {
      const { headers, status } = response;
      // A 304 changes the headers of the page that the browser has (RFC 9111, 4.3.4); its nonce stays that page's.
      if (write === null || status === 304) {
        headers.addMissing(fixed);
        return response;
      }
      const nonce = nonces.get(request);
      headers.addMissing(nonce === undefined ? withoutNonce : [...fixed, [policyHeader, write(nonce)]]);
      return response;
    },
  });
}

function policyWriter(policy: ContentSecurityPolicy): (nonce: string | undefined) => string {
  for (const [name, sources] of Object.entries(policy)) {
    const parts = [name, ...(Array.isArray(sources) ? (sources as readonly string[]) : [])];
    // One of these would begin another directive, or another header.
    const bad = parts.find(
      (part) => typeof part !== 'string' || !/^[\x21-\x2b\x2d-\x3a\x3c-\x7e]+$/.test(part),
    );
    if (bad !== undefined)
      throw fault('SBY_MIDDLEWARE_BAD_OPTION', {
        middleware: 'securityHeaders',
        option: 'contentSecurityPolicy',
        why: `${JSON.stringify(bad)} of ${JSON.stringify(name)} holds a space, ";", "," or a control character; give each source for itself`,
      });
  }
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
