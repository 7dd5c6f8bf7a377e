import { fault } from '../errors/index.ts';

/** Refuses options that do not exist: a misspelt one would silently do nothing. */
export function checkOptions(callee: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw fault('SBY_APPLICATION_BAD_OPTION', { callee, option: '', why: 'it takes one object', known });
  for (const option of Object.keys(options)) {
    if (!known.includes(option))
      throw fault('SBY_APPLICATION_BAD_OPTION', { callee, option, why: 'there is no such option', known });
  }
}
