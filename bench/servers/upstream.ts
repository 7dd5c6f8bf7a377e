/** The other side of the fan-out: answers `/?id=…&ms=…` with a small JSON after `ms`. A process of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://upstream');
  const ms = Number(url.searchParams.get('ms') ?? 0);
  const body = JSON.stringify({ id: Number(url.searchParams.get('id')), price: 500 });
  const answer = (): void => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  };
  if (ms > 0) setTimeout(answer, ms);
  else answer();
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
