import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from '../../../src/asgi/index.ts';

const body = Buffer.from('Hello, World!');

async function sobaya(): Promise<number> {
  const { serve, silentLog } = await import('../../../src/server/index.ts');
  const app: Application = async (scope, _receive, send) => {
    if (scope.type !== 'http') throw new Error('only http');
    await send({ type: 'http.response.start', status: 200, headers: [['content-type', 'text/plain']] });
    await send({ type: 'http.response.body', body });
  };
  const server = await serve(app, { port: 0, log: silentLog, timeoutKeepAlive: 600_000, backlog: 4096 });
  return server.port;
}

async function nodeHttp(): Promise<number> {
  const server = createServer({ keepAliveTimeout: 600_000 }, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return (server.address() as AddressInfo).port;
}

const port = process.argv[2] === 'Sobaya' ? await sobaya() : await nodeHttp();
process.send?.({ port });
process.on('message', () => {
  const collect = (globalThis as { gc?: () => void }).gc;
  // Twice: what finalizers let go of is collected the second time.
  collect?.();
  setTimeout(() => {
    collect?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send?.({ rss, heap: heapUsed + external });
  }, 300);
});
process.on('disconnect', () => process.exit(0));
