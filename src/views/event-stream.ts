import {
  type EventStreamOptions,
  EventStreamResponse,
  type Events,
  type HttpRequest,
  lastEventId,
} from '../http/index.ts';

/** What an event-stream view gets besides its parameters. */
export interface EventStreamInput {
  readonly request: HttpRequest;
  /** Of the last event that a browser which connects again has seen; null the first time. */
  readonly lastEventId: string | null;
}

/**
 * A view that is an async generator of server-sent events:
 * `path('orders/live/', eventStream(async function* ({ lastEventId }) { yield { id: 1, data: order }; }))`.
 */
export function eventStream<P = Record<never, never>>(
  events: (input: EventStreamInput, params: P) => Events,
  options: EventStreamOptions = {},
): (request: HttpRequest, params: P) => EventStreamResponse {
  const view = (request: HttpRequest, params: P): EventStreamResponse =>
    new EventStreamResponse(events({ request, lastEventId: lastEventId(request) }, params), options);
  Object.defineProperty(view, 'name', { value: events.name || 'eventStream', configurable: true });
  return view;
}
