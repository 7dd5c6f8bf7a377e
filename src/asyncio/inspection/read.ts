import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { treeFrom, type Visit } from '../tree.ts';
import type { Beginning, Ending, ProcessReport } from './open.ts';
import { inspectable, inspectionFolder, socketOf } from './place.ts';

/** A process that is blocked cannot answer; it is named, not waited for. */
const patience = 3000;

export interface Inspected {
  readonly pid: number;
  /** Null: it did not answer, `problem` says why. */
  readonly report: ProcessReport | null;
  readonly problem: string | null;
}

/** Asks one process, or all of this user's. Sockets of processes that are gone are removed. */
export async function inspectProcesses(pid?: number): Promise<Inspected[]> {
  const folder = inspectionFolder();
  const pids = inspectable(folder).filter((each) => pid === undefined || each === pid);
  const all = await Promise.all(pids.map((each) => inspect(folder, each)));
  return all.filter((each) => each !== null);
}

async function inspect(folder: string, pid: number): Promise<Inspected | null> {
  const path = socketOf(folder, pid);
  try {
    const report = parse(await read(path));
    return { pid, report, problem: null };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ECONNREFUSED' || code === 'ENOENT') {
      rmSync(path, { force: true });
      return null;
    }
    return { pid, report: null, problem: (error as Error).message };
  }
}

function parse(text: string): ProcessReport {
  const lines = text.trimEnd().split('\n');
  if (lines.length < 2) throw new Error('its answer broke off');
  const [beginning, ...rest] = lines.map((line) => JSON.parse(line) as unknown);
  const { elided } = rest.pop() as Ending;
  const tree = treeFrom(rest as Visit[]).filter(
    ({ waits, children }) => waits.length > 0 || children.length > 0,
  );
  return { ...(beginning as Beginning), tree, elided };
}

function read(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(patience, () =>
      socket.destroy(new Error(`it does not answer within ${patience} ms, its event loop may be blocked`)),
    );
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}
