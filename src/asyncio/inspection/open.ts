import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { captureCallGraph, type TreeNode } from '../tree.ts';
import { prepareFolder, socketOf } from './place.ts';

/** What a process tells of itself: the whole answer, as one JSON document. */
export interface ProcessReport {
  readonly pid: number;
  /** What it is: the application, the script. */
  readonly name: string;
  readonly node: string;
  /** In seconds. */
  readonly uptime: number;
  readonly tree: readonly TreeNode[];
}

export interface InspectionOptions {
  /** For people. Default: the script. */
  readonly name?: string | undefined;
}

/** The open socket of this process; close it at the end. */
export class Inspection implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;

  /** For builders. Everybody else: `openInspection`. */
  constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.path, { force: true });
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
  const server = createServer((socket) => answer(socket, name));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
  chmodSync(path, 0o600);
  server.unref();
  process.on('exit', () => rmSync(path, { force: true }));
  return new Inspection(path, server);
}

function answer(socket: Socket, name: string): void {
  socket.on('error', () => {});
  socket.resume();
  const report: ProcessReport = {
    pid: process.pid,
    name,
    node: process.version,
    uptime: Math.round(process.uptime()),
    tree: captureCallGraph(),
  };
  socket.end(JSON.stringify(report));
}
