import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fault } from '../errors/index.ts';
import type { Files } from './project-files.ts';

/** Writes new files into a folder that is not there, or empty; nothing is overwritten, nothing half-written. */
export function writeFiles(folder: string, files: Files): void {
  if (existsSync(folder) && readdirSync(folder).some((name) => name !== '.git'))
    throw fault('SBY_CLI_FOLDER_IN_USE', { folder });
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: 'wx', mode: name === '.env' ? 0o600 : 0o666 });
  }
}
