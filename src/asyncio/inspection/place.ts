import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fault } from '../../errors/index.ts';

/**
 * Where the processes of a user can be looked at: one socket each, in a folder that only that user may enter. Nobody
 * else can connect, and no port is open.
 */
export function inspectionFolder(): string {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  return runtime ? join(runtime, 'sobaya') : join(tmpdir(), `sobaya-${userInfo().uid}`);
}

/** Makes the folder, and refuses one that somebody else made or can enter: in /tmp anybody may be first. */
export function prepareFolder(): string {
  const folder = inspectionFolder();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fault('SBY_ASYNCIO_INSPECTION_FOLDER', { folder }, { cause });
  }
  const { uid } = userInfo();
  let stat = lstatSync(folder);
  if (stat.isDirectory() && stat.uid === uid && (stat.mode & 0o077) !== 0) {
    chmodSync(folder, 0o700);
    stat = lstatSync(folder);
  }
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0)
    throw fault('SBY_ASYNCIO_INSPECTION_FOLDER', { folder });
  return folder;
}

export const socketOf = (folder: string, pid: number): string => join(folder, `${pid}.sock`);

/** The process ids for which there is a socket; the processes may be gone. */
export function inspectable(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .map((name) => /^(\d+)\.sock$/.exec(name)?.[1])
    .filter((pid) => pid !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}
