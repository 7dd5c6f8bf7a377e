import { getRunningLoop } from './loop.ts';
import type { Task } from './task.ts';

/** An error that nobody has looked at yet. Does not hold its task, so that the task's collection can be noticed. */
interface Unseen {
  readonly name: string;
  readonly error: unknown;
  readonly site: string | null;
  siblings: Set<Unseen> | null;
}

export type NeverRetrievedHandler = (
  task: { readonly name: string; readonly site: string | null },
  error: unknown,
) => void;

let onNeverRetrieved: NeverRetrievedHandler = ({ name, site }, exception) => {
  const started = site === null ? '' : ` (started at ${site})`;
  getRunningLoop().callExceptionHandler({
    message: `Task "${name}"${started} failed and nobody looked at its error:`,
    exception,
  });
};

/** Replaces what is done with the error of a task that nobody awaits. Default: printed on stderr. */
export function setNeverRetrievedHandler(handler: NeverRetrievedHandler): NeverRetrievedHandler {
  const before = onNeverRetrieved;
  onNeverRetrieved = handler;
  return before;
}

const unseen = new Set<Unseen>();
const records = new WeakMap<Task<unknown>, Unseen>();
/** What failed below a task that has not ended: reported at the latest when that task ends. */
const byParent = new WeakMap<Task<unknown>, Set<Unseen>>();
const collected = new FinalizationRegistry<Unseen>(report);
let watchingExit = false;

function report(record: Unseen): void {
  record.siblings?.delete(record);
  if (unseen.delete(record)) onNeverRetrieved(record, record.error);
}

/** A task failed that nobody supervises and nobody awaits yet. */
export function failedUnseen(task: Task<unknown>, error: unknown): void {
  // Until it is first read, the stack holds on to the frames, and so to the task: its collection would go unnoticed.
  void (error as Error | null)?.stack;
  const record: Unseen = { name: task.name, error, site: task.site, siblings: null };
  unseen.add(record);
  records.set(task, record);
  const { parent } = task;
  if (parent === null && task.scope.kind === 'background') {
    // Nobody will come back for it, but let whoever is just about to await it do so.
    setImmediate(report, record);
    return;
  }
  collected.register(task, record, task);
  if (parent !== null && !parent.done) {
    let siblings = byParent.get(parent);
    if (siblings === undefined) {
      siblings = new Set();
      byParent.set(parent, siblings);
      const all = siblings;
      // A turn later: who awaits the parent may look at the child as well.
      void parent.ended.then(() => setImmediate(() => all.forEach(report)));
    }
    siblings.add(record);
    record.siblings = siblings;
  } else if (parent !== null) setImmediate(report, record);
  if (watchingExit) return;
  watchingExit = true;
  process.on('exit', () => {
    for (const record of unseen) report(record);
  });
}

/** An error that nobody can get: a gather throws only one, a thrower left behind by a timeout has no listener. */
export function reportUnseen(
  task: { readonly name: string; readonly site: string | null },
  error: unknown,
): void {
  onNeverRetrieved(task, error);
}

/** Somebody looked after all. */
export function seen(task: Task<unknown>): void {
  const record = records.get(task);
  if (record === undefined) return;
  unseen.delete(record);
  record.siblings?.delete(record);
  collected.unregister(task);
}
