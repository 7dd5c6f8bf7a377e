/** Reading a recorded file: what is not exactly ours is refused; nothing of it is trusted. */
export const MOST = 64 * 1024 * 1024;

const kinds = [
  'request',
  'middleware',
  'view',
  'template',
  'query',
  'transaction',
  'client',
  'sleep',
  'wait',
  'thread',
  'task',
  'span',
  'blocked',
  'other',
];
const statuses = ['open', 'ok', 'error', 'cancelled'];

class Refused extends Error {}

function need(condition, problem) {
  if (!condition) throw new Refused(problem);
}
function text(value, where, most = 20000) {
  need(typeof value === 'string', `${where} is no text`);
  return value.slice(0, most);
}
function textOrNull(value, where) {
  return value === null || value === undefined ? null : text(value, where);
}
function number(value, where) {
  need(typeof value === 'number' && Number.isFinite(value), `${where} is no number`);
  return value;
}
function list(value, where, most) {
  need(Array.isArray(value), `${where} is no list`);
  need(value.length <= most, `${where} has more than ${most} entries`);
  return value;
}
function object(value, where) {
  need(typeof value === 'object' && value !== null && !Array.isArray(value), `${where} is no object`);
  return value;
}
function site(value) {
  if (value === undefined || value === null) return undefined;
  const it = object(value, 'a place');
  return {
    file: text(it.file, 'file', 1000),
    line: number(it.line, 'line'),
    column: number(it.column, 'column'),
    function: text(it.function, 'function', 300),
  };
}

function readSpan(value) {
  const it = object(value, 'a span');
  need(kinds.includes(it.kind), 'a span has an unknown kind');
  need(statuses.includes(it.status), 'a span has an unknown status');
  const start = number(it.start, 'start');
  const span = {
    id: number(it.id, 'id'),
    parent: number(it.parent, 'parent'),
    task: number(it.task, 'task'),
    kind: it.kind,
    name: text(it.name, 'name'),
    start,
    end: it.end === null || it.end === undefined ? null : Math.max(start, number(it.end, 'end')),
    status: it.status,
    site: site(it.site),
  };
  for (const name of ['amount', 'waited', 'queued'])
    if (it[name] !== undefined) span[name] = number(it[name], name);
  for (const name of ['error', 'shape', 'detail'])
    if (it[name] !== undefined) span[name] = text(it[name], name);
  if (it.params !== undefined)
    span.params = list(it.params, 'params', 64).map((one) => text(one, 'params', 500));
  if (it.uses !== undefined) span.uses = list(it.uses, 'uses', 1000).map((one) => number(one, 'uses'));
  if (it.blocked !== undefined) {
    const blocked = object(it.blocked, 'blocked');
    span.blocked = {
      role: blocked.role === 'culprit' ? 'culprit' : 'victim',
      functionName: textOrNull(blocked.functionName, 'functionName'),
      native: textOrNull(blocked.native, 'native'),
      exact: blocked.exact === true,
      task: textOrNull(blocked.task, 'task'),
      request: textOrNull(blocked.request, 'request'),
      requestId: textOrNull(blocked.requestId, 'requestId'),
      frames: list(blocked.frames, 'frames', 100).map((one) => text(one, 'frames', 500)),
      victims: list(blocked.victims ?? [], 'victims', 200).map((one) => ({
        id: text(one?.id, 'id', 60),
        label: text(one?.label, 'label', 500),
        ms: number(one?.ms, 'ms'),
      })),
    };
  }
  return span;
}

function readHint(value) {
  const it = object(value, 'a hint');
  return {
    rule: text(it.rule, 'rule', 40),
    weight: [1, 2, 3].includes(it.weight) ? it.weight : 1,
    title: text(it.title, 'title', 500),
    text: text(it.text, 'text'),
    unknown: text(it.unknown, 'unknown'),
    saves: it.saves === null ? null : number(it.saves, 'saves'),
    spans: list(it.spans, 'spans', 100000).map((one) => number(one, 'spans')),
    site: site(it.site) ?? null,
    change: it.change
      ? { before: text(it.change.before, 'before'), after: text(it.change.after, 'after') }
      : null,
  };
}

function readSplit(value, duration) {
  const it = object(value, 'split');
  return {
    own: number(it.own, 'own'),
    waiting: number(it.waiting, 'waiting'),
    blocked: number(it.blocked, 'blocked'),
    segments: list(it.segments, 'segments', 200000).map((one) => ({
      from: Math.max(0, number(one?.from, 'from')),
      to: Math.min(duration, number(one?.to, 'to')),
      what: ['own', 'waiting', 'blocked'].includes(one?.what) ? one.what : 'own',
    })),
  };
}

function readRequest(value, index) {
  const it = object(value, `request ${index + 1}`);
  const spans = list(it.spans, 'spans', 100000).map(readSpan);
  need(spans[0]?.kind === 'request', `request ${index + 1} does not begin with the request itself`);
  const duration = Math.max(0, number(it.duration, 'duration'));
  const request = {
    id: `file-${index + 1}-${text(it.id, 'id', 40).replace(/[^\w-]/g, '')}`,
    traceId: text(it.traceId, 'traceId', 32),
    type: text(it.type, 'type', 20),
    method: text(it.method, 'method', 40),
    path: text(it.path, 'path', 2100),
    query: text(it.query, 'query', 2100),
    route: textOrNull(it.route, 'route'),
    view: textOrNull(it.view, 'view'),
    status: it.status === null ? null : number(it.status, 'status'),
    state: text(it.state, 'state', 20),
    error: textOrNull(it.error, 'error'),
    startedAt: number(it.startedAt, 'startedAt'),
    duration,
    headAt: it.headAt === null ? null : number(it.headAt, 'headAt'),
    client: textOrNull(it.client, 'client'),
    bytesOut: number(it.bytesOut, 'bytesOut'),
    headers: list(it.headers, 'headers', 200).map((pair) => [
      text(pair?.[0], 'header'),
      text(pair?.[1], 'header'),
    ]),
    task: number(it.task, 'task'),
    spans,
    spanCount: number(it.spanCount, 'spanCount'),
    counts: Object.fromEntries(
      kinds
        .filter((kind) => it.counts?.[kind] !== undefined)
        .map((kind) => [kind, number(it.counts[kind], 'counts')]),
    ),
    sites: it.sites === true,
    dependencies: it.dependencies === true,
  };
  return {
    request,
    hints: list(it.hints ?? [], 'hints', 1000).map(readHint),
    split: readSplit(it.split, duration),
  };
}

/** Gives the requests of a file, or throws an error whose message can be shown. */
export async function readFile(file) {
  if (file.size > MOST) throw new Error(`${file.name} is larger than ${MOST / 1048576} MB.`);
  let data;
  try {
    data = JSON.parse(await file.text());
  } catch {
    throw new Error(`${file.name} is no x-ray recording: it is not JSON.`);
  }
  try {
    need(data?.format === 'sobaya-xray', 'it has no "format": "sobaya-xray"');
    need(data.version === 1, `it is of version ${String(data.version).slice(0, 20)}, this page reads 1`);
    return list(data.requests, 'requests', 1000).map(readRequest);
  } catch (error) {
    throw new Error(
      `${file.name} is no x-ray recording: ${error instanceof Refused ? error.message : 'it cannot be read'}.`,
    );
  }
}

export function summaryOf({ request, hints, split }) {
  const whats = { own: 0, waiting: 1, blocked: 2 };
  return {
    ...request,
    at: request.startedAt,
    hints,
    split: [split.own, split.waiting, split.blocked],
    segments: split.segments.slice(0, 200).map(({ from, to, what }) => [from, to, whats[what]]),
  };
}
