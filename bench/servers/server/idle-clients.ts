import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

type Order = { do: 'latency'; seconds: number } | { do: 'open'; count: number } | { do: 'close' };

const port = Number(process.argv[2]);
const request = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n\r\n';
let idle: Socket[] = [];

/** A connection that has had one answer. */
async function open(): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.write(request);
  await once(socket, 'data');
  return socket;
}

/** One client that asks again and again; another process measures throughput. */
async function latency(seconds: number): Promise<Record<string, number>> {
  const socket = await open();
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const began = performance.now();
    socket.write(request);
    await once(socket, 'data');
    times.push(performance.now() - began);
  }
  socket.destroy();
  times.sort((a, b) => a - b);
  return { p50: times[times.length >> 1]!, p99: times[Math.floor(times.length * 0.99)]! };
}

async function obey(order: Order): Promise<Record<string, number>> {
  if (order.do === 'latency') return await latency(order.seconds);
  if (order.do === 'open') {
    while (idle.length < order.count)
      idle.push(
        ...(await Promise.all(Array.from({ length: Math.min(200, order.count - idle.length) }, open))),
      );
    return { open: idle.length };
  }
  const closed = idle.map((socket) => once(socket, 'close'));
  for (const socket of idle) socket.end();
  idle = [];
  await Promise.all(closed);
  return { open: 0 };
}

process.on('message', (order: Order) => void obey(order).then((reply) => process.send?.(reply)));
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: 1 });
