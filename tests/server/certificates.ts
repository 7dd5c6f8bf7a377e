import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** True where `openssl` is installed; certificates for tests are made with it. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const folder: string = mkdtempSync(join(tmpdir(), 'sobaya-tls-'));

/** Makes a key and a certificate for `name`, signed by `issuer` or by itself. */
export function certificate(name: string, issuer?: string): { cert: string; key: string } {
  const cert = join(folder, `${name}.pem`);
  const key = join(folder, `${name}.key`);
  const extensions = join(folder, `${name}.ext`);
  writeFileSync(
    extensions,
    `subjectAltName=DNS:localhost,IP:127.0.0.1\n${issuer ? '' : 'basicConstraints=CA:TRUE\n'}`,
  );
  const run = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key);
  const csr = join(folder, `${name}.csr`);
  run('req', '-new', '-key', key, '-subj', `/O=Soba/CN=${name}`, '-out', csr);
  const signed = issuer
    ? ['-CA', join(folder, `${issuer}.pem`), '-CAkey', join(folder, `${issuer}.key`), '-CAcreateserial']
    : ['-signkey', key];
  run('x509', '-req', '-in', csr, '-days', '2', '-extfile', extensions, '-out', cert, ...signed);
  return { cert, key };
}
