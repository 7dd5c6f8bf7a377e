import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import type { TlsExtension } from '../../asgi/index.ts';
import { fault } from '../../errors/index.ts';
import { badOption, type ServerOptions } from '../options.ts';

/** The files behind the TLS options, read and checked; each thing that can be wrong has its own message. */
export function secureContext(options: ServerOptions): tls.SecureContextOptions & { readonly cert: Buffer } {
  const { certfile, keyfile, keyfilePassword, caCerts, tlsMinVersion, tlsCiphers } = options;
  const read = (option: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw fault('SBY_SERVER_BAD_TLS', { option, path, why: (cause as Error).message }, { cause });
    }
  };
  const cert = read('certfile', certfile!);
  const keyPath = keyfile ?? certfile!;
  const ca = caCerts === null ? null : read('caCerts', caCerts);
  if (ca !== null) checkAuthorities(ca, caCerts!);
  const context = {
    cert,
    key: read('keyfile', keyPath),
    minVersion: tlsMinVersion,
    ...(tlsCiphers === null ? {} : { ciphers: tlsCiphers }),
    ...(ca === null ? {} : { ca }),
    ...(keyfilePassword === null ? {} : { passphrase: keyfilePassword }),
  };
  try {
    tls.createSecureContext(context);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (/NO_CIPHER_MATCH/.test(code))
      throw badOption('tlsCiphers', tlsCiphers, "cipher suites by OpenSSL's names");
    const why = /MISMATCH/.test(code + message)
      ? 'the key does not belong to the certificate'
      : /BAD_DECRYPT|BAD_PASSWORD|INTERRUPTED|CANCELLED|EMPTY/i.test(code + message)
        ? 'the key is encrypted and the password is missing or wrong'
        : message;
    const option = /key/i.test(why) ? 'keyfile' : 'certfile';
    throw fault(
      'SBY_SERVER_BAD_TLS',
      { option, path: option === 'keyfile' ? keyPath : certfile!, why },
      { cause },
    );
  }
  return context;
}

/** OpenSSL takes a file without a certificate for an empty list, and then refuses every client. */
function checkAuthorities(ca: Buffer, path: string): void {
  const found =
    ca.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  let why = found.length === 0 ? 'the file holds no certificate' : null;
  for (const pem of found) {
    try {
      new X509Certificate(pem);
    } catch (error) {
      why = (error as Error).message;
    }
  }
  if (why !== null) throw fault('SBY_SERVER_BAD_TLS', { option: 'caCerts', path, why });
}

/** What is to be said of the time in which a certificate is valid; null when it is now. */
export function outOfTime(cert: Buffer, now: number = Date.now()): string | null {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now > Date.parse(validTo)) return `the certificate has expired: it was valid until ${validTo}`;
  return now < Date.parse(validFrom) ? `the certificate is not valid before ${validFrom}` : null;
}

/** The socket that TLS runs over: the server was given it, and knows more of it than TLS does. */
export function underneath(socket: tls.TLSSocket): Socket {
  return (socket as tls.TLSSocket & { _parent?: Socket })._parent ?? socket;
}

const versions: Readonly<Record<string, number>> = { 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 };
const suites: Readonly<Record<string, number>> = {
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 0xc02b,
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 0xc02c,
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 0xc02f,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 0xc030,
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca8,
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca9,
};

/** The `tls` extension of ASGI for one connection. */
export function tlsExtension(socket: tls.TLSSocket, serverCert: string): TlsExtension {
  const chain: string[] = [];
  let name: string | null = null;
  const seen = new Set<string>();
  let peer: tls.DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (peer?.raw !== undefined && !seen.has(peer.fingerprint256)) {
    seen.add(peer.fingerprint256);
    const certificate = new X509Certificate(peer.raw);
    // RFC 4514 writes the most specific part first, separated by commas.
    name ??= certificate.subject.split('\n').reverse().join(',');
    chain.push(certificate.toString());
    peer = peer.issuerCertificate;
  }
  return Object.freeze({
    serverCert,
    clientCertChain: chain,
    clientCertName: name,
    clientCertError: chain.length > 0 && !socket.authorized ? String(socket.authorizationError) : null,
    tlsVersion: versions[socket.getProtocol() ?? ''] ?? null,
    cipherSuite: suites[socket.getCipher()?.standardName ?? ''] ?? null,
  });
}
