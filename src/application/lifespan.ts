import type { LifespanScope, Receive, Send } from '../asgi/index.ts';
import type { Databases } from '../db/index.ts';
import type { AppOptions } from './options.ts';

export interface LifespanParts {
  readonly databases: Databases;
  readonly apps: readonly { readonly ready: (() => unknown) | null }[];
  readonly hook: AppOptions['lifespan'];
}

/**
 * Start-up and shutdown, for servers (ASGI lifespan) and scripts alike. Opens databases first and closes them last;
 * what was started is stopped in reverse order, also when a later step failed.
 */
export class Life {
  readonly #parts: LifespanParts;
  #users = 0;
  #opening: Promise<void> | null = null;
  #closers: (() => unknown)[] = [];

  constructor(parts: LifespanParts) {
    this.#parts = parts;
  }

  /** Starts with the first user, does nothing for further ones. */
  async start(): Promise<void> {
    this.#users++;
    try {
      await (this.#opening ??= this.#open());
    } catch (error) {
      this.#users--;
      this.#opening = null;
      throw error;
    }
  }

  /** Stops with the last user. */
  async stop(): Promise<void> {
    if (this.#users === 0 || --this.#users > 0) return;
    this.#opening = null;
    await this.#close();
  }

  async #open(): Promise<void> {
    const { databases, apps, hook } = this.#parts;
    try {
      // Who opens closes: a test may have them open already, with a transaction around all of it.
      if (databases.aliases.length > 0 && !databases.isOpen) {
        await databases.open();
        this.#closers.push(() => databases.close());
      }
      for (const app of apps) await app.ready?.();
      const end = await hook?.();
      if (typeof end === 'function') this.#closers.push(end);
    } catch (error) {
      await this.#close().catch(() => {});
      throw error;
    }
  }

  async #close(): Promise<void> {
    const closers = this.#closers.reverse();
    this.#closers = [];
    const errors: unknown[] = [];
    for (const close of closers) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'Several things could not be stopped');
  }
}

/** Answers the server's lifespan. */
export async function serveLifespan(
  life: Life,
  _scope: LifespanScope,
  receive: Receive,
  send: Send,
): Promise<void> {
  let started = false;
  while (true) {
    const event = await receive();
    if (event.type === 'lifespan.startup') {
      try {
        await life.start();
        started = true;
      } catch (error) {
        await send({ type: 'lifespan.startup.failed', message: describeFailure(error) });
        return;
      }
      await send({ type: 'lifespan.startup.complete' });
    } else if (event.type === 'lifespan.shutdown') {
      try {
        if (started) await life.stop();
      } catch (error) {
        await send({ type: 'lifespan.shutdown.failed', message: describeFailure(error) });
        return;
      }
      await send({ type: 'lifespan.shutdown.complete' });
      return;
    } else return;
  }
}

function describeFailure(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
