import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { createApp, HttpResponse, JsonResponse, path, StreamingHttpResponse, sleep, websocket } from 'sobaya';
import { allTasks, currentTask } from 'sobaya/asyncio';
import { type LiveServer, liveServer } from 'sobaya/test';
import { eventStream } from 'sobaya/views';
import { WebSocket } from 'ws';

const outcomes: string[] = [];
let wake: (() => void) | null = null;
const next = async (): Promise<string> => {
  while (outcomes.length === 0) await new Promise<void>((resolve) => (wake = resolve));
  return outcomes.shift()!;
};
const outcome = (text: string): void => {
  outcomes.push(text);
  wake?.();
};

const app = createApp({
  debug: false,
  limits: { maxUploadSize: 2 ** 31, maxFileSize: 2 ** 31 },
  urls: [
    path(
      'task/',
      () => new JsonResponse({ task: currentTask()?.name, parents: currentTask()?.parent?.name ?? null }),
    ),
    path('slow/', async () => {
      outcome('started');
      try {
        await sleep(60_000);
      } catch (error) {
        outcome((error as Error).name);
        throw error;
      }
      return new HttpResponse();
    }),
    path('stream/', () => {
      async function* rows(): AsyncGenerator<string> {
        try {
          for (let row = 0; ; row++) {
            yield `row ${row}\n`;
            await sleep(1);
          }
        } finally {
          outcome('stream released');
        }
      }
      return new StreamingHttpResponse(rows());
    }),
    path('upload/', async (request) => {
      const before = process.memoryUsage.rss();
      let peak = before;
      let size = 0;
      for await (const chunk of request.stream()) {
        size += chunk.length;
        peak = Math.max(peak, process.memoryUsage.rss());
      }
      return new JsonResponse({ size, grew: peak - before });
    }),
    path('form/', async (request) => new JsonResponse({ size: (await request.files()).get('f')?.size })),
    path(
      'live/',
      eventStream(async function* () {
        yield { id: 1, data: 'one' };
        try {
          await sleep(60_000);
        } finally {
          outcome('events released');
        }
      }),
    ),
    websocket('echo/', async (socket) => {
      for await (const message of socket) await socket.send(`echo ${String(message)}`);
      outcome(`socket ${socket.closeCode}`);
    }),
  ],
});

let live: LiveServer;
before(async () => {
  live = await liveServer(app, { limitRequestBody: 0 });
});
after(() => live.close());

test('a request is one task, named, and no second one is made around it', async () => {
  const response = await fetch(`${live.url}/task/`);
  assert.deepEqual(await response.json(), { task: 'GET /task/', parents: null });
  assert.equal(response.headers.get('content-type'), 'application/json');
});

test('a client that leaves ends what its view waits for', async () => {
  const socket = connect(Number(new URL(live.url).port), '127.0.0.1');
  socket.write('GET /slow/ HTTP/1.1\r\nhost: localhost\r\n\r\n');
  assert.equal(await next(), 'started');
  socket.destroy();
  assert.equal(await next(), 'AbortError');
});

test('a client that leaves releases the stream', async () => {
  const controller = new AbortController();
  const response = await fetch(`${live.url}/stream/`, { signal: controller.signal });
  const reader = response.body!.getReader();
  assert.match(Buffer.from((await reader.read()).value!).toString(), /^row 0\n/);
  controller.abort();
  assert.equal(await next(), 'stream released');
});

test('server-sent events over a socket, released when the client leaves', async () => {
  const controller = new AbortController();
  const response = await fetch(`${live.url}/live/`, { signal: controller.signal });
  const reader = response.body!.getReader();
  let text = '';
  while (!text.includes('data: one')) text += Buffer.from((await reader.read()).value!).toString();
  controller.abort();
  assert.equal(await next(), 'events released');
});

test('a large body is streamed, with memory that does not grow with it', async () => {
  const size = 256 * 2 ** 20;
  const chunk = Buffer.alloc(2 ** 18, 'x');
  const answer = await new Promise<string>((resolve, reject) => {
    const request = httpRequest(
      `${live.url}/upload/`,
      { method: 'POST', headers: { 'content-length': size } },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (part: string) => (text += part))
          .on('end', () => resolve(text));
      },
    );
    request.on('error', reject);
    let sent = 0;
    const feed = (): void => {
      while (sent < size) {
        sent += chunk.length;
        if (!request.write(chunk)) {
          request.once('drain', feed);
          return;
        }
      }
      request.end();
    };
    feed();
  });
  const { size: received, grew } = JSON.parse(answer) as { size: number; grew: number };
  assert.equal(received, size);
  // The client, in the same process, has its buffers too.
  assert.ok(grew < 128 * 2 ** 20, `${Math.round(grew / 2 ** 20)} MiB`);
});

test('a multipart upload over a socket', async () => {
  const form = new FormData();
  form.set('f', new Blob(['x'.repeat(5_000_000)]), 'big.txt');
  const response = await fetch(`${live.url}/form/`, { method: 'POST', body: form });
  assert.deepEqual(await response.json(), { size: 5_000_000 });
});

test('WebSocket over a socket', async () => {
  const socket = new WebSocket(`${live.url.replace('http', 'ws')}/echo/`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send('soba');
  const message = await new Promise<string>((resolve) =>
    socket.once('message', (data: Buffer) => resolve(data.toString())),
  );
  assert.equal(message, 'echo soba');
  socket.close(1000);
  assert.equal(await next(), 'socket 1000');
});

test('nothing is left behind', async () => {
  const left = (): string[] =>
    [...allTasks()].map((task) => task.name).filter((name) => /^(?:GET|POST|WebSocket)/.test(name));
  // The last ones may still delete what was uploaded.
  const began = performance.now();
  while (left().length > 0 && performance.now() - began < 5000)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left(), []);
});
