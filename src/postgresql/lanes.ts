import type { Connection } from './connection.ts';
import type { Form } from './form.ts';

/** A connection of the pool and what it is doing. */
export interface Slot {
  readonly connection: Connection;
  /** Statements given to it and not answered. */
  load: number;
  /** Of these, such as are slow or not known yet: nothing quick is sent behind them. */
  slow: number;
  /** Milliseconds of work that are expected ahead of whoever comes next. */
  backlog: number;
  /** Held by a transaction, a cursor, a COPY. */
  leased: boolean;
  /** Takes nothing new: it is wanted by somebody who needs it alone, or is too old. */
  draining: 'lease' | 'close' | null;
  idleSince: number;
  readonly expiresAt: number;
}

export type Lane = 'fast' | 'slow' | 'unknown';

/** More than this many milliseconds in the server is slow. */
export const slowMs = 10;
/** Quick statements are packed on few connections, as one write and one read, until this much work is ahead. */
const packMs = 1;

export function laneOf(form: Form): Lane {
  if (form.runs === 0) return 'unknown';
  return form.ms > slowMs ? 'slow' : 'fast';
}

function takes(slot: Slot): boolean {
  return !slot.leased && slot.draining === null && slot.connection.wire.open;
}

/** How many connections slow statements may occupy: some are always left to the quick ones. */
export function slowLimit(size: number): number {
  return size - (size === 1 ? 0 : Math.max(1, Math.floor(size * 0.3)));
}

/**
 * The connection for a statement of this lane; null when there is none that should take it now.
 * `spare`: whether another connection could be opened instead of standing in a queue.
 */
export function choose(
  slots: readonly Slot[],
  lane: Lane,
  depth: number,
  size: number,
): { slot: Slot | null; spare: boolean } {
  return lane === 'fast' ? chooseFast(slots, depth, size) : chooseSlow(slots, lane, depth, size);
}

function chooseFast(
  slots: readonly Slot[],
  depth: number,
  size: number,
): { slot: Slot | null; spare: boolean } {
  let least: Slot | null = null;
  for (const slot of slots) {
    if (!takes(slot) || slot.load >= depth) continue;
    // With one connection there is no other lane.
    if (slot.slow > 0 && size > 1) continue;
    if (slot.backlog <= packMs && slot.slow === 0) return { slot, spare: false };
    if (least === null || slot.backlog < least.backlog) least = slot;
  }
  return { slot: least, spare: true };
}

function chooseSlow(
  slots: readonly Slot[],
  lane: Lane,
  depth: number,
  size: number,
): { slot: Slot | null; spare: boolean } {
  let occupied = 0;
  let free: Slot | null = null;
  let least: Slot | null = null;
  for (const slot of slots) {
    if (slot.slow > 0) occupied++;
    if (!takes(slot) || slot.load >= depth) continue;
    if (slot.load === 0) free ??= slot;
    // Behind others only what is not known to be slow, and never behind quick ones.
    else if ((slot.slow > 0 || size === 1) && (least === null || slot.load < least.load)) least = slot;
  }
  const room = occupied < slowLimit(size);
  if (room && free !== null) return { slot: free, spare: false };
  return { slot: lane === 'unknown' || size === 1 ? least : null, spare: room };
}
