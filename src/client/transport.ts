import type { FailedRequest } from '../errors/index.ts';

/** A request as a transport gets it: everything is decided, only the sending is left. */
export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  /** `[name, value, name, value…]`, names in lower case. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

export type Phase =
  | 'connecting or waiting for a free connection'
  | 'sending the request'
  | 'waiting for the answer'
  | 'reading the body'
  | 'waiting to try again';

/** What a transport is told of the call around it. */
export interface TransportCall {
  /** Method and URL for messages, without credentials. */
  readonly request: FailedRequest;
  /** Aborts when the call ends early: cancelled scope, deadline. Made only when asked for. */
  readonly signal: AbortSignal;
  /** The cheaper spelling of `signal`, for one listener. */
  onEarlyEnd(cancel: ((error: unknown) => void) | null): void;
  /** What is being done, for messages. */
  phase: Phase;
  /** Milliseconds until a connection was there, told by transports that have some. */
  waited: number | null;
  /** From now on the other side has to act: its silence is measured, and ends the call after `timeout.read`. */
  listen(phase: Phase): void;
  /** Something was heard of the other side. */
  heard(): void;
  /** From now on the silence is ours. */
  pauseListening(): void;
  resumeListening(): void;
}

/** The body of an answer as it comes. */
export interface TransportBody {
  /** The next piece; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Nobody will read the rest. */
  cancel(): void;
}

export interface TransportResponse {
  readonly status: number;
  readonly reason: string;
  readonly httpVersion: string;
  /** `[name, value, name, value…]`, names in lower case. */
  readonly headers: readonly string[];
  readonly body: TransportBody;
}

/** How requests get out: over the network, into an application in this process, to a mock, or one of your own. */
export interface Transport {
  send(request: TransportRequest, call: TransportCall): Promise<TransportResponse>;
  close(): Promise<void>;
}
