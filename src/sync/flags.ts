import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const byte = new Uint8Array(1);
let made = 0;

/** Under which number a process finds the file that its parent shares with it. */
export const flagsFd = 4;

/**
 * What a thread reads in shared memory, for a process: whether its callers have been cancelled. A process that is busy
 * in a function hears no messages; a file without a name, open on both sides, it can read meanwhile. Where there can
 * be none (a read-only system, --permission), functions in processes do not hear of it.
 */
export class Flags {
  #fd: number | null = null;

  constructor() {
    const path = join(
      tmpdir(),
      `sobaya-flags-${process.pid}-${++made}-${Math.random().toString(36).slice(2)}`,
    );
    try {
      this.#fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    } catch {
      this.close();
    }
  }

  get fd(): number | null {
    return this.#fd;
  }

  set(depth: number, on: boolean): void {
    if (this.#fd === null) return;
    byte[0] = on ? 1 : 0;
    writeSync(this.#fd, byte, 0, 1, depth);
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

/** In the process: reads the flag at `depth`. */
export function readFlag(depth: number): boolean {
  try {
    return readSync(flagsFd, byte, 0, 1, depth) === 1 && byte[0] === 1;
  } catch {
    return false;
  }
}
