import { isIPv4, isIPv6, type Socket } from 'node:net';
import { crc32c } from './crc32c.ts';

type Address = readonly [host: string, port: number];

/** What the header says of the connection that the proxy accepted. */
export interface ProxiedConnection {
  readonly client: Address;
  /** Where the client connected to. */
  readonly server: Address;
  /** The client speaks TLS with the proxy. */
  readonly encrypted: boolean;
}

export interface ProxyHeader {
  /** Bytes of the header; what follows is the client's. */
  readonly length: number;
  /** Null for UNKNOWN and LOCAL: the proxy speaks for itself, a health check perhaps. */
  readonly connection: ProxiedConnection | null;
}

export type ProxyProtocolVersions = 'v1' | 'v2' | 'auto';

const V1 = Buffer.from('PROXY ');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** The longest header of version 1, with its CRLF. */
const V1_LIMIT = 107;
const CRC32C = 0x03;
const SSL = 0x20;

/**
 * The header that begins a connection (HAProxy's PROXY protocol, versions 1 and 2); null when more bytes are needed.
 * Throws, with the reason, on anything else: what comes without a header is never read as if it had one.
 */
export function parseProxyHeader(bytes: Buffer, versions: ProxyProtocolVersions): ProxyHeader | null {
  const begins = (signature: Buffer): boolean => {
    const size = Math.min(bytes.length, signature.length);
    return bytes.compare(signature, 0, size, 0, size) === 0;
  };
  if (versions !== 'v2' && begins(V1)) return bytes.length < V1.length ? null : version1(bytes);
  if (versions !== 'v1' && begins(V2)) return bytes.length < V2.length + 4 ? null : version2(bytes);
  throw new Error(
    versions === 'auto' ? 'it does not begin with one' : `it does not begin with one of ${versions}`,
  );
}

function version1(bytes: Buffer): ProxyHeader | null {
  const end = bytes.subarray(0, V1_LIMIT).indexOf('\r\n');
  if (end === -1) {
    if (bytes.length >= V1_LIMIT) throw new Error(`its line is longer than ${V1_LIMIT} bytes`);
    return null;
  }
  const length = end + 2;
  const line = bytes.toString('latin1', 0, end);
  // What follows UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, connection: null };
  const found = /^PROXY (TCP4|TCP6) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line);
  if (found === null) throw new Error('its line does not follow the grammar');
  const [, family, from = '', to = '', fromPort, toPort] = found;
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6;
  if (!isAddress(from) || !isAddress(to) || /%/.test(from + to))
    throw new Error(`its addresses are none of ${family}`);
  const client: Address = [from, Number(fromPort)];
  const server: Address = [to, Number(toPort)];
  if (client[1] > 65_535 || server[1] > 65_535) throw new Error('its ports are out of range');
  return { length, connection: { client, server, encrypted: false } };
}

function version2(bytes: Buffer): ProxyHeader | null {
  const versionAndCommand = bytes[12]!;
  if (versionAndCommand >> 4 !== 2) throw new Error(`its version is ${versionAndCommand >> 4}`);
  const command = versionAndCommand & 0x0f;
  if (command > 1) throw new Error(`its command is ${command}`);
  const length = 16 + bytes.readUInt16BE(14);
  if (bytes.length < length) return null;
  // LOCAL: the rest is to be skipped, whatever it is.
  if (command === 0) return { length, connection: null };
  const family = bytes[13]! >> 4;
  const transport = bytes[13]! & 0x0f;
  const header = bytes.subarray(0, length);
  if (family > 3 || transport > 2) throw new Error('its address family or transport is unknown');
  const size = family === 1 ? 12 : family === 2 ? 36 : family === 3 ? 216 : 0;
  if (length < 16 + size) throw new Error('it is shorter than its addresses');
  const encrypted = readTlvs(header, 16 + size);
  // Unspecified, or of a unix socket: there is no address that a client could have here.
  if (family === 0 || family === 3 || transport !== 1) {
    if (transport === 2) throw new Error('it is about datagrams');
    return { length, connection: null };
  }
  const width = family === 1 ? 4 : 16;
  const address = (at: number): string => (family === 1 ? ipv4(header, at) : ipv6(header, at));
  const ports = 16 + 2 * width;
  return {
    length,
    connection: {
      client: [address(16), header.readUInt16BE(ports)],
      server: [address(16 + width), header.readUInt16BE(ports + 2)],
      encrypted,
    },
  };
}

/** Checks the vectors of type, length and value after the addresses; gives whether the client speaks TLS. */
function readTlvs(header: Buffer, start: number): boolean {
  let encrypted = false;
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) throw new Error('its vectors are cut off');
    const type = header[at]!;
    const value = at + 3;
    const end = value + header.readUInt16BE(at + 1);
    if (end > header.length) throw new Error('its vectors are cut off');
    if (type === CRC32C) {
      if (end - value !== 4) throw new Error('its checksum is no checksum');
      const blank = Buffer.from(header);
      blank.fill(0, value, end);
      if (crc32c(blank) !== header.readUInt32BE(value)) throw new Error('its checksum is wrong');
    } else if (type === SSL) {
      if (end - value < 5) throw new Error('its TLS vector is cut off');
      encrypted = (header[value]! & 1) === 1;
    }
    at = end;
  }
  return encrypted;
}

function ipv4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** As RFC 5952 writes it: the longest run of zeros cut out. */
function ipv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index).toString(16));
  if (/^(0,){5}ffff,/.test(groups.join(','))) return ipv4(bytes, at + 12);
  let best = { from: 0, size: 1 };
  for (let from = 0; from < 8; from++) {
    let size = 0;
    while (from + size < 8 && groups[from + size] === '0') size++;
    if (size > best.size) best = { from, size };
  }
  if (best.size === 1) return groups.join(':');
  return `${groups.slice(0, best.from).join(':')}::${groups.slice(best.from + best.size).join(':')}`;
}

/**
 * Reads the header off a paused socket and leaves there what follows it. Resolves to what it says; throws when it is
 * broken, does not come in `timeout` ms, or the proxy leaves. The socket is destroyed then.
 */
export function readProxyHeader(
  socket: Socket,
  versions: ProxyProtocolVersions,
  timeout: number,
): Promise<ProxiedConnection | null> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => fail(new Error('it did not come in time')), timeout);
    const clear = (): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd).pause();
    };
    const fail = (error: Error): void => {
      clear();
      // What is wrong with a connection that is given up interests nobody.
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    const onEnd = (): void => fail(new Error('the connection ended before it was complete'));
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      let header: ProxyHeader | null;
      try {
        header = parseProxyHeader(bytes, versions);
      } catch (error) {
        fail(error as Error);
        return;
      }
      if (header === null) return;
      clear();
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      resolve(header.connection);
    };
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd).resume();
  });
}
