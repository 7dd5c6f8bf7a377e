import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The newest PostgreSQL installed here; or a reason why there can be no server of our own. */
function binaries(): { bin: string; skip: string | false } {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const bin = join(root, version, 'bin');
    if (existsSync(join(bin, 'initdb'))) return { bin, skip: asUser() };
  }
  return { bin: '', skip: 'the binaries of a PostgreSQL server are not installed' };
}

/** initdb refuses root; then the user `postgres` has to do it. */
function asUser(): string | false {
  if (process.getuid?.() !== 0) return false;
  return spawnSync('id', ['postgres']).status === 0 && spawnSync('runuser', ['--version']).status === 0
    ? false
    : 'running as root, and there is no user postgres to start a server as';
}

export const { bin, skip } = binaries();

export interface PrivateServer {
  readonly port: number;
  /** Folder of its unix socket, and of its certificates. */
  readonly folder: string;
  start(): void;
  stop(mode?: 'fast' | 'immediate'): void;
  remove(): void;
  /** A server that follows this one. */
  standby(): Promise<PrivateServer>;
  /** Makes a server that follows one that leads. */
  promote(): void;
}

function run(command: string, args: readonly string[]): void {
  const root = process.getuid?.() === 0;
  const [file, all] = root ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, [...args]];
  execFileSync(file as string, all as string[], { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function openssl(folder: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
}

/** An authority, a certificate for localhost (not for 127.0.0.1), and a client's certificate for `certuser`. */
function certificates(folder: string): void {
  openssl(
    folder,
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=Sobaya test authority',
  );
  for (const [file, name] of [
    ['server', 'localhost'],
    ['client', 'certuser'],
  ] as const) {
    openssl(
      folder,
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${file}.key`,
      '-out',
      `${file}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(join(folder, `${file}.ext`), `subjectAltName=DNS:${name}\n`);
    openssl(
      folder,
      'x509',
      '-req',
      '-in',
      `${file}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-out',
      `${file}.crt`,
      '-extfile',
      `${file}.ext`,
    );
  }
}

/** A server of our own in a temporary folder, with TLS and users for each way to authenticate. */
export async function privateServer(): Promise<PrivateServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-pg-'));
  chmodSync(folder, 0o777);
  const data = join(folder, 'data');
  const port = await freePort();
  run(join(bin, 'initdb'), [
    '-D',
    data,
    '-U',
    'admin',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]);
  certificates(folder);
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'postgres', folder]);
  chmodSync(join(folder, 'server.key'), 0o600);
  appendFileSync(
    join(data, 'postgresql.conf'),
    `\nlisten_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = '${folder}'\nfsync = off\nmax_connections = 20\nsuperuser_reserved_connections = 1
ssl = on\nssl_cert_file = '${folder}/server.crt'\nssl_key_file = '${folder}/server.key'\nssl_ca_file = '${folder}/ca.crt'\n`,
  );
  writeFileSync(
    join(data, 'pg_hba.conf'),
    [
      'local all all trust',
      'host replication admin 127.0.0.1/32 trust',
      'host all admin all trust',
      'host all md5user all md5',
      'host all plainuser all password',
      'hostssl all certuser all cert',
      'hostssl all tlsuser all trust',
      'hostnossl all tlsuser all reject',
      'hostnossl all openuser all trust',
      'hostssl all openuser all reject',
      'host all all all scram-sha-256',
      '',
    ].join('\n'),
  );
  const server = controlled(folder, data, port);
  server.start();
  return server;
}

function controlled(folder: string, data: string, port: number): PrivateServer {
  const control = (...args: string[]): void =>
    run(join(bin, 'pg_ctl'), ['-D', data, '-w', '-t', '20', '-l', join(folder, 'log'), ...args]);
  return {
    port,
    folder,
    promote: () => control('promote'),
    async standby() {
      const other = mkdtempSync(join(tmpdir(), 'sobaya-pg-'));
      chmodSync(other, 0o777);
      const copy = join(other, 'data');
      run(join(bin, 'pg_basebackup'), [
        '-D',
        copy,
        '-R',
        '-X',
        'stream',
        '-c',
        'fast',
        '-d',
        `host=127.0.0.1 port=${port} user=admin`,
      ]);
      const follower = controlled(other, copy, await freePort());
      // The last line wins.
      appendFileSync(
        join(copy, 'postgresql.conf'),
        `port = ${follower.port}\nunix_socket_directories = '${other}'\n`,
      );
      follower.start();
      return follower;
    },
    start: () => control('start'),
    stop: (mode = 'fast') => control('stop', '-m', mode),
    remove: () => {
      try {
        control('stop', '-m', 'immediate');
      } catch {
        // It was stopped already.
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
