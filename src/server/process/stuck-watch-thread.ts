/** The thread beside the event loop; see stuck-watch.ts. */
import { writeSync } from 'node:fs';
import { type Runtime, Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';

const { beats, limit, probe, json } = workerData as {
  beats: Int32Array;
  limit: number;
  probe: string;
  json: boolean;
};
const step = Math.max(5, limit / 4);
const bed = new Int32Array(new SharedArrayBuffer(4));

// A session alone does not keep this thread's loop alive; a listener does.
parentPort?.on('message', () => {});

function stack(): Promise<string> {
  const unknown = 'the stack is not known: it is in native code, or may not be inspected';
  return new Promise((resolve) => {
    setTimeout(() => resolve(unknown), 1000);
    try {
      const session = new Session();
      session.connectToMainThread();
      session.post(
        'Runtime.evaluate',
        { expression: probe, returnByValue: true, silent: true },
        (error: Error | null, reply?: Runtime.EvaluateReturnType) => {
          const value = error === null ? reply?.result.value : null;
          resolve(typeof value === 'string' ? value : unknown);
        },
      );
    } catch {
      resolve(unknown);
    }
  });
}

let last = Atomics.load(beats, 0);
let since = performance.now();
for (;;) {
  const before = performance.now();
  Atomics.wait(bed, 0, 0, step);
  const now = performance.now();
  const beat = Atomics.load(beats, 0);
  // A thread that got no time itself can conclude nothing.
  if (beat !== last || now - before > step * 3 || Atomics.load(beats, 1) === 1) {
    last = beat;
    since = now;
    continue;
  }
  if (now - since < limit) continue;
  const where = await stack();
  if (Atomics.load(beats, 0) !== last) continue;
  const message = `worker ${process.pid}: the event loop was blocked for ${Math.round(now - since)} ms by ${where}`;
  writeSync(
    2,
    json
      ? `${JSON.stringify({ time: new Date().toISOString(), level: 'error', pid: process.pid, message })}\n`
      : `error: ${message}\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}
