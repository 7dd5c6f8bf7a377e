/**
 * Coarse time for deadlines: one timer for all connections of a server instead of one per request. Its step
 * follows the shortest timeout in use, so a deadline is late by an eighth of that at most.
 */
export class Clock {
  readonly #step: number;
  #timer: NodeJS.Timeout | null = null;
  readonly #onTick: (now: number) => void;

  constructor(timeouts: readonly number[], onTick: (now: number) => void) {
    const shortest = Math.min(...timeouts.filter((timeout) => timeout > 0), 8000);
    this.#step = Math.max(5, Math.min(500, Math.floor(shortest / 8)));
    this.#onTick = onTick;
  }

  start(): void {
    this.#timer = setInterval(() => this.#onTick(performance.now()), this.#step);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
