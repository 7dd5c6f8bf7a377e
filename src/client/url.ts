import { fault } from '../errors/index.ts';

export type ParamValue = string | number | bigint | boolean | null | undefined;
/** Query parameters: null and undefined are left out, a list gives its name once per value. */
export type Params =
  | string
  | URLSearchParams
  | Iterable<readonly [name: string, value: ParamValue]>
  | Readonly<Record<string, ParamValue | readonly ParamValue[]>>;

export function* paramPairs(
  params: Exclude<Params, string>,
): Generator<readonly [name: string, value: string]> {
  if (Symbol.iterator in params) {
    for (const [name, value] of params as Iterable<readonly [string, ParamValue]>)
      if (value !== null && value !== undefined) yield [name, String(value)];
    return;
  }
  for (const [name, given] of Object.entries(params)) {
    for (const value of Array.isArray(given) ? (given as readonly ParamValue[]) : [given as ParamValue])
      if (value !== null && value !== undefined) yield [name, String(value)];
  }
}

const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:/;

function parse(text: string): URL {
  if (!ABSOLUTE.test(text))
    throw fault('SBY_CLIENT_BAD_URL', { url: text, why: 'it is relative, and the client has no baseUrl' });
  const url = URL.parse(text);
  if (url === null) throw fault('SBY_CLIENT_BAD_URL', { url: text, why: 'it cannot be parsed' });
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw fault('SBY_CLIENT_BAD_URL', { url: text, why: `"${url.protocol}" is neither http: nor https:` });
  return url;
}

export function parseBaseUrl(text: string | URL): URL {
  const url = parse(String(text));
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.hash = '';
  return url;
}

/**
 * The URL to ask. With a base, anything that is not absolute is appended to the base's path, a leading slash or
 * two included, so that a path made from user input cannot leave for another host.
 */
export function resolveUrl(base: URL | null, given: string | URL, params: Params | undefined): URL {
  let url: URL;
  if (given instanceof URL || base === null || ABSOLUTE.test(given)) {
    url = given instanceof URL ? new URL(given) : parse(given);
    if (given instanceof URL && url.protocol !== 'http:' && url.protocol !== 'https:') parse(given.href);
  } else {
    url = new URL(base);
    const [, path = '', query = ''] = /^([^?#]*)(\?[^#]*)?/.exec(given) ?? [];
    // Assigning pathname normalises dots but cannot change the host, unlike new URL(path, base).
    url.pathname = base.pathname + path.replace(/^\//, '');
    if (query) url.search = query;
  }
  url.hash = '';
  if (params !== undefined) {
    const added = new URLSearchParams(
      typeof params === 'string' ? params : [...paramPairs(params)].map(([n, v]) => [n, v]),
    ).toString();
    if (added) url.search += (url.search ? '&' : '') + added;
  }
  return url;
}

const SECRET = /^(?:.*[_-])?(?:token|key|apikey|secret|password|passwd|pwd|signature|sig|session)$/i;

/** The URL as it may stand in messages, logs and traces: no user name or password, no secrets in its query. */
export function shownUrl(url: URL): string {
  let query = url.search;
  if (query.includes('=')) {
    query = query.replace(/([?&])([^=&]*)=([^&]*)/g, (whole, mark: string, name: string) =>
      SECRET.test(name) ? `${mark}${name}=…` : whole,
    );
  }
  const text = `${url.protocol}//${url.host}${url.pathname}${query}`;
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
