import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';
import { currentTask } from '../../asyncio/index.ts';

const probeName = 'sobaya.server.stuck';

/**
 * Ends this process when its event loop was blocked for `limit` ms, after having written the stack of what
 * blocked it to standard error. A process that is merely busy turns its loop and is left alone.
 */
export function watchForBlocks(limit: number, json = false): { stop(): Promise<void> } {
  // The second number says that a debugger may be attached, and a breakpoint looks like a block.
  const beats = new Int32Array(new SharedArrayBuffer(8));
  // Called from the thread through the inspector, on top of the frames that block the loop.
  (globalThis as Record<symbol, unknown>)[Symbol.for(probeName)] = (): string => {
    const limitBefore = Error.stackTraceLimit;
    Error.stackTraceLimit = 30;
    const stack = new Error('blocked here').stack ?? '';
    Error.stackTraceLimit = limitBefore;
    const task = currentTask();
    return `${task === null ? 'no task' : task.name}\n${stack.split('\n').slice(2).join('\n')}`;
  };
  const beat = (): void => {
    Atomics.add(beats, 0, 1);
    Atomics.store(beats, 1, inspectorUrl() === undefined ? 0 : 1);
  };
  beat();
  const timer = setInterval(beat, Math.max(5, limit / 8));
  timer.unref();
  const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
  const thread = new Worker(new URL(`./stuck-watch-thread${extension}`, import.meta.url), {
    workerData: { beats, limit, json, probe: `globalThis[Symbol.for('${probeName}')]?.() ?? null` },
  });
  thread.on('error', () => {});
  thread.unref();
  return {
    async stop() {
      clearInterval(timer);
      await thread.terminate();
    },
  };
}
