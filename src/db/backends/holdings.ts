import { currentTask } from '../../asyncio/index.ts';

/** A connection that somebody has for themselves: a transaction, a cursor. */
export interface Holding {
  /** The task that took it: `task "import"`; or `the main program`. */
  readonly holder: string;
  /** When, on the clock of `performance.now()`. */
  readonly since: number;
}

/** Who holds the connections of a backend: what is told to those who wait for one in vain. */
export class Holdings {
  readonly #all = new Set<Holding>();

  get size(): number {
    return this.#all.size;
  }

  /** Notes the task here; give the result to `release`. */
  take(): Holding {
    const task = currentTask();
    const holder = task === null ? 'the main program' : `task ${JSON.stringify(task.name)}`;
    const holding: Holding = { holder, since: performance.now() };
    this.#all.add(holding);
    return holding;
  }

  release(holding: Holding): void {
    this.#all.delete(holding);
  }

  /** Oldest first. */
  list(): Holding[] {
    return [...this.#all];
  }

  /** For messages: the five that have had theirs for the longest time. */
  toString(): string {
    const now = performance.now();
    return this.list()
      .slice(0, 5)
      .map(({ holder, since }) => `${holder} for ${Math.round(now - since)} ms`)
      .join(', ');
  }
}
