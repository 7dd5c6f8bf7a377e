import { type Command, InvalidArgumentError, Option } from 'commander';

/** One option of `sobaya serve`: how it is written, read and explained. Its name in camelCase is the server's. */
interface OptionRow {
  readonly group: string;
  readonly flags: string;
  readonly about: string;
  readonly parse?: (text: string, before?: unknown) => unknown;
  readonly choices?: readonly string[];
  /** For `serve`, for the supervisor, for a worker, or for the command itself. */
  readonly for: 'server' | 'supervisor' | 'worker' | 'command';
}

const rows: readonly OptionRow[] = [
  { group: 'Listening', flags: '--host <address>', about: 'address to listen on (127.0.0.1)', for: 'server' },
  {
    group: 'Listening',
    flags: '--port <number>',
    about: 'port, 0 for a free one (8000)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Listening',
    flags: '--uds <path>',
    about: 'a unix socket instead of host and port',
    for: 'server',
  },
  {
    group: 'Listening',
    flags: '--fd <number>',
    about: 'a listening socket that is open already',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Listening',
    flags: '--backlog <number>',
    about: 'connections that may wait to be accepted (2048)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Application',
    flags: '--factory',
    about: 'the export is a function that makes the application',
    for: 'command',
  },
  {
    group: 'Application',
    flags: '--root-path <path>',
    about: 'where a proxy mounts the application',
    for: 'server',
  },
  {
    group: 'Application',
    flags: '--lifespan <mode>',
    about: 'tell the application of start and stop (auto)',
    choices: ['auto', 'on', 'off'],
    for: 'server',
  },
  {
    group: 'Application',
    flags: '--env-file <path>',
    about: 'read environment variables from a file first',
    parse: list,
    for: 'command',
  },
  {
    group: 'Application',
    flags: '--config <path>',
    about: 'read these options from a JSON file or a module',
    for: 'command',
  },
  { group: 'Development', flags: '--reload', about: 'restart when a source file changes', for: 'command' },
  {
    group: 'Development',
    flags: '--reload-dir <path>',
    about: 'a folder to watch (the current one)',
    parse: list,
    for: 'command',
  },
  {
    group: 'Development',
    flags: '--reload-include <glob>',
    about: 'watch these files too',
    parse: list,
    for: 'command',
  },
  {
    group: 'Development',
    flags: '--reload-exclude <glob>',
    about: 'do not watch these',
    parse: list,
    for: 'command',
  },
  {
    group: 'Processes',
    flags: '--workers <number>',
    about: 'processes that serve (1, or $WEB_CONCURRENCY)',
    parse: integer,
    for: 'command',
  },
  {
    group: 'Processes',
    flags: '--limit-max-requests <n>',
    about: 'replace a worker after so many requests',
    parse: integer,
    for: 'worker',
  },
  {
    group: 'Processes',
    flags: '--limit-max-requests-jitter <n>',
    about: 'and up to so many more',
    parse: integer,
    for: 'worker',
  },
  {
    group: 'Processes',
    flags: '--limit-max-age <seconds>',
    about: 'replace a worker at this age',
    parse: seconds,
    for: 'worker',
  },
  {
    group: 'Processes',
    flags: '--limit-max-rss <MiB>',
    about: 'replace a worker that has grown to this',
    parse: mebibytes,
    for: 'worker',
  },
  {
    group: 'Processes',
    flags: '--timeout-stuck <seconds>',
    about: 'kill a worker whose loop was blocked for so long (30)',
    parse: seconds,
    for: 'worker',
  },
  {
    group: 'Limits',
    flags: '--limit-request-line <bytes>',
    about: 'longest request line (8192)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Limits',
    flags: '--limit-request-field <bytes>',
    about: 'longest header field (16384)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Limits',
    flags: '--limit-request-fields <n>',
    about: 'most header fields (128)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Limits',
    flags: '--limit-request-head <bytes>',
    about: 'longest head of a request (65536)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Limits',
    flags: '--limit-request-body <bytes>',
    about: 'longest body, 0 for any (128 MiB)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'WebSockets',
    flags: '--ws-max-size <bytes>',
    about: 'longest message (16 MiB)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'WebSockets',
    flags: '--ws-ping-interval <seconds>',
    about: 'how often clients are pinged (20)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'WebSockets',
    flags: '--ws-ping-timeout <seconds>',
    about: 'how long an answer may take (20)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'WebSockets',
    flags: '--ws-per-message-deflate',
    about: 'compress messages where the client offers it',
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--certfile <path>',
    about: 'certificate with its chain, PEM',
    for: 'server',
  },
  { group: 'TLS and HTTP/2', flags: '--keyfile <path>', about: 'its key, PEM', for: 'server' },
  {
    group: 'TLS and HTTP/2',
    flags: '--keyfile-password <text>',
    about: 'password of the key',
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--ca-certs <path>',
    about: 'authorities for client certificates, PEM',
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--cert-reqs <mode>',
    about: 'whether clients show a certificate (none)',
    choices: ['none', 'optional', 'required'],
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--tls-min-version <version>',
    about: 'oldest version spoken (TLSv1.2)',
    choices: ['TLSv1.2', 'TLSv1.3'],
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--http2 <mode>',
    about: 'with TLS, also without, or not at all (tls)',
    choices: ['tls', 'prior-knowledge', 'off'],
    for: 'server',
  },
  {
    group: 'TLS and HTTP/2',
    flags: '--h2-max-streams <n>',
    about: 'streams a client may have open (100)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--forwarded-allow-ips <list>',
    about: 'proxies that are believed, or * (none)',
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--forwarded-header <name>',
    about: 'what they write (x-forwarded)',
    choices: ['x-forwarded', 'forwarded'],
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--forwarded-parts <list>',
    about: 'of for, proto, host, port: what is believed (for,proto)',
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--proxy-protocol <version>',
    about: 'connections begin with its header (off)',
    choices: ['off', 'v1', 'v2', 'auto'],
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--proxy-allow-ips <list>',
    about: 'proxies that send it, or *',
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--limit-concurrency <n>',
    about: 'requests that run at once, per process',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--limit-concurrency-queue <n>',
    about: 'requests that wait; more get 503 (0)',
    parse: integer,
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--access-log <format>',
    about: 'common, combined, json, or atoms as in "%(h)s %(s)s"',
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--health-path <path>',
    about: 'a path that answers 200 while serving',
    for: 'server',
  },
  {
    group: 'Proxies and operations',
    flags: '--metrics-path <path>',
    about: 'a path with metrics for Prometheus',
    for: 'server',
  },
  {
    group: 'Time-outs',
    flags: '--timeout-header <seconds>',
    about: 'from the first byte of a head to its end (10)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'Time-outs',
    flags: '--timeout-body <seconds>',
    about: 'between two pieces of a body (30)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'Time-outs',
    flags: '--timeout-keep-alive <seconds>',
    about: 'an idle connection is kept open (5)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'Time-outs',
    flags: '--timeout-write <seconds>',
    about: 'a client that takes nothing is dropped (30)',
    parse: seconds,
    for: 'server',
  },
  {
    group: 'Time-outs',
    flags: '--timeout-graceful <seconds>',
    about: 'running requests may finish when stopping (10)',
    parse: seconds,
    for: 'server',
  },
  { group: 'Headers', flags: '--no-server-header', about: 'send no "server: sobaya"', for: 'server' },
  { group: 'Headers', flags: '--no-date-header', about: 'send no date', for: 'server' },
];

/** Declares the options on the command, grouped in its help. */
export function declareOptions(command: Command): void {
  for (const row of rows) {
    const option = new Option(row.flags, row.about).helpGroup(`${row.group}:`);
    if (row.parse) option.argParser(row.parse);
    if (row.choices) option.choices([...row.choices]);
    command.addOption(option);
  }
}

export type Values = Readonly<Record<string, unknown>>;

/** The values of one kind, by their names in the server. */
export function valuesFor(kind: OptionRow['for'], values: Values): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const row of rows) {
    if (row.for !== kind) continue;
    const name = optionName(row.flags);
    const value = values[name];
    if (value === undefined) continue;
    result[name] = value;
  }
  return result;
}

/** Without what nobody said: commander gives every `--no-…` a value of true. */
export function withoutDefaults(values: Values): Values {
  const negated = rows.filter((row) => row.flags.startsWith('--no-')).map((row) => optionName(row.flags));
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => !(value === true && negated.includes(name))),
  );
}

export function optionNames(): string[] {
  return rows.map((row) => optionName(row.flags));
}

function optionName(flags: string): string {
  return new Option(flags).attributeName();
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.');
  return Number(text) * 1000;
}

function mebibytes(text: string): number {
  return integer(text) * 1024 * 1024;
}

function list(text: string, before: unknown): string[] {
  return [...(Array.isArray(before) ? (before as string[]) : []), text];
}
