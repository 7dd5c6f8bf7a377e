import { type Command, InvalidArgumentError, Option } from 'commander';
import { fault } from '../errors/index.ts';
import type { ServeOptions, WorkerOptions } from '../server/index.ts';

/** What a configuration file may hold: names and units of `serve`, that is milliseconds and bytes. */
export interface ServeConfig extends Omit<ServeOptions, 'log'>, WorkerOptions {
  /** Processes that serve. Default 1, or $WEB_CONCURRENCY; 'auto' for one per processor. */
  readonly workers?: number | 'auto';
  readonly factory?: boolean;
  readonly envFile?: string | readonly string[];
  readonly reload?: boolean;
  readonly reloadDir?: string | readonly string[];
  readonly reloadInclude?: string | readonly string[];
  readonly reloadExclude?: string | readonly string[];
  readonly drainDelay?: number;
  readonly pidFile?: string;
  readonly logLevel?: 'info' | 'warning' | 'error';
  readonly logFormat?: 'text' | 'json';
}

/** For `serve`, for a worker, or for the command itself. */
type Kind = 'server' | 'worker' | 'command';
type Parse = (text: string, before?: unknown) => unknown;

/** One option: how it is written, what it is for, how its text is read. Its name in camelCase is the server's. */
type Row = readonly [flags: string, about: string, kind: Kind, read?: Parse | readonly string[]];

const groups: Readonly<Record<string, readonly Row[]>> = {
  Listening: [
    ['--host <address>', 'address to listen on (127.0.0.1)', 'server'],
    ['--port <number>', 'port, 0 for a free one (8000)', 'server', integer],
    ['--uds <path>', 'a unix socket instead of host and port', 'server'],
    ['--uds-permissions <octal>', 'who may connect to it, as 660', 'server', octal],
    ['--fd <number>', 'a listening socket that is open already', 'server', integer],
    ['--backlog <number>', 'connections that may wait to be accepted (2048)', 'server', integer],
  ],
  Application: [
    ['--factory', 'the export is a function that makes the application', 'command'],
    ['--root-path <path>', 'where a proxy mounts the application', 'server'],
    ['--lifespan <mode>', 'tell the application of start and stop (auto)', 'server', ['auto', 'on', 'off']],
    ['--env-file <path>', 'read environment variables from a file first', 'command', list],
    ['--config <path>', 'read these options from a JSON file or a module', 'command'],
    ['--check-config', 'load options and application, and say whether they are right', 'command'],
  ],
  Development: [
    ['--reload', 'restart when a source file changes', 'command'],
    ['--reload-dir <path>', 'a folder to watch (the current one)', 'command', list],
    ['--reload-include <glob>', 'watch these files too', 'command', list],
    ['--reload-exclude <glob>', 'do not watch these', 'command', list],
  ],
  Processes: [
    ['--workers <number>', 'processes that serve, or auto (1, or $WEB_CONCURRENCY)', 'command', workers],
    ['--limit-max-requests <n>', 'replace a worker after so many requests', 'worker', integer],
    ['--limit-max-requests-jitter <n>', 'and up to so many more', 'worker', integer],
    ['--limit-max-age <seconds>', 'replace a worker at this age', 'worker', seconds],
    ['--limit-max-rss <MiB>', 'replace a worker that has grown to this', 'worker', mebibytes],
    ['--timeout-stuck <seconds>', 'kill a worker whose loop is blocked for so long (30)', 'worker', seconds],
    ['--drain-delay <seconds>', 'before stopping, be unhealthy for so long (0)', 'command', seconds],
    ['--pid-file <path>', 'write the process number to a file', 'command'],
  ],
  Limits: [
    ['--limit-request-line <bytes>', 'longest request line (8192)', 'server', integer],
    ['--limit-request-field <bytes>', 'longest header field (16384)', 'server', integer],
    ['--limit-request-fields <n>', 'most header fields (128)', 'server', integer],
    ['--limit-request-head <bytes>', 'longest head of a request (65536)', 'server', integer],
    ['--limit-request-body <bytes>', 'longest body, 0 for any (128 MiB)', 'server', integer],
    ['--limit-concurrency <n>', 'requests that run at once, per process', 'server', integer],
    ['--limit-concurrency-queue <n>', 'requests that wait; more get 503 (0)', 'server', integer],
  ],
  'Time-outs': [
    ['--timeout-header <seconds>', 'from the first byte of a head to its end (10)', 'server', seconds],
    ['--timeout-body <seconds>', 'between two pieces of a body (30)', 'server', seconds],
    ['--timeout-keep-alive <seconds>', 'an idle connection is kept open (5)', 'server', seconds],
    ['--timeout-write <seconds>', 'a client that takes nothing is dropped (30)', 'server', seconds],
    ['--timeout-graceful <seconds>', 'running requests may finish when stopping (10)', 'server', seconds],
    ['--timeout-startup <seconds>', 'the application may take to start, 0 for any (60)', 'server', seconds],
    ['--timeout-shutdown <seconds>', 'and to shut down (10)', 'server', seconds],
  ],
  'TLS and HTTP/2': [
    ['--certfile <path>', 'certificate with its chain, PEM', 'server'],
    ['--keyfile <path>', 'its key, PEM', 'server'],
    ['--keyfile-password <text>', 'password of the key; better $SOBAYA_KEYFILE_PASSWORD', 'server'],
    ['--ca-certs <path>', 'authorities for client certificates, PEM', 'server'],
    ['--cert-reqs <mode>', 'whether clients show one (none)', 'server', ['none', 'optional', 'required']],
    ['--tls-min-version <version>', 'oldest version spoken (TLSv1.2)', 'server', ['TLSv1.2', 'TLSv1.3']],
    ['--tls-ciphers <list>', "OpenSSL's names of cipher suites (Node's)", 'server'],
    ['--http2 <mode>', 'with TLS, also without (tls)', 'server', ['tls', 'prior-knowledge', 'off']],
    ['--h2-max-streams <n>', 'streams a client may have open (100)', 'server', integer],
  ],
  WebSockets: [
    ['--ws-max-size <bytes>', 'longest message (16 MiB)', 'server', integer],
    ['--ws-per-message-deflate', 'compress messages where clients offer it', 'server'],
    ['--ws-ping-interval <seconds>', 'how often clients are pinged (20)', 'server', seconds],
    ['--ws-ping-timeout <seconds>', 'how long an answer may take (20)', 'server', seconds],
  ],
  Proxies: [
    ['--forwarded-allow-ips <list>', 'proxies that are believed, or * (none)', 'server'],
    ['--forwarded-header <name>', 'what they write (x-forwarded)', 'server', ['x-forwarded', 'forwarded']],
    ['--forwarded-parts <list>', 'of for, proto, host, port: what is believed (for,proto)', 'server'],
    [
      '--proxy-protocol <version>',
      'connections begin with its header (off)',
      'server',
      ['off', 'v1', 'v2', 'auto'],
    ],
    ['--proxy-allow-ips <list>', 'proxies that send it, or *', 'server'],
  ],
  Operations: [
    ['--access-log <format>', 'common, combined, json, or atoms as in "%(h)s %(s)s"', 'server'],
    ['--log-level <level>', 'what the server itself says (info)', 'command', ['info', 'warning', 'error']],
    ['--log-format <format>', 'and how (text)', 'command', ['text', 'json']],
    ['--health-path <path>', 'a path that answers 200, and 503 while stopping', 'server'],
    ['--live-path <path>', 'a path that answers 200 as long as it can', 'server'],
    ['--metrics-path <path>', 'a path with metrics for Prometheus', 'server'],
    ['--metrics-allow-ips <list>', 'who may read them (*)', 'server'],
    ['--no-server-header', 'send no "server: sobaya"', 'server'],
    ['--no-date-header', 'send no date', 'server'],
  ],
};

const rows: readonly Row[] = Object.values(groups).flat();

/** Declares the options on the command, grouped in its help. */
export function declareOptions(command: Command): void {
  for (const [group, members] of Object.entries(groups)) {
    for (const [flags, about, , read] of members) {
      const option = new Option(flags, about).helpGroup(`${group}:`);
      if (typeof read === 'function') option.argParser(read);
      else if (read !== undefined) option.choices([...read]);
      command.addOption(option);
    }
  }
  command.addHelpText(
    'after',
    `
Every option can also be a variable, $SOBAYA_PORT for --port, or stand in the
file that --config names. The command line counts before the environment, and
that before the file.

Signals:
  SIGTERM, SIGINT   stop gracefully; a second one stops at once
  SIGHUP            read certificates again, replace workers one by one
  SIGTTIN, SIGTTOU  one worker more, one less
  SIGUSR2           write what runs now to the log

Exit codes:
  0 stopped, 1 failed, 2 wrong options, 3 the application did not start`,
  );
}

export type Values = Readonly<Record<string, unknown>>;

/** The values of one kind, by their names in the server. */
export function valuesFor(kind: Kind, values: Values): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [flags, , of] of rows) {
    if (of !== kind) continue;
    const name = optionName(flags);
    if (values[name] !== undefined) result[name] = values[name];
  }
  return result;
}

/** Without what nobody said: commander gives every `--no-…` a value of true. */
export function withoutDefaults(values: Values): Values {
  const negated = rows.filter(isNegated).map(([flags]) => optionName(flags));
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => !(value === true && negated.includes(name))),
  );
}

/** The options that the environment gives, `$SOBAYA_LIMIT_MAX_AGE` for `--limit-max-age`. */
export function fromEnvironment(env: NodeJS.ProcessEnv): Values {
  const values: Record<string, unknown> = {};
  for (const row of rows) {
    const [flags, , , read] = row;
    const name = optionName(flags);
    const variable = `SOBAYA_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    const text = env[variable];
    if (text === undefined || text === '') continue;
    const refuse = (expected: string): Error =>
      fault('SBY_SERVER_BAD_OPTION', { option: `$${variable}`, got: text, expected });
    if (!flags.includes('<')) {
      if (!/^(1|0|true|false)$/.test(text)) throw refuse('1 or 0');
      values[name] = text === '1' || text === 'true';
    } else if (Array.isArray(read)) {
      if (!read.includes(text)) throw refuse(read.map((choice) => `'${choice}'`).join(' or '));
      values[name] = text;
    } else if (read === list) values[name] = text.split(',').map((part) => part.trim());
    else if (typeof read === 'function') {
      try {
        values[name] = read(text);
      } catch (error) {
        throw refuse((error as Error).message.replace(/^It must be (.*)\.$/, '$1'));
      }
    } else values[name] = text;
  }
  return values;
}

/** Holds what a configuration file says to names and kinds; what is wrong with a value of the server, that says itself. */
export function fromConfig(content: object, refuse: (why: string) => Error): Values {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(content)) {
    const row = rows.find(([flags]) => optionName(flags) === name);
    if (row === undefined || name === 'config' || name === 'checkConfig')
      throw refuse(`there is no option "${name}"`);
    const [flags, , kind, read] = row;
    const shown = JSON.stringify(value);
    if (!flags.includes('<')) {
      if (typeof value !== 'boolean') throw refuse(`${name} is ${shown}, and must be true or false`);
    } else if (read === list) {
      const entries: unknown[] = Array.isArray(value) ? value : [value];
      if (entries.some((entry) => typeof entry !== 'string'))
        throw refuse(`${name} is ${shown}, and must be a text or an array of texts`);
      values[name] = entries;
      continue;
    } else if (typeof read === 'function' && kind !== 'server') {
      const auto = read === workers && value === 'auto';
      if (!auto && (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value)))
        throw refuse(`${name} is ${shown}, and must be a number that is zero or more`);
    } else if (kind === 'command') {
      if (Array.isArray(read) ? !read.includes(value as string) : typeof value !== 'string')
        throw refuse(
          `${name} is ${shown}, and must be ${Array.isArray(read) ? read.join(' or ') : 'a text'}`,
        );
    }
    if (read === seconds && typeof value === 'number' && value > 0 && value < 50)
      throw refuse(`${name} is ${shown}, which is hardly meant: times in a file are milliseconds`);
    values[name] = value;
  }
  return values;
}

function isNegated([flags]: Row): boolean {
  return flags.startsWith('--no-');
}

function optionName(flags: string): string {
  return new Option(flags).attributeName();
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function octal(text: string): number {
  if (!/^[0-7]{3,4}$/.test(text)) throw new InvalidArgumentError('It must be three octal digits, as in 660.');
  return Number.parseInt(text, 8);
}

function workers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number or auto.');
  return Number(text);
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.');
  return Number(text) * 1000;
}

function mebibytes(text: string): number {
  return integer(text) * 1024 * 1024;
}

function list(text: string, before?: unknown): string[] {
  return [...(Array.isArray(before) ? (before as string[]) : []), text];
}
