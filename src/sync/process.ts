/** The entry of a child process of a ProcessPool. */
import { enterInside, Inside } from './inside.ts';
import type { ToThread } from './wire.ts';

if (process.send !== undefined) {
  const side = new Inside((message) => void process.send?.(message), null, null);
  enterInside(side);
  process.on('message', (message: ToThread) => side.receive(message));
  // The parent is gone: nobody wants the results.
  process.on('disconnect', () => process.exit(0));
}
