import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Call } from './call.ts';
import { type FromThread, slots, type ToThread } from './wire.ts';

export interface LaneEvents {
  onMessage(lane: Lane, message: FromThread): void;
  /** The thread has ended; `why` says how. */
  onExit(lane: Lane, why: string, cause: unknown): void;
}

/** One thread or process, and the calls that belong on it. */
export abstract class Lane {
  /** What runs on it: the last one on top of those before, which are blocked in asyncToSync(). */
  readonly running: Call[] = [];
  /** Calls that have to run here, in order. */
  readonly queue: Call[] = [];
  /** How many contexts have been given to it. */
  keys = 0;
  dead = false;
  abstract readonly kind: 'thread' | 'process';
  /** The number of the thread or process. */
  abstract readonly id: number;

  get idle(): boolean {
    return this.running.length === 0;
  }

  /** The call that blocks the thread in asyncToSync(), if that is what it does. */
  get blocked(): Call | null {
    const top = this.running.at(-1);
    return top !== undefined && top.asking > 0 ? top : null;
  }

  abstract post(message: ToThread, list: readonly ArrayBuffer[]): void;
  /** Tells the function at `depth`, which may be busy, that nobody waits for it any more. */
  abstract setCancelled(depth: number, on: boolean): void;
  /** Whether it keeps the program from ending. */
  abstract hold(on: boolean): void;
  abstract kill(): Promise<void>;
}

/** The entries lie beside this file: TypeScript in the sources, JavaScript as published. */
const entry = (name: string): URL =>
  new URL(`./${name}${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

export class ThreadLane extends Lane {
  readonly kind = 'thread';
  readonly #worker: Worker;
  readonly #shared = new Int32Array(new SharedArrayBuffer(slots.count * 4));

  constructor(events: LaneEvents, memory: number | null, name: string) {
    super();
    this.#worker = new Worker(entry('thread'), {
      workerData: { shared: this.#shared.buffer },
      name,
      ...(memory === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: memory } }),
    });
    let cause: unknown = null;
    this.#worker.on('message', (message: FromThread) => events.onMessage(this, message));
    this.#worker.on('error', (error: Error) => {
      cause = error;
    });
    this.#worker.on('exit', (code) => {
      this.dead = true;
      const why = cause === null ? `it exited with code ${code}` : String((cause as Error).message ?? cause);
      events.onExit(this, why, cause);
    });
    this.#worker.unref();
  }

  get id(): number {
    return this.#worker.threadId;
  }

  post(message: ToThread, list: readonly ArrayBuffer[]): void {
    this.#worker.postMessage(message, list);
    Atomics.add(this.#shared, slots.messages, 1);
    Atomics.notify(this.#shared, slots.messages);
  }

  setCancelled(depth: number, on: boolean): void {
    Atomics.store(this.#shared, slots.cancelled + depth, on ? 1 : 0);
  }

  hold(on: boolean): void {
    if (on) this.#worker.ref();
    else this.#worker.unref();
  }

  async kill(): Promise<void> {
    this.dead = true;
    await this.#worker.terminate();
  }
}

export class ProcessLane extends Lane {
  readonly kind = 'process';
  readonly #child: ChildProcess;

  constructor(events: LaneEvents, memory: number | null) {
    super();
    const execArgv =
      memory === null ? process.execArgv : [...process.execArgv, `--max-old-space-size=${memory}`];
    this.#child = fork(entry('process'), [], { serialization: 'advanced', execArgv });
    this.#child.on('message', (message) => events.onMessage(this, message as FromThread));
    let cause: unknown = null;
    this.#child.on('error', (error) => {
      cause = error;
    });
    this.#child.on('exit', (code, signal) => {
      this.dead = true;
      events.onExit(
        this,
        signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`,
        cause,
      );
    });
    this.hold(false);
  }

  get id(): number {
    return this.#child.pid ?? -1;
  }

  post(message: ToThread): void {
    this.#child.send(message);
  }

  setCancelled(): void {}

  hold(on: boolean): void {
    if (on) {
      this.#child.ref();
      this.#child.channel?.ref();
    } else {
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }

  async kill(): Promise<void> {
    this.dead = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.#child.kill('SIGKILL');
    await gone;
  }
}
