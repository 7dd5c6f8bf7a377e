import { tracingChannel } from 'node:diagnostics_channel';

/** Message of `sobaya:xray.span`: a section that the program names itself. */
export interface SpanMessage {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
}
export const spanChannel = tracingChannel<SpanMessage, object>('sobaya:xray.span');
