import { open } from 'node:fs/promises';

const CHUNK = 64 * 1024;

/** Sends a file piece by piece, each when the one before was taken, so that memory stays flat. */
export async function sendFile(
  path: string,
  write: (body: Uint8Array, last: boolean) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'r');
  try {
    let position = 0;
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(CHUNK);
      const { bytesRead } = await file.read(buffer, 0, CHUNK, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      await write(buffer.subarray(0, bytesRead), false);
    }
    await write(new Uint8Array(0), true);
  } finally {
    await file.close();
  }
}
