/** Records, analyses and draws what requests did. Contract of the channels it listens to: docs/design/tracing.md. */

export {
  type AnalysisOptions,
  analyse,
  type Hint,
  type HintRule,
  type Segment,
  type SourceReader,
  splitTime,
  type TimeSplit,
} from './analysis/index.ts';
export { type XrayApplication, type XrayOptions, xray } from './application.ts';
export {
  assertGathered,
  assertNotBlocked,
  assertNumQueries,
  type GatheredOptions,
  type NotBlockedOptions,
  withWaterfall,
} from './assertions.ts';
export { type SpanMessage, spanChannel } from './channels.ts';
export { exportFile, importFile } from './file.ts';
export type { Permission } from './gate.ts';
export type { KindName, StatusName } from './kinds.ts';
export { type Plan, type Planned, planText, type Scan } from './plan/index.ts';
export { Recorder, type RecorderOptions } from './recorder.ts';
export { type Recording, record } from './recording.ts';
export type { BlockedRecord, RequestRecord, Site, SpanRecord } from './records.ts';
export { ignoreSites } from './sites.ts';
export { snapshot } from './snapshot.ts';
export { currentXray, span, timeline, type XrayLink } from './span.ts';
export { drawText, type TextOptions } from './text.ts';
export { Trace } from './trace.ts';
export { parseTraceparent, type TraceParent } from './trace-context.ts';
