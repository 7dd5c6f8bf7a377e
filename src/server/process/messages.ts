import type { Gathered, Snapshot } from '../operations/metrics.ts';

/** What supervisor and workers tell each other over their channel. */
export type WorkerMessage =
  | { readonly sobaya: 'ready' }
  /** The connection with this number has come. */
  | { readonly sobaya: 'accepted'; readonly id: number }
  /** The worker wants to be replaced: it has served enough, is old, or has grown. */
  | { readonly sobaya: 'recycle'; readonly why: string }
  /** A scrape of this number has come to the worker, who needs the numbers of all. */
  | { readonly sobaya: 'scrape'; readonly id: number }
  /** The numbers of the worker, which it was asked for; id 0 before it ends. */
  | { readonly sobaya: 'report'; readonly id: number; readonly snapshot: Snapshot };

export type SupervisorMessage =
  /** `drain`: another worker takes over, so idle connections may end with their next request. */
  | { readonly sobaya: 'stop'; readonly drain: boolean }
  /** The service will stop soon: health checks fail from now on. */
  | { readonly sobaya: 'leave' }
  /** A connection comes along as a handle. */
  | { readonly sobaya: 'connection'; readonly id: number }
  | { readonly sobaya: 'dump' }
  | { readonly sobaya: 'report'; readonly id: number }
  | { readonly sobaya: 'metrics'; readonly id: number; readonly gathered: Gathered };

export function isMessage<M extends { readonly sobaya: string }>(value: unknown): value is M {
  return (
    typeof value === 'object' && value !== null && typeof (value as { sobaya?: unknown }).sobaya === 'string'
  );
}
