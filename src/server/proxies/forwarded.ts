import { isIP } from 'node:net';
import type { Header, Headers, HttpScope, WebSocketScope } from '../../asgi/index.ts';
import { badOption } from '../options.ts';
import { parseForwarded } from './forwarded-field.ts';
import { plainAddress, TrustedAddresses } from './trusted-addresses.ts';

type Client = readonly [host: string, port: number] | null;
type Part = 'for' | 'proto' | 'host' | 'port';

const parts: readonly Part[] = ['for', 'proto', 'host', 'port'];
// uri-host [ ":" port ] (RFC 9110 7.2).
const hostAndPort = /^(?:[A-Za-z0-9\-._~]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$/;

/** One proxy's word about the request it received, nearest proxy last. */
interface Hop {
  readonly for?: string | undefined;
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
}

interface Changeable {
  client: Client;
  scheme: string;
  headers: Headers;
  server: HttpScope['server'];
}

/** Makes scopes say what the client asked for, where proxies tell it, and believes only those that are listed. */
export class TrustedProxies {
  readonly #trusted: TrustedAddresses;
  readonly #header: 'x-forwarded' | 'forwarded';
  readonly #parts: ReadonlySet<Part>;

  /** `addresses` as for `TrustedAddresses`; `believed`: parts of what proxies say, separated by commas. */
  constructor(addresses: string, header: 'x-forwarded' | 'forwarded', believed = 'for,proto') {
    this.#trusted = new TrustedAddresses('forwardedAllowIps', addresses);
    this.#header = header;
    const names = believed.split(',').map((part) => part.trim());
    for (const name of names)
      if (!parts.includes(name as Part))
        throw badOption('forwardedParts', believed, `some of ${parts.join(', ')}, separated by commas`);
    this.#parts = new Set(names as Part[]);
  }

  /** Changes what the scope says of client, scheme, host and port; nothing when its peer is not trusted. */
  apply(scope: HttpScope | WebSocketScope): void {
    const { client } = scope;
    // A peer without an address, on a unix socket, is a proxy of this machine.
    if (client !== null && client !== undefined && !this.#trusted.has(client[0])) return;
    const hops = this.#header === 'forwarded' ? standard(scope.headers) : customary(scope.headers);
    if (hops.length === 0) return;
    // From the nearest on: the first that is no proxy of ours is the client; what stands before it, it wrote itself.
    let found: Client = null;
    let first = hops.length;
    for (let index = hops.length - 1; index >= 0; index--) {
      const hop = parseHop(hops[index]!.for);
      if (hop === null) break;
      found = hop;
      first = index;
      if (!this.#trusted.has(hop[0])) break;
    }
    // What the trusted proxy nearest to the client says of the rest; all that stand behind it are trusted too.
    const said = hops.slice(Math.min(first, hops.length - 1));
    const target = scope as unknown as Changeable;
    if (this.#parts.has('for') && found !== null) target.client = found;
    if (this.#parts.has('proto')) {
      const scheme = schemeOf(said.find((hop) => hop.proto !== undefined)?.proto);
      if (scheme !== null) target.scheme = scope.type === 'websocket' ? scheme.replace('http', 'ws') : scheme;
    }
    this.#host(
      target,
      said.find((hop) => hop.host !== undefined)?.host,
      said.find((hop) => hop.port !== undefined)?.port,
    );
  }

  #host(scope: Changeable, host: string | undefined, port: string | undefined): void {
    const valid = this.#parts.has('host') && host !== undefined ? hostAndPort.exec(host) : null;
    let name = valid === null ? null : host!;
    if (
      this.#parts.has('port') &&
      port !== undefined &&
      /^[0-9]{1,5}$/.test(port) &&
      Number(port) >= 1 &&
      Number(port) <= 65_535
    ) {
      if (scope.server !== null && scope.server !== undefined && scope.server[1] !== null)
        scope.server = [scope.server[0], Number(port)];
      const bare = (name ?? scope.headers.find((header) => header[0] === 'host')?.[1] ?? '').replace(
        /:[0-9]*$/,
        '',
      );
      const usual = scope.scheme === 'https' || scope.scheme === 'wss' ? '443' : '80';
      if (bare !== '') name = Number(port) === Number(usual) ? bare : `${bare}:${Number(port)}`;
    }
    if (name === null) return;
    const field: Header = ['host', name];
    // A new list: the old one may be shared.
    scope.headers = [field, ...scope.headers.filter((header) => header[0] !== 'host')];
  }
}

function customary(headers: Headers): Hop[] {
  const values = (name: string): string[] =>
    headers
      .filter((header) => header[0] === name)
      .flatMap((header) => header[1].split(','))
      .map((part) => part.trim());
  const hops = values('x-forwarded-for');
  const others = ['proto', 'host', 'port'].map((name) => [name, values(`x-forwarded-${name}`)] as const);
  if (hops.length === 0 && others.every(([, said]) => said.length === 0)) return [];
  const count = Math.max(hops.length, 1);
  const result: { -readonly [K in keyof Hop]: Hop[K] }[] = Array.from({ length: count }, (_, index) => ({
    for: hops[index],
  }));
  for (const [name, said] of others) {
    // As many as addresses: each proxy added its own. Else only what the nearest wrote is known to be a proxy's word.
    if (said.length === hops.length)
      for (const [index, value] of said.entries()) result[index]![name as Part] = value;
    else if (said.length > 0) for (const hop of result) hop[name as Part] = said.at(-1);
  }
  return result;
}

function standard(headers: Headers): Hop[] {
  const hops: Hop[] = [];
  for (const [name, value] of headers) {
    if (name !== 'forwarded') continue;
    const elements = parseForwarded(value);
    // What a broken field hides is not known, so nothing before it counts either.
    if (elements === null) hops.length = 0;
    else
      for (const element of elements)
        hops.push({ for: element.get('for'), proto: element.get('proto'), host: element.get('host') });
    if (elements === null) hops.push({});
  }
  return hops;
}

function schemeOf(text: string | undefined): 'http' | 'https' | null {
  const lower = text?.toLowerCase();
  if (lower === 'https' || lower === 'wss') return 'https';
  return lower === 'http' || lower === 'ws' ? 'http' : null;
}

/**
 * `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; null for `unknown`, `_hidden` (RFC 7239 6.3) and
 * anything else. A port that is hidden (`:_x`) is 0.
 */
function parseHop(text: string | undefined): Client {
  if (text === undefined) return null;
  const match =
    /^\[([0-9A-Fa-f:.]+)\](?::(?:(\d{1,5})|_[\w.-]+))?$/.exec(text) ??
    /^([\d.]+)(?::(?:(\d{1,5})|_[\w.-]+))?$/.exec(text);
  const host = plainAddress(match === null ? text : match[1]!);
  const port = Number(match?.[2] ?? 0);
  return isIP(host) === 0 || host.includes('%') || port > 65_535 ? null : [host, port];
}
