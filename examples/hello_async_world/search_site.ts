/**
 * A stand-in for a search site, so that the lessons need no network: it answers `/search?q=…` after some time
 * (`&ms=…`, or a time of its own for each word). It runs in a thread of its own, as a real one would run elsewhere:
 * lesson 4 brings this thread to a halt, and the site must not halt with it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

export interface SearchSite {
  readonly url: string;
  close(): Promise<void>;
}

export async function startSearchSite(): Promise<SearchSite> {
  const worker = new Worker(new URL(import.meta.url));
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  // The site alone keeps no lesson from ending.
  worker.unref();
  return { url: `http://127.0.0.1:${port}`, close: async () => void (await worker.terminate()) };
}

/** Every word takes its own time: 100 to 300 ms. */
function timeFor(word: string): number {
  let sum = 0;
  for (const letter of word) sum = (sum * 31 + letter.charCodeAt(0)) % 201;
  return 100 + sum;
}

if (!isMainThread) {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://search');
    const word = url.searchParams.get('q') ?? '';
    const ms = Number(url.searchParams.get('ms') ?? timeFor(word));
    setTimeout(() => {
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      response.end(`${word.length * 1000 + ms} pages about ${word}`);
    }, ms);
  });
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
}
