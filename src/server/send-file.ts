import { open } from 'node:fs/promises';

const CHUNK = 64 * 1024;

export interface FileSink {
  /** Told how long the file is; gives false when nothing of it is wanted (HEAD). */
  begin(size: number): boolean;
  write(body: Uint8Array, last: boolean): Promise<void>;
}

/** Sends a file piece by piece, each when the one before was taken, all from one piece of memory. Throws when it is none. */
export async function sendFile(path: string, sink: FileSink): Promise<void> {
  const file = await open(path, 'r');
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`${path} is no file`);
    const { size } = stat;
    // What is appended meanwhile is not sent; what is cut off is missed by the length that was announced.
    if (!sink.begin(size) || size === 0) return await sink.write(new Uint8Array(0), true);
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, size));
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, size - at), at);
      at += bytesRead;
      const ended = at === size || bytesRead === 0;
      await sink.write(buffer.subarray(0, bytesRead), ended);
      if (ended) return;
    }
  } finally {
    await file.close();
  }
}
