import type { Application, ReceiveEvent, SendEvent, State } from '../asgi/index.ts';
import { fault } from '../errors/index.ts';

/** Starts and stops an application as a server does, through ASGI lifespan. One that knows none is left alone. */
export class Lifespan {
  readonly state: State = {};
  readonly #app: Application;
  #started: Promise<void> | null = null;
  #shutdown: (() => Promise<void>) | null = null;

  constructor(app: Application) {
    this.#app = app;
  }

  start(): Promise<void> {
    return (this.#started ??= this.#start());
  }

  async #start(): Promise<void> {
    const begin = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const toStop = Promise.withResolvers<ReceiveEvent>();
    let asked = 0;
    const receive = (): Promise<ReceiveEvent> =>
      asked++ === 0 ? Promise.resolve({ type: 'lifespan.startup' }) : toStop.promise;
    const send = async (event: SendEvent): Promise<void> => {
      if (event.type === 'lifespan.startup.complete') {
        complete = true;
        begin.resolve();
      } else if (event.type === 'lifespan.startup.failed')
        begin.reject(fault('SBY_TEST_LIFESPAN', { phase: 'start', message: event.message ?? '' }));
      else if (event.type === 'lifespan.shutdown.complete') end.resolve();
      else if (event.type === 'lifespan.shutdown.failed')
        end.reject(fault('SBY_TEST_LIFESPAN', { phase: 'stop', message: event.message ?? '' }));
    };
    let supported = true;
    let complete = false;
    end.promise.catch(() => {});
    const running = (async () =>
      this.#app(
        { type: 'lifespan', asgi: { version: '3.0', specVersion: '2.0' }, state: this.state },
        receive,
        send,
      ))().then(
      () => {
        begin.resolve();
        end.resolve();
      },
      (error: unknown) => {
        // After start-up it is no word about lifespan, but an error of the application.
        if (complete) end.reject(error);
        // ASGI: an exception here says that lifespan is not supported.
        supported = false;
        begin.resolve();
        end.resolve();
      },
    );
    await begin.promise;
    if (!supported) return;
    this.#shutdown = async () => {
      toStop.resolve({ type: 'lifespan.shutdown' });
      await end.promise;
      await running;
    };
  }

  async stop(): Promise<void> {
    const shutdown = this.#shutdown;
    this.#shutdown = null;
    this.#started = null;
    await shutdown?.();
  }
}
