import inspector from 'node:inspector';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Context, currentContext } from '../context.ts';
import { allTasks } from '../programs.ts';
import type { Task } from '../task.ts';
import { captureFrames, type Frame } from './frames.ts';

/**
 * Watches the event loop from a thread beside it. The main thread does two cheap things: a timer bumps a counter in
 * shared memory, and a probe stands ready that says where we are and on whose behalf. The watcher notices when the
 * counter stands still, and evaluates the probe through the inspector: V8 runs it on top of the frames that are
 * stuck, so that it sees their stack and their async context. Costs nothing measurable while all is well.
 */
export interface Sample {
  /** How long the loop had stood still when the sample was asked for, in ms. */
  readonly after: number;
  /** True: answered only when native code had returned, so the line may be a later one. */
  readonly late: boolean;
  readonly frames: readonly Frame[];
  readonly context: Context | null;
  /** What was alive then. */
  readonly tasks: readonly Task<unknown>[];
}

export interface Stillstand {
  /** In ms, from `from` on, on the clock of `performance.now()`. */
  readonly ms: number;
  readonly from: number;
  readonly samples: readonly Sample[];
}

/** What the watcher sends: contexts stay here, under the number of their probe. */
interface Report {
  readonly ms: number;
  readonly from: number;
  readonly samples: readonly { readonly after: number; readonly late: boolean; readonly probe: number }[];
}

export const slots = { beat: 0, last: 0 };
export const probeName = 'sobaya.debug.probe';

/** The same on every thread, unlike performance.now(). */
const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

export interface Watchdog {
  /** Resolves when the watcher runs. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

export function startWatchdog(threshold: number, onStillstand: (stillstand: Stillstand) => void): Watchdog {
  const beatMs = Math.max(5, threshold / 4);
  // Without the right to inspect, connecting would abort the process: then durations only.
  const { permission } = process as { permission?: { has(scope: string): boolean } };
  const mayInspect = permission === undefined || permission.has('inspector');
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const times = new Float64Array(new SharedArrayBuffer(8));
  const offset = performance.now() - clock();
  const beat = (): void => {
    times[slots.last] = clock();
    Atomics.add(beats, slots.beat, 1);
  };
  beat();
  const timer = setInterval(beat, beatMs).unref();

  const probes = new Map<number, Pick<Sample, 'frames' | 'context' | 'tasks'>>();
  let lastProbe = 0;
  const key = Symbol.for(probeName);
  const holder = globalThis as unknown as Record<symbol, unknown>;
  holder[key] = () => {
    // A person who steps through the code with a debugger is not a block.
    if (inspector.url() !== undefined) return null;
    const probe = ++lastProbe;
    probes.set(probe, { frames: captureFrames(60).slice(1), context: currentContext(), tasks: allTasks() });
    return { probe, beat: Atomics.load(beats, slots.beat), at: clock() };
  };

  const self = fileURLToPath(import.meta.url);
  const worker = new Worker(new URL(`./watcher${extname(self)}`, import.meta.url), {
    name: 'sobaya loop watchdog',
    workerData: { beats: beats.buffer, times: times.buffer, threshold, beatMs, mayInspect },
    execArgv: [],
    stdout: false,
  });
  worker.on('message', (report: Report) => {
    const samples: Sample[] = [];
    for (const { after, late, probe } of report.samples) {
      const found = probes.get(probe);
      if (found !== undefined) samples.push({ after, late, ...found });
    }
    probes.clear();
    onStillstand({ ms: report.ms, from: report.from + offset, samples });
  });
  worker.on('error', () => {});
  const ready = new Promise<void>((resolve) => {
    worker.once('online', () => {
      // Only now, and after on('message'), which would hold the process open again.
      worker.unref();
      resolve();
    });
  });
  return {
    ready,
    async stop() {
      clearInterval(timer);
      delete holder[key];
      await worker.terminate();
    },
  };
}
