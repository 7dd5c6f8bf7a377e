/**
 * The load client: few keep-alive connections over raw sockets, in a process of its own. It counts answers by
 * their Content-Length (or chunks) and does as little else as it can, so that the server is the slower side.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOrder {
  readonly port: number;
  readonly requests: readonly string[];
  readonly connections: number;
  readonly pipeline: number;
  readonly status: number;
  readonly seconds: number;
}

export interface LoadReport {
  readonly answers: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU the client itself took: near `seconds` means that it was the client that was measured. */
  readonly clientCpuSeconds: number;
  readonly failed?: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const readBuffer = Buffer.alloc(256 * 1024);

function slice(bytes: Buffer, from: number, to: number): string {
  return bytes.toString('latin1', from, to);
}

/** Latencies in logarithmic buckets, 5 % wide, from 1 µs to about a minute. */
class Histogram {
  readonly buckets = new Uint32Array(400);
  count = 0;

  add(ms: number): void {
    const index = Math.max(
      0,
      Math.min(399, Math.floor(Math.log(Math.max(ms, 0.001) * 1000) / Math.log(1.05))),
    );
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    this.count++;
  }

  quantile(q: number): number {
    let left = this.count * q;
    for (let i = 0; i < 400; i++) {
      left -= this.buckets[i] ?? 0;
      if (left <= 0) return 1.05 ** (i + 0.5) / 1000;
    }
    return Number.NaN;
  }
}

/** Finds where one answer ends. Returns its end, or -1 when bytes are missing. Throws on what is no answer. */
export function answerEnd(bytes: Buffer, from: number, status: number): number {
  const head = bytes.indexOf(HEAD_END, from);
  if (head < 0) return -1;
  const got = Number(slice(bytes, from + 9, from + 12));
  if (got !== status) {
    throw new Error(
      `expected status ${status}, got: ${slice(bytes, from, Math.min(head + 300, bytes.length))}`,
    );
  }
  const text = slice(bytes, from, head).toLowerCase();
  const body = head + 4;
  const at = text.indexOf('\r\ncontent-length:');
  if (at >= 0) {
    const end = body + Number.parseInt(text.slice(at + 17), 10);
    return end <= bytes.length ? end : -1;
  }
  if (!text.includes('\r\ntransfer-encoding: chunked')) {
    if (status === 204 || status === 304) return body;
    throw new Error(`an answer without a length: ${text}`);
  }
  for (let at = body; ; ) {
    const line = bytes.indexOf('\r\n', at, 'latin1');
    if (line < 0) return -1;
    const size = Number.parseInt(slice(bytes, at, line), 16);
    at = line + 2 + size + 2;
    if (at > bytes.length) return -1;
    if (size === 0) return at;
  }
}

class Connection {
  readonly socket: Socket;
  readonly #order: LoadOrder;
  readonly #histogram: Histogram;
  readonly #requests: readonly string[];
  readonly #sentAt: number[] = [];
  #next: number;
  #rest: Buffer | null = null;
  /** Length of the last answer with its head: most are alike, and then nothing needs to be searched. */
  #alike = 0;
  #alikeHead: Buffer | null = null;
  answers = 0;
  bytes = 0;
  running = true;

  constructor(
    order: LoadOrder,
    requests: readonly string[],
    histogram: Histogram,
    offset: number,
    fail: (error: Error) => void,
  ) {
    this.#order = order;
    this.#requests = requests;
    this.#histogram = histogram;
    this.#next = offset % requests.length;
    // One read buffer for all connections: reading must cost the client less than it costs the server.
    const onread = {
      buffer: readBuffer,
      callback: (size: number): boolean => {
        try {
          this.#take(readBuffer.subarray(0, size));
        } catch (error) {
          fail(error as Error);
        }
        return true;
      },
    };
    this.socket = connect({ port: order.port, host: '127.0.0.1', noDelay: true, onread });
    this.socket.on('connect', () => this.#send(order.pipeline));
    this.socket.on('error', fail);
    this.socket.on('close', () => {
      if (this.running) fail(new Error('the server closed a connection under load'));
    });
  }

  #send(count: number): void {
    const now = performance.now();
    if (count === 1) {
      this.#sentAt.push(now);
      this.socket.write(this.#requests[this.#next] as string, 'latin1');
      this.#next = (this.#next + 1) % this.#requests.length;
      return;
    }
    let batch = '';
    for (let i = 0; i < count; i++) {
      this.#sentAt.push(now);
      batch += this.#requests[this.#next] as string;
      this.#next = (this.#next + 1) % this.#requests.length;
    }
    this.socket.write(batch, 'latin1');
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    const { status } = this.#order;
    this.bytes += chunk.length;
    let at = 0;
    let done = 0;
    const now = performance.now();
    while (at < bytes.length) {
      let end = -1;
      const head = this.#alikeHead;
      // The same head again (compared up to its Date, which may change) means the same length again.
      if (
        head !== null &&
        at + this.#alike <= bytes.length &&
        bytes.compare(head, 0, head.length, at, at + head.length) === 0
      ) {
        end = at + this.#alike;
      } else {
        end = answerEnd(bytes, at, status);
        if (end < 0) break;
        this.#alikeHead = null;
        const headEnd = bytes.indexOf(HEAD_END, at);
        if (slice(bytes, at, headEnd).toLowerCase().includes('content-length:')) {
          this.#alike = end - at;
          this.#alikeHead = Buffer.from(bytes.subarray(at, headEnd + 4));
        }
      }
      at = end;
      done++;
      this.#histogram.add(now - (this.#sentAt.shift() as number));
    }
    this.answers += done;
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : null;
    if (done > 0 && this.running) this.#send(done);
  }
}

/** Puts load on the server for the time ordered, and reports. */
export async function load(order: LoadOrder): Promise<LoadReport> {
  const histogram = new Histogram();
  // As latin-1 text, which is what a socket sends at the least cost.
  const requests = order.requests.map((text) => Buffer.from(text).toString('latin1'));
  const connections: Connection[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  let failure: Error | null = null;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, order.seconds * 1000);
    const fail = (error: Error): void => {
      failure ??= error;
      clearTimeout(timer);
      resolve();
    };
    for (let i = 0; i < order.connections; i++) {
      connections.push(new Connection(order, requests, histogram, i, fail));
    }
  });
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  let answers = 0;
  let bytes = 0;
  for (const connection of connections) {
    connection.running = false;
    answers += connection.answers;
    bytes += connection.bytes;
    connection.socket.destroy();
  }
  return {
    answers,
    bytes,
    seconds,
    p50: histogram.quantile(0.5),
    p99: histogram.quantile(0.99),
    clientCpuSeconds: (user + system) / 1e6,
    ...(failure === null ? {} : { failed: (failure as Error).message }),
  };
}

if (import.meta.main) {
  process.on('message', (order: LoadOrder) => void load(order).then((report) => process.send?.(report)));
  process.on('disconnect', () => process.exit(0));
}
