import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Call } from './call.ts';
import { Flags } from './flags.ts';
import { cloneable, type FromThread, slots, type ToThread } from './wire.ts';

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

  /** Whether a value can be copied to it. */
  abstract carries(value: unknown): boolean;
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

const ofTheScript = new Set(['-e', '--eval', '-p', '--print', '-pe', '-c', '--check', '-i', '--interactive']);

/** The flags of this process that are meant for another one as well: not its script, its debugger, its watcher. */
export function inherited(flags: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index] as string;
    if (ofTheScript.has(flag)) {
      if (!['-c', '--check', '-i', '--interactive'].includes(flag)) index++;
    } else if (!/^--(?:eval|print|input-type|inspect|watch|test|debug-port)/.test(flag)) kept.push(flag);
  }
  return kept;
}

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

  carries(value: unknown): boolean {
    return cloneable(value);
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
  readonly #flags = new Flags();

  constructor(events: LaneEvents, memory: number | null) {
    super();
    const execArgv = inherited(process.execArgv);
    if (memory !== null) execArgv.push(`--max-old-space-size=${memory}`);
    this.#child = fork(entry('process'), [], {
      serialization: 'advanced',
      execArgv,
      stdio: ['inherit', 'inherit', memory === null ? 'inherit' : 'pipe', 'ipc', this.#flags.fd ?? 'ignore'],
    });
    // V8's last words are the only sign that a process needed more memory than it may have.
    let outOfMemory = false;
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.includes('heap out of memory') || chunk.includes('heap limit')) outOfMemory = true;
      process.stderr.write(chunk);
    });
    this.#child.on('message', (message) => events.onMessage(this, message as FromThread));
    let cause: unknown = null;
    this.#child.on('error', (error) => {
      cause = error;
    });
    // 'exit' comes when the process is gone, 'close' when its last words have been read as well.
    this.#child.on(memory === null ? 'exit' : 'close', (code, signal) => {
      this.dead = true;
      this.#flags.close();
      const how = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
      events.onExit(this, outOfMemory ? `it reached its memory limit, ${how}` : how, cause);
    });
    this.hold(false);
  }

  get id(): number {
    return this.#child.pid ?? -1;
  }

  carries(value: unknown): boolean {
    try {
      serialize(value);
      return true;
    } catch {
      return false;
    }
  }

  post(message: ToThread): void {
    this.#child.send(message);
  }

  setCancelled(depth: number, on: boolean): void {
    this.#flags.set(depth, on);
  }

  hold(on: boolean): void {
    if (on) {
      this.#child.ref();
      (this.#child.stderr as Socket | null)?.ref();
      this.#child.channel?.ref();
    } else {
      this.#child.unref();
      (this.#child.stderr as Socket | null)?.unref();
      this.#child.channel?.unref();
    }
  }

  async kill(): Promise<void> {
    this.dead = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // Until it is gone: an idle process holds nothing, and the program could end in the middle of this wait.
    this.hold(true);
    const gone = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.#child.kill('SIGKILL');
    await gone;
  }
}
