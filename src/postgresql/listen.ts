import { currentContext, rootContext, runInContext, sleep, Waiter } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { Connection, type Shared } from './connection.ts';
import { closed } from './faults.ts';
import { quoteIdentifier } from './quote.ts';
import type { Notification } from './wire.ts';

export interface ListenOptions {
  /** Called when the connection was lost and made again: messages sent meanwhile did not arrive. */
  readonly onGap?: (() => void) | undefined;
}

/** One listener on one channel. Ends with `close()` or with the scope it was made in. */
export class Subscription extends Waiter implements AsyncDisposable {
  readonly channel: string;
  readonly #hub: Hub;
  /** For builders. */
  readonly onMessage: (notification: Notification) => void;
  readonly onGap: (() => void) | undefined;

  constructor(
    hub: Hub,
    channel: string,
    onMessage: (notification: Notification) => void,
    options: ListenOptions,
  ) {
    super();
    this.#hub = hub;
    this.channel = channel;
    this.onMessage = onMessage;
    this.onGap = options.onGap;
  }
  override onCancel(): void {
    this.#hub.remove(this).catch(() => {});
  }
  override describe(): string {
    return `listening to ${this.channel}`;
  }
  /** Nothing is delivered after this was called; resolves when the server has been told. */
  async close(): Promise<void> {
    this.unlink();
    await this.#hub.remove(this);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The one connection that a pool keeps for LISTEN. It subscribes again after it was lost, until nobody listens. */
export class Hub {
  readonly #shared: Shared;
  readonly #channels = new Map<string, Set<Subscription>>();
  readonly #abort = new AbortController();
  #connecting: Promise<Connection> | null = null;
  #connection: Connection | null = null;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async add(
    channel: string,
    onMessage: (notification: Notification) => void,
    options: ListenOptions,
  ): Promise<Subscription> {
    if (typeof channel !== 'string' || channel === '' || Buffer.byteLength(channel) > 63)
      throw fault('SBY_POSTGRESQL_BAD_OPTION', {
        option: 'channel',
        got: channel,
        expected: 'a name of 1 to 63 bytes',
      });
    if (typeof onMessage !== 'function')
      throw fault('SBY_POSTGRESQL_BAD_OPTION', {
        option: 'The listener',
        got: onMessage,
        expected: 'a function',
      });
    const { scope } = currentContext();
    scope.throwIfCancelled();
    const subscription = new Subscription(this, channel, onMessage, options);
    const others = this.#channels.get(channel);
    if (others === undefined) this.#channels.set(channel, new Set([subscription]));
    else others.add(subscription);
    scope.link(subscription);
    try {
      const connection = await this.#ready();
      // Twice does no harm, and whoever comes back from here is subscribed.
      await connection.control(`LISTEN ${quoteIdentifier(channel)}`);
    } catch (error) {
      subscription.unlink();
      await this.remove(subscription).catch(() => {});
      throw error;
    }
    return subscription;
  }

  async remove(subscription: Subscription): Promise<void> {
    const { channel } = subscription;
    const set = this.#channels.get(channel);
    if (set === undefined || !set.delete(subscription) || set.size > 0) return;
    this.#channels.delete(channel);
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#channels.size === 0) {
      this.#connection = null;
      await connection.close();
    } else if (connection.state !== 'closed')
      await connection.control(`UNLISTEN ${quoteIdentifier(channel)}`);
  }

  #ready(): Promise<Connection> {
    if (this.#abort.signal.aborted) return Promise.reject(closed('pool'));
    if (this.#connection !== null) return Promise.resolve(this.#connection);
    this.#connecting ??= runInContext(rootContext, () => this.#connect()).finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<Connection> {
    const connection: Connection = await Connection.open(
      this.#shared,
      {
        onNotification: (notification) => this.#deliver(notification),
        onDown: () => {
          if (this.#connection === connection) this.#lost();
        },
      },
      this.#abort.signal,
    );
    const channels = [...this.#channels.keys()].map((channel) => `LISTEN ${quoteIdentifier(channel)}`);
    if (channels.length > 0) await connection.control(channels.join('; '));
    this.#connection = connection;
    return connection;
  }

  #deliver(notification: Notification): void {
    // A copy: a listener may close itself or add others.
    for (const subscription of [...(this.#channels.get(notification.channel) ?? [])]) {
      try {
        subscription.onMessage(notification);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #lost(): void {
    this.#connection = null;
    if (this.#channels.size === 0 || this.#abort.signal.aborted) return;
    runInContext(rootContext, () => this.#again()).catch(() => {
      // Only the end of the program or of the pool ends the attempts.
    });
  }

  async #again(): Promise<void> {
    for (let ms = 25; this.#channels.size > 0 && !this.#abort.signal.aborted; ms = Math.min(ms * 2, 5000)) {
      try {
        await this.#ready();
        const all = [...this.#channels.values()].flatMap((set) => [...set]);
        for (const subscription of all) subscription.onGap?.();
        return;
      } catch {
        await sleep(ms * (0.75 + Math.random() / 2));
      }
    }
  }

  close(): void {
    this.#abort.abort(closed('pool'));
    this.#channels.clear();
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
  }
}
