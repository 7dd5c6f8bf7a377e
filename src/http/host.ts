import { type BlockList, isIP, BlockList as NodeBlockList } from 'node:net';
import { fault } from '../errors/index.ts';

/** A name, an IPv4 address or an IPv6 address in brackets, and a port. Nothing else is a Host (RFC 9110, 7.2). */
const hostPattern = /^(?<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?<port>\d{1,5}))?$/i;
const loopback = ['localhost', '.localhost', '127.0.0.1', '[::1]', 'testserver'];

/** The lower-case name without port and final dot; null when it is no host. */
export function splitHost(host: string): { name: string; port: string | null } | null {
  const groups = hostPattern.exec(host)?.groups;
  if (groups === undefined) return null;
  const name = groups['name']!.toLowerCase();
  return { name: name.endsWith('.') ? name.slice(0, -1) : name, port: groups['port'] ?? null };
}

/** Whether `host` is one that the application answers to. */
export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  const parts = splitHost(host);
  if (parts === null) return false;
  for (const pattern of allowed.length === 0 ? loopback : allowed) {
    if (pattern === '*') return true;
    const wanted = pattern.toLowerCase();
    if (
      wanted.startsWith('.')
        ? parts.name.endsWith(wanted) || parts.name === wanted.slice(1)
        : parts.name === wanted
    )
      return true;
  }
  return false;
}

let lastHost = '';
let lastAllowed: readonly string[] | null = null;

export function checkHost(host: string, allowed: readonly string[]): void {
  // Nearly every request names the host of the one before.
  if (host === lastHost && allowed === lastAllowed) return;
  if (isAllowedHost(host, allowed)) {
    lastHost = host;
    lastAllowed = allowed;
  } else
    throw fault('SBY_HTTP_BAD_HOST', {
      host,
      allowed: allowed.length === 0 ? loopback.slice(0, 4) : allowed,
    });
}

/** Addresses and networks, `10.0.0.0/8`, `::1`; for trusted proxies. */
export function addressList(addresses: readonly string[]): BlockList | null {
  if (addresses.length === 0) return null;
  const list = new NodeBlockList();
  for (const address of addresses) {
    const [net = '', prefix] = address.split('/');
    const family = isIP(net) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(net) === 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)))
      throw fault('SBY_HTTP_BAD_PROXY', { got: address });
    if (prefix === undefined) list.addAddress(net, family);
    else list.addSubnet(net, Number(prefix), family);
  }
  return list;
}

export function isTrusted(address: string | undefined, trusted: BlockList | null): boolean {
  if (trusted === null || address === undefined) return false;
  const bare = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  const family = isIP(bare);
  return family !== 0 && trusted.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The client's address behind proxies that are trusted: X-Forwarded-For is read from the right, past every trusted
 * address; the first that is not is the client. What stands further left anybody can write.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | null,
  trusted: BlockList | null,
): string | null {
  if (peer === undefined) return null;
  if (forwardedFor === null || !isTrusted(peer, trusted)) return peer;
  let client = peer;
  const hops = forwardedFor.split(',');
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index]!.trim()
      .replace(/^\[(.*)\](?::\d+)?$/, '$1')
      .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
    if (isIP(hop) === 0) break;
    client = hop;
    if (!isTrusted(hop, trusted)) break;
  }
  return client;
}
