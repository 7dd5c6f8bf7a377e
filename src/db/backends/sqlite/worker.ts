/** The thread side of a lane. */
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from './engine.ts';
import type { WorkerSettings } from './protocol.ts';

const port = parentPort as NonNullable<typeof parentPort>;
try {
  const engine = new Engine(workerData as WorkerSettings);
  port.on('message', (batch: unknown[] | 'close') => {
    if (batch !== 'close') return port.postMessage(engine.batch(batch));
    engine.close();
    port.close();
  });
  port.postMessage('open');
} catch (error) {
  port.postMessage({
    failed: (error as Error).message,
    errcode: (error as { errcode?: number }).errcode ?? 0,
  });
}
