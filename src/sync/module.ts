import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fault } from '../errors/index.ts';

/** The URL of a module, from what a user gave. */
export function moduleUrl(callee: string, module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module !== 'string' || module === '')
    throw fault('SBY_SYNC_NOT_A_MODULE', { callee, got: module });
  if (isAbsolute(module)) return pathToFileURL(module).href;
  if (/^(?:file|node|data):/.test(module)) return module;
  throw fault('SBY_SYNC_RELATIVE_MODULE', { callee, got: module });
}
