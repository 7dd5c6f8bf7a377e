import { describe, fault } from '../errors/index.ts';
import type { Application, ReceiveEvent, Scope, SendEvent } from './types.ts';

type Side = 'application' | 'server';

/** Which events may come next on one side, by state. `null` for an end. */
interface Machine {
  state: string;
  next(event: { type: string } & Record<string, unknown>): string | null;
  expected(): string;
}

/**
 * Wraps an application so that every event of both sides is checked for order and types. What breaks the protocol
 * fails at once, saying what was expected and what came: for tests, and for debug mode.
 */
export function checked(app: Application): Application {
  return async (scope, receive, send) => {
    checkScope(scope);
    const sent = machineFor(sentTables[scope.type]);
    const got = machineFor(receivedTables[scope.type]);
    await app(
      scope,
      async () => {
        const event = await receive();
        checkEvent('server', event);
        advance('server', got, event);
        return event;
      },
      async (event) => {
        checkEvent('application', event);
        advance('application', sent, event);
        await send(event);
      },
    );
    if (scope.type === 'http' && sent.state !== 'done')
      throw fault('SBY_ASGI_NO_RESPONSE', { request: `${scope.method} ${scope.path}` });
  };
}

function advance(side: Side, machine: Machine, event: ReceiveEvent | SendEvent): void {
  const expected = machine.expected();
  const state = machine.next(event as unknown as { type: string } & Record<string, unknown>);
  if (state === null) throw fault('SBY_ASGI_EVENT_ORDER', { side, got: event.type, expected });
  machine.state = state;
}

type Table = Record<string, Record<string, string>>;

function machineFor(tables: Table): Machine {
  let trailers = false;
  return {
    state: 'begin',
    expected() {
      const known = Object.keys(tables[this.state] ?? {});
      return known.length === 0 ? 'nothing more' : known.join(' or ');
    },
    next(event) {
      const target = tables[this.state]?.[event.type];
      if (target === undefined) return null;
      if (event.type === 'http.response.start') trailers = event['trailers'] === true;
      if (target === 'body?') return event['moreBody'] === true ? 'started' : trailers ? 'trailers' : 'done';
      if (target === 'request?') return event['moreBody'] === true ? 'begin' : 'read';
      if (target === 'denial?') return event['moreBody'] === true ? 'denying' : 'done';
      if (target === 'trailers?') return event['moreTrailers'] === true ? 'trailers' : 'done';
      return target;
    },
  };
}

const httpTable: Table = {
  begin: {
    'http.response.start': 'started',
    'http.response.early_hint': 'begin',
    'http.response.debug': 'begin',
  },
  started: {
    'http.response.body': 'body?',
    'http.response.early_hint': 'started',
    'http.response.push': 'started',
    'http.response.zerocopysend': 'body?',
    'http.response.pathsend': 'done',
  },
  trailers: { 'http.response.trailers': 'trailers?' },
  done: {},
};

const websocketTable: Table = {
  begin: {
    'websocket.accept': 'open',
    'websocket.close': 'done',
    'websocket.http.response.start': 'denying',
  },
  denying: { 'websocket.http.response.body': 'denial?' },
  open: { 'websocket.send': 'open', 'websocket.close': 'done' },
  done: {},
};

const lifespanTable: Table = {
  begin: { 'lifespan.startup.complete': 'up', 'lifespan.startup.failed': 'done' },
  up: { 'lifespan.shutdown.complete': 'done', 'lifespan.shutdown.failed': 'done' },
  done: {},
};

const sentTables: Record<Scope['type'], Table> = {
  http: httpTable,
  websocket: websocketTable,
  lifespan: lifespanTable,
};

/** What the server tells, in order. That the client is gone it may say again and again. */
const receivedTables: Record<Scope['type'], Table> = {
  http: {
    begin: { 'http.request': 'request?', 'http.disconnect': 'gone' },
    read: { 'http.disconnect': 'gone' },
    gone: { 'http.disconnect': 'gone' },
  },
  websocket: {
    begin: { 'websocket.connect': 'open' },
    open: { 'websocket.receive': 'open', 'websocket.disconnect': 'gone' },
    gone: { 'websocket.disconnect': 'gone' },
  },
  lifespan: {
    begin: { 'lifespan.startup': 'up' },
    up: { 'lifespan.shutdown': 'gone' },
    gone: {},
  },
};

// ---- types of fields

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === 'string';
const bytes: Check = (value) => value instanceof Uint8Array;
const flag: Check = (value) => typeof value === 'boolean';
const whole: Check = (value) => Number.isInteger(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value);
const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const headers: Check = (value) =>
  Array.isArray(value) &&
  value.every(
    (pair: unknown) =>
      Array.isArray(pair) &&
      pair.length === 2 &&
      typeof pair[0] === 'string' &&
      token.test(pair[0]) &&
      typeof pair[1] === 'string' &&
      fieldValue.test(pair[1]),
  );
const status: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 100 && (value as number) <= 999;
const texts: Check = (value) => Array.isArray(value) && value.every(text);

const fields: Record<string, Record<string, [check: Check, expected: string]>> = {
  'http.request': { body: [bytes, 'a Uint8Array'], moreBody: [flag, 'a boolean'] },
  'http.disconnect': {},
  'http.response.start': {
    status: [status, 'an integer from 100 to 999'],
    headers: [optional(headers), 'pairs of a lower-case name and latin-1 text without line breaks'],
    trailers: [optional(flag), 'a boolean'],
  },
  'http.response.body': { body: [optional(bytes), 'a Uint8Array'], moreBody: [optional(flag), 'a boolean'] },
  'http.response.trailers': {
    headers: [headers, 'pairs of text'],
    moreTrailers: [optional(flag), 'a boolean'],
  },
  'http.response.pathsend': {
    path: [(value) => text(value) && String(value).startsWith('/'), 'an absolute path'],
  },
  'http.response.zerocopysend': { file: [whole, 'a file descriptor'] },
  'http.response.early_hint': { links: [texts, 'an array of text'] },
  'http.response.push': { path: [text, 'text'], headers: [headers, 'pairs of text'] },
  'http.response.debug': { info: [(value) => typeof value === 'object' && value !== null, 'an object'] },
  'websocket.connect': {},
  'websocket.receive': {
    bytes: [orNull(bytes), 'a Uint8Array or null'],
    text: [orNull(text), 'text or null'],
  },
  'websocket.disconnect': { code: [whole, 'an integer'], reason: [text, 'text'] },
  'websocket.accept': {
    subprotocol: [orNull(text), 'text or null'],
    headers: [optional(headers), 'pairs of text'],
  },
  'websocket.send': { bytes: [orNull(bytes), 'a Uint8Array or null'], text: [orNull(text), 'text or null'] },
  'websocket.close': { code: [optional(whole), 'an integer'], reason: [orNull(text), 'text or null'] },
  'websocket.http.response.start': {
    status: [status, 'an integer from 100 to 999'],
    headers: [optional(headers), 'pairs of text'],
  },
  'websocket.http.response.body': {
    body: [optional(bytes), 'a Uint8Array'],
    moreBody: [optional(flag), 'a boolean'],
  },
  'lifespan.startup': {},
  'lifespan.shutdown': {},
  'lifespan.startup.complete': {},
  'lifespan.startup.failed': { message: [optional(text), 'text'] },
  'lifespan.shutdown.complete': {},
  'lifespan.shutdown.failed': { message: [optional(text), 'text'] },
};

function checkEvent(side: Side, event: ReceiveEvent | SendEvent): void {
  const type: unknown = (event as { type?: unknown } | null | undefined)?.type;
  const known = typeof type === 'string' ? fields[type] : undefined;
  if (known === undefined)
    throw fault('SBY_ASGI_BAD_EVENT', {
      side,
      type: String(type),
      field: 'type',
      got: type,
      expected: 'an event of ASGI',
    });
  const values = event as unknown as Record<string, unknown>;
  for (const [field, [check, expected]] of Object.entries(known)) {
    if (!check(values[field]))
      throw fault('SBY_ASGI_BAD_EVENT', { side, type: String(type), field, got: values[field], expected });
  }
  if (type === 'websocket.send' || type === 'websocket.receive') {
    const both = [values['bytes'], values['text']].filter((value) => value !== undefined && value !== null);
    if (both.length !== 1)
      throw fault('SBY_ASGI_BAD_EVENT', {
        side,
        type,
        field: 'bytes and text',
        got: both.length === 0 ? 'neither' : 'both',
        expected: 'exactly one of them',
      });
  }
}

function checkScope(scope: Scope): void {
  const bad = (field: string, got: unknown, expected: string): Error =>
    fault('SBY_ASGI_BAD_EVENT', {
      side: 'server',
      type: `${describe(scope.type)} scope`,
      field,
      got,
      expected,
    });
  if (scope.type === 'lifespan') return;
  if (scope.type !== 'http' && scope.type !== 'websocket')
    throw bad('type', (scope as { type?: unknown }).type, 'http, websocket or lifespan');
  if (
    scope.type === 'http' &&
    (typeof scope.method !== 'string' || scope.method !== scope.method.toUpperCase())
  )
    throw bad('method', scope.method, 'upper-case text');
  for (const field of ['path', 'rawPath', 'queryString', 'rootPath', 'httpVersion'] as const)
    if (typeof scope[field] !== 'string') throw bad(field, scope[field], 'text');
  const schemes = scope.type === 'http' ? ['http', 'https'] : ['ws', 'wss'];
  if (!schemes.includes(scope.scheme)) throw bad('scheme', scope.scheme, schemes.join(' or '));
  if (scope.client !== null && !address(scope.client, false))
    throw bad('client', scope.client, 'null or a pair of host and port');
  if (scope.server !== null && !address(scope.server, true))
    throw bad('server', scope.server, 'null or a pair of host and port, or path and null');
  if (scope.type === 'websocket' && !texts(scope.subprotocols))
    throw bad('subprotocols', scope.subprotocols, 'an array of text');
  for (const field of ['state', 'extensions'] as const)
    if (scope[field] !== undefined && (typeof scope[field] !== 'object' || scope[field] === null))
      throw bad(field, scope[field], 'an object');
  if (!headers(scope.headers))
    throw bad('headers', scope.headers, 'pairs of a lower-case name and latin-1 text');
}

function address(value: unknown, nullable: boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    text(value[0]) &&
    (whole(value[1]) || (nullable && value[1] === null))
  );
}
