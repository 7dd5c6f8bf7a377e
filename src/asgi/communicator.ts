import { fault } from '../errors/index.ts';
import { checked } from './checked.ts';
import type { Application, ReceiveEvent, Scope, SendEvent } from './types.ts';

/**
 * Drives one call of an application event by event, for tests: what the server would tell it goes in with
 * `sendInput`, what it sends comes out with `receiveOutput`. Every event is checked.
 */
export class ApplicationCommunicator {
  readonly #inputs: ReceiveEvent[] = [];
  readonly #outputs: SendEvent[] = [];
  #takers: ((event: ReceiveEvent) => void)[] = [];
  #wake: (() => void) | null = null;
  #error: { readonly value: unknown } | null = null;
  /** Resolves when the application has returned or failed; never rejects. */
  readonly ended: Promise<void>;
  done = false;

  constructor(app: Application, scope: Scope) {
    this.ended = checked(app)(
      scope,
      () => {
        const event = this.#inputs.shift();
        if (event !== undefined) return Promise.resolve(event);
        return new Promise((resolve) => this.#takers.push(resolve));
      },
      async (event) => {
        this.#outputs.push(event);
        this.#wake?.();
      },
    ).then(
      () => this.#end(null),
      (value: unknown) => this.#end({ value }),
    );
  }

  #end(error: { readonly value: unknown } | null): void {
    this.done = true;
    this.#error = error;
    this.#wake?.();
  }

  /** An event from the server to the application. */
  sendInput(event: ReceiveEvent): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#inputs.push(event);
    else taker(event);
  }

  /** The next event from the application; what it failed with is thrown here. `ms` is how long to wait. */
  async receiveOutput(ms = 1000): Promise<SendEvent> {
    await this.#until(ms);
    const event = this.#outputs.shift();
    if (event !== undefined) return event;
    if (this.#error !== null) throw this.#error.value;
    throw fault('SBY_ASGI_NO_OUTPUT', { ms, ended: this.done });
  }

  /** True when the application sends nothing for `ms` milliseconds. */
  async receiveNothing(ms = 100): Promise<boolean> {
    await this.#until(ms);
    return this.#outputs.length === 0;
  }

  /** Waits for the application to end; throws what it failed with. */
  async wait(): Promise<void> {
    await this.ended;
    if (this.#error !== null) throw this.#error.value;
  }

  #until(ms: number): Promise<void> {
    if (this.#outputs.length > 0 || this.done) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}
