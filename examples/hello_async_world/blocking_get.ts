/**
 * What `requests.get` is in Python: asks, and holds the whole thread until the answer is there. JavaScript has no such
 * thing on purpose, so here a second thread asks, and this one stops (really stops: Atomics.wait) until it is done.
 * For lesson 4 only; do not take it home.
 */
import { isMainThread, MessageChannel, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';

export function blockingGet(url: string): string {
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { url, done, port: port2 },
    transferList: [port2],
  });
  worker.unref();
  Atomics.wait(done, 0, 0);
  const answer = receiveMessageOnPort(port1)?.message as { text?: string; error?: string } | undefined;
  port1.close();
  if (answer?.text === undefined) throw new Error(answer?.error ?? `no answer from ${url}`);
  return answer.text;
}

if (!isMainThread && workerData?.done !== undefined) {
  const { url, done, port } = workerData;
  try {
    port.postMessage({ text: await (await fetch(url)).text() });
  } catch (error) {
    port.postMessage({ error: String(error) });
  }
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
}
