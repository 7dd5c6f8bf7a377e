import { fault } from '../../errors/index.ts';

export type Refusal = ReturnType<typeof refuse>;

/** The error for a message from the peer that must not be accepted: `status` is what it is answered with. */
export function refuse(status: number, why: string): ReturnType<typeof fault<'SBY_SERVER_BAD_REQUEST'>> {
  const error = fault('SBY_SERVER_BAD_REQUEST', { status, why });
  return Object.assign(error, { status });
}
