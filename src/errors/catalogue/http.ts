import { BadRequest, ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import {
  ContentTooLarge,
  Http404,
  HttpError,
  PermissionDenied,
  SuspiciousOperation,
  UnsupportedMediaType,
} from '../http.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `http`. */
export const httpErrors = {
  SBY_HTTP_ERROR: entry(HttpError, {
    about: 'A view or middleware threw an HttpError (or one of its kind) with a message of its own.',
    example: { message: 'The kitchen takes no orders after nine' },
    parts: ({ message }: { message: string }) => ({ what: message }),
  }),
  SBY_HTTP_404: entry(Http404, {
    about: 'A view threw Http404, or no route matches the path. The client gets status 404.',
    example: { message: 'No order 3' },
    parts: ({ message }: { message: string }) => ({ what: message }),
  }),
  SBY_HTTP_FORBIDDEN: entry(PermissionDenied, {
    about: 'A view or middleware threw PermissionDenied. The client gets status 403.',
    example: { message: 'Permission denied' },
    parts: ({ message }: { message: string }) => ({ what: message }),
  }),
  SBY_HTTP_BAD_HEADER: entry(UsageError, {
    about:
      'Header names are tokens (RFC 9110, 5.6.2) and values visible latin-1 text without line ends: anything else would let whoever controls the value write headers or a body of their own.',
    example: { name: 'location', got: '/\r\nset-cookie: a=b' as unknown },
    parts: ({ name, got }: { name: string; got: unknown }) => ({
      what: `${describe(got)} cannot be the value of the header ${describe(name)}`,
      fix: 'Header names are tokens, values latin-1 text without line ends; encode the value, or leave it out',
    }),
  }),
  SBY_HTTP_BAD_COOKIE: entry(UsageError, {
    about: 'A cookie to be set breaks the grammar of RFC 6265, or a rule of the browsers for its attributes.',
    example: { name: 'ses sion', why: 'the name is no token' },
    parts: ({ name, why }: { name: string; why: string }) => ({
      what: `The cookie ${describe(name)} cannot be set: ${why}`,
      fix: 'Mend the name or attribute; values are encoded for you',
    }),
  }),
  SBY_HTTP_BAD_SIGNATURE: entry(SuspiciousOperation, {
    about: 'A signed value was changed, signed with another key or salt, or is older than allowed.',
    example: { what: 'cookie "cart"', why: 'the signature does not match' },
    parts: ({ what, why }: { what: string; why: string }) => ({
      what: `The signed ${what} is not valid: ${why}`,
    }),
  }),
  SBY_HTTP_NO_SECRET: entry(UsageError, {
    about: 'Signing needs a secret that only the application knows.',
    example: {},
    parts: (_: object) => ({
      what: 'Signing needs a secret key, and the application has none',
      fix: 'Give createApp({ secretKey: process.env.SECRET_KEY }) at least 32 random characters',
    }),
  }),
  SBY_HTTP_BAD_STATUS: entry(UsageError, {
    about: 'A status is a whole number from 200 to 599; 1xx answers belong to the server.',
    example: { got: 42 as unknown },
    parts: ({ got }: { got: unknown }) => ({
      what: `${describe(got)} is no status of a response`,
      fix: 'Give a whole number from 200 to 599',
    }),
  }),
  SBY_HTTP_BAD_CONTENT: entry(UsageError, {
    about: 'The content of a response is text or bytes; anything else has a response class of its own.',
    example: { callee: 'HttpResponse', got: { id: 3 } as unknown },
    parts: ({ callee, got }: { callee: string; got: unknown }) => ({
      what: `${callee} takes text or bytes, got ${describe(got)}`,
      fix: 'Write new JsonResponse(data) for data, new StreamingHttpResponse(chunks) for an iterator',
    }),
  }),
  SBY_HTTP_NOT_JSON: entry(UsageError, {
    about:
      'The value given to JsonResponse cannot be written as JSON: undefined, a function, a bigint, a cycle.',
    example: { got: undefined as unknown, why: 'it is undefined' },
    parts: ({ got, why }: { got: unknown; why: string }) => ({
      what: `${describe(got)} cannot be written as JSON: ${why}`,
      fix: 'Give plain data: objects, arrays, strings, numbers, booleans, null',
    }),
  }),
  SBY_HTTP_UNSAFE_REDIRECT: entry(SuspiciousOperation, {
    about:
      'A redirect goes to http, https or a path of this site. Other schemes (javascript:, data:) run code in the browser; what comes from the request may lead to another site: check it with safeRedirectTarget().',
    example: { to: 'javascript:alert(1)' },
    parts: ({ to }: { to: string }) => ({
      what: `Redirecting to ${describe(to)} is not safe`,
      fix: 'Redirect to a path of this site, or to an http(s) address you wrote yourself',
    }),
  }),
  SBY_HTTP_TOO_LARGE: entry(ContentTooLarge, {
    about: 'The body of the request, or one part of it, is larger than the limit. The client gets 413.',
    example: { what: 'The body', limit: 2_621_440, unit: 'bytes', option: 'maxBodySize' },
    parts: ({
      what,
      limit,
      unit,
      option,
    }: {
      what: string;
      limit: number;
      unit: string;
      option: string;
    }) => ({
      what: `${what} is larger than ${limit} ${unit}`,
      fix: `Send less, or raise createApp({ limits: { ${option} } })`,
    }),
  }),
  SBY_HTTP_TOO_MANY: entry(HttpError, {
    about: 'More fields, files, parameters or ranges than the limit: what only an attack sends.',
    example: { what: 'query parameters', limit: 1000, option: 'maxFields' },
    parts: ({ what, limit, option }: { what: string; limit: number; option: string }) => ({
      what: `The request has more than ${limit} ${what}`,
      fix: `Send fewer, or raise createApp({ limits: { ${option} } })`,
    }),
  }),
  SBY_HTTP_BAD_BODY: entry(HttpError, {
    about: 'The body is not what its Content-Type says. The client gets 400.',
    example: { kind: 'JSON', why: 'Unexpected end of JSON input' },
    parts: ({ kind, why }: { kind: string; why: string }) => ({
      what: `The body is no valid ${kind}: ${why}`,
    }),
  }),
  SBY_HTTP_WRONG_TYPE: entry(UnsupportedMediaType, {
    about: 'The body is of another kind than the view asked for. The client gets 415.',
    example: { expected: 'application/json', got: 'text/plain' as string | null },
    parts: ({ expected, got }: { expected: string; got: string | null }) => ({
      what: `The body should be ${expected}, ${got === null ? 'and no Content-Type is given' : `not ${describe(got)}`}`,
      fix: `Send it as ${expected}, with that Content-Type`,
    }),
  }),
  SBY_HTTP_BODY_USED: entry(UsageError, {
    about: 'A body is a stream: read as one it is gone, and cannot be read a second time or in another way.',
    example: { callee: 'request.json()', used: 'request.stream()' },
    parts: ({ callee, used }: { callee: string; used: string }) => ({
      what: `${callee} comes too late: the body was read with ${used}`,
      fix: 'Read it once, with body(), json() or form(), which keep what they read, and do not mix them with stream()',
    }),
  }),
  SBY_HTTP_DISCONNECTED: entry(OperationalError, {
    about: 'The client left before the whole body had come.',
    example: { path: '/upload/' },
    parts: ({ path }: { path: string }) => ({
      what: 'The client left before its request was read',
      where: path,
    }),
  }),
  SBY_HTTP_BAD_HOST: entry(SuspiciousOperation, {
    about:
      'The Host header is not one of those this application answers to. Links and redirects are made from it, so an unknown host would let others write them (cache and password-reset poisoning).',
    example: { host: 'evil.example', allowed: ['soba.example'] as readonly string[] },
    parts: ({ host, allowed }: { host: string; allowed: readonly string[] }) => ({
      what: `The host ${describe(host)} is not allowed`,
      where: allowed.length > 0 ? `allowed: ${allowed.join(', ')}` : 'no host is allowed',
      fix: `If this is a name of this site, add it to createApp({ allowedHosts: [${describe(host)}] })`,
    }),
  }),
  SBY_HTTP_BAD_PROXY: entry(ImproperlyConfigured, {
    about: 'trustedProxies takes IP addresses and networks in CIDR notation.',
    example: { got: 'proxy.local' },
    parts: ({ got }: { got: string }) => ({
      what: `${describe(got)} is no address of a trusted proxy`,
      where: 'createApp({ trustedProxies })',
      fix: 'Write an address such as "10.0.0.7", or a network such as "10.0.0.0/8"',
    }),
  }),
  SBY_HTTP_NO_RESPONSE: entry(UsageError, {
    about:
      'Every view and middleware gives a response. What is given instead is most often a forgotten return.',
    example: { who: 'The view orderDetail', got: undefined as unknown },
    parts: ({ who, got }: { who: string; got: unknown }) => ({
      what: `${who} gave ${describe(got)} instead of a response`,
      fix:
        got === undefined
          ? 'Is a return missing? Return an HttpResponse (or a web-standard Response)'
          : got !== null && typeof (got as { then?: unknown }).then === 'function'
            ? 'Is an await missing? Return an HttpResponse (or a web-standard Response)'
            : 'Return an HttpResponse (or a web-standard Response); for data, new JsonResponse(data)',
    }),
  }),
  SBY_HTTP_RESPONSE_USED: entry(UsageError, {
    about: 'The content of a streaming response is an iterator: it can be read once.',
    example: {},
    parts: (_: object) => ({
      what: 'This streaming response has been sent or read already',
      fix: 'Make a new response for each request',
    }),
  }),
  SBY_HTTP_BAD_URL: entry(BadRequest, {
    about: 'The address in the request cannot be read.',
    example: { got: '/%zz' },
    parts: ({ got }: { got: string }) => ({ what: `The address ${describe(got)} cannot be read` }),
  }),
  SBY_HTTP_BAD_METHODS: entry(UsageError, {
    about: 'methods() takes an object of views, named by the methods they answer.',
    example: { method: 'get', got: undefined as unknown },
    parts: ({ method, got }: { method: string; got: unknown }) => ({
      what: `methods() cannot use ${describe(got)} for the method ${describe(method)}`,
      fix: 'Write methods({ GET: view, POST: view }), with upper-case names and functions',
    }),
  }),
  SBY_HTTP_SOCKET_STATE: entry(UsageError, {
    about: 'A WebSocket connection is accepted or rejected once, before anything else.',
    example: { callee: 'accept', state: 'open' },
    parts: ({ callee, state }: { callee: string; state: string }) => ({
      what: `${callee}() was called on a WebSocket connection that is ${state}`,
      fix: 'Accept or reject a connection once, before messages are read or sent',
    }),
  }),
  SBY_HTTP_SOCKET_PROTOCOL: entry(UsageError, {
    about: 'A server may only choose a subprotocol that the client offers (RFC 6455, 4.2.2).',
    example: { got: 'soba.v2', offered: ['soba.v1'] as readonly string[] },
    parts: ({ got, offered }: { got: string; offered: readonly string[] }) => ({
      what: `The client does not offer the subprotocol ${describe(got)}`,
      where: offered.length > 0 ? `it offers ${offered.join(', ')}` : 'it offers none',
      fix: 'Choose one of socket.subprotocols, or none',
    }),
  }),
};
