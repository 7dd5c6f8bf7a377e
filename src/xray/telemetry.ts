import type { Recorder } from './recorder.ts';
/** Placeholder until written below. */
export async function connectTelemetry(_recorder: Recorder): Promise<() => void> {
  return () => {};
}
