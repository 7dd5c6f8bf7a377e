import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import type { HttpRequest } from './request.ts';

/** One request through the application, from its first middleware to the last byte of its response. */
export interface RequestMessage {
  readonly request: HttpRequest;
  readonly method: string;
  readonly path: string;
  /** The pattern, `orders/<int:id>/`; set as soon as the URL is resolved. */
  route?: string;
  routeName?: string;
  /** The name of the view. */
  view?: string;
  status?: number;
}
export const requestChannel: TracingChannel<RequestMessage, RequestMessage> =
  tracingChannel('sobaya:http.request');

/** One call of a view. */
export interface ViewMessage {
  /** `shop:order-detail`, or the name of the function. */
  readonly name: string;
  readonly route: string;
  /** The view is no async function. */
  readonly sync: boolean;
}
export const viewChannel: TracingChannel<ViewMessage, ViewMessage> = tracingChannel('sobaya:http.view');

/** One pass of a request through a middleware, with everything inside it. */
export interface MiddlewareMessage {
  readonly name: string;
}
export const middlewareChannel: TracingChannel<MiddlewareMessage, MiddlewareMessage> =
  tracingChannel('sobaya:http.middleware');
