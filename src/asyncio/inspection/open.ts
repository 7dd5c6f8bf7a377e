import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { findDeadlocks, formatDeadlock } from '../deadlock.ts';
import { allTasks, programs } from '../programs.ts';
import { type TreeNode, visit } from '../tree.ts';
import { prepareFolder, socketOf } from './place.ts';

/** What a process tells of itself. */
export interface ProcessReport {
  readonly pid: number;
  /** What it is: the application, the script. */
  readonly name: string;
  readonly node: string;
  /** In seconds. */
  readonly uptime: number;
  readonly tree: readonly TreeNode[];
  /** Tasks that are too many, or too deep, to be in `tree`. */
  readonly elided: number;
  /** Circles of tasks that wait for each other, told for people; null when there were too many tasks to look. */
  readonly deadlocks: readonly string[] | null;
}

/** How an answer begins: one line of JSON. Then a line for each node, then `Ending`. */
export type Beginning = Omit<ProcessReport, 'tree' | 'elided'>;
export interface Ending {
  readonly elided: number;
}

/** How many nodes are told at most, and how deep. */
const mostNodes = 20_000;
const deepest = 200;
/** How long the process works on the answer at a time, in ms: others wait so long. */
const slice = 1;
/** With how many tasks circles are still looked for: that cannot be done in slices. */
const mostForDeadlocks = 2000;
/** How long somebody who does not read is waited for, in ms. */
const patience = 10_000;

export interface InspectionOptions {
  /** For people. Default: the script. */
  readonly name?: string | undefined;
}

/** The open socket of this process; close it at the end. */
export class Inspection implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #remove: () => void;

  /** For builders. Everybody else: `openInspection`. */
  constructor(path: string, server: Server, sockets: ReadonlySet<Socket>) {
    this.path = path;
    this.#server = server;
    this.#sockets = sockets;
    this.#remove = () => rmSync(path, { force: true });
    process.on('exit', this.#remove);
  }

  async close(): Promise<void> {
    process.off('exit', this.#remove);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Who is still being told something must not keep the program from ending.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Lets `sobaya ps` and `sobaya pstree` look at this process. Who connects gets the tree of tasks once, and can send
 * nothing: safe in production. Only processes of the same user can connect.
 */
export async function openInspection(options: InspectionOptions = {}): Promise<Inspection> {
  const folder = prepareFolder();
  const path = socketOf(folder, process.pid);
  // A process with our number that ended without cleaning up.
  rmSync(path, { force: true });
  const name = options.name ?? process.argv[1] ?? 'node';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void answer(socket, name);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
  chmodSync(path, 0o600);
  server.unref();
  return new Inspection(path, server, sockets);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Tells the tree in small slices, so that a server with many tasks goes on serving meanwhile. */
async function answer(socket: Socket, name: string): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  socket.unref();
  socket.setTimeout(patience, () => socket.destroy());
  const tasks = allTasks();
  const beginning: Beginning = {
    pid: process.pid,
    name,
    node: process.version,
    uptime: Math.round(process.uptime()),
    deadlocks: tasks.length > mostForDeadlocks ? null : findDeadlocks(tasks).map(formatDeadlock),
  };
  let text = `${JSON.stringify(beginning)}\n`;
  let told = 0;
  let tasksTold = 0;
  let until = performance.now() + slice;
  for (const step of visit(programs, deepest)) {
    if (step !== null) {
      if (told === mostNodes) break;
      told++;
      if (step.node.kind === 'task') tasksTold++;
      text += `${JSON.stringify(step)}\n`;
    }
    if (performance.now() < until) continue;
    if (!socket.write(text))
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    if (socket.destroyed) return;
    text = '';
    await turn();
    until = performance.now() + slice;
  }
  const ending: Ending = { elided: Math.max(0, tasks.length - tasksTold) };
  socket.end(`${text}${JSON.stringify(ending)}\n`);
}
