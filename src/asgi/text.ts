import type { Headers as AsgiHeaders, HttpScope } from './types.ts';

/** The URL a client asked for, from what the scope knows. */
export function urlOf(scope: HttpScope): string {
  const named = scope.headers.find(([name]) => name === 'host')?.[1];
  const [host, port] = scope.server ?? ['localhost', null];
  const authority =
    named ?? (port === null ? 'localhost' : `${host.includes(':') ? `[${host}]` : host}:${port}`);
  const path = scope.rawPath === '*' ? '/' : scope.rawPath;
  return `${scope.scheme}://${authority}${path}${scope.queryString === '' ? '' : `?${scope.queryString}`}`;
}

/** Headers of the fetch standard as ASGI pairs; each Set-Cookie stays a field of its own. */
export function pairsOf(headers: Headers): AsgiHeaders {
  const pairs: [string, string][] = [];
  for (const [name, value] of headers) if (name !== 'set-cookie') pairs.push([name, value]);
  for (const cookie of headers.getSetCookie()) pairs.push(['set-cookie', cookie]);
  return pairs;
}
