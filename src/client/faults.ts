import {
  ClientProtocolError,
  ClientStatusError,
  ClientTimeoutError,
  ClientTransportError,
  type ErrorCode,
  type FailedRequest,
  fault,
} from '../errors/index.ts';

export type ClientError = ClientTransportError | ClientTimeoutError | ClientProtocolError | ClientStatusError;

/** Whether `error` says that an outgoing request failed: transport, timeout, protocol or status. */
export function isClientError(error: unknown): error is ClientError {
  return (
    error instanceof ClientTransportError ||
    error instanceof ClientTimeoutError ||
    error instanceof ClientProtocolError ||
    error instanceof ClientStatusError
  );
}

/** Makes a catalogue error about a request, with the request on it for programs; the message has it for people. */
export function failed<C extends Extract<ErrorCode, `SBY_CLIENT_${string}`>>(
  code: C,
  details: Parameters<typeof fault<C>>[1] & { readonly request: FailedRequest },
  cause?: unknown,
): ReturnType<typeof fault<C>> {
  const error = fault(code, details, cause === undefined ? undefined : { cause });
  (error as { request?: FailedRequest }).request = details.request;
  Error.captureStackTrace(error as object, failed);
  return error;
}
