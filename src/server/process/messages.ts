/** What supervisor and workers tell each other over their channel. */
export type WorkerMessage =
  | { readonly sobaya: 'ready' }
  /** The connection with this number has come. */
  | { readonly sobaya: 'accepted'; readonly id: number }
  /** The worker wants to be replaced: it has served enough, is old, or has grown. */
  | { readonly sobaya: 'recycle'; readonly why: string };

export type SupervisorMessage =
  /** `drain`: another worker takes over, so idle connections may end with their next request. */
  | { readonly sobaya: 'stop'; readonly drain: boolean }
  /** A connection comes along as a handle. */
  | { readonly sobaya: 'connection'; readonly id: number }
  | { readonly sobaya: 'dump' };

export function isMessage<M extends { readonly sobaya: string }>(value: unknown): value is M {
  return (
    typeof value === 'object' && value !== null && typeof (value as { sobaya?: unknown }).sobaya === 'string'
  );
}
