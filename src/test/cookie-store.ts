/** The cookies of a test client: by name and path, for one site. */
export class CookieStore implements Iterable<[name: string, value: string]> {
  readonly #cookies = new Map<
    string,
    { name: string; value: string; path: string; secure: boolean; expires: number }
  >();

  get(name: string): string | undefined {
    this.#expire();
    return this.#cookies.values().find((cookie) => cookie.name === name)?.value;
  }

  set(name: string, value: string, path = '/'): void {
    this.#cookies.set(`${path} ${name}`, {
      name,
      value,
      path,
      secure: false,
      expires: Number.POSITIVE_INFINITY,
    });
  }

  delete(name: string): void {
    for (const [key, cookie] of this.#cookies) if (cookie.name === name) this.#cookies.delete(key);
  }

  clear(): void {
    this.#cookies.clear();
  }

  get size(): number {
    this.#expire();
    return this.#cookies.size;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    this.#expire();
    for (const { name, value } of this.#cookies.values()) yield [name, decodeValue(value)];
  }

  /** Reads a Set-Cookie line. */
  take(line: string): void {
    const [pair = '', ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    const cookie = {
      name,
      value: pair.slice(at + 1).trim(),
      path: '/',
      secure: false,
      expires: Number.POSITIVE_INFINITY,
    };
    for (const attribute of attributes) {
      const [key = '', ...rest] = attribute.split('=');
      const value = rest.join('=').trim();
      switch (key.trim().toLowerCase()) {
        case 'path':
          if (value.startsWith('/')) cookie.path = value;
          break;
        case 'secure':
          cookie.secure = true;
          break;
        case 'max-age':
          // RFC 6265 5.2: an attribute that cannot be read is as if it were not there.
          if (/^-?\d+$/.test(value)) cookie.expires = Date.now() + Number(value) * 1000;
          break;
        case 'expires':
          if (cookie.expires === Number.POSITIVE_INFINITY && !Number.isNaN(Date.parse(value)))
            cookie.expires = Date.parse(value);
          break;
      }
    }
    this.#cookies.set(`${cookie.path} ${name}`, cookie);
    this.#expire();
  }

  /** The Cookie header for a request; null when there is none to send. */
  header(path: string, secure: boolean): string | null {
    this.#expire();
    const fitting = [...this.#cookies.values()]
      .filter(
        (cookie) =>
          (secure || !cookie.secure) &&
          (path === cookie.path ||
            path.startsWith(cookie.path.endsWith('/') ? cookie.path : `${cookie.path}/`)),
      )
      .sort((a, b) => b.path.length - a.path.length);
    return fitting.length === 0 ? null : fitting.map((cookie) => `${cookie.name}=${cookie.value}`).join('; ');
  }

  #expire(): void {
    const now = Date.now();
    for (const [key, cookie] of this.#cookies) if (!(cookie.expires > now)) this.#cookies.delete(key);
  }
}

function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
