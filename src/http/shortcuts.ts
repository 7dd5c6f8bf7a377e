import { HttpResponsePermanentRedirect, HttpResponseRedirect, type ResponseOptions } from './response.ts';

export interface RedirectOptions {
  /** For good: 301 (308 with `preserve`). Default: for now, 302 (307). */
  readonly permanent?: boolean;
  /** The browser repeats the request with its method and body. */
  readonly preserve?: boolean;
}

/** Look there instead: a path, or an address. For a view: `redirect(reverse(orderDetail, { id }))`. */
export function redirect(
  to: string | URL,
  { permanent = false, preserve = false }: RedirectOptions = {},
): HttpResponseRedirect {
  const options: ResponseOptions = preserve ? { status: permanent ? 308 : 307 } : {};
  return permanent ? new HttpResponsePermanentRedirect(to, options) : new HttpResponseRedirect(to, options);
}

/**
 * A target that came from the request (`?next=`), if it leads to this site; else `fallback`. Read as browsers read
 * it: with backslashes as slashes and control characters dropped.
 */
export function safeRedirectTarget(
  target: string | null | undefined,
  host: string,
  fallback = '/',
  requireHttps = false,
): string {
  if (!target) return fallback;
  const text = target.trim();
  // What a browser would drop or turn could make another address of it than the one checked here.
  if (/[\x00-\x1f\x7f\\]/.test(text) || text === '') return fallback;
  if (text.startsWith('//') && !text.startsWith('///')) return isHere(`http:${text}`, host) ? text : fallback;
  if (text.startsWith('///')) return fallback;
  if (text.startsWith('/') || text.startsWith('?') || text.startsWith('#')) return text;
  if (!/^https?:\/\//i.test(text))
    return /^[a-z0-9._~-]+(?:[/?#]|$)/i.test(text) && !/^[^/?#]*:/.test(text) ? text : fallback;
  if (requireHttps && !/^https:/i.test(text)) return fallback;
  return isHere(text, host) ? text : fallback;
}

function isHere(url: string, host: string): boolean {
  try {
    const parsed = new URL(url);
    return (
      parsed.host === new URL(`${parsed.protocol}//${host}`).host &&
      parsed.username === '' &&
      parsed.password === ''
    );
  } catch {
    return false;
  }
}
