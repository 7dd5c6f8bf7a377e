import { isIPv6 } from 'node:net';
import { refuse } from './refusal.ts';

/** What a request target says, whichever of its four forms it has (RFC 9112 3.2). */
export interface Target {
  /** Percent-decoded, UTF-8. */
  readonly path: string;
  readonly rawPath: string;
  readonly queryString: string;
  /** The authority of an absolute-form target, which replaces the Host field (RFC 9112 3.2.2); else null. */
  readonly authority: string | null;
}

// uri-host [ ":" port ], with a host that is not empty (RFC 9110 4.2.1 has an empty one rejected).
const hostPattern = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=%]+|\[([0-9A-Fa-f:.]+)\])(?::0*([0-9]{0,5}))?$/;
const brokenPercent = /%(?![0-9A-Fa-f]{2})/;

let lastValidHost = '';

export function checkHost(host: string): void {
  if (host === lastValidHost) return;
  if (!isHost(host)) throw refuse(400, 'the Host field is no host and port');
  lastValidHost = host;
}

function isHost(text: string): boolean {
  const match = hostPattern.exec(text);
  if (match === null || brokenPercent.test(text)) return false;
  const [, address, port] = match;
  return (address === undefined || isIPv6(address)) && Number(port ?? 0) <= 65535;
}

export function parseTarget(method: string, target: string): Target {
  if (method === 'CONNECT') throw refuse(501, 'CONNECT is for proxies, this is an origin server');
  if (target.charCodeAt(0) === 0x2f) return withPath(target, null);
  if (target === '*') {
    if (method !== 'OPTIONS') throw refuse(400, 'the target * is for OPTIONS only');
    return { path: '*', rawPath: '*', queryString: '', authority: null };
  }
  const absolute = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (absolute === null) throw refuse(400, 'the request target is neither a path nor an http URL');
  const [, , authority = '', rest = ''] = absolute;
  if (authority.includes('@')) throw refuse(400, 'the request target holds user information');
  if (!isHost(authority)) throw refuse(400, 'the request target holds no valid host');
  // "OPTIONS http://example.org" is the absolute form of "OPTIONS *" (RFC 9112 3.2.4).
  if (rest === '' && method === 'OPTIONS') return { path: '*', rawPath: '*', queryString: '', authority };
  return withPath(rest.startsWith('/') ? rest : `/${rest}`, authority);
}

function withPath(target: string, authority: string | null): Target {
  const mark = target.indexOf('?');
  const rawPath = mark === -1 ? target : target.substring(0, mark);
  return {
    path: rawPath.includes('%') ? decodePath(rawPath) : rawPath,
    rawPath,
    queryString: mark === -1 ? '' : target.substring(mark + 1),
    authority,
  };
}

/** Percent-decodes a path. Bytes that are no UTF-8 become U+FFFD; `rawPath` still has them. */
export function decodePath(rawPath: string): string {
  if (brokenPercent.test(rawPath)) throw refuse(400, 'the path holds a broken percent-encoding');
  try {
    return decodeURIComponent(rawPath);
  } catch {
    const bytes = rawPath.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
}
