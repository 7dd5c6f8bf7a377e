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
  #task: Task<void> | null = null;
  #supported = false;
  readonly #events: LifespanReceiveEvent[] = [];
  #receiver: ((event: LifespanReceiveEvent) => void) | null = null;
  #settle: ((failure: string | null) => void) | null = null;

  constructor(app: Application, mode: 'auto' | 'on' | 'off', log: ServerLog, parent: Scope) {
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
    const failure = await answer;
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
    const answer = this.#answer();
    this.#push({ type: 'lifespan.shutdown' });
    const failure = await answer;
    if (failure !== null) this.#log.error(`the application failed to shut down: ${failure}`);
    this.#scope.cancel();
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
    const settle = this.#settle;
    this.#settle = null;
    switch (event.type) {
      case 'lifespan.startup.complete':
      case 'lifespan.shutdown.complete':
        this.#supported = true;
        settle?.(null);
        return;
      case 'lifespan.startup.failed':
      case 'lifespan.shutdown.failed':
        this.#supported = true;
        settle?.(event.message || 'it gave no reason');
        return;
      default:
        throw fault('SBY_SERVER_BAD_EVENT', {
          request: 'lifespan',
          event: String((event as { type?: unknown }).type),
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
