import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { ServerFields } from '../errors/index.ts';
import { fault } from '../errors/index.ts';
import type { TypeOptions } from './types/registry.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
export type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';

/** How to reach a server and who to be there. What is not given comes from the PG* environment, then from libpq's defaults. */
export interface ConnectOptions {
  /** `postgresql://user:password@host:port,host2:port2/database?option=value`; options beside it go before it. */
  readonly url?: string | URL | undefined;
  /** A host, a folder with a unix socket (begins with `/`), or several: tried in order. Default localhost. */
  readonly host?: string | readonly string[] | undefined;
  /** One for all hosts, or one for each. Default 5432. */
  readonly port?: number | readonly number[] | undefined;
  readonly user?: string | undefined;
  /** Text, or a function that is asked for each new connection (tokens that expire). */
  readonly password?: string | (() => string | PromiseLike<string>) | undefined;
  readonly database?: string | undefined;
  readonly applicationName?: string | undefined;
  /** Default `prefer`: TLS if the server has it, and no certificate is looked at. `verify-full` is the safe one. */
  readonly sslmode?: SslMode | undefined;
  /** `direct` begins TLS at once (PostgreSQL 17); it needs sslmode `require` or stronger. */
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined;
  /** Anything that `tls.connect` takes: `ca`, `cert`, `key`, `servername`, …. */
  readonly tls?: TlsOptions | undefined;
  readonly channelBinding?: 'disable' | 'prefer' | 'require' | undefined;
  /** Which of several servers will do. Default `any`. */
  readonly targetSessionAttrs?: TargetSession | undefined;
  readonly loadBalanceHosts?: 'disable' | 'random' | undefined;
  /** Milliseconds per host for everything up to the first statement. Default 10000. */
  readonly connectTimeout?: number | undefined;
  /** Settings of the session, such as `{ statement_timeout: '5s', search_path: 'shop' }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Keep statements prepared in the server. `false` for poolers that cannot (PgBouncer before 1.21). Default true. */
  readonly prepare?: boolean | undefined;
  /** Prepared statements kept per connection. Default 256. */
  readonly statementCache?: number | undefined;
  /** How types are read and written. */
  readonly types?: TypeOptions | undefined;
  /** Milliseconds a cancelled statement may take to end before its connection is dropped. Default 1000. */
  readonly cancelTimeout?: number | undefined;
  /** NOTICE, WARNING and so on from the server. */
  readonly onNotice?: ((notice: ServerFields) => void) | undefined;
}

export interface Host {
  /** Host name or address; for a unix socket its folder. */
  readonly host: string;
  readonly port: number;
  /** Path of the unix socket. */
  readonly path: string | null;
  /** For messages. */
  readonly address: string;
}

/** Everything decided. */
export interface Settings {
  readonly hosts: readonly Host[];
  readonly user: string;
  readonly password: (host: Host) => string | null | PromiseLike<string | null>;
  readonly database: string;
  readonly startup: Readonly<Record<string, string>>;
  readonly sslmode: SslMode;
  readonly direct: boolean;
  readonly tls: TlsOptions;
  readonly channelBinding: 'disable' | 'prefer' | 'require';
  readonly target: TargetSession;
  readonly shuffle: boolean;
  readonly connectTimeout: number;
  readonly prepare: boolean;
  readonly statementCache: number;
  readonly types: TypeOptions;
  readonly cancelTimeout: number;
  readonly onNotice: ((notice: ServerFields) => void) | undefined;
}

const sslmodes: readonly string[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const targets: readonly string[] = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'];
/** libpq's names, as they stand in URLs, and the environment variables that go with them. */
const environment: Record<string, string> = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  application_name: 'PGAPPNAME',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  passfile: 'PGPASSFILE',
  options: 'PGOPTIONS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  channel_binding: 'PGCHANNELBINDING',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  sslpassword: '',
  client_encoding: '',
};

function bad(option: string, got: unknown, expected: string): Error {
  return fault('SBY_POSTGRESQL_BAD_OPTION', { option, got, expected });
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad(
      `The ${part} of the connection URL`,
      '(text with a stray %)',
      'percent-encoded text: write % as %25',
    );
  }
}

/** libpq's URL syntax, which `URL` does not cover: several hosts, sockets as percent-encoded hosts, nothing required. */
export function parseUrl(text: string): Map<string, string> {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (match === null)
    throw bad(
      'The connection URL',
      text.replace(/\/\/[^@/]*@/, '//…@'),
      "'postgresql://user:password@host:5432/database'; characters such as @ / ? # in a password are percent-encoded",
    );
  const values = new Map<string, string>();
  const [, login, authority = '', database, query] = match;
  if (login !== undefined) {
    const colon = login.indexOf(':');
    const user = colon < 0 ? login : login.slice(0, colon);
    if (user !== '') values.set('user', decoded(user, 'user'));
    if (colon >= 0) values.set('password', decoded(login.slice(colon + 1), 'password'));
  }
  if (authority !== '') {
    const hosts: string[] = [];
    const ports: string[] = [];
    for (const entry of authority.split(',')) {
      const m = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(entry);
      if (m === null)
        throw bad('A host of the connection URL', entry, 'host:port; write IPv6 addresses in brackets');
      hosts.push(decoded(m[1]!.replace(/^\[(.*)\]$/, '$1'), 'host'));
      ports.push(m[2] ?? '');
    }
    if (hosts.some((host) => host !== '')) values.set('host', hosts.join(','));
    if (ports.some((port) => port !== '')) values.set('port', ports.join(','));
  }
  if (database !== undefined && database !== '') values.set('dbname', decoded(database, 'database'));
  for (const pair of (query ?? '').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals), 'query');
    const value = equals < 0 ? '' : decoded(pair.slice(equals + 1), 'query');
    if (name === 'ssl') values.set('sslmode', value === 'true' ? 'require' : value);
    else if (name === 'database') values.set('dbname', value);
    else if (name in environment) values.set(name, value);
    // What is not a parameter of the connection is a setting of the session, as with JDBC and other drivers.
    else if (/^[a-z_][a-z0-9_.]*$/i.test(name)) values.set(`setting:${name}`, value);
    else throw bad('A parameter of the connection URL', name, 'a libpq parameter or a setting of the server');
  }
  return values;
}

function oneOf<T extends string>(option: string, value: string, choices: readonly string[]): T {
  if (!choices.includes(value)) throw bad(option, value, `one of ${choices.join(', ')}`);
  return value as T;
}

function milliseconds(option: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== 'number' || !(value > 0) || value > 2 ** 31 - 1)
    throw bad(option, value, 'a number of milliseconds');
  return value;
}

function hostList(hostText: string, portText: string): Host[] {
  const hosts = hostText.split(',');
  const ports = portText.split(',');
  if (ports.length > 1 && ports.length !== hosts.length)
    throw bad('port', portText, `one port, or as many as there are hosts (${hosts.length})`);
  return hosts.map((name, i) => {
    const given = (ports.length === 1 ? ports[0] : ports[i]) || '5432';
    const port = Number(given);
    if (!/^\d+$/.test(given) || port < 1 || port > 65535)
      throw bad('port', given, 'a number from 1 to 65535');
    const host = name === '' ? 'localhost' : name;
    if (host.startsWith('/') || host.startsWith('@')) {
      const path = `${host.startsWith('@') ? `\0${host.slice(1)}` : host}/.s.PGSQL.${port}`;
      return { host, port, path, address: `${host}/.s.PGSQL.${port}` };
    }
    return { host, port, path: null, address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
  });
}

/** ~/.pgpass: host:port:database:user:password, `*` for anything, `\:` for a colon. */
export function fromPassfile(
  text: string,
  host: string,
  port: number,
  database: string,
  user: string,
): string | null {
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const parts = line.replace(/\r$/, '').match(/(?:\\.|[^:\\])*(?::|$)/g) ?? [];
    const [h, p, d, u, password] = parts.map((part) => part.replace(/:$/, '').replace(/\\(.)/g, '$1'));
    const matches = (pattern: string | undefined, value: string): boolean =>
      pattern === '*' || pattern === value;
    if (matches(h, host) && matches(p, String(port)) && matches(d, database) && matches(u, user))
      return password ?? null;
  }
  return null;
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw bad(option, path, `the path of a file that can be read (${(error as Error).message})`);
  }
}

/** Puts options, URL, environment and defaults together; throws an ImproperlyConfigured that names the culprit. */
export function resolveOptions(
  given: string | URL | ConnectOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): Settings {
  const options: ConnectOptions = typeof given === 'string' || given instanceof URL ? { url: given } : given;
  if (typeof options !== 'object' || options === null)
    throw bad('The argument of connect()', given, 'a connection URL or an object with options');
  const url = options.url === undefined ? new Map<string, string>() : parseUrl(String(options.url));
  const value = (name: string, option: unknown): string | undefined => {
    if (option !== undefined) return Array.isArray(option) ? option.join(',') : String(option);
    const fromUrl = url.get(name);
    if (fromUrl !== undefined) return fromUrl;
    const variable = environment[name];
    const fromEnvironment = variable ? env[variable] : undefined;
    return fromEnvironment === '' ? undefined : fromEnvironment;
  };

  const hosts = hostList(value('host', options.host) ?? 'localhost', value('port', options.port) ?? '5432');
  const user = value('user', options.user) ?? systemUser();
  const database = value('dbname', options.database) ?? user;
  for (const [option, text] of Object.entries({ user, database }))
    if (text === '' || text.includes('\0')) throw bad(option, text, 'a name without NUL characters');

  const sslmode = oneOf<SslMode>('sslmode', value('sslmode', options.sslmode) ?? 'prefer', sslmodes);
  const negotiation = oneOf('sslnegotiation', value('sslnegotiation', options.sslnegotiation) ?? 'postgres', [
    'postgres',
    'direct',
  ]);
  if (negotiation === 'direct' && !/^(require|verify)/.test(sslmode))
    throw bad('sslnegotiation', 'direct', 'sslmode require, verify-ca or verify-full beside it');
  const rootcert = value('sslrootcert', undefined);
  const cert = value('sslcert', undefined);
  const key = value('sslkey', undefined);
  const tls: TlsOptions = {
    ...(rootcert !== undefined && rootcert !== 'system' ? { ca: read('sslrootcert', rootcert) } : {}),
    ...(cert !== undefined ? { cert: read('sslcert', cert) } : {}),
    ...(key !== undefined ? { key: read('sslkey', key) } : {}),
    ...(url.has('sslpassword') ? { passphrase: url.get('sslpassword') } : {}),
    ...options.tls,
  };

  const startup: Record<string, string> = { user, database, client_encoding: 'UTF8', DateStyle: 'ISO' };
  const application = value('application_name', options.applicationName);
  if (application !== undefined) startup['application_name'] = application;
  const serverOptions = value('options', undefined);
  if (serverOptions !== undefined) startup['options'] = serverOptions;
  for (const [name, setting] of url) if (name.startsWith('setting:')) startup[name.slice(8)] = setting;
  for (const [name, setting] of Object.entries(options.settings ?? {})) startup[name] = String(setting);
  for (const [name, setting] of Object.entries(startup))
    if (`${name}${setting}`.includes('\0') || name === '')
      throw bad(`settings.${name.replaceAll('\0', '\\0')}`, setting, 'text without NUL characters');

  const seconds = value('connect_timeout', undefined);
  if (seconds !== undefined && !/^-?\d+$/.test(seconds))
    throw bad('connect_timeout', seconds, 'a number of seconds');
  const fromSeconds = seconds === undefined || Number(seconds) <= 0 ? 10_000 : Number(seconds) * 1000;
  const statementCache = options.statementCache ?? 256;
  if (!Number.isInteger(statementCache) || statementCache < 1)
    throw bad('statementCache', statementCache, 'a whole number, 1 or more; prepare: false keeps none');

  const passwordText =
    typeof options.password === 'function' ? undefined : value('password', options.password);
  const passfile = value('passfile', undefined) ?? join(homedir(), '.pgpass');
  const password = (host: Host): string | null | PromiseLike<string | null> => {
    if (typeof options.password === 'function') return options.password();
    if (passwordText !== undefined) return passwordText;
    let text: string;
    try {
      text = readFileSync(passfile, 'utf8');
    } catch {
      return null;
    }
    return fromPassfile(text, host.path === null ? host.host : 'localhost', host.port, database, user);
  };

  return {
    hosts,
    user,
    password,
    database,
    startup,
    sslmode,
    direct: negotiation === 'direct',
    tls,
    channelBinding: oneOf('channelBinding', value('channel_binding', options.channelBinding) ?? 'prefer', [
      'disable',
      'prefer',
      'require',
    ]),
    target: oneOf(
      'targetSessionAttrs',
      value('target_session_attrs', options.targetSessionAttrs) ?? 'any',
      targets,
    ),
    shuffle:
      oneOf('loadBalanceHosts', value('load_balance_hosts', options.loadBalanceHosts) ?? 'disable', [
        'disable',
        'random',
      ]) === 'random',
    connectTimeout: milliseconds('connectTimeout', options.connectTimeout, fromSeconds),
    prepare: options.prepare ?? true,
    statementCache,
    types: options.types ?? {},
    cancelTimeout: milliseconds('cancelTimeout', options.cancelTimeout, 1000),
    onNotice: options.onNotice,
  };
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'postgres';
  }
}
