import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fault } from '../errors/index.ts';

const root = join(import.meta.dirname, '..', '..');

/** Whether this runs from the sources of Sobaya itself: what is published has no lock file. */
export function isCheckout(): boolean {
  return import.meta.filename.endsWith('.ts') && existsSync(join(root, 'package-lock.json'));
}

/** Packs this checkout into `folder`, as it would be published: a project made from it depends on no registry that has it. */
export async function packCheckout(folder: string): Promise<void> {
  try {
    await promisify(execFile)('npm', ['pack', '--pack-destination', folder], { cwd: root });
  } catch (error) {
    throw fault('SBY_CLI_PACK_FAILED', { folder }, { cause: error });
  }
}
