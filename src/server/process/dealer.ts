import type { Socket } from 'node:net';
import { type Child, isServing } from './child.ts';
import type { SupervisorMessage } from './messages.ts';

/**
 * Gives connections to workers: to those with the fewest on their way, and among these in turn. A worker that is
 * busy takes its connections late, so new ones go to others meanwhile.
 */
export class Dealer {
  readonly #children: ReadonlySet<Child>;
  /** Connections that came while no worker served. */
  #waiting: Socket[] = [];
  #turn = 0;
  #dealt = 0;

  constructor(children: ReadonlySet<Child>) {
    this.#children = children;
  }

  deal(socket: Socket): void {
    const child = this.#next();
    if (child === null) {
      this.#waiting.push(socket);
      return;
    }
    // Not to be counted by the listener any more: the worker has it.
    (socket as { server?: unknown }).server = null;
    const id = ++this.#dealt;
    child.onTheWay.set(id, { socket, since: performance.now() });
    // Our copy is kept until the worker says that it has its own: what is sent to a process that dies would be lost,
    // and its client would wait for ever. An error here means just that; then 'exit' follows and deals it again.
    child.worker.send(
      { sobaya: 'connection', id } satisfies SupervisorMessage,
      socket,
      { keepOpen: true },
      () => {},
    );
  }

  #next(): Child | null {
    const serving = [...this.#children].filter(isServing);
    const turn = this.#turn++;
    let best: Child | null = null;
    for (let index = 0; index < serving.length; index++) {
      const child = serving[(turn + index) % serving.length]!;
      if (best === null || child.onTheWay.size < best.onTheWay.size) best = child;
    }
    return best;
  }

  /** The worker has the connection. */
  accepted(child: Child, id: number): void {
    // Closes our copy of the descriptor alone; the connection goes on in the worker.
    child.onTheWay.get(id)?.socket.destroy();
    child.onTheWay.delete(id);
  }

  /** A worker has come to serve. */
  serving(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const socket of waiting) this.deal(socket);
  }

  /** A worker has ended: what was on its way to it goes to others. */
  ended(child: Child): void {
    const lost = [...child.onTheWay.values()];
    child.onTheWay.clear();
    for (const { socket } of lost) this.deal(socket);
  }

  /** How long the connection that has waited longest has been on its way to the worker, in ms; 0 without any. */
  waits(child: Child): number {
    const [first] = child.onTheWay.values();
    return first === undefined ? 0 : performance.now() - first.since;
  }

  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }
}
