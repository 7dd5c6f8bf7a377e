/** 1 GB through an application, in one direction, and how much memory the server's process takes more for it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measured } from '../harness.ts';

export interface Options {
  readonly kind: 'stream' | 'form' | 'file' | 'generator';
}

const size = 2 ** 30;
const piece = Buffer.alloc(65_536, 'x');

async function serveIt(folder: string): Promise<void> {
  const { createApp, HttpResponse, path, StreamingHttpResponse } = await import('../../src/index.ts');
  const { fileResponse } = await import('../../src/http/index.ts');
  const { serve, silentLog } = await import('../../src/server/index.ts');
  const application = createApp({
    debug: false,
    limits: { maxUploadSize: 2 * size, maxFileSize: 2 * size },
    uploadFolder: folder,
    urls: [
      path('stream/', async (request) => {
        let length = 0;
        for await (const chunk of request.stream()) length += chunk.length;
        return new HttpResponse(String(length));
      }),
      path('form/', async (request) => new HttpResponse(String((await request.files()).get('file')?.size))),
      path('file/', (request) => fileResponse(request, join(folder, 'large.bin'))),
      path(
        'generator/',
        () =>
          new StreamingHttpResponse(
            (function* () {
              for (let at = 0; at < size; at += piece.length) yield piece;
            })(),
          ),
      ),
    ],
  });
  const server = await serve(application, { port: 0, log: silentLog, limitRequestBody: 2 * size });
  process.on('message', () => process.send?.({ peak: process.resourceUsage().maxRSS / 1024 }));
  process.send?.({ port: server.port });
}

async function peak(child: ChildProcess): Promise<number> {
  child.send('peak');
  const [message] = (await once(child, 'message')) as [{ peak: number }];
  return message.peak;
}

/** Sends a request of so many bytes, and reads the answer to its end; its length. */
async function exchange(
  port: number,
  head: string,
  body: readonly [Buffer, number, Buffer] | null,
): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  const ended = once(socket, 'end');
  socket.write(`${head}\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`);
  if (body !== null) {
    const [before, length, after] = body;
    socket.write(before);
    for (let sent = 0; sent < length; sent += piece.length)
      if (!socket.write(piece)) await once(socket, 'drain');
    socket.write(after);
  }
  await ended;
  socket.destroy();
  return received;
}

export function start({ kind }: Options): Measured {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-transfer-'));
  // A file with nothing in it: what is measured is the way out, not the disk.
  ftruncateSync(openSync(join(folder, 'large.bin'), 'w'), size);
  return {
    async round() {
      const child = fork(import.meta.filename, [folder], { execArgv: ['--conditions=sobaya:source'] });
      try {
        const [{ port }] = (await once(child, 'message')) as [{ port: number }];
        const before = await peak(child);
        const began = performance.now();
        const none = Buffer.alloc(0);
        if (kind === 'stream')
          await exchange(port, `POST /stream/ HTTP/1.1\r\ncontent-length: ${size}`, [none, size, none]);
        else if (kind === 'form') {
          const first = Buffer.from(
            '--b\r\ncontent-disposition: form-data; name="file"; filename="large.bin"\r\n\r\n',
          );
          const last = Buffer.from('\r\n--b--\r\n');
          const length = first.length + size + last.length;
          const head = `POST /form/ HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${length}`;
          await exchange(port, head, [first, size, last]);
        } else {
          const received = await exchange(port, `GET /${kind}/ HTTP/1.1`, null);
          if (received < size) throw new Error(`${received} bytes came of ${size}`);
        }
        const seconds = (performance.now() - began) / 1000;
        return { moreMb: (await peak(child)) - before, mbPerSecond: size / 2 ** 20 / seconds };
      } finally {
        child.kill();
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

if (process.argv[1] === import.meta.filename) await serveIt(process.argv[2] as string);
