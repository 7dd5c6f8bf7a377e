import type { Server as Listener } from 'node:net';
import { fault } from '../../errors/index.ts';
import type { ServerLog } from '../log.ts';
import type { ServerOptions } from '../options.ts';

export interface Listening {
  /** `[host, port]`, or `[path, null]` for a unix socket. */
  readonly address: readonly [host: string, port: number | null];
  readonly url: string;
}

/** Opens the listening socket that the options name; every way to fail has its own message. */
export function listen(
  listener: Listener,
  options: ServerOptions,
  log: ServerLog,
  scheme = 'http',
): Promise<Listening> {
  const { host, port, uds, fd, backlog } = options;
  return new Promise((resolve, reject) => {
    const name = uds ?? (fd === null ? `${host}:${port}` : `file descriptor ${fd}`);
    listener.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? fault('SBY_SERVER_ADDRESS_IN_USE', { address: name }, { cause })
          : fault('SBY_SERVER_CANNOT_LISTEN', { address: name, why: cause.message }, { cause }),
      );
    });
    const where = uds !== null ? { path: uds, backlog } : fd !== null ? { fd } : { host, port, backlog };
    listener.listen(where, () => {
      listener.removeAllListeners('error');
      // A single accept can fail (too many open files); the next may work.
      listener.on('error', (error) => log.error(`accepting a connection failed: ${error.message}`));
      const bound = listener.address();
      const address: Listening['address'] =
        typeof bound === 'string'
          ? [bound, null]
          : bound === null
            ? [name, null]
            : [bound.address, bound.port];
      resolve({ address, url: urlOf(address, scheme) });
    });
  });
}

export function urlOf([host, port]: Listening['address'], scheme = 'http'): string {
  if (port === null) return `unix:${host}`;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
