import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';

/** One request on its connection, from its head to the end of the application's call. */
export interface ServerRequestMessage {
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  readonly client: readonly [host: string, port: number] | null;
  /** Number of the connection in this process. */
  readonly connection: number;
  /** 1 for the first request of its connection. */
  readonly requestOnConnection: number;
  status?: number;
  bytesIn?: number;
  bytesOut?: number;
  /** The client left before the response was complete. */
  aborted?: boolean;
}

export const serverRequestChannel: TracingChannel<ServerRequestMessage, ServerRequestMessage> =
  tracingChannel('sobaya:server.request');
