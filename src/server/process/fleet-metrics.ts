import {
  type Counters,
  type Gathered,
  noCounters,
  type Snapshot,
  sumCounters,
} from '../operations/metrics.ts';
import { type Child, isServing } from './child.ts';
import type { SupervisorMessage } from './messages.ts';

/** A worker that does not answer in this time is shown as it was when it last did. */
const PATIENCE = 1000;

interface Scrape {
  readonly missing: Set<Child>;
  readonly snapshots: Snapshot[];
  readonly timer: NodeJS.Timeout;
  readonly done: (snapshots: Snapshot[]) => void;
}

/** Adds up what workers count, those included that have ended: counters of a service never go down. */
export class FleetMetrics {
  readonly #children: ReadonlySet<Child>;
  readonly #scrapes = new Map<number, Scrape>();
  readonly #ends: Record<string, number> = {};
  #gone: Counters = noCounters;
  #count = 0;

  constructor(children: ReadonlySet<Child>) {
    this.#children = children;
  }

  /** Answers the scrape that came to `child`. */
  async answer(child: Child, id: number): Promise<void> {
    const snapshots = await this.#ask();
    const now = [...this.#children].flatMap(({ counters }) => (counters === null ? [] : [counters]));
    const gathered: Gathered = {
      counters: sumCounters([this.#gone, ...now]),
      workers: snapshots,
      ends: this.#ends,
    };
    if (child.worker.connected)
      child.worker.send({ sobaya: 'metrics', id, gathered } satisfies SupervisorMessage);
  }

  #ask(): Promise<Snapshot[]> {
    const id = ++this.#count;
    const asked = [...this.#children].filter(isServing);
    return new Promise((done) => {
      const timer = setTimeout(() => this.#finish(id), PATIENCE);
      this.#scrapes.set(id, { missing: new Set(asked), snapshots: [], timer, done });
      for (const child of asked)
        child.worker.send({ sobaya: 'report', id } satisfies SupervisorMessage, () => {});
      if (asked.length === 0) this.#finish(id);
    });
  }

  #finish(id: number): void {
    const scrape = this.#scrapes.get(id);
    if (scrape === undefined) return;
    this.#scrapes.delete(id);
    clearTimeout(scrape.timer);
    scrape.done(scrape.snapshots);
  }

  /** A worker says what it has counted; with id 0 without having been asked, before it ends. */
  report(child: Child, id: number, snapshot: Snapshot): void {
    child.counters = snapshot;
    const scrape = this.#scrapes.get(id);
    if (scrape === undefined || !scrape.missing.delete(child)) return;
    scrape.snapshots.push(snapshot);
    if (scrape.missing.size === 0) this.#finish(id);
  }

  ended(child: Child, reason: string): void {
    if (child.counters !== null) this.#gone = sumCounters([this.#gone, child.counters]);
    this.#ends[reason] = (this.#ends[reason] ?? 0) + 1;
    for (const [id, scrape] of this.#scrapes)
      if (scrape.missing.delete(child) && scrape.missing.size === 0) this.#finish(id);
  }
}
