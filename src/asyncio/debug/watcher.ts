/** The thread beside the event loop; see watchdog.ts. */
import { type Runtime, Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';

const { threshold, beatMs, mayInspect } = workerData as {
  threshold: number;
  beatMs: number;
  mayInspect: boolean;
};
const data = workerData as { beats: SharedArrayBuffer; times: SharedArrayBuffer };
const beats = new Int32Array(data.beats);
const times = new Float64Array(data.times);
const bed = new Int32Array(new SharedArrayBuffer(4));
const clock = (): number => Number(process.hrtime.bigint()) / 1e6;
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const mostSamples = 4;
/** An answer that took longer had to wait for native code to return. */
const lateAfter = 20;

interface Sample {
  after: number;
  late: boolean;
  probe: number;
}

// A session alone does not keep this thread's loop alive; a listener does.
parentPort?.on('message', () => {});

function ask(session: Session, since: number, beat: number): Promise<Sample | null> {
  const asked = clock();
  const expression = `globalThis[Symbol.for('sobaya.debug.probe')]?.() ?? null`;
  return new Promise((resolve) => {
    session.post(
      'Runtime.evaluate',
      { expression, returnByValue: true, silent: true },
      (error: Error | null, reply?: Runtime.EvaluateReturnType) => {
        const value =
          error === null ? (reply?.result.value as { probe: number; beat: number; at: number } | null) : null;
        // The heart has beaten since: whoever runs now is innocent.
        if (!value || value.beat !== beat) resolve(null);
        else resolve({ after: asked - since, late: value.at - asked > lateAfter, probe: value.probe });
      },
    );
  });
}

async function watch(since: number, beat: number): Promise<void> {
  // Connected only while the loop stands still: with a session, the end of the process would wait for a debugger.
  let session: Session | null = null;
  const samples: Sample[] = [];
  try {
    if (mayInspect) {
      session = new Session();
      session.connectToMainThread();
    }
    let wait = threshold;
    while (Atomics.load(beats, 0) === beat) {
      if (session !== null && samples.length < mostSamples) {
        const sample = await Promise.race([ask(session, since, beat), moved(beat)]);
        if (sample !== null) samples.push(sample);
      }
      // At growing distances: a long block gets a few looks, never a flood.
      const until = clock() + wait;
      wait *= 2;
      while (Atomics.load(beats, 0) === beat && clock() < until) await delay(beatMs / 2);
    }
  } catch {
    while (Atomics.load(beats, 0) === beat) await delay(beatMs / 2);
  } finally {
    session?.disconnect();
  }
  // The beat was due at since + beatMs; the block began somewhere before that.
  const ms = (times[0] as number) - since - beatMs / 2;
  parentPort?.postMessage({ ms, from: since + beatMs / 2, samples });
}

/** Resolves some time after the heart has begun to beat again, for an answer that never comes. */
async function moved(beat: number): Promise<null> {
  while (Atomics.load(beats, 0) === beat) await delay(beatMs);
  await delay(beatMs * 2);
  return null;
}

let before = clock();
for (;;) {
  // While all is well the thread sleeps here and turns no event loop.
  Atomics.wait(bed, 0, 0, beatMs);
  const now = clock();
  const last = times[0] as number;
  // If this thread itself got no time (a sleeping laptop, a throttled container), nothing can be concluded.
  const starved = now - before > threshold;
  before = now;
  if (starved || now - last < threshold + beatMs / 2) continue;
  await watch(last, Atomics.load(beats, 0));
  before = clock();
}
