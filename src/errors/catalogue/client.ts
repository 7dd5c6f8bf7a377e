import { UsageError } from '../base.ts';
import {
  ClientProtocolError,
  ClientStatusError,
  ClientTimeoutError,
  ClientTransportError,
  type FailedRequest,
} from '../client.ts';
import { describe, entry } from './define.ts';

const request: FailedRequest = { method: 'GET', url: 'http://suppliers.test/prices' };
const at = ({ method, url }: FailedRequest): string => `${method} ${url}`;

/** What a failed connection usually means, by the code of the operating system. */
function connectAdvice(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'Nothing listens there: start the other side, or check host and port';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The host name cannot be resolved: check its spelling and the DNS of this machine';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'The other side closed the connection: look at its log; if it is safe to ask twice, give `retries`';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'There is no route to that address: check the network and firewalls';
    default:
      if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code))
        return 'The certificate is not trusted: give its authority as `tls: { ca }`';
      return 'Check that the other side is up and reachable';
  }
}

export const clientErrors = {
  SBY_CLIENT_CONNECT: entry(ClientTransportError, {
    about: 'No connection could be made. The request was not sent, so it is safe to send it again.',
    example: { request, code: 'ECONNREFUSED', detail: 'connect ECONNREFUSED 127.0.0.1:9' },
    parts: (d: { request: FailedRequest; code: string; detail: string }) => ({
      what: `No connection could be made: ${d.detail}`,
      where: at(d.request),
      fix: connectAdvice(d.code),
    }),
  }),
  SBY_CLIENT_BROKEN: entry(ClientTransportError, {
    about:
      'The connection broke after the request had gone out, fully or in part. Whether the other side did the work is not known; methods that are safe to repeat can be given `retries`.',
    example: { request, code: 'ECONNRESET', detail: 'read ECONNRESET', phase: 'waiting for the answer' },
    parts: (d: { request: FailedRequest; code: string; detail: string; phase: string }) => ({
      what: `The connection broke while ${d.phase}: ${d.detail}`,
      where: at(d.request),
      fix: connectAdvice(d.code),
    }),
  }),
  SBY_CLIENT_CONNECT_TIMEOUT: entry(ClientTimeoutError, {
    about: 'No connection within `timeout.connect`. The request was not sent.',
    example: { request, ms: 5000 },
    parts: (d: { request: FailedRequest; ms: number }) => ({
      what: `No connection within ${d.ms} ms`,
      where: at(d.request),
      fix: 'Check that the host is reachable, or give a longer `timeout: { connect }`',
    }),
  }),
  SBY_CLIENT_READ_TIMEOUT: entry(ClientTimeoutError, {
    about:
      'The other side was silent for `timeout.read`: no head of an answer, or no further byte of its body.',
    example: { request, ms: 10_000, phase: 'waiting for the answer' },
    parts: (d: { request: FailedRequest; ms: number; phase: string }) => ({
      what: `Nothing was heard for ${d.ms} ms while ${d.phase}`,
      where: at(d.request),
      fix: 'Give a longer `timeout: { read }` if the other side may take that long',
    }),
  }),
  SBY_CLIENT_TOTAL_TIMEOUT: entry(ClientTimeoutError, {
    about:
      'The whole call took longer than `timeout.total`: waiting for a connection, redirects, retries, and reading the body (of a stream: until its head).',
    example: { request, ms: 30_000, phase: 'reading the body' },
    parts: (d: { request: FailedRequest; ms: number; phase: string }) => ({
      what: `Not done within ${d.ms} ms, still ${d.phase}`,
      where: at(d.request),
      fix: 'Give a longer `timeout: { total }`, or take the body piece by piece with client.stream()',
    }),
  }),
  SBY_CLIENT_PROTOCOL: entry(ClientProtocolError, {
    about: 'What came back is not an HTTP answer, or contradicts itself.',
    example: { request, detail: 'Response does not match the HTTP/1.1 protocol' },
    parts: (d: { request: FailedRequest; detail: string }) => ({
      what: `The answer is not HTTP: ${d.detail}`,
      where: at(d.request),
      fix: 'Check that the port speaks HTTP (and not TLS), and the log of the other side',
    }),
  }),
  SBY_CLIENT_ENCODING: entry(ClientProtocolError, {
    about: 'The body of an answer could not be decompressed as its Content-Encoding says.',
    example: { request, encoding: 'gzip', detail: 'incorrect header check' },
    parts: (d: { request: FailedRequest; encoding: string; detail: string }) => ({
      what: `The body is not ${d.encoding} as its Content-Encoding says: ${d.detail}`,
      where: at(d.request),
      fix: 'Mend the other side, or ask for the plain body with `decompress: false`',
    }),
  }),
  SBY_CLIENT_NOT_JSON: entry(ClientProtocolError, {
    about: 'json() was called on an answer whose body is not JSON.',
    example: { request, status: 200, contentType: 'text/html', start: '<!doctype html>' },
    parts: (d: { request: FailedRequest; status: number; contentType: string; start: string }) => ({
      what: `The body is not JSON: status ${d.status}, ${d.contentType || 'no content type'}, begins with ${describe(d.start)}`,
      where: at(d.request),
      fix: 'Call raiseForStatus() first when an error page is what came back',
    }),
  }),
  SBY_CLIENT_INVALID: entry(ClientProtocolError, {
    about: 'parse(schema) was called and the body does not match the schema.',
    example: { request, issues: ['price: expected a number'] as readonly string[] },
    parts: (d: { request: FailedRequest; issues: readonly string[] }) => ({
      what: `The body does not match the schema: ${d.issues.slice(0, 5).join('; ')}${d.issues.length > 5 ? `; and ${d.issues.length - 5} more` : ''}`,
      where: at(d.request),
    }),
  }),
  SBY_CLIENT_TOO_LARGE: entry(ClientProtocolError, {
    about: 'A body that is read into memory was larger than `maxBytes`, before or after decompression.',
    example: { request, limit: 104_857_600 },
    parts: (d: { request: FailedRequest; limit: number }) => ({
      what: `The body is larger than ${d.limit} bytes`,
      where: at(d.request),
      fix: 'Take it piece by piece with client.stream(), or raise `maxBytes`',
    }),
  }),
  SBY_CLIENT_STATUS: entry(ClientStatusError, {
    about: 'raiseForStatus() met an answer of 400 or above.',
    example: { request, status: 503, reason: 'Service Unavailable', start: 'try later' },
    parts: (d: { request: FailedRequest; status: number; reason: string; start: string }) => ({
      what: `Status ${d.status}${d.reason ? ` ${d.reason}` : ''}${d.start ? `, body begins with ${describe(d.start)}` : ''}`,
      where: at(d.request),
    }),
  }),
  SBY_CLIENT_TOO_MANY_REDIRECTS: entry(ClientProtocolError, {
    about: 'More redirects than `maxRedirects`; often a loop, when a cookie is needed and not kept.',
    example: { request, limit: 10 },
    parts: (d: { request: FailedRequest; limit: number }) => ({
      what: `More than ${d.limit} redirects`,
      where: at(d.request),
      fix: 'Look at response.history with a small `maxRedirects`; a site that needs cookies needs `cookies: new CookieJar()`',
    }),
  }),
  SBY_CLIENT_BAD_REDIRECT: entry(ClientProtocolError, {
    about:
      'A redirect to something that is no http or https URL, or one that would need a streamed body to be sent a second time.',
    example: { request, location: 'ftp://x/', why: 'only http and https can be followed' },
    parts: (d: { request: FailedRequest; location: string; why: string }) => ({
      what: `The redirect to ${describe(d.location)} cannot be followed: ${d.why}`,
      where: at(d.request),
      fix: 'Send the request to its final URL, or handle the answer yourself with `followRedirects: false`',
    }),
  }),
  SBY_CLIENT_BAD_URL: entry(UsageError, {
    about: 'A request needs an absolute http or https URL, or a client with a `baseUrl`.',
    example: { url: '/prices', why: 'it is relative, and the client has no baseUrl' },
    parts: (d: { url: string; why: string }) => ({
      what: `${describe(d.url)} is no URL that can be asked: ${d.why}`,
      fix: 'Write http://host/path, or make the client with new AsyncClient({ baseUrl })',
    }),
  }),
  SBY_CLIENT_BAD_OPTION: entry(UsageError, {
    about: 'An option of AsyncClient or of one request cannot be used as given.',
    example: {
      option: 'timeout',
      got: -1 as unknown,
      expected: 'milliseconds above zero, null, or { connect, read, total }',
    },
    parts: (d: { option: string; got: unknown; expected: string }) => ({
      what: `The option "${d.option}" is ${describe(d.got)}`,
      fix: `Give ${d.expected}`,
    }),
  }),
  SBY_CLIENT_TWO_BODIES: entry(UsageError, {
    about: 'A request has one body: `json`, `form`, `multipart` or `body`.',
    example: { given: ['json', 'form'] as readonly string[] },
    parts: (d: { given: readonly string[] }) => ({
      what: `A request cannot have two bodies: ${d.given.join(' and ')} were given`,
      fix: 'Keep one of them; files and fields together are `multipart`',
    }),
  }),
  SBY_CLIENT_BAD_HEADER: entry(UsageError, {
    about:
      'A header name that is no token, or a value with a line break or another control character: it would become a second header.',
    example: { name: 'x-note', value: 'a\r\nset-cookie: b' as unknown },
    parts: (d: { name: string; value: unknown }) => ({
      what: `The header ${describe(d.name)} cannot be sent with ${describe(d.value)}`,
      fix: 'Names are letters, digits and hyphens; values are one line of latin-1 text: encode what comes from users',
    }),
  }),
  SBY_CLIENT_CLOSED: entry(UsageError, {
    about: 'The client was used after close().',
    example: { request },
    parts: (d: { request: FailedRequest }) => ({
      what: 'This client is closed',
      where: at(d.request),
      fix: 'Make one client for the life of the program and close it at its end',
    }),
  }),
  SBY_CLIENT_BODY_USED: entry(UsageError, {
    about: 'The body of a streamed answer can be read once.',
    example: { request },
    parts: (d: { request: FailedRequest }) => ({
      what: 'The body of this answer was read already, or closed',
      where: at(d.request),
      fix: 'Keep what you read, or call await response.read() once and use its result',
    }),
  }),
  SBY_CLIENT_NO_MOCK: entry(UsageError, {
    about: 'A client with a MockTransport was asked something that no mock answers.',
    example: { request, mocks: ['GET /menu'] as readonly string[] },
    parts: (d: { request: FailedRequest; mocks: readonly string[] }) => ({
      what: `No mock answers this; there are ${d.mocks.length === 0 ? 'none' : d.mocks.join(', ')}`,
      where: at(d.request),
      fix: 'Add one: mock.on(method, path, answer)',
    }),
  }),
  SBY_CLIENT_NO_ANSWER: entry(ClientProtocolError, {
    about: 'An application that is called in-process ended, or its lifespan failed, before it answered.',
    example: { request, why: 'the application returned before http.response.start' },
    parts: (d: { request: FailedRequest; why: string }) => ({
      what: `The application did not answer: ${d.why}`,
      where: at(d.request),
    }),
  }),
};
