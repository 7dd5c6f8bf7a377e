import { BadRequest, ImproperlyConfigured, OperationalError, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `server`. */
export const serverErrors = {
  SBY_SERVER_BAD_REQUEST: entry(BadRequest, {
    about:
      'The peer sent what RFC 9112 calls an error, or what two parsers could read differently. It is answered with the status and the connection is closed.',
    example: { status: 400, why: 'both Content-Length and Transfer-Encoding are given' },
    parts: ({ status, why }: { status: number; why: string }) => ({
      what: `The request was refused with ${status}: ${why}`,
    }),
  }),
  SBY_SERVER_DISCONNECTED: entry(OperationalError, {
    about:
      'The client is gone, so nothing can be sent to it. ASGI lets send() fail with it; an application may let it pass, the server does not report it.',
    example: { request: 'GET /orders/' },
    parts: ({ request }: { request: string }) => ({
      what: `The client left before the response to ${request} was sent`,
    }),
  }),
  SBY_SERVER_EVENT_ORDER: entry(UsageError, {
    about: 'The events of a response come in one order: start, then bodies, the last with moreBody false.',
    example: {
      request: 'GET /orders/',
      got: 'http.response.start',
      expected: 'http.response.body, because the response has started',
    },
    parts: ({ request, got, expected }: { request: string; got: string; expected: string }) => ({
      what: `The application sent ${got} where the server expected ${expected}`,
      where: request,
      fix: 'Send one http.response.start, then http.response.body events, the last one with moreBody false or absent',
    }),
  }),
  SBY_SERVER_BAD_EVENT: entry(UsageError, {
    about:
      'An event that the application sent has a field of the wrong type or value. Nothing of it was sent on.',
    example: { request: 'GET /orders/', event: 'http.response.start', why: 'status is "200"' },
    parts: ({ request, event, why }: { request: string; event: string; why: string }) => ({
      what: `The application sent a bad ${event}: ${why}`,
      where: request,
      fix: 'docs/asgi/ lists the fields of each event with their types',
    }),
  }),
  SBY_SERVER_CONTENT_LENGTH: entry(UsageError, {
    about:
      'The body must be as long as the Content-Length that was announced: a client would wait for the rest, or read the surplus as the next response.',
    example: { request: 'GET /orders/', declared: 10, got: 12 },
    parts: ({ request, declared, got }: { request: string; declared: number; got: number }) => ({
      what: `The response announced Content-Length ${declared}, but its body has ${got > declared ? 'at least ' : ''}${got} bytes`,
      where: request,
      fix: 'Leave content-length out, the server sets it; or give the length in bytes, not in characters',
    }),
  }),
  SBY_SERVER_NO_RESPONSE: entry(UsageError, {
    about: 'The application returned without having sent a whole response.',
    example: { request: 'GET /orders/', started: false },
    parts: ({ request, started }: { request: string; started: boolean }) => ({
      what: started
        ? 'The application returned before the end of its response'
        : 'The application returned without a response',
      where: request,
      fix: started
        ? 'Send a last http.response.body with moreBody false'
        : 'Send http.response.start and http.response.body before returning',
    }),
  }),
  SBY_SERVER_ADDRESS_IN_USE: entry(OperationalError, {
    about: 'Another process, often an older copy of the same server, listens there already.',
    example: { address: '127.0.0.1:8000' },
    parts: ({ address }: { address: string }) => ({
      what: `Another process already listens on ${address}`,
      fix: 'Stop it, or choose another port with --port',
    }),
  }),
  SBY_SERVER_CANNOT_LISTEN: entry(OperationalError, {
    about: 'The operating system refused to open the listening socket.',
    example: {
      address: '127.0.0.1:80',
      why: 'listen EACCES: permission denied 127.0.0.1:80',
      fix: 'Ports below 1024 need a privilege: take a port above and a proxy before it, let systemd open the socket, or give the process CAP_NET_BIND_SERVICE',
    },
    parts: ({ address, why, fix }: { address: string; why: string; fix: string }) => ({
      what: `Cannot listen on ${address}: ${why}`,
      fix,
    }),
  }),
  SBY_SERVER_NO_SOCKET: entry(OperationalError, {
    about: 'Where a unix socket is to be made there is a file that is none. It is left alone.',
    example: { path: '/run/soba.sock' },
    parts: ({ path }: { path: string }) => ({
      what: `Cannot listen on ${path}: there is a file of this name that is no socket`,
      fix: 'Remove it, or choose another path with --uds',
    }),
  }),
  SBY_SERVER_RUNNING: entry(OperationalError, {
    about: 'The file with the process number names a process that runs: another copy of the service.',
    example: { path: '/run/soba.pid', pid: 4711 },
    parts: ({ path, pid }: { path: string; pid: number }) => ({
      what: `Process ${pid} runs already`,
      where: path,
      fix: 'Stop it, remove the file if it is another program, or choose another one with --pid-file',
    }),
  }),
  SBY_SERVER_BAD_OPTION: entry(ImproperlyConfigured, {
    about: 'An option of the server has a value that makes no sense.',
    example: { option: 'port', got: 70000 as unknown, expected: 'an integer from 0 to 65535' },
    parts: ({ option, got, expected }: { option: string; got: unknown; expected: string }) => ({
      what: `The option ${option} is ${describe(got)}`,
      fix: `Give ${expected}`,
    }),
  }),
  SBY_SERVER_STARTUP_FAILED: entry(ImproperlyConfigured, {
    about: 'The application answered lifespan.startup with lifespan.startup.failed: it cannot serve.',
    example: { why: 'the database cannot be opened' },
    parts: ({ why }: { why: string }) => ({
      what: `The application did not start: ${why}`,
      fix: 'Mend that; nothing was served',
    }),
  }),
  SBY_SERVER_LIFESPAN_UNSUPPORTED: entry(ImproperlyConfigured, {
    about: 'With lifespan "on" an application must handle the lifespan scope; with "auto" it may refuse it.',
    example: { why: 'Error: only http is handled' },
    parts: ({ why }: { why: string }) => ({
      what: `The application failed on the lifespan scope: ${why}`,
      fix: 'Handle lifespan.startup and lifespan.shutdown, or serve with lifespan "auto"',
    }),
  }),
  SBY_SERVER_BAD_TLS: entry(ImproperlyConfigured, {
    about: 'A certificate or key cannot be used.',
    example: {
      option: 'keyfile',
      path: '/etc/soba/key.pem',
      why: 'the key does not belong to the certificate',
    },
    parts: ({ option, path, why }: { option: string; path: string; why: string }) => ({
      what: `TLS cannot be set up: ${why}`,
      where: `${option} ${path}`,
      fix: 'Give a certificate chain and its key as PEM files',
    }),
  }),
};
