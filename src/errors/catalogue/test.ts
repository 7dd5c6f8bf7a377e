import { OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `test`. */
export const testErrors = {
  SBY_TEST_BAD_URL: entry(UsageError, {
    about: 'The test client calls one application; it takes paths, or addresses with any host.',
    example: { got: 'orders/3/' as unknown },
    parts: ({ got }: { got: unknown }) => ({
      what: `The test client cannot call ${describe(got)}`,
      fix: 'Give a path that begins with a slash, "/orders/3/", or a whole address',
    }),
  }),
  SBY_TEST_TOO_MANY_REDIRECTS: entry(UsageError, {
    about: 'Following redirects came to no end.',
    example: { chain: ['/a/', '/b/', '/a/'] as readonly string[] },
    parts: ({ chain }: { chain: readonly string[] }) => ({
      what: `More than 20 redirects: ${chain.slice(0, 6).join(' → ')} …`,
      fix: 'Mend the loop, or look at single steps with follow: false',
    }),
  }),
  SBY_TEST_NO_RESPONSE: entry(OperationalError, {
    about: 'The application ended without a whole response.',
    example: { request: 'GET /orders/', sent: 'nothing' },
    parts: ({ request, sent }: { request: string; sent: string }) => ({
      what: `The application ended without a whole response, it sent ${sent}`,
      where: request,
      fix: 'A response is one http.response.start and http.response.body up to one without moreBody',
    }),
  }),
  SBY_TEST_PROTOCOL: entry(UsageError, {
    about: 'The application sent an event that no server would take here.',
    example: { request: 'GET /orders/', got: 'http.response.body', expected: 'http.response.start' },
    parts: ({ request, got, expected }: { request: string; got: string; expected: string }) => ({
      what: `The application sent ${describe(got)} where ${expected} was expected`,
      where: request,
    }),
  }),
  SBY_TEST_LIFESPAN: entry(OperationalError, {
    about: 'The application said that it could not start or stop.',
    example: { phase: 'start', message: 'Error: the database cannot be opened' },
    parts: ({ phase, message }: { phase: string; message: string }) => ({
      what: `The application did not ${phase}: ${message}`,
    }),
  }),
  SBY_TEST_NO_JSON: entry(UsageError, {
    about: 'response.json() was asked of a response that is no JSON.',
    example: { request: 'GET /orders/', type: 'text/html' as string | null, begin: '<!doctype html>' },
    parts: ({ request, type, begin }: { request: string; type: string | null; begin: string }) => ({
      what: `The response is no JSON but ${type ?? 'of no type'}: ${describe(begin)}`,
      where: request,
    }),
  }),
  SBY_TEST_SOCKET_REFUSED: entry(OperationalError, {
    about: 'The application refused a WebSocket connection of the test client.',
    example: { path: '/chat/', status: 403 },
    parts: ({ path, status }: { path: string; status: number }) => ({
      what: `The WebSocket connection was refused with ${status}`,
      where: path,
    }),
  }),
  SBY_TEST_NUM_QUERIES: entry(UsageError, {
    about: 'A block sent another number of SQL statements than the test expects.',
    example: { expected: 1, queries: ['SELECT 1', 'SELECT 2'] as readonly string[] },
    parts: ({ expected, queries }: { expected: number; queries: readonly string[] }) => ({
      what: `${queries.length} queries were sent, ${expected} expected`,
      where: queries.slice(0, 20).join(' | '),
    }),
  }),
  SBY_TEST_ORPHANS: entry(UsageError, {
    about: 'Tasks still ran after the block that started them had ended.',
    example: { tasks: ['"send mail"'] as readonly string[] },
    parts: ({ tasks }: { tasks: readonly string[] }) => ({
      what: `${tasks.length} task${tasks.length === 1 ? '' : 's'} still ran: ${tasks.join(', ')}`,
      fix: 'Await them, or start them in a taskGroup(); background() is for what shall outlive its request',
    }),
  }),
};
