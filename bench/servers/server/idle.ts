/**
 * Memory of idle keep-alive connections, and what they do to others. The server is a process of its own; the 10,000
 * clients are another, so that only the server's memory is measured.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Measured } from '../../harness.ts';

interface Options {
  readonly kind: 'Sobaya' | 'node:http';
  readonly connections: number;
}

type Reply = Readonly<Record<string, number>>;

function child(file: string, ...args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, file), args, {
    execArgv: ['--conditions=sobaya:source', '--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

async function ask(process: ChildProcess, order: unknown): Promise<Reply> {
  process.send(order as never);
  const [reply] = (await once(process, 'message')) as [Reply];
  return reply;
}

/** A server for one round: one that has held many connections keeps the memory, and a second time would look thrifty. */
async function measure(kind: string, connections: number): Promise<Reply> {
  const server = child('idle-server.ts', kind);
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  const clients = child('idle-clients.ts', String(port));
  await once(clients, 'message');
  try {
    // Warm first: what the code itself needs is not to be counted.
    await ask(clients, { do: 'open', count: 500 });
    await ask(clients, { do: 'close' });
    await ask(clients, { do: 'latency', seconds: 0.5 });
    const without = await ask(clients, { do: 'latency', seconds: 1 });
    const before = await ask(server, 'memory');
    await ask(clients, { do: 'open', count: connections });
    const after = await ask(server, 'memory');
    const beside = await ask(clients, { do: 'latency', seconds: 1 });
    return {
      bytesPerConnection: (after['rss']! - before['rss']!) / connections,
      heapPerConnection: (after['heap']! - before['heap']!) / connections,
      p50Without: without['p50']!,
      p50Beside: beside['p50']!,
      p99Beside: beside['p99']!,
      slower: beside['p50']! / without['p50']!,
    };
  } finally {
    clients.kill();
    server.kill();
  }
}

export function start({ kind, connections }: Options): Measured {
  return { round: () => measure(kind, connections) };
}
