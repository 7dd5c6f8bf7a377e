import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { fault } from '../../errors/index.ts';
import { badOption } from '../options.ts';

/** Writes the number of this process to a file, for scripts that send signals; gives what removes it. */
export function writePidFile(path: string): () => void {
  const other = runningProcess(path);
  if (other !== null) throw fault('SBY_SERVER_RUNNING', { path, pid: other });
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    throw badOption('pidFile', path, `a path that can be written (${(error as Error).message})`);
  }
  const release = (): void => {
    process.off('exit', release);
    try {
      // Another process may have taken the name meanwhile.
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // It has been removed already.
    }
  };
  process.on('exit', release);
  return release;
}

/** The process that an existing file names, if it runs; a file of one that does not is stale. */
function runningProcess(path: string): number | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
  if (!/^[1-9]\d*$/.test(text) || Number(text) === process.pid) return null;
  try {
    process.kill(Number(text), 0);
    return Number(text);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? Number(text) : null;
  }
}
