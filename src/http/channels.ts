import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import type { HttpRequest } from './request.ts';
import type { BaseResponse } from './response.ts';

/** One request through the application, from its first middleware to the last byte of its response. */
export interface RequestMessage {
  readonly request: HttpRequest;
  /** Set at the end. */
  response?: BaseResponse;
  error?: unknown;
}
export const requestChannel: TracingChannel<RequestMessage, RequestMessage> =
  tracingChannel('sobaya:http.request');

/** One call of a view. */
export interface ViewMessage {
  readonly request: HttpRequest;
  /** `shop:order-detail`. */
  readonly view: string;
  readonly route: string;
  error?: unknown;
}
export const viewChannel: TracingChannel<ViewMessage, ViewMessage> = tracingChannel('sobaya:http.view');

/** One pass of a request through a middleware, with everything inside it. */
export interface MiddlewareMessage {
  readonly request: HttpRequest;
  readonly middleware: string;
  readonly position: number;
  error?: unknown;
}
export const middlewareChannel: TracingChannel<MiddlewareMessage, MiddlewareMessage> =
  tracingChannel('sobaya:http.middleware');
