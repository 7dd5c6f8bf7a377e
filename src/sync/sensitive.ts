import { ContextVar, currentTask } from '../asyncio/index.ts';
import { askedBy } from './call.ts';

const sensitive = new ContextVar<object>('sobaya.sync.threadSensitive');
const nobody = {};

/** Runs `fn` so that its thread-sensitive calls share a thread with each other, and with nobody else's. The outermost wins. */
export function threadSensitiveContext<R>(fn: () => R): R {
  return sensitive.get() === undefined ? sensitive.run(new Key(), fn) : fn();
}

/** A class, so that it does not travel. */
class Key {}

/** What the thread-sensitive calls of here have in common: that context, else the topmost task. */
export function sensitiveKey(): object {
  const key = sensitive.get();
  if (key !== undefined) return key;
  // What a thread asked for belongs to the context of the call that asks.
  const asking = askedBy.get();
  if (asking !== undefined && asking.key !== null) return asking.key;
  let task = currentTask();
  while (task !== null && task.parent !== null) task = task.parent;
  return task ?? nobody;
}
