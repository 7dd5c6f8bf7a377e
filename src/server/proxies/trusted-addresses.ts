import { BlockList, isIP } from 'node:net';
import { badOption } from '../options.ts';

/** IP addresses and networks, or everybody. */
export class TrustedAddresses {
  readonly #list = new BlockList();
  readonly #all: boolean;

  /** `addresses`: IP addresses and networks (`10.0.0.0/8`), separated by commas; `*` for everybody. */
  constructor(option: string, addresses: string) {
    this.#all = addresses.trim() === '*';
    if (this.#all) return;
    for (const entry of addresses.split(',').map((part) => part.trim())) {
      if (entry === '') continue;
      const slash = entry.indexOf('/');
      const address = slash === -1 ? entry : entry.slice(0, slash);
      const prefix = slash === -1 ? null : entry.slice(slash + 1);
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      const valid =
        isIP(address) !== 0 &&
        !address.includes('%') &&
        (prefix === null || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 'ipv6' ? 128 : 32)));
      if (!valid) throw badOption(option, entry, 'IP addresses and networks, as in 10.0.0.0/8, or *');
      if (prefix === null) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  has(host: string): boolean {
    if (this.#all) return true;
    const plain = plainAddress(host);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }
}

/** A listener for both families sees IPv4 as ::ffff:10.0.0.1. */
export function plainAddress(host: string): string {
  return host.startsWith('::ffff:') && isIP(host.slice(7)) === 4 ? host.slice(7) : host;
}
