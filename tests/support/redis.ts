/** As much of a Redis client as a test needs: commands of texts, answers of texts, numbers and lists of them (RESP2). */
import { connect, type Socket } from 'node:net';

export type Reply = string | number | null | Reply[];

export class Redis {
  readonly #socket: Socket;
  readonly #waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#feed(text));
    socket.on('close', () => {
      for (const waiter of this.#waiting.splice(0)) waiter.reject(new Error('the connection is closed'));
    });
    socket.on('error', () => {});
  }

  /** Null when there is no Redis. */
  static open(port = 6379): Promise<Redis | null> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => resolve(null));
      socket.once('connect', () => resolve(new Redis(socket)));
    });
  }

  sendCommand(args: string[]): Promise<Reply> {
    const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('');
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the connection is closed'));
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${args.length}\r\n${parts}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #feed(text: string): void {
    this.#text += text;
    while (this.#text !== '') {
      const read = this.#read(0);
      if (read === null) return;
      const [reply, end] = read;
      this.#text = this.#text.slice(end);
      const waiter = this.#waiting.shift();
      if (reply instanceof Error) waiter?.reject(reply);
      else waiter?.resolve(reply);
    }
  }

  /** The reply at `at` and where it ends; null when some of it is still to come. */
  #read(at: number): [Reply | Error, number] | null {
    const end = this.#text.indexOf('\r\n', at);
    if (end === -1) return null;
    const line = this.#text.slice(at + 1, end);
    const next = end + 2;
    switch (this.#text[at]) {
      case '+':
        return [line, next];
      case '-':
        return [new Error(line), next];
      case ':':
        return [Number(line), next];
      case '$': {
        const length = Number(line);
        if (length === -1) return [null, next];
        return this.#text.length < next + length + 2
          ? null
          : [this.#text.slice(next, next + length), next + length + 2];
      }
      default: {
        const list: Reply[] = [];
        let from = next;
        for (let index = 0; index < Number(line); index++) {
          const read = this.#read(from);
          if (read === null) return null;
          list.push(read[0] as Reply);
          from = read[1];
        }
        return [list, from];
      }
    }
  }
}
