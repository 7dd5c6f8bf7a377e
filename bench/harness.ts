/**
 * The vocabulary of a benchmark case. A case compares sides (Sobaya and its peers) in interleaved rounds, in
 * processes of their own, and states the numbers that Sobaya has to reach. How to add one: bench/README.md.
 */

/** One of the things compared: a module in bench/ whose `start` export is called in a process of its own. */
export interface Side {
  readonly name: string;
  /** `import.meta.resolve('../servers/x.ts')`. Its `start(options)` gives a `Served` or a `Measured`. */
  readonly module: string;
  /** Handed to `start`; plain JSON. */
  readonly options?: unknown;
  readonly env?: Readonly<Record<string, string>>;
  /** Flags for the node of this side. */
  readonly execArgv?: readonly string[];
}

/** What `start` gives when the load client is to talk HTTP to it. */
export interface Served {
  readonly port: number;
  /** Where the server is another program: its id. Its CPU time and memory count, with that of its children. Linux only. */
  readonly process?: number;
  readonly close?: () => unknown;
}

/** What `start` gives when it measures itself. One round takes some tenths of a second, and gives its numbers. */
export interface Measured {
  readonly round: () => Promise<Readonly<Record<string, number>>> | Readonly<Record<string, number>>;
  readonly close?: () => unknown;
}

/** What the load client sends, again and again. */
export interface Load {
  /** Whole requests, sent in turn. `get('/path')` makes one. */
  readonly requests: readonly string[];
  /** Connections kept open. Default 16: few and busy, so that the server is what is measured. */
  readonly connections?: number;
  /** Requests under way on one connection. Default 1: what clients do. */
  readonly pipeline?: number;
  /** The status every answer must have. Default 200: a server that fails fast is not fast. */
  readonly status?: number;
}

/** A number to reach. Metrics of a load case: `perSecond`, `perCpuSecond`, `p50`, `p99` (ms), `peakMb`. */
export interface Goal {
  readonly text: string;
  readonly metric: string;
  readonly of: string;
  /** The side to divide by, round by round; the median ratio counts. Without it the median itself counts. */
  readonly over?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Case {
  /** `room: what`, as printed; named on the command line by any part of it or by its file's name. */
  readonly name: string;
  readonly sides: readonly Side[];
  /** Absent when the sides measure themselves. */
  readonly load?: Load;
  readonly goals?: readonly Goal[];
  /** Default 5. */
  readonly rounds?: number;
  /** Seconds of load per side and round. Default 1. */
  readonly seconds?: number;
  /** Whether a round that does not count comes first, for compiled code and open pools. Default true. */
  readonly warmUp?: boolean;
  /** A reason not to run here, such as a service that is missing. */
  readonly skip?: () => Promise<string | null> | string | null;
}

/** The bytes of a GET as browsers' libraries send it: a few headers, keep-alive. */
export function get(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = [`GET ${path} HTTP/1.1`, 'host: 127.0.0.1', 'accept: */*', 'user-agent: bench'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export function post(path: string, body: string, contentType: string): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'accept: */*',
    'user-agent: bench',
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** How often `fn` runs in about `ms` milliseconds, awaited one after another: operations per second. */
export async function operationsPerSecond(fn: () => unknown, ms = 300): Promise<number> {
  let count = 0;
  const began = performance.now();
  let now = began;
  while (now - began < ms) {
    for (let i = 0; i < 64; i++) await fn();
    count += 64;
    now = performance.now();
  }
  return (count / (now - began)) * 1000;
}

/** The same for a function that never waits. */
export function syncOperationsPerSecond(fn: () => unknown, ms = 300): number {
  let count = 0;
  let kept: unknown;
  const began = performance.now();
  let now = began;
  while (now - began < ms) {
    for (let i = 0; i < 256; i++) kept = fn();
    count += 256;
    now = performance.now();
  }
  // Reading the result keeps the compiler from dropping the work.
  if (kept === Symbol.for('never')) throw new Error('unreachable');
  return (count / (now - began)) * 1000;
}
