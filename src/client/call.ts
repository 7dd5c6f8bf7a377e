import { Waiter } from '../asyncio/index.ts';
import type { FailedRequest } from '../errors/index.ts';
import { failed } from './faults.ts';
import type { EffectiveTimeouts } from './timeouts.ts';
import type { Phase, TransportCall } from './transport.ts';

/**
 * One call of the client: a waiter in its scope, its deadlines, and what has to be told when it ends early. It
 * lives from the call until the body has been read, through redirects and retries.
 */
export class Call extends Waiter implements TransportCall {
  /** What messages say about the request, as it is at the moment: redirects change it. */
  request: FailedRequest;
  phase: Phase = 'connecting or waiting for a free connection';
  waited: number | null = null;
  /** Why the call is over, when it ended early. */
  failure: { readonly error: unknown } | null = null;
  readonly #timeouts: EffectiveTimeouts;
  readonly #began = performance.now();
  #heardAt = this.#began;
  /** No silence is measured while it is us who are slow: sending a long body, not reading a stream. */
  #listening = false;
  #totalEnds: number;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #onFailure: ((error: unknown) => void) | null = null;
  #cancelExchange: ((error: unknown) => void) | null = null;
  #controller: AbortController | null = null;
  #foreign: { readonly signal: AbortSignal; readonly listener: () => void } | null = null;

  constructor(request: FailedRequest, timeouts: EffectiveTimeouts) {
    super();
    this.request = request;
    this.#timeouts = timeouts;
    this.#totalEnds = timeouts.total === null ? Number.POSITIVE_INFINITY : this.#began + timeouts.total;
    this.#arm(this.#totalEnds);
  }

  override describe(): string {
    return `${this.request.method} ${this.request.url}, ${this.phase}`;
  }

  override onCancel(reason: unknown): void {
    this.fail(reason);
  }

  /** Also ends the call when `signal` aborts. */
  follow(signal: AbortSignal): void {
    const listener = (): void => this.fail(signal.reason);
    if (signal.aborted) {
      listener();
      return;
    }
    signal.addEventListener('abort', listener, { once: true });
    this.#foreign = { signal, listener };
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** What is left of the total, in milliseconds. */
  get remainingMs(): number {
    return this.#totalEnds - performance.now();
  }

  /** For transports that want one; made only when asked for. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.failure !== null) this.#controller.abort(this.failure.error);
    }
    return this.#controller.signal;
  }

  /** What to do when the call ends early; the transport of the moment sets it. */
  onEarlyEnd(cancel: ((error: unknown) => void) | null): void {
    this.#cancelExchange = cancel;
    if (this.failure !== null) cancel?.(this.failure.error);
  }

  /** Something was heard of the other side: the silence begins anew. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** From now on the other side is the one to act. */
  listen(phase: Phase): void {
    this.phase = phase;
    this.#listening = true;
    const { read } = this.#timeouts;
    this.#heardAt = performance.now();
    if (read !== null) this.#arm(this.#heardAt + read);
  }

  /** From now on it is us, or the reader of the body, who has to act. */
  pauseListening(): void {
    this.#listening = false;
  }

  resumeListening(): void {
    if (!this.#listening) this.listen(this.phase);
  }

  /** The total no longer counts: a stream has its head. */
  dropTotal(): void {
    this.#totalEnds = Number.POSITIVE_INFINITY;
  }

  /** Ends the call early: whoever waits in `guard` gets the error, the transport lets go of its connection. */
  fail(error: unknown): void {
    if (this.failure !== null) return;
    this.failure = { error };
    const onFailure = this.#onFailure;
    const cancel = this.#cancelExchange;
    this.end();
    onFailure?.(error);
    cancel?.(error);
    this.#controller?.abort(error);
  }

  /** Milliseconds until the total timeout, never below 1; Infinity without one. */
  get remaining(): number {
    return Math.max(1, this.#totalEnds - performance.now() + 1);
  }

  /** Waits for `promise`, but no longer than the call lives. */
  guard<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.failure !== null) {
        promise.then(null, () => {});
        reject(this.failure.error);
        return;
      }
      this.#onFailure = reject;
      promise.then(
        (value) => {
          if (this.#onFailure === reject) this.#onFailure = null;
          resolve(value);
        },
        (error) => {
          if (this.#onFailure === reject) this.#onFailure = null;
          reject(error);
        },
      );
    });
  }

  /** The call is over: nothing of it stays behind in its scope or on a timer. */
  end(): void {
    this.unlink();
    clearTimeout(this.#timer);
    this.#timerAt = Number.NEGATIVE_INFINITY;
    this.#onFailure = null;
    this.#cancelExchange = null;
    if (this.#foreign !== null) {
      this.#foreign.signal.removeEventListener('abort', this.#foreign.listener);
      this.#foreign = null;
    }
  }

  // One timer serves both deadlines; being heard of only moves a number, and the timer looks at it when it fires.
  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(onTimer, Math.max(1, Math.ceil(at - performance.now())), this);
  }

  onTimer(): void {
    const now = performance.now();
    const { read, total } = this.#timeouts;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const silentAt = read !== null && this.#listening ? this.#heardAt + read : Number.POSITIVE_INFINITY;
    // Timers may fire a millisecond early.
    if (now >= this.#totalEnds - 1) {
      this.fail(
        failed('SBY_CLIENT_TOTAL_TIMEOUT', { request: this.request, ms: total as number, phase: this.phase }),
      );
    } else if (now >= silentAt - 1) {
      this.fail(
        failed('SBY_CLIENT_READ_TIMEOUT', { request: this.request, ms: read as number, phase: this.phase }),
      );
    } else {
      const next = Math.min(this.#totalEnds, silentAt);
      if (next !== Number.POSITIVE_INFINITY) this.#arm(next);
    }
  }
}

function onTimer(call: Call): void {
  call.onTimer();
}
