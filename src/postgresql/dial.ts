import { connect as connectNet, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { fault, type PostgresqlConnectionError } from '../errors/index.ts';
import type { Host, Settings } from './options.ts';
import { endPoint } from './protocol/scram.ts';

export interface Dialed {
  readonly socket: Socket;
  readonly secure: boolean;
  /** Data for channel binding; null without TLS. */
  readonly endPoint: Buffer | null;
}

/** How to use TLS in one attempt: not at all, if the server has it, or not without. */
export type Security = 'plain' | 'opportunistic' | 'secure';

const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

function reasonOf(error: unknown): string {
  // Happy eyeballs gives an AggregateError without a message.
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map((one) => (one as Error).message).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** A connection to `host`, through TLS where that is wanted. Ends at once when `signal` aborts, with its reason. */
export async function dial(
  host: Host,
  settings: Settings,
  security: Security,
  signal: AbortSignal,
  peer?: { readonly address: string; readonly port: number },
): Promise<Dialed> {
  const socket = await open(host, signal, peer);
  try {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    if (security === 'plain' || host.path !== null) return { socket, secure: false, endPoint: null };
    if (!settings.direct) {
      socket.write(sslRequest);
      const answer = await firstByte(socket, host, signal);
      if (answer !== 83) {
        if (security === 'opportunistic') return { socket, secure: false, endPoint: null };
        throw fault('SBY_POSTGRESQL_TLS', {
          reason: 'the server does not support TLS',
          address: host.address,
        });
      }
    }
    const secure = await upgrade(socket, host, settings, signal);
    const { raw } = secure.getPeerCertificate();
    return { socket: secure, secure: true, endPoint: raw === undefined ? null : endPoint(raw) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Waits for an event of the socket, its failure or the signal; leaves no listener behind. */
function wait<T>(
  socket: Socket,
  signal: AbortSignal,
  event: string,
  onEvent: (...args: never[]) => T,
  onError: (error: Error) => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = (): void => {
      socket.off(event, happened).off('error', failed).off('close', closed);
      signal.removeEventListener('abort', aborted);
    };
    const happened = (...args: unknown[]): void => {
      end();
      try {
        resolve(onEvent(...(args as never[])));
      } catch (error) {
        reject(error);
      }
    };
    const failed = (error: Error): void => {
      end();
      reject(onError(error));
    };
    const closed = (): void => failed(new Error('the server closed the connection'));
    const aborted = (): void => {
      end();
      socket.destroy();
      reject(signal.reason);
    };
    // An error that comes after we stopped listening is nobody's.
    socket.on('error', () => {});
    socket.on(event, happened).on('error', failed).on('close', closed);
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  });
}

function open(
  host: Host,
  signal: AbortSignal,
  peer: { readonly address: string; readonly port: number } | undefined,
): Promise<Socket> {
  const socket =
    host.path !== null
      ? connectNet({ path: host.path })
      : connectNet({ host: peer?.address ?? host.host, port: peer?.port ?? host.port });
  return wait(
    socket,
    signal,
    'connect',
    () => socket,
    (error) => {
      const failed = fault(
        'SBY_POSTGRESQL_CONNECT',
        { addresses: host.address, reason: reasonOf(error) },
        { cause: error },
      );
      failed.retryable = true;
      return failed;
    },
  );
}

function firstByte(socket: Socket, host: Host, signal: AbortSignal): Promise<number> {
  return wait(
    socket,
    signal,
    'data',
    (chunk: Buffer) => {
      // More than the one byte is text that somebody put in front of the handshake (CVE-2021-23222).
      if (chunk.length !== 1)
        throw fault('SBY_POSTGRESQL_PROTOCOL', {
          problem: 'unencrypted data behind the answer to the request for TLS',
          address: host.address,
        });
      socket.pause();
      return chunk[0] as number;
    },
    (error) => tlsFault(host, error),
  );
}

function tlsFault(host: Host, error: Error): PostgresqlConnectionError {
  return fault('SBY_POSTGRESQL_TLS', { reason: error.message, address: host.address }, { cause: error });
}

function upgrade(socket: Socket, host: Host, settings: Settings, signal: AbortSignal): Promise<TLSSocket> {
  const { sslmode, tls } = settings;
  // libpq: with a root certificate `require` looks at the chain as verify-ca does.
  const verify = sslmode.startsWith('verify') || (sslmode === 'require' && tls.ca !== undefined);
  const secure = connectTls({
    ...(isIP(host.host) === 0 ? { servername: host.host } : {}),
    ...(settings.direct ? { ALPNProtocols: ['postgresql'] } : {}),
    ...(sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    rejectUnauthorized: verify,
    ...tls,
    host: host.host,
    socket,
  });
  return wait(
    secure,
    signal,
    'secureConnect',
    () => secure,
    (error) => tlsFault(host, error),
  );
}

/** Asks the server to cancel what a session runs. Over when the server has closed the connection: then it has done so. */
export async function requestCancel(
  host: Host,
  settings: Settings,
  secure: boolean,
  peer: { readonly address: string; readonly port: number } | undefined,
  processId: number,
  secretKey: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const { socket } = await dial(host, settings, secure ? 'secure' : 'plain', signal, peer);
  const message = Buffer.alloc(12 + secretKey.length);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(80_877_102, 4);
  message.writeInt32BE(processId, 8);
  secretKey.copy(message, 12);
  socket.resume();
  const over = wait(
    socket,
    signal,
    'close',
    () => undefined,
    (error) => error,
  ).catch((error: unknown) => {
    // A reset is an end as well.
    if (signal.aborted) throw error;
  });
  socket.write(message);
  await over;
  socket.destroy();
}
