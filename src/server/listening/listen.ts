import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server as Listener } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { fault } from '../../errors/index.ts';
import type { ServerLog } from '../log.ts';
import type { ServerOptions } from '../options.ts';

/**
 * How connections are accepted. The probes of TCP find out peers that have vanished without a word: nothing else would, where
 * an application waits and sends nothing.
 */
export const accepting = {
  allowHalfOpen: true,
  noDelay: true,
  pauseOnConnect: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

export interface Listening {
  /** `[host, port]`, or `[path, null]` for a unix socket. */
  readonly address: readonly [host: string, port: number | null];
  readonly url: string;
}

type Where = Pick<ServerOptions, 'host' | 'port' | 'uds' | 'udsPermissions' | 'fd' | 'backlog'>;

/** Opens the listening socket that the options name; every way to fail has its own message. */
export async function listen(
  listener: Listener,
  options: Where,
  log: ServerLog,
  scheme = 'http',
): Promise<Listening> {
  const { host, port, uds, fd } = options;
  const name = uds ?? (fd === null ? `${host}:${port}` : `file descriptor ${fd}`);
  try {
    await bind(listener, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' || uds === null) throw cannotListen(error, name, options);
    await removeStale(uds);
    try {
      await bind(listener, options);
    } catch (again) {
      throw cannotListen(again, name, options);
    }
  }
  // A single accept can fail (too many open files); the next may work.
  listener.on('error', (error) => log.error(`accepting a connection failed: ${error.message}`));
  const bound = listener.address();
  const address: Listening['address'] =
    typeof bound === 'string' ? [bound, null] : bound === null ? [name, null] : [bound.address, bound.port];
  return { address, url: urlOf(address, scheme) };
}

function bind(listener: Listener, { host, port, uds, udsPermissions, fd, backlog }: Where): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    const where = uds !== null ? { path: uds, backlog } : fd !== null ? { fd } : { host, port, backlog };
    const done = (): void => {
      listener.off('error', reject);
      resolve();
    };
    if (uds === null || udsPermissions === null) {
      listener.listen(where, done);
      return;
    }
    // The socket is made inside `listen`: with the mask there is no moment at which others could connect.
    const before = isMainThread ? process.umask(0o777 & ~udsPermissions) : null;
    try {
      listener.listen(where, () => {
        chmodSync(uds, udsPermissions);
        done();
      });
    } finally {
      if (before !== null) process.umask(before);
    }
  });
}

/** Removes the socket that a process left which is no more. One that somebody listens on, or another file, stays. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) throw fault('SBY_SERVER_NO_SOCKET', { path });
  const socket = connect(path);
  const alive = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
  socket.destroy();
  if (alive) throw fault('SBY_SERVER_ADDRESS_IN_USE', { address: path });
  unlinkSync(path);
}

function cannotListen(cause: unknown, address: string, { port, uds, fd }: Where): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return fault('SBY_SERVER_ADDRESS_IN_USE', { address }, { cause });
  const privileged = code === 'EACCES' && uds === null && fd === null && port < 1024;
  const fix = privileged
    ? 'Ports below 1024 need a privilege: take a port above and a proxy before it, let systemd open the socket, or give the process CAP_NET_BIND_SERVICE'
    : uds !== null
      ? 'The folder of the socket must exist and be writable'
      : fd !== null
        ? 'It must be an open socket that listens, passed on by whoever started this process'
        : 'Choose an address that this machine has';
  return fault('SBY_SERVER_CANNOT_LISTEN', { address, why: message, fix }, { cause });
}

export function urlOf([host, port]: Listening['address'], scheme = 'http'): string {
  if (port === null) return `unix:${host}`;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
