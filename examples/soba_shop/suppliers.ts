/**
 * Stand-ins for the suppliers, so that the shop needs no network: each answers `/price?of=…` after a time of its own.
 * They run in a thread of their own, as real ones run elsewhere: the blocking way of asking brings this thread to a
 * halt, and the suppliers must not halt with it.
 */
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface Supplier {
  readonly id: string;
  readonly name: string;
  /** How long it takes to answer, in milliseconds. */
  readonly delay: number;
  /** Yen per kilogram. */
  readonly price: number;
}

export const suppliers: readonly Supplier[] = [
  { id: 'horokanai', name: 'Horokanai Mill', delay: 180, price: 1180 },
  { id: 'togakushi', name: 'Togakushi Farm', delay: 120, price: 1320 },
  { id: 'izumo', name: 'Izumo Grain', delay: 240, price: 1090 },
  { id: 'iya', name: 'Iya Valley', delay: 90, price: 1450 },
  { id: 'mogami', name: 'Mogami Buckwheat', delay: 150, price: 1210 },
];

export interface SupplierSite extends AsyncDisposable {
  readonly url: string;
}

/** Starts the stand-ins on a free port. */
export async function startSuppliers(): Promise<SupplierSite> {
  const worker = new Worker(new URL(import.meta.url), { workerData: 'suppliers' });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  // They alone keep no program from ending.
  worker.unref();
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

if (!isMainThread && workerData === 'suppliers') {
  // Here, not above: the thread of the shop itself has no need of it, and it takes a while to load.
  const { createServer } = await import('node:http');
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://suppliers');
    const supplier = suppliers.find(({ id }) => url.pathname === `/${id}/price`);
    if (supplier === undefined) {
      response.writeHead(404).end();
      return;
    }
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ price: supplier.price }));
    }, supplier.delay);
  });
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
}
