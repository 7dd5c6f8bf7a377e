interface Stored {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly expires: number;
  readonly created: number;
}

const MAX_PER_DOMAIN = 180;
const isAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':');

/** RFC 6265 5.1.3. */
function domainMatches(host: string, domain: string): boolean {
  return host === domain || (host.endsWith(`.${domain}`) && !isAddress(host));
}

/** RFC 6265 5.1.4. */
function pathMatches(path: string, cookiePath: string): boolean {
  return (
    path === cookiePath ||
    (path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/'))
  );
}

/**
 * Keeps cookies between requests, as a browser does (RFC 6265). A client has none unless it is given one: a
 * client is often shared by all users of a server, whose sessions must not mix.
 */
export class CookieJar {
  readonly #cookies = new Map<string, Stored>();
  #counter = 0;

  /** Takes over the cookies that an answer from `url` sets; what RFC 6265 refuses is ignored. */
  store(url: URL, setCookies: Iterable<string>): void {
    for (const text of setCookies) this.#storeOne(url, text);
  }

  /** Sets a cookie by hand. */
  set(url: string | URL, name: string, value: string): void {
    this.#storeOne(new URL(url), `${name}=${value}; Path=/`);
  }

  get(url: string | URL, name: string): string | null {
    return this.#for(new URL(url)).find((cookie) => cookie.name === name)?.value ?? null;
  }

  /** The value of the Cookie header for a request to `url`; empty when there is none to send. */
  header(url: URL): string {
    return this.#for(url)
      .map(({ name, value }) => (name === '' ? value : `${name}=${value}`))
      .join('; ');
  }

  clear(): void {
    this.#cookies.clear();
  }

  get size(): number {
    return this.#cookies.size;
  }

  #for(url: URL): Stored[] {
    const now = Date.now();
    const found: Stored[] = [];
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expires <= now) {
        this.#cookies.delete(key);
        continue;
      }
      if (cookie.hostOnly ? url.hostname !== cookie.domain : !domainMatches(url.hostname, cookie.domain))
        continue;
      if (cookie.secure && url.protocol !== 'https:') continue;
      if (pathMatches(url.pathname, cookie.path)) found.push(cookie);
    }
    // RFC 6265 5.4: longer paths first, then older cookies.
    return found.sort((a, b) => b.path.length - a.path.length || a.created - b.created);
  }

  #storeOne(url: URL, text: string): void {
    if (text.length > 8192) return;
    const [pair = '', ...attributes] = text.split(';');
    const equals = pair.indexOf('=');
    const name = equals < 0 ? '' : pair.slice(0, equals).trim();
    const value = (equals < 0 ? pair : pair.slice(equals + 1)).trim();
    if (name === '' && value === '') return;
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(name + value)) return;
    const host = url.hostname;
    let domain = host;
    let hostOnly = true;
    let path = '';
    let secure = false;
    let expires = Number.POSITIVE_INFINITY;
    let maxAge: number | null = null;
    for (const attribute of attributes) {
      const at = attribute.indexOf('=');
      const key = (at < 0 ? attribute : attribute.slice(0, at)).trim().toLowerCase();
      const given = at < 0 ? '' : attribute.slice(at + 1).trim();
      if (key === 'secure') secure = true;
      else if (key === 'path') path = given.startsWith('/') ? given : '';
      else if (key === 'max-age' && /^-?\d+$/.test(given)) maxAge = Number(given);
      else if (key === 'expires') {
        const time = Date.parse(given);
        if (!Number.isNaN(time)) expires = time;
      } else if (key === 'domain' && given !== '') {
        const wanted = given.replace(/^\./, '').toLowerCase();
        if (wanted === host) {
          hostOnly = isAddress(host);
          continue;
        }
        // Without the list of public suffixes, one label ("com") is what can be refused for certain.
        if (!wanted.includes('.') || !domainMatches(host, wanted)) return;
        domain = wanted;
        hostOnly = false;
      }
    }
    if (maxAge !== null) expires = maxAge <= 0 ? 0 : Date.now() + maxAge * 1000;
    if (secure && url.protocol !== 'https:') return;
    // RFC 6265bis 4.1.3: the prefixes promise what they say.
    if (/^__secure-/i.test(name) && !secure) return;
    if (/^__host-/i.test(name) && (!secure || !hostOnly || path !== '/')) return;
    if (path === '') {
      const last = url.pathname.lastIndexOf('/');
      path = last <= 0 ? '/' : url.pathname.slice(0, last);
    }
    // RFC 6265bis 5.7: who can write into a plain connection must not replace what came over TLS.
    if (url.protocol !== 'https:' && this.#shadowsSecure(name, domain, path)) return;
    const key = `${domain}\n${path}\n${name}`;
    const created = this.#cookies.get(key)?.created ?? ++this.#counter;
    this.#cookies.delete(key);
    if (expires <= Date.now()) return;
    this.#cookies.set(key, { name, value, domain, hostOnly, path, secure, expires, created });
    this.#trim(domain);
  }

  #shadowsSecure(name: string, domain: string, path: string): boolean {
    const now = Date.now();
    return [...this.#cookies.values()].some(
      (cookie) =>
        cookie.secure &&
        cookie.name === name &&
        cookie.expires > now &&
        (domainMatches(domain, cookie.domain) || domainMatches(cookie.domain, domain)) &&
        pathMatches(path, cookie.path),
    );
  }

  #trim(domain: string): void {
    const keys = [...this.#cookies].filter(([, cookie]) => cookie.domain === domain).map(([key]) => key);
    for (const key of keys.slice(0, Math.max(0, keys.length - MAX_PER_DOMAIN))) this.#cookies.delete(key);
  }
}
