/**
 * What `requests.get` is in Python: asks, and holds the whole thread until the answer is there. JavaScript has no such
 * thing on purpose, so here a second thread asks, and this one stops (really stops: Atomics.wait) until it is done.
 * For lesson 4 only; do not take it home.
 */
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';

interface Answer {
  readonly text?: string;
  readonly error?: string;
}

let asker: { readonly port: MessagePort; readonly done: Int32Array } | null = null;

function startAsker(): { readonly port: MessagePort; readonly done: Int32Array } {
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { blockingGet: true, done, port: port2 },
    transferList: [port2],
  });
  // It keeps no program from ending.
  worker.unref();
  port1.unref();
  return { port: port1, done };
}

export function blockingGet(url: string): string {
  asker ??= startAsker();
  const { port, done } = asker;
  Atomics.store(done, 0, 0);
  port.postMessage(url);
  Atomics.wait(done, 0, 0);
  const answer = receiveMessageOnPort(port)?.message as Answer | undefined;
  if (answer?.text === undefined) throw new Error(answer?.error ?? `no answer from ${url}`);
  return answer.text;
}

if (!isMainThread && workerData?.blockingGet === true) {
  const { done, port } = workerData as { done: Int32Array; port: MessagePort };
  port.on('message', (url: string) => {
    void fetch(url)
      .then((response) => response.text())
      .then(
        (text): Answer => ({ text }),
        (error): Answer => ({ error: String(error) }),
      )
      .then((answer) => {
        port.postMessage(answer);
        Atomics.store(done, 0, 1);
        Atomics.notify(done, 0);
      });
  });
}
