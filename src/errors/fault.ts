import type { SobayaError } from './base.ts';
import { catalogue } from './catalogue/index.ts';

type Catalogue = typeof catalogue;
export type ErrorCode = keyof Catalogue;
type Details<C extends ErrorCode> = Parameters<Catalogue[C]['parts']>[0];
type ClassOf<C extends ErrorCode> = InstanceType<Catalogue[C]['class']>;

/**
 * Makes the catalogue error `code` with the details its message needs: `throw fault('SBY_…', { … })`.
 * The only place where errors of ours are made, so a code cannot exist without an entry.
 */
export function fault<C extends ErrorCode>(code: C, details: Details<C>, options?: ErrorOptions): ClassOf<C> {
  const entry = catalogue[code] as {
    class: new (parts: { code: string; what: string }, options?: ErrorOptions) => SobayaError;
    parts: (details: unknown) => { what: string; where?: string; fix?: string };
  };
  const error = new entry.class({ code, ...entry.parts(details) }, options);
  // The stack should begin where the fault was noticed, not here.
  Error.captureStackTrace(error, fault);
  return error as ClassOf<C>;
}
