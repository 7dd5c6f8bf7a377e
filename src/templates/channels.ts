import { tracingChannel } from 'node:diagnostics_channel';

/** The message of `sobaya:templates.render`. */
export interface RenderMessage {
  /** Of the template. */
  readonly name: string;
  /** Length of what came out, in bytes of UTF-8. */
  bytes?: number;
}

/** `tracing:sobaya:templates.render:*`; see docs/design/tracing.md. */
export const renderChannel = tracingChannel<object, RenderMessage>('sobaya:templates.render');
