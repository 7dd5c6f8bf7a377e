import { ImproperlyConfigured, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

export const asgiErrors = {
  SBY_ASGI_UNKNOWN_SCOPE: entry(UsageError, {
    about:
      'An application must refuse the kinds of connection it does not know (ASGI 3.0, "Connection Scope").',
    example: { type: 'websocket' as unknown, application: 'hello' },
    parts: ({ type, application }: { type: unknown; application: string }) => ({
      what: `${application} does not handle scopes of type ${describe(type)}`,
      fix: 'Route this kind of connection to an application that does',
    }),
  }),
  SBY_ASGI_EVENT_ORDER: entry(UsageError, {
    about: 'An event came where the protocol has another one. docs/asgi/ shows the order of each protocol.',
    example: { side: 'application', got: 'http.response.body', expected: 'http.response.start' },
    parts: ({ side, got, expected }: { side: string; got: string; expected: string }) => ({
      what: `The ${side} sent ${got} where ASGI expects ${expected}`,
      fix: 'See the order of events in docs/asgi/',
    }),
  }),
  SBY_ASGI_BAD_EVENT: entry(UsageError, {
    about: 'A field of an event or of the scope has the wrong type or value.',
    example: {
      side: 'application',
      type: 'http.response.start',
      field: 'status',
      got: '200' as unknown,
      expected: 'an integer from 100 to 999',
    },
    parts: ({
      side,
      type,
      field,
      got,
      expected,
    }: {
      side: string;
      type: string;
      field: string;
      got: unknown;
      expected: string;
    }) => ({
      what: `The ${side} gave ${type} with ${field} ${describe(got)}`,
      fix: `It must be ${expected}`,
    }),
  }),
  SBY_ASGI_NO_RESPONSE: entry(UsageError, {
    about: 'The application returned before its response was complete.',
    example: { request: 'GET /orders/' },
    parts: ({ request }: { request: string }) => ({
      what: 'The application returned before its response was complete',
      where: request,
      fix: 'Send http.response.start, then http.response.body events, the last with moreBody false or absent',
    }),
  }),
  SBY_ASGI_NO_OUTPUT: entry(UsageError, {
    about: 'A communicator waited for an event that the application did not send.',
    example: { ms: 1000, ended: false },
    parts: ({ ms, ended }: { ms: number; ended: boolean }) => ({
      what: ended
        ? 'The application has ended and sends nothing more'
        : `The application sent nothing for ${ms} ms`,
    }),
  }),
  SBY_ASGI_WSGI_THREAD: entry(UsageError, {
    about:
      'A response of a WSGI application lives in the thread in which it began. syncToAsync keeps the calls of one request in one thread, unless it is told threadSensitive: false.',
    example: {},
    parts: (_: Record<string, never>) => ({
      what: 'The next piece of a WSGI response was asked of a thread in which it has not begun',
      fix: 'Make the module with syncToAsync(…) without threadSensitive: false, and export one wsgi(…) per application',
    }),
  }),
  SBY_ASGI_STARTUP_FAILED: entry(ImproperlyConfigured, {
    about: 'The application answered lifespan.startup with lifespan.startup.failed: it cannot serve.',
    example: { why: 'the database cannot be opened' },
    parts: ({ why }: { why: string }) => ({
      what: `The application did not start: ${why}`,
    }),
  }),
};
