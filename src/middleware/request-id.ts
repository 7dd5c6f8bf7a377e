import { randomBytes } from 'node:crypto';
import { type HttpRequest, type Middleware, RequestVar } from '../http/index.ts';
import { andThen } from './protocol.ts';

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

/** The id of this request; made when first asked for. */
export function requestIdOf(request: HttpRequest): string {
  let id = ids.get(request);
  if (id === undefined) ids.set(request, (id = randomBytes(12).toString('base64url')));
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
  return function requestId(getResponse) {
    return (request) => {
      if (trustIncoming) {
        const given = request.header(header);
        if (given !== null && /^[\w.:-]{1,128}$/.test(given)) ids.set(request, given);
      }
      return andThen(getResponse(request), (response) => {
        response.headers.setDefault(header, requestIdOf(request));
        return response;
      });
    };
  };
}
