/** Hello world on Sobaya's server, with debug mode on or off. */
import { debugMode } from '../../src/asyncio/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import type { Served } from '../harness.ts';

export async function start(debug: 'on' | 'off'): Promise<Served> {
  if (debug === 'on') await debugMode();
  const body = new TextEncoder().encode('Hello, world!');
  const server = await serve(
    async (scope, _receive, send) => {
      if (scope.type !== 'http') return;
      await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
      await send({ type: 'http.response.body', body });
    },
    { port: 0, lifespan: 'off', log: silentLog },
  );
  return { port: server.port, close: () => server.close() };
}
