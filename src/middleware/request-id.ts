import { randomBytes } from 'node:crypto';
import { type HttpRequest, headerName, type Middleware, RequestVar } from '../http/index.ts';
import { processing } from './protocol.ts';

export interface RequestIdOptions {
  /** Default `x-request-id`. */
  readonly header?: string;
  /** Believe an id that came with the request. Default false: an id from outside can be chosen to confuse logs. */
  readonly trustIncoming?: boolean;
}

/** W3C trace context: where this request stands in a distributed trace. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of the caller; null when the trace begins here. */
  readonly parentId: string | null;
  /** Of this request, 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
  readonly state: string | null;
}

const ids: RequestVar<string> = new RequestVar<string>('request id');
const traces: RequestVar<TraceContext> = new RequestVar<TraceContext>('trace context');

let prefix = '';
let scramble = 0;
let count = 0;

/**
 * Unique among all processes by a random prefix, within this one by a counter: drawing random bytes for each costs more
 * than all the rest. The counter is scrambled (a bijection of 32 bits), so that ids do not tell how busy the site is.
 */
function newId(): string {
  if (count === 0) {
    prefix = randomBytes(9).toString('base64url');
    scramble = randomBytes(4).readUInt32LE();
  }
  const number = (Math.imul(count, 0x9e3779b1) ^ scramble) >>> 0;
  count = (count + 1) >>> 0;
  return prefix + number.toString(36).padStart(7, '0');
}

/** The id of this request; made when first asked for. */
export function requestIdOf(request: HttpRequest): string {
  let id = ids.get(request);
  if (id === undefined) ids.set(request, (id = newId()));
  return id;
}

/** Reads `traceparent` (W3C Trace Context, 3.2), or begins a trace. */
export function traceContextOf(request: HttpRequest): TraceContext {
  let context = traces.get(request);
  if (context === undefined) traces.set(request, (context = readTraceContext(request)));
  return context;
}

function readTraceContext(request: HttpRequest): TraceContext {
  const spanId = randomBytes(8).toString('hex');
  const found = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/.exec(
    request.header('traceparent')?.trim() ?? '',
  );
  if (found === null || /^0+$/.test(found[1]!) || /^0+$/.test(found[2]!))
    return { traceId: randomBytes(16).toString('hex'), parentId: null, spanId, sampled: false, state: null };
  const state = request.header('tracestate');
  return {
    traceId: found[1]!,
    parentId: found[2]!,
    spanId,
    sampled: (Number.parseInt(found[3]!, 16) & 1) === 1,
    state: state !== null && state.length <= 512 ? state : null,
  };
}

/** The `traceparent` for a request that this one makes. */
export function traceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}

/** Gives each request an id, for logs and for the people who report something, and sends it back. */
export function requestId({
  header = 'x-request-id',
  trustIncoming = false,
}: RequestIdOptions = {}): Middleware {
  const name = headerName(header);
  const trusting = {
    processRequest(request: HttpRequest): void {
      const given = request.header(name);
      if (given !== null && /^[\w.:-]{1,128}$/.test(given)) ids.set(request, given);
    },
  };
  return processing('requestId', {
    ...(trustIncoming ? trusting : {}),
    processResponse(request, response) {
      response.headers.addMissing([[name, requestIdOf(request)]]);
      return response;
    },
  });
}
