/** A client asks for 200 MB and reads nothing of it: how much the server's memory grows meanwhile. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Application } from '../../src/asgi/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import type { Measured } from '../harness.ts';

const SIZE = 200_000_000;

/** Pieces of 64 KB, each made anew: what an application does that reads a file or a table. */
const application: Application = async (scope, _receive, send) => {
  if (scope.type !== 'http') throw new Error('only http');
  await send({ type: 'http.response.start', status: 200, headers: [['content-length', String(SIZE)]] });
  for (let sent = 0; sent < SIZE; ) {
    const size = Math.min(64_000, SIZE - sent);
    sent += size;
    await send({ type: 'http.response.body', body: Buffer.alloc(size, 0x73), moreBody: sent < SIZE });
  }
};

export async function start(): Promise<Measured> {
  const server = await serve(application, { port: 0, log: silentLog });
  return {
    async round() {
      // In a process of its own: the client's memory is not the server's.
      const client = fork(import.meta.filename, [String(server.port)], { execArgv: process.execArgv });
      const exit = once(client, 'exit');
      const before = process.memoryUsage.rss();
      let most = before;
      const [message] = (await once(client, 'message')) as ['connected'];
      if (message !== 'connected') throw new Error(String(message));
      for (let index = 0; index < 40; index++) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        most = Math.max(most, process.memoryUsage.rss());
      }
      client.kill();
      await exit;
      return { grownMb: (most - before) / 1e6 };
    },
    close: () => server.close(),
  };
}

if (import.meta.main) {
  // A socket that does not read keeps no process alive.
  process.on('disconnect', () => process.exit());
  process.on('message', () => {});
  const socket = connect(Number(process.argv[2]), '127.0.0.1', () => {
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n', () => process.send?.('connected'));
  });
}
