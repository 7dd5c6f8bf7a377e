import type {
  Application,
  LifespanReceiveEvent,
  LifespanScope,
  LifespanSendEvent,
  State,
} from '../asgi/index.ts';
import { Context, Scope, Task } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import type { ServerLog } from './log.ts';

const ASGI = Object.freeze({ version: '3.0', specVersion: '2.0' } as const);

/** How long the application may take, ms; 0 for any time. */
export interface LifespanTimeouts {
  readonly startup: number;
  readonly shutdown: number;
}

/** The answer, or what went wrong when it does not come in time. */
async function withIn(answer: Promise<string | null>, ms: number, what: string): Promise<string | null> {
  if (ms === 0) return await answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, ms, `${what} within ${ms / 1000} s`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The lifespan protocol: one task of the application that is told of start-up before the first connection and of
 * shutdown after the last. With 'auto', an application that throws on the lifespan scope has none.
 */
export class Lifespan {
  readonly state: State = {};
  readonly #app: Application;
  readonly #mode: 'auto' | 'on' | 'off';
  readonly #log: ServerLog;
  readonly #scope: Scope;
  readonly #timeouts: LifespanTimeouts;
  /** The application said that it could not shut down, or did not say that it has. */
  shutdownFailed = false;
  #task: Task<void> | null = null;
  #supported = false;
  #phase: 'startup' | 'shutdown' = 'startup';
  readonly #events: LifespanReceiveEvent[] = [];
  #receiver: ((event: LifespanReceiveEvent) => void) | null = null;
  #settle: ((failure: string | null) => void) | null = null;

  constructor(
    app: Application,
    mode: 'auto' | 'on' | 'off',
    log: ServerLog,
    parent: Scope,
    timeouts: LifespanTimeouts = { startup: 0, shutdown: 0 },
  ) {
    this.#timeouts = timeouts;
    this.#app = app;
    this.#mode = mode;
    this.#log = log;
    this.#scope = new Scope(parent);
  }

  /** Resolves when the application is ready; throws SBY_SERVER_STARTUP_FAILED when it says it cannot be. */
  async startup(): Promise<void> {
    if (this.#mode === 'off') return;
    const scope: LifespanScope = { type: 'lifespan', asgi: ASGI, state: this.state };
    const answer = this.#answer();
    this.#events.push({ type: 'lifespan.startup' });
    this.#task = new Task<void>(
      () =>
        this.#app(
          scope,
          () => this.#receive(),
          (event) => this.#send(event as LifespanSendEvent),
        ),
      new Context(this.#scope, null, null, null, -1),
      'lifespan',
      (task) => this.#ended(task),
    );
    const failure = await withIn(answer, this.#timeouts.startup, 'it did not answer lifespan.startup');
    if (failure !== null) throw fault('SBY_SERVER_STARTUP_FAILED', { why: failure });
    if (this.#supported || this.#mode === 'auto') return;
    const why = this.#task.error;
    throw fault(
      'SBY_SERVER_LIFESPAN_UNSUPPORTED',
      { why: String(why ?? 'it returned at once') },
      { cause: why },
    );
  }

  /** Tells the application to shut down and waits for its answer. */
  async shutdown(): Promise<void> {
    if (!this.#supported || this.#task === null || this.#task.done) return;
    this.#phase = 'shutdown';
    const answer = this.#answer();
    this.#push({ type: 'lifespan.shutdown' });
    const failure = await withIn(answer, this.#timeouts.shutdown, 'it did not answer lifespan.shutdown');
    this.#settle = null;
    if (failure !== null) this.#log.error(`the application failed to shut down: ${failure}`);
    this.shutdownFailed = failure !== null;
    this.#scope.cancel();
  }

  /** Waits no longer for the application, which is being stopped by force. */
  giveUp(): void {
    this.#settle?.('it was not waited for any longer');
  }

  #answer(): Promise<string | null> {
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  #push(event: LifespanReceiveEvent): void {
    const receiver = this.#receiver;
    this.#receiver = null;
    if (receiver === null) this.#events.push(event);
    else receiver(event);
  }

  #receive(): Promise<LifespanReceiveEvent> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#receiver = resolve;
    });
  }

  async #send(event: LifespanSendEvent): Promise<void> {
    const expected = `lifespan.${this.#phase}`;
    switch (event?.type) {
      case 'lifespan.startup.complete':
      case 'lifespan.shutdown.complete':
      case 'lifespan.startup.failed':
      case 'lifespan.shutdown.failed': {
        const settle = this.#settle;
        if (settle === null || !event.type.startsWith(expected))
          throw fault('SBY_SERVER_EVENT_ORDER', {
            request: 'lifespan',
            got: event.type,
            expected:
              settle === null ? 'nothing, as it has been answered' : `${expected}.complete or .failed`,
          });
        this.#settle = null;
        this.#supported = true;
        settle(
          event.type === 'lifespan.startup.failed' || event.type === 'lifespan.shutdown.failed'
            ? event.message || 'it gave no reason'
            : null,
        );
        return;
      }
      default:
        throw fault('SBY_SERVER_BAD_EVENT', {
          request: 'lifespan',
          event: String((event as { type?: unknown } | null)?.type),
          why: 'the server knows no event of this type here',
        });
    }
  }

  #ended(task: Task<unknown>): void {
    const settle = this.#settle;
    this.#settle = null;
    const error = task.error;
    if (settle === null) {
      if (task.state === 'failed') this.#log.failure('lifespan', error);
      return;
    }
    // Throwing instead of answering start-up means "I have no lifespan"; while shutting down it is a failure.
    if (!this.#supported) settle(null);
    else settle(task.state === 'failed' ? String(error) : null);
  }
}
