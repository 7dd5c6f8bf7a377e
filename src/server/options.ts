import { fault } from '../errors/index.ts';
import type { ServerLog } from './log.ts';

/** Options of `serve`. Times are milliseconds, sizes are bytes; 0 means no limit where that is said. */
export interface ServeOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free port. Default 8000. */
  readonly port?: number;
  /** A unix socket to listen on, instead of host and port. */
  readonly uds?: string;
  /** Who may connect to it, as for `chmod`: 0o660. Default: what the process's umask leaves. */
  readonly udsPermissions?: number;
  /** A listening socket that is open already, by its file descriptor. */
  readonly fd?: number;
  /** Connections that may wait to be accepted. Default 2048. */
  readonly backlog?: number;
  /** Mount prefix: `scope.rootPath`. Default ''. */
  readonly rootPath?: string;
  /** 'auto' goes on without lifespan when the application refuses it. Default 'auto'. */
  readonly lifespan?: 'auto' | 'on' | 'off';
  /** Where the server's own lines go. Default: text on standard error. */
  readonly log?: ServerLog;

  /** Longest request line. Default 8192. */
  readonly limitRequestLine?: number;
  /** Longest header field line. Default 16384. */
  readonly limitRequestField?: number;
  /** Most header fields. Default 128. */
  readonly limitRequestFields?: number;
  /** Longest head of a request, all lines together. Default 65536. */
  readonly limitRequestHead?: number;
  /** Longest request body; 0 for no limit. Default 128 MiB. */
  readonly limitRequestBody?: number;

  /** From the first byte of a head to its end. Default 10 000. */
  readonly timeoutHeader?: number;
  /** Between two pieces of a request body. Default 30 000. */
  readonly timeoutBody?: number;
  /** Between a response and the next request on the same connection. Default 5000. */
  readonly timeoutKeepAlive?: number;
  /** A client that takes nothing of what is sent to it. Default 30 000. */
  readonly timeoutWrite?: number;
  /** A graceful stop waits so long for running requests before it cancels them. Default 10 000. */
  readonly timeoutGraceful?: number;
  /** The application may take so long to answer lifespan.startup; 0 for any time. Default 60 000. */
  readonly timeoutStartup?: number;
  /** And to answer lifespan.shutdown. Default 10 000. */
  readonly timeoutShutdown?: number;
  /** Addresses of proxies that are believed what they say of the client, or `*`. Default: none. */
  readonly forwardedAllowIps?: string;
  /** Which fields they say it in: X-Forwarded-For and -Proto, or Forwarded (RFC 7239). Default 'x-forwarded'. */
  readonly forwardedHeader?: 'x-forwarded' | 'forwarded';
  /**
   * Which parts of it are believed: `for`, `proto`, `host` and `port`, separated by commas. Many proxies pass on the
   * X-Forwarded-Host that a client sends; add `host` only where yours does not. Default 'for,proto'.
   */
  readonly forwardedParts?: string;
  /**
   * Connections from `proxyAllowIps` begin with a header of the PROXY protocol: version 1, version 2, or either ('auto').
   * From other addresses they must not. Default 'off'.
   */
  readonly proxyProtocol?: 'off' | 'v1' | 'v2' | 'auto';
  /** Addresses of the proxies that send it, or `*`. */
  readonly proxyAllowIps?: string;
  /** Requests that run at once; 0 for any number. Default 0. */
  readonly limitConcurrency?: number;
  /** Requests beyond that which wait their turn; more get 503 with Retry-After. Default 0. */
  readonly limitConcurrencyQueue?: number;
  /** For balancers: a path that the server answers itself with 200, or 503 while it stops. Default: none. */
  readonly healthPath?: string;
  /** For whoever restarts what hangs: a path that is answered with 200 as long as the process can. Default: none. */
  readonly livePath?: string;
  /** A path that gives metrics in the text format of Prometheus. Default: none. */
  readonly metricsPath?: string;
  /** Addresses and networks that may read metrics; to others the path is the application's. Default '*'. */
  readonly metricsAllowIps?: string;
  /** `common`, `combined`, `json` or a format with atoms; absent for no access log. */
  readonly accessLog?: string;

  /** TLS: the certificate with its chain, a PEM file. */
  readonly certfile?: string;
  /** Its key, a PEM file. Default: in the certificate's file. */
  readonly keyfile?: string;
  readonly keyfilePassword?: string;
  /** The authorities that client certificates are checked against, a PEM file. */
  readonly caCerts?: string;
  /** Whether clients show a certificate. Default 'none'. */
  readonly certReqs?: 'none' | 'optional' | 'required';
  /** Default 'TLSv1.2'. */
  readonly tlsMinVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Cipher suites by OpenSSL's names. Default: Node's. */
  readonly tlsCiphers?: string;
  /** HTTP/2 with TLS by negotiation ('tls'), also without TLS by prior knowledge ('prior-knowledge'), or 'off'. Default 'tls'. */
  readonly http2?: 'tls' | 'prior-knowledge' | 'off';
  /** Streams that an HTTP/2 client may have open at once. Default 100. */
  readonly h2MaxStreams?: number;

  /** Longest WebSocket message. Default 16 MiB. */
  readonly wsMaxSize?: number;
  /** A WebSocket is pinged this often; 0 for never. Default 20 000. */
  readonly wsPingInterval?: number;
  /** A ping must be answered in this time; 0 for any. Default 20 000. */
  readonly wsPingTimeout?: number;
  /** Messages are compressed where the client offers it (RFC 7692), at the cost of memory and time. Default false. */
  readonly wsPerMessageDeflate?: boolean;
  /** `server: sobaya` in responses. Default true. */
  readonly serverHeader?: boolean;
  /** `date` in responses (RFC 9110 6.6.1). Default true. */
  readonly dateHeader?: boolean;
}

export type ServerOptions = Required<
  Omit<
    ServeOptions,
    | 'uds'
    | 'udsPermissions'
    | 'fd'
    | 'log'
    | 'certfile'
    | 'keyfile'
    | 'keyfilePassword'
    | 'caCerts'
    | 'tlsCiphers'
    | 'healthPath'
    | 'livePath'
    | 'metricsPath'
    | 'accessLog'
  >
> & {
  readonly certfile: string | null;
  readonly keyfile: string | null;
  readonly keyfilePassword: string | null;
  readonly caCerts: string | null;
  readonly tlsCiphers: string | null;
  readonly healthPath: string | null;
  readonly livePath: string | null;
  readonly metricsPath: string | null;
  readonly accessLog: string | null;
  readonly uds: string | null;
  readonly udsPermissions: number | null;
  readonly fd: number | null;
};

const defaults = {
  host: '127.0.0.1',
  port: 8000,
  backlog: 2048,
  rootPath: '',
  lifespan: 'auto',
  limitRequestLine: 8192,
  limitRequestField: 16 * 1024,
  limitRequestFields: 128,
  limitRequestHead: 64 * 1024,
  limitRequestBody: 128 * 1024 * 1024,
  timeoutHeader: 10_000,
  timeoutBody: 30_000,
  timeoutKeepAlive: 5000,
  timeoutWrite: 30_000,
  timeoutGraceful: 10_000,
  timeoutStartup: 60_000,
  timeoutShutdown: 10_000,
  forwardedAllowIps: '',
  forwardedHeader: 'x-forwarded',
  forwardedParts: 'for,proto',
  proxyProtocol: 'off',
  proxyAllowIps: '',
  limitConcurrency: 0,
  limitConcurrencyQueue: 0,
  healthPath: null,
  livePath: null,
  metricsPath: null,
  metricsAllowIps: '*',
  accessLog: null,
  certfile: null,
  keyfile: null,
  keyfilePassword: null,
  caCerts: null,
  tlsCiphers: null,
  certReqs: 'none',
  tlsMinVersion: 'TLSv1.2',
  http2: 'tls',
  h2MaxStreams: 100,
  wsMaxSize: 16 * 1024 * 1024,
  wsPingInterval: 20_000,
  wsPingTimeout: 20_000,
  wsPerMessageDeflate: false,
  serverHeader: true,
  dateHeader: true,
  uds: null,
  udsPermissions: null,
  fd: null,
} as const satisfies ServerOptions;

const choices: Readonly<Record<string, readonly string[]>> = {
  lifespan: ['auto', 'on', 'off'],
  certReqs: ['none', 'optional', 'required'],
  tlsMinVersion: ['TLSv1.2', 'TLSv1.3'],
  forwardedHeader: ['x-forwarded', 'forwarded'],
  proxyProtocol: ['off', 'v1', 'v2', 'auto'],
  http2: ['tls', 'prior-knowledge', 'off'],
};
const texts = new Set([
  'host',
  'uds',
  'certfile',
  'keyfile',
  'keyfilePassword',
  'caCerts',
  'tlsCiphers',
  'forwardedAllowIps',
  'forwardedParts',
  'proxyAllowIps',
  'metricsAllowIps',
  'accessLog',
]);
/** Paths that the server answers itself. */
const paths = ['healthPath', 'livePath', 'metricsPath'];
const positive = new Set(['limitRequestLine', 'limitRequestField', 'limitRequestFields', 'limitRequestHead']);

/** Fills in defaults and refuses values that make no sense, each by its name. */
export function resolveOptions(options: ServeOptions): ServerOptions {
  const resolved: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(options)) {
    if (name === 'log' || value === undefined) continue;
    if (!(name in defaults))
      throw badOption(name, value, `one of the known options: ${Object.keys(defaults).join(', ')}`);
    checkOption(name, value);
    resolved[name] = value;
  }
  if (options.uds !== undefined && options.fd !== undefined)
    throw badOption('uds', options.uds, 'either uds or fd, not both');
  if (options.udsPermissions !== undefined && options.uds === undefined)
    throw badOption('udsPermissions', options.udsPermissions, 'uds as well');
  for (const name of ['keyfile', 'keyfilePassword', 'caCerts', 'tlsCiphers'] as const)
    if (options[name] !== undefined && options.certfile === undefined)
      throw badOption(name, options[name], 'certfile as well, TLS begins with it');
  if (options.certReqs !== undefined && options.certReqs !== 'none' && options.caCerts === undefined)
    throw badOption('certReqs', options.certReqs, 'caCerts as well, to check client certificates against');
  const own = paths.map((name) => resolved[name]).filter((path) => path !== null);
  const twice = own.find((path, index) => own.indexOf(path) !== index);
  if (twice !== undefined)
    throw badOption('healthPath, livePath and metricsPath', twice, 'each a path of its own');
  if (options.metricsAllowIps !== undefined && options.metricsPath === undefined)
    throw badOption('metricsAllowIps', options.metricsAllowIps, 'metricsPath as well');
  if ((options.limitConcurrencyQueue ?? 0) > 0 && (options.limitConcurrency ?? 0) === 0)
    throw badOption('limitConcurrencyQueue', options.limitConcurrencyQueue, 'limitConcurrency as well');
  if (resolved['proxyProtocol'] !== 'off' && resolved['proxyAllowIps'] === '')
    throw badOption(
      'proxyProtocol',
      resolved['proxyProtocol'],
      'proxyAllowIps as well, the addresses of the proxies',
    );
  return resolved as unknown as ServerOptions;
}

function checkOption(name: string, value: unknown): void {
  if (name === 'port') {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 65535)
      throw badOption(name, value, 'an integer from 0 to 65535');
  } else if (name === 'udsPermissions') {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0o777)
      throw badOption(name, value, 'permissions from 0 to 0o777');
  } else if (name in choices) {
    const known = choices[name]!;
    if (!known.includes(value as string))
      throw badOption(name, value, known.map((choice) => `'${choice}'`).join(' or '));
  } else if (name === 'rootPath') {
    if (typeof value !== 'string' || (value !== '' && (!value.startsWith('/') || value.endsWith('/'))))
      throw badOption(name, value, 'a path that begins with a slash and does not end with one');
  } else if (paths.includes(name)) {
    if (typeof value !== 'string' || !/^\/[^\s?#]*$/.test(value))
      throw badOption(name, value, 'a path that begins with a slash');
  } else if (texts.has(name)) {
    if (typeof value !== 'string' || value === '') throw badOption(name, value, 'a text that is not empty');
  } else if (name === 'serverHeader' || name === 'dateHeader' || name === 'wsPerMessageDeflate') {
    if (typeof value !== 'boolean') throw badOption(name, value, 'true or false');
  } else if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw badOption(name, value, 'a number that is zero or more');
  } else if (positive.has(name) && value < 1) throw badOption(name, value, 'a number that is one or more');
}

export function badOption(option: string, got: unknown, expected: string): Error {
  return fault('SBY_SERVER_BAD_OPTION', { option, got, expected });
}
