import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Counters } from '../operations/metrics.ts';

/** A worker as its supervisor sees it. */
export interface Child {
  readonly worker: ChildProcess;
  readonly startedAt: number;
  ready: boolean;
  /** Why it was told to stop; null while it was not. */
  stopping: string | null;
  killer: NodeJS.Timeout | null;
  /** Connections on their way to it; if it dies before it has them, another worker gets them. */
  readonly onTheWay: Map<number, { readonly socket: Socket; readonly since: number }>;
  /** What it counted when it was last asked. */
  counters: Counters | null;
}

export function isServing(child: Child): boolean {
  return child.ready && child.stopping === null && child.worker.connected;
}
