import type { Socket } from 'node:net';
import { withSignal } from '../asyncio/index.ts';
import { fault, PostgresqlConnectionError } from '../errors/index.ts';
import { type Dialed, dial, requestCancel, type Security } from './dial.ts';
import { closed } from './faults.ts';
import { Forms } from './form.ts';
import type { Operation } from './operation.ts';
import { type ConnectOptions, type Host, resolveOptions, type Settings } from './options.ts';
import { Script } from './query.ts';
import { type Lent, Session } from './session.ts';
import { Startup } from './startup.ts';
import { runTransaction, type Transaction, type TransactionOptions } from './transaction.ts';
import { TypeRegistry } from './types/registry.ts';
import { type Notification, type Transport, Wire } from './wire.ts';

/** What the connections of a pool have in common. */
export interface Shared {
  readonly settings: Settings;
  readonly registry: TypeRegistry;
  readonly forms: Forms;
}

export interface Listeners {
  readonly onNotification?: (notification: Notification) => void;
  readonly onProgress?: () => void;
  readonly onDown?: (error: Error) => void;
}

class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #secure: boolean;
  readonly #peer: { address: string; port: number } | undefined;

  constructor(dialed: Dialed, host: Host, settings: Settings) {
    const { socket } = dialed;
    this.#socket = socket;
    this.#host = host;
    this.#settings = settings;
    this.#secure = dialed.secure;
    // The same machine, whatever the name stands for by then.
    const { remoteAddress, remotePort } = socket;
    if (host.path === null && remoteAddress !== undefined && remotePort !== undefined)
      this.#peer = { address: remoteAddress, port: remotePort };
  }

  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes);
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  ref(): void {
    this.#socket.ref();
  }
  unref(): void {
    this.#socket.unref();
  }
  destroy(): void {
    this.#socket.destroy();
  }
  drained(): Promise<void> {
    const socket = this.#socket;
    // So much may stand in line that the socket has work while we prepare more.
    if (!socket.writableNeedDrain || socket.writableLength < 512 * 1024 || socket.destroyed)
      return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        socket.off('drain', end).off('close', end);
        resolve();
      };
      socket.on('drain', end).on('close', end);
    });
  }
  requestCancel(processId: number, secretKey: Buffer): Promise<void> {
    const signal = AbortSignal.timeout(this.#settings.cancelTimeout);
    return requestCancel(this.#host, this.#settings, this.#secure, this.#peer, processId, secretKey, signal);
  }
}

/** One session with a server, of one's own: statements run in the order in which they are given. */
export class Connection extends Session implements AsyncDisposable {
  readonly host: Host;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
  /** For builders. */
  readonly wire: Wire;
  readonly openedAt = performance.now();
  #closed = false;

  private constructor(wire: Wire, host: Host, secure: boolean) {
    super();
    this.wire = wire;
    this.host = host;
    this.secure = secure;
  }

  /** Connects to the first host that fits. Ends with the ambient scope. Most programs want a `Pool`. */
  static async connect(options: string | URL | ConnectOptions = {}): Promise<Connection> {
    const settings = resolveOptions(options);
    const shared = { settings, registry: new TypeRegistry(settings.types), forms: new Forms() };
    return await withSignal((signal) => Connection.open(shared, {}, signal), 'connecting to PostgreSQL');
  }

  /** For builders: connects with what a pool has in common. */
  static async open(shared: Shared, listeners: Listeners, signal: AbortSignal): Promise<Connection> {
    const { settings } = shared;
    const { target } = settings;
    const hosts = settings.shuffle ? shuffled(settings.hosts) : settings.hosts;
    const failures: Error[] = [];
    // prefer-standby: a round for standbys, then one for anybody.
    const rounds = target === 'prefer-standby' ? (['standby', 'any'] as const) : [target];
    let unsuitable = 0;
    for (const wanted of rounds) {
      for (const host of hosts) {
        try {
          const connection = await openHost(host, shared, listeners, signal);
          if (await suits(connection, wanted)) return connection;
          unsuitable++;
          await connection.close();
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error as Error);
          // Another host would not know the password better.
          if (error instanceof PostgresqlConnectionError && !tryNext(error)) throw error;
        }
      }
    }
    const addresses = hosts.map((host) => host.address).join(', ');
    const first = failures[0];
    if (unsuitable > 0) {
      const error = fault(
        'SBY_POSTGRESQL_SESSION',
        { wanted: target, addresses },
        first === undefined ? undefined : { cause: first },
      );
      error.retryable = true;
      throw error;
    }
    if (failures.length === 1 || hosts.length === 1) throw first;
    const reason = failures.map((error) => error.message.split('. ')[0]).join('; ');
    const error = fault(
      'SBY_POSTGRESQL_CONNECT',
      { addresses, reason },
      { cause: new AggregateError(failures, reason) },
    );
    error.retryable = failures.every((one) => (one as PostgresqlConnectionError).retryable === true);
    throw error;
  }

  /** For builders: a session on a connection that is there already. */
  static async begin(
    dialed: Dialed,
    host: Host,
    shared: Shared,
    listeners: Listeners,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { settings } = shared;
    const { socket } = dialed;
    let connection: Connection | null = null;
    const transport = new SocketTransport(dialed, host, settings);
    const wire = new Wire({
      transport,
      registry: shared.registry,
      forms: shared.forms,
      address: host.address,
      prepare: settings.prepare,
      statements: settings.statementCache,
      cancelTimeout: settings.cancelTimeout,
      onNotice: settings.onNotice,
      onNotification: (notification) => {
        listeners.onNotification?.(notification);
        connection?.onNotification?.(notification);
      },
      onProgress: () => listeners.onProgress?.(),
      onDown: (error) => {
        if (connection !== null) {
          listeners.onDown?.(error);
          connection.onDown?.(error);
        }
      },
    });
    socket.on('data', (chunk: Buffer) => wire.receive(chunk));
    socket.on('error', (error) => wire.ended(error));
    socket.on('end', () => wire.ended());
    socket.on('close', () => wire.ended());
    const startup = new Startup({
      user: settings.user,
      parameters: settings.startup,
      password: () => settings.password(host),
      endPoint: dialed.endPoint,
      secure: dialed.secure,
      channelBinding: settings.channelBinding,
    });
    const abort = (): void => {
      wire.fail(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => {
      const ms = settings.connectTimeout;
      const error = fault('SBY_POSTGRESQL_CONNECT_TIMEOUT', {
        address: host.address,
        ms,
        doing: startup.phase,
      });
      error.retryable = true;
      startup.reject(error);
      wire.fail(error);
    }, settings.connectTimeout);
    try {
      if (signal.aborted) abort();
      wire.submit(startup);
      wire.flush();
      socket.resume();
      await startup.done;
    } catch (error) {
      // What was noticed here is more exact than "the connection was lost".
      throw startup.error ?? (signal.aborted ? signal.reason : (wire.down ?? error));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
    connection = new Connection(wire, host, dialed.secure);
    return connection;
  }

  /** For LISTEN on this very connection. */
  onNotification: ((notification: Notification) => void) | null = null;
  /** Called once when the connection is lost or closed. */
  onDown: ((error: Error) => void) | null = null;

  get processId(): number {
    return this.wire.processId;
  }

  /** What the server reports: `server_version`, `TimeZone`, `in_hot_standby`, …. */
  parameter(name: string): string | undefined {
    return this.wire.parameters.get(name);
  }

  /** 'idle', in a 'transaction', or in one that 'failed'. As of the last answer. */
  get state(): 'idle' | 'transaction' | 'failed' | 'closed' {
    if (this.#closed || this.wire.down !== null) return 'closed';
    return this.wire.status === 73 ? 'idle' : this.wire.status === 84 ? 'transaction' : 'failed';
  }

  override get forms(): Forms {
    return this.wire.forms;
  }

  override submit(operation: Operation): void {
    if (this.#closed) throw closed('connection');
    this.wire.submit(operation);
  }

  override lend(): Promise<Lent> {
    if (this.#closed) return Promise.reject(closed('connection'));
    return Promise.resolve({ connection: this, waited: 0, giveBack: () => {} });
  }

  /** Runs `fn` in a transaction: committed when it returns, rolled back when it throws or its scope is cancelled. */
  transaction<T>(fn: (tx: Transaction) => T | PromiseLike<T>, options: TransactionOptions = {}): Promise<T> {
    return runTransaction(this, fn, options);
  }

  /** For builders: steers a transaction. Not cancelled with the scope. Gives the command that was carried out. */
  control(sql: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.wire.submit(
        new Script(sql, (results, error) => {
          if (results === null) reject(error);
          else resolve(results[0]?.command ?? '');
        }),
      );
    });
  }

  /** Waits for what was given already, then says goodbye. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { wire } = this;
    if (wire.down !== null) return;
    if (wire.load > 0) await new Promise<void>((resolve) => wire.submit(new Script('', () => resolve())));
    this.destroy();
  }

  /** Keeps the process alive, as it does from the beginning. */
  ref(): void {
    this.wire.transport.ref();
  }

  /** Lets the process end although this is open. */
  unref(): void {
    this.wire.transport.unref();
  }

  /** Ends the connection at once; what waits on it fails. */
  destroy(): void {
    this.#closed = true;
    const { wire } = this;
    if (wire.down !== null) return;
    const start = wire.writer.begin(88); // X
    wire.writer.end(start);
    wire.flush();
    wire.fail(closed('connection'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function shuffled(hosts: readonly Host[]): Host[] {
  return hosts
    .map((host) => ({ host, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ host }) => host);
}

/** Whether another host may do better: not when we ourselves were refused. */
function tryNext(error: PostgresqlConnectionError): boolean {
  return !/^(28|3D|42)/.test(error.sqlState) && error.code !== 'SBY_POSTGRESQL_AUTH';
}

async function openHost(
  host: Host,
  shared: Shared,
  listeners: Listeners,
  signal: AbortSignal,
): Promise<Connection> {
  const { sslmode } = shared.settings;
  const attempts: Security[] =
    sslmode === 'disable' || host.path !== null
      ? ['plain']
      : sslmode === 'allow'
        ? ['plain', 'secure']
        : sslmode === 'prefer'
          ? ['opportunistic', 'plain']
          : ['secure'];
  let failure: unknown;
  for (const security of attempts) {
    try {
      return await attempt(host, security, shared, listeners, signal);
    } catch (error) {
      failure ??= error;
      // pg_hba.conf may have a line for the other kind of connection.
      const { code, sqlState } = error as PostgresqlConnectionError;
      const other = sqlState === '28000' || code === 'SBY_POSTGRESQL_TLS';
      if (!other || signal.aborted) throw error;
    }
  }
  throw failure;
}

async function attempt(
  host: Host,
  security: Security,
  shared: Shared,
  listeners: Listeners,
  signal: AbortSignal,
): Promise<Connection> {
  const { settings } = shared;
  const ms = settings.connectTimeout;
  const error = fault('SBY_POSTGRESQL_CONNECT_TIMEOUT', {
    address: host.address,
    ms,
    doing: 'opening the connection',
  });
  error.retryable = true;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(error), ms);
  let dialed: Dialed;
  try {
    dialed = await dial(host, settings, security, AbortSignal.any([signal, deadline.signal]));
  } finally {
    clearTimeout(timer);
  }
  return await Connection.begin(dialed, host, shared, listeners, signal);
}

/** Whether the server is of the kind that is wanted. Servers from 14 on say it by themselves. */
async function suits(connection: Connection, wanted: Settings['target']): Promise<boolean> {
  if (wanted === 'any' || wanted === 'prefer-standby') return true;
  const readOnlyByDefault = connection.parameter('default_transaction_read_only');
  const standby = connection.parameter('in_hot_standby');
  let isStandby = standby === 'on';
  let readOnly = isStandby || readOnlyByDefault === 'on';
  if (standby === undefined) {
    const [answer] = await connection.script(
      "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')",
    );
    const [recovery, setting] = (answer?.rows[0] ?? []) as (string | null)[];
    isStandby = recovery === 't';
    readOnly = setting === 'on';
  }
  switch (wanted) {
    case 'read-write':
      return !readOnly;
    case 'read-only':
      return readOnly;
    case 'primary':
      return !isStandby;
    default:
      return isStandby;
  }
}
