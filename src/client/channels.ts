import { tracingChannel } from 'node:diagnostics_channel';
import type { HeaderList } from './headers.ts';

/** The message of `sobaya:client.request`, one per call: redirects and retries are inside. */
export interface ClientRequestMessage {
  readonly method: string;
  /** Without credentials. */
  readonly url: string;
  /** What is about to be sent; a subscriber to `start` may add a header, such as `traceparent`. */
  readonly headers: HeaderList;
  /** Set before `asyncEnd`. */
  status?: number;
  /** How often the request went out, redirects not counted. */
  attempts?: number;
  /** Milliseconds until the last attempt had a connection. */
  waited?: number;
  error?: unknown;
}

/** `tracing:sobaya:client.request:*`; see docs/design/tracing.md. */
export const clientRequestChannel = tracingChannel<ClientRequestMessage, object>('sobaya:client.request');
