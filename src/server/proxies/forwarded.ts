import { BlockList, isIP } from 'node:net';
import type { Headers } from '../../asgi/index.ts';
import { badOption } from '../options.ts';

type Client = readonly [host: string, port: number] | null;

/** What a trusted proxy says of the client. */
export interface Forwarded {
  readonly client: Client;
  readonly scheme: 'http' | 'https' | null;
}

/** Reads who the client is from what proxies say, and believes only those whose addresses are listed. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #all: boolean;
  readonly #header: 'x-forwarded' | 'forwarded';

  /** `addresses`: IP addresses and networks (`10.0.0.0/8`), separated by commas; `*` trusts everybody. */
  constructor(addresses: string, header: 'x-forwarded' | 'forwarded') {
    this.#header = header;
    this.#all = addresses.trim() === '*';
    if (this.#all) return;
    for (const entry of addresses.split(',').map((part) => part.trim())) {
      if (entry === '') continue;
      const [address = '', prefix] = entry.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      const bits = Number(prefix);
      if (
        isIP(address) === 0 ||
        (prefix !== undefined && !(/^\d+$/.test(prefix) && bits <= (family === 'ipv6' ? 128 : 32)))
      )
        throw badOption('forwardedAllowIps', entry, 'IP addresses and networks, as in 10.0.0.0/8, or *');
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, bits, family);
    }
  }

  #trusts(host: string): boolean {
    if (this.#all) return true;
    // A listener for both families sees IPv4 as ::ffff:10.0.0.1.
    const plain = host.startsWith('::ffff:') && isIP(host.slice(7)) === 4 ? host.slice(7) : host;
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  /** Null when the peer is not trusted or says nothing. A peer without an address, on a unix socket, is trusted. */
  read(client: Client, headers: Headers): Forwarded | null {
    if (client !== null && !this.#trusts(client[0])) return null;
    const { hops, scheme } = this.#header === 'forwarded' ? standard(headers) : customary(headers);
    // From the nearest on: the first that is no proxy of ours is the client; what stands before it, it wrote itself.
    let found: Client = null;
    for (let index = hops.length - 1; index >= 0; index--) {
      const hop = parseHop(hops[index]!);
      if (hop === null) break;
      found = hop;
      if (!this.#trusts(hop[0])) break;
    }
    if (found === null && scheme === null) return null;
    return { client: found ?? client, scheme };
  }
}

interface Said {
  readonly hops: string[];
  readonly scheme: 'http' | 'https' | null;
}

function customary(headers: Headers): Said {
  const values = (name: string): string[] =>
    headers
      .filter((header) => header[0] === name)
      .flatMap((header) => header[1].split(','))
      .map((part) => part.trim());
  return { hops: values('x-forwarded-for'), scheme: schemeOf(values('x-forwarded-proto').at(-1)) };
}

/** RFC 7239. */
function standard(headers: Headers): Said {
  const hops: string[] = [];
  let scheme: Said['scheme'] = null;
  for (const [name, value] of headers) {
    if (name !== 'forwarded') continue;
    for (const element of value.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
      for (const pair of element.split(';')) {
        const match = /^\s*([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))\s*$/i.exec(pair);
        if (match === null) continue;
        const text = match[2] ?? match[3] ?? '';
        if (match[1]!.toLowerCase() === 'for') hops.push(text);
        if (match[1]!.toLowerCase() === 'proto') scheme = schemeOf(text);
      }
    }
  }
  return { hops, scheme };
}

function schemeOf(text: string | undefined): Said['scheme'] {
  const lower = text?.toLowerCase();
  if (lower === 'https' || lower === 'wss') return 'https';
  return lower === 'http' || lower === 'ws' ? 'http' : null;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; null for anything else. */
function parseHop(text: string): Client {
  const match = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^([\d.]+)(?::(\d{1,5}))?$/.exec(text);
  const host = match === null ? text : match[1]!;
  return isIP(host) === 0 ? null : [host, Number(match?.[2] ?? 0)];
}
