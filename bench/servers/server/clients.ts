import { connect, type Socket } from 'node:net';

export interface Failure {
  readonly why: string;
  /** The process that had answered on this connection before; null on a fresh one. */
  readonly pid: number | null;
  readonly at: number;
}

/**
 * Clients that ask again and again and take nothing for granted: each answer must be whole and have status 200, or
 * it has failed. Every second one keeps its connection as long as the server does, the others take a new one each time.
 */
export class Clients {
  readonly failures: Failure[] = [];
  answers = 0;
  running = true;
  readonly #port: number;
  readonly #clients: Promise<void>[];
  /** Requests under way, by the process that answers on their connection. */
  readonly underWay = new Map<number | null, number>();

  constructor(port: number, count: number, paths: readonly string[]) {
    this.#port = port;
    this.#clients = Array.from({ length: count }, (_, index) =>
      this.#client(index % 2 === 0, paths[index % paths.length]!),
    );
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.#clients);
  }

  async #client(keep: boolean, path: string): Promise<void> {
    let connection: Connection | null = null;
    while (this.running) {
      connection ??= new Connection(this.#port);
      const { pid } = connection;
      this.#count(pid, 1);
      const failure = await connection.ask(path, keep);
      this.#count(pid, -1);
      if (failure === null) this.answers++;
      else this.failures.push({ why: failure, pid, at: performance.now() });
      if (connection.over) connection = null;
    }
    connection?.socket.destroy();
  }

  #count(pid: number | null, by: number): void {
    this.underWay.set(pid, (this.underWay.get(pid) ?? 0) + by);
  }
}

export class Connection {
  readonly socket: Socket;
  pid: number | null = null;
  over = false;
  #text = '';
  #end: string | null = null;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    const end = (why: string) => (): void => {
      this.#end ??= why;
      this.#wake();
    };
    this.socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message)());
    this.socket.on('end', end('the server closed')).on('close', end('closed'));
  }

  /** Null, or why there was no good answer. */
  async ask(path: string, keep: boolean): Promise<string | null> {
    const connection = keep ? '' : 'connection: close\r\n';
    this.socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${connection}\r\n`);
    for (;;) {
      const found = /^HTTP\/1\.1 (\d+) [\s\S]*?\r\ncontent-length: (\d+)\r\n[\s\S]*?\r\n\r\n/.exec(
        this.#text,
      );
      if (found !== null) {
        const end = found[0].length + Number(found[2]);
        if (this.#text.length >= end) {
          this.pid = Number(this.#text.slice(found[0].length, end));
          this.over = !keep || /\r\nconnection: close\r\n/.test(found[0]);
          this.#text = this.#text.slice(end);
          if (this.over) this.socket.destroy();
          return found[1] === '200' ? null : `status ${found[1]}`;
        }
      }
      if (this.#end !== null) {
        this.over = true;
        this.socket.destroy();
        return this.#end;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
