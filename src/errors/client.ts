import { OperationalError } from './base.ts';
import { TimeoutError } from './flow.ts';

/** What every error of an outgoing request says about the request; the URL carries no credentials. */
export interface FailedRequest {
  readonly method: string;
  readonly url: string;
}

const nowhere: FailedRequest = { method: '', url: '' };

/** No connection, or it broke: nothing can be said about whether the other side did the work. */
export class ClientTransportError extends OperationalError {
  request: FailedRequest = nowhere;
}

/** The other side was too slow, in one of the ways a request can be: connect, read, total. */
export class ClientTimeoutError extends TimeoutError {
  request: FailedRequest = nowhere;
}

/** The other side answered, but not in HTTP, or not in what was asked for. */
export class ClientProtocolError extends OperationalError {
  request: FailedRequest = nowhere;
}

/** An answer with status 4xx or 5xx, from `raiseForStatus()`. */
export class ClientStatusError extends OperationalError {
  request: FailedRequest = nowhere;
  status = 0;
  /** The response, `ClientResponse` of room client. */
  response: unknown = null;
}
