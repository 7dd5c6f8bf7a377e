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

/** Percent-decodes a path. Bytes that are no UTF-8 become U+FFFD; what is no encoding stays as it is. */
export function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    const bytes: number[] = [];
    for (let at = 0; at < path.length; at++) {
      const hex = path[at] === '%' ? path.slice(at + 1, at + 3) : '';
      if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
        bytes.push(Number.parseInt(hex, 16));
        at += 2;
      } else bytes.push(...new TextEncoder().encode(path[at]));
    }
    return new TextDecoder().decode(new Uint8Array(bytes));
  }
}
