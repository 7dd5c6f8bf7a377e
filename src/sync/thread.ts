/** The entry of a worker thread of a ThreadPool. */
import { parentPort, workerData } from 'node:worker_threads';
import { enterInside, Inside } from './inside.ts';
import type { ToThread } from './wire.ts';

if (parentPort !== null) {
  const port = parentPort;
  const side = new Inside(
    (message, list) => port.postMessage(message, [...list]),
    port,
    new Int32Array((workerData as { shared: SharedArrayBuffer }).shared),
  );
  enterInside(side);
  port.on('message', (message: ToThread) => side.receive(message));
}
