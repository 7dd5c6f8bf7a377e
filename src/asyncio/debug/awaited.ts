import { CancelledError } from '../../errors/index.ts';
import { currentContext } from '../context.ts';
import type { Task } from '../task.ts';
import { callSite } from './frames.ts';

const nothing = (): void => {};

/** An awaitable of ours that nobody has awaited yet. */
interface Forgotten {
  readonly what: string;
  readonly site: string | null;
}

/** Notices when it is awaited: `await` calls `then` of anything but a plain promise. */
class Watched<T> extends Promise<T> {
  onThen: (() => void) | null = null;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.onThen?.();
    this.onThen = null;
    return super.then(onValue, onError);
  }
}

/** Watches awaitables of ours, and reports those that nobody awaited when their task ends. */
export class AwaitWatch {
  readonly #byTask = new WeakMap<Task<unknown>, Set<Forgotten>>();
  readonly #outside = new Set<Forgotten>();
  readonly #report: (text: string) => void;

  constructor(report: (text: string) => void) {
    this.#report = report;
  }

  readonly watch = <T>(promise: Promise<T>, what: string): Promise<T> => {
    const { task } = currentContext();
    const record: Forgotten = { what, site: callSite() };
    let set = this.#outside;
    if (task !== null) {
      set = this.#byTask.get(task) ?? new Set();
      this.#byTask.set(task, set);
    }
    set.add(record);
    const watched = new Watched<T>((resolve) => resolve(promise));
    let awaited = false;
    watched.onThen = () => {
      awaited = true;
      set.delete(record);
    };
    promise.catch((error) => {
      // Forgotten and then cancelled with its task: reported as never awaited, and no unhandled rejection.
      if (error instanceof CancelledError && !awaited) Promise.prototype.then.call(watched, null, nothing);
    });
    return watched;
  };

  readonly ended = (task: Task<unknown>): void => {
    const set = this.#byTask.get(task);
    if (set !== undefined) this.#reportAll(set, ` in task "${task.name}"`);
  };

  /** The end of debug mode: what was called outside of any task. */
  flush(): void {
    this.#reportAll(this.#outside, '');
  }

  #reportAll(set: Set<Forgotten>, where: string): void {
    for (const { what, site } of set)
      this.#report(`${what} was called${where} but never awaited${site === null ? '' : ` (${site})`}`);
    set.clear();
  }
}
