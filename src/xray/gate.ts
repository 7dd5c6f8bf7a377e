import type { HttpScope } from '../asgi/index.ts';

/** Whether the one who sends this request may see what x-ray recorded. */
export type Permission = (scope: HttpScope) => boolean | Promise<boolean>;

/** `closed`: as if there were no page; `explain`: debug mode, but not from this machine. */
export type Verdict = 'open' | 'closed' | 'explain';

/**
 * Decides who sees the page. Debug mode opens it to this machine alone, under a name of this machine: a page of
 * somebody else's that resolves its name to 127.0.0.1 (DNS rebinding) sends another Host.
 */
export class Gate {
  readonly #debug: boolean;
  readonly #permission: Permission | undefined;

  constructor(debug: boolean, permission: Permission | undefined) {
    this.#debug = debug;
    this.#permission = permission;
  }

  /** True when nobody can ever get in. */
  get closed(): boolean {
    return !this.#debug && this.#permission === undefined;
  }

  async check(scope: HttpScope): Promise<Verdict> {
    // Another site may link to the page, but neither read nor use what is behind it.
    const site = header(scope, 'sec-fetch-site');
    if (site === 'cross-site' && header(scope, 'sec-fetch-mode') !== 'navigate') return 'closed';
    if (this.#debug && isLocalClient(scope) && isLocalHost(header(scope, 'host'))) return 'open';
    if (this.#permission !== undefined) {
      try {
        return (await this.#permission(scope)) === true ? 'open' : 'closed';
      } catch {
        // Who cannot be judged is not let in.
        return 'closed';
      }
    }
    return this.#debug ? 'explain' : 'closed';
  }
}

function header(scope: HttpScope, wanted: string): string | null {
  for (const [name, value] of scope.headers) if (name === wanted) return value;
  return null;
}

function isLocalClient(scope: HttpScope): boolean {
  // A proxy on this machine speaks for somebody else.
  if (header(scope, 'x-forwarded-for') !== null || header(scope, 'forwarded') !== null) return false;
  const address = scope.client?.[0];
  if (address === undefined) return true;
  return address === '::1' || /^(?:::ffff:)?127\./.test(address) || address === 'testclient';
}

/** localhost, *.localhost (RFC 6761 section 6.3), a loopback address; also what test clients send. */
function isLocalHost(host: string | null): boolean {
  if (host === null) return false;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(name) ||
    name === 'testserver'
  );
}
