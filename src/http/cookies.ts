import { fault } from '../errors/index.ts';

export interface CookieOptions {
  /** Seconds; without it (and without `expires`) the cookie ends with the browser session. */
  readonly maxAge?: number;
  readonly expires?: Date;
  /** Default `/`. */
  readonly path?: string;
  readonly domain?: string;
  /** Only over HTTPS. Default: false; true where `sameSite: 'none'`, `partitioned` or the prefix of the name asks for it. */
  readonly secure?: boolean;
  /** Not readable by scripts. Default true. */
  readonly httpOnly?: boolean;
  /** Default `lax`. */
  readonly sameSite?: 'lax' | 'strict' | 'none';
  /** One jar per top-level site (CHIPS). Asks for `secure`, and turns it on. */
  readonly partitioned?: boolean;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** cookie-octet of RFC 6265, 4.1.1. */
const plain = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const attribute = /^[\x20-\x3a\x3c-\x7e]*$/;

/** Reads a Cookie header: the first cookie of a name counts (the most specific path comes first, RFC 6265 5.4). */
export function parseCookies(header: string | null): Map<string, string> {
  const cookies = new Map<string, string>();
  if (header === null) return cookies;
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at === -1) continue;
    const name = pair.slice(0, at).trim();
    if (name === '' || cookies.has(name)) continue;
    let value = pair.slice(at + 1).trim();
    if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1);
    cookies.set(name, decode(value));
  }
  return cookies;
}

function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** One Set-Cookie line. The value is percent-encoded where the grammar asks for it. */
export function formatCookie(name: string, value: string, options: CookieOptions = {}): string {
  const bad = (why: string): never => {
    throw fault('SBY_HTTP_BAD_COOKIE', { name: String(name), why });
  };
  if (!token.test(name)) bad('the name is no token');
  const text = plain.test(value) && !value.includes('%') ? value : encodeURIComponent(value);
  const path = options.path ?? '/';
  if (!path.startsWith('/') || !attribute.test(path))
    bad('the path must begin with "/" and hold no ";" or control characters');
  // Browsers compare prefixes without regard to case.
  const prefix = /^__(?:host-http|host|secure|http)-/i.exec(name)?.[0].toLowerCase();
  const host = prefix === '__host-' || prefix === '__host-http-';
  const secure =
    options.secure ?? (options.sameSite === 'none' || options.partitioned === true || prefix !== undefined);
  if (!secure && prefix !== undefined) bad('this prefix asks for secure: true');
  if (!secure && options.partitioned) bad('partitioned asks for secure: true');
  if (options.httpOnly === false && (prefix === '__http-' || prefix === '__host-http-'))
    bad('this prefix asks for httpOnly: true');
  if (!secure && options.sameSite === 'none') bad('sameSite "none" asks for secure: true');
  if (host && (options.domain !== undefined || path !== '/'))
    bad('the prefix __Host- allows no domain, and no path but "/"');
  // What is longer browsers drop without a word (RFC 6265bis, 5.6).
  if (name.length + text.length > 4096) bad(`with ${name.length + text.length} bytes it is longer than 4096`);
  let line = `${name}=${text}; Path=${path}`;
  if (options.maxAge !== undefined) {
    if (!Number.isInteger(options.maxAge)) bad('maxAge must be a whole number of seconds');
    line += `; Max-Age=${options.maxAge}`;
  }
  if (options.expires !== undefined) {
    if (Number.isNaN(options.expires.getTime())) bad('expires is an invalid date');
    line += `; Expires=${options.expires.toUTCString()}`;
  }
  if (options.domain !== undefined) {
    if (!/^\.?[a-z0-9.-]+$/i.test(options.domain)) bad('the domain is no host name');
    line += `; Domain=${options.domain}`;
  }
  if (secure) line += '; Secure';
  if (options.httpOnly !== false) line += '; HttpOnly';
  const sameSite = options.sameSite ?? 'lax';
  line += `; SameSite=${sameSite === 'lax' ? 'Lax' : sameSite === 'strict' ? 'Strict' : 'None'}`;
  if (options.partitioned) line += '; Partitioned';
  return line;
}
