import type { RequestRecord } from '../records.ts';
import type { AnalysisOptions, Hint } from './hints.ts';
import { repeated, repeatedGroups } from './repeated.ts';
import { sequential } from './sequential.ts';
import { blocks, orphans, pool, slowQueries, transactions } from './standing.ts';

export type { AnalysisOptions, Hint, HintRule, SourceReader } from './hints.ts';
export { type Segment, splitTime, type TimeSplit } from './time.ts';

/** What can be said about a recorded request, most important first. A pure function of the record. */
export function analyse(request: RequestRecord, options: AnalysisOptions = {}): Hint[] {
  const groups = repeatedGroups(request, options);
  const ignored = new Set(groups.flatMap((group) => group.map((span) => span.id)));
  return [
    ...blocks(request),
    ...repeated(request, groups),
    ...sequential(request, options, ignored),
    ...pool(request, options),
    ...orphans(request),
    ...transactions(request),
    ...slowQueries(request),
  ].sort((a, b) => b.weight - a.weight || (b.saves ?? 0) - (a.saves ?? 0));
}
