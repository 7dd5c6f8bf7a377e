import type { Application, HttpScope, LifespanScope, SendEvent, WebSocketScope } from '../asgi/index.ts';
import { debugMode, isCancellation } from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { Gate, type Permission } from './gate.ts';
import { errorText } from './observers.ts';
import { Pages } from './pages.ts';
import type { Databases } from './plan/index.ts';
import { propagate } from './propagation.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';
import { cut } from './redact.ts';
import { serverTiming } from './server-timing.ts';
import type { Trace } from './trace.ts';
import { readTraceContext } from './trace-context.ts';

export interface XrayOptions extends RecorderOptions {
  /**
   * Development: the page is open to this machine, call sites are recorded, the event loop is watched. Never set it
   * in production. Default: false.
   */
  readonly debug?: boolean;
  /** Who may see the page when it is not debug mode (or from another machine). Default: nobody. */
  readonly permission?: Permission;
  /** Where the page is. Default: `/__xray__/`. */
  readonly path?: string;
  /** Opens a place in the source: vscode, cursor, zed, webstorm, idea, sublime, or a URL with {file}, {line}, {column}. Default: `SOBAYA_EDITOR`, else vscode. */
  readonly editor?: string;
  /** Adds `Server-Timing` to responses. Default: as `debug`. */
  readonly serverTiming?: boolean;
  /** Sends `traceparent` with outgoing requests: always, never, or when the caller sent one. Default: 'follow'. */
  readonly propagate?: boolean | 'follow';
  /** Spans and metrics through @opentelemetry/api, when it is installed. Default: false. */
  readonly openTelemetry?: boolean;
  /** Loop blame from start-up to shutdown. Default: as `debug`. */
  readonly blame?: boolean;
}

/** An ASGI application whose requests are recorded. */
export interface XrayApplication extends Application {
  readonly recorder: Recorder;
  /** When OpenTelemetry is connected, where that was asked for. Lifespan start-up waits for it. */
  readonly ready: Promise<void>;
  /** Stops recording; what was recorded stays to be looked at. */
  stop(): Promise<void>;
}

/**
 * Wraps an ASGI application: records its requests and serves the page that shows them. Without `debug`, `permission`
 * or `openTelemetry` nothing is recorded and there is no page.
 */
export function xray(app: Application, options: XrayOptions = {}): XrayApplication {
  if (typeof app !== 'function')
    throw fault('SBY_XRAY_BAD_OPTION', { option: 'app', got: app, expected: 'an ASGI application' });
  const { debug = false, path = '/__xray__/' } = options;
  if (!/^\/(?:[\w.~-]+\/)+$/.test(path))
    throw fault('SBY_XRAY_BAD_OPTION', {
      option: 'path',
      got: path,
      expected: 'a path that begins and ends with a slash, such as "/__xray__/"',
    });
  const recorder = new Recorder({ callSites: debug, ...options });
  const gate = new Gate(debug, options.permission);
  const pages = gate.closed ? null : new Pages(recorder, path, options.editor, debug);
  if (pages !== null) recorder.page = path;
  const useful = pages !== null || options.openTelemetry === true;
  if (useful) recorder.start();
  const timing = options.serverTiming ?? debug;
  const undoPropagation = useful ? propagate(recorder, options.propagate ?? 'follow') : null;
  let stopTelemetry: (() => void) | null = null;
  const telemetry =
    options.openTelemetry === true
      ? import('./telemetry.ts').then(async ({ connectTelemetry }) => {
          stopTelemetry = await connectTelemetry(recorder);
        })
      : null;

  async function recorded(scope: HttpScope | WebSocketScope, ...[receive, send]: Rest): Promise<void> {
    const trace = recorder.open(scope.type);
    if (trace === null) return app(scope, receive, send);
    describe(trace, scope, recorder);
    trace.incoming = scope.headers;
    recorder.opened(trace);
    trace.incoming = null;
    const watchedSend = (event: SendEvent): Promise<void> => send(noted(trace, event, timing, pages, scope));
    try {
      await recorder.run(trace, () => app(scope, receive, watchedSend));
    } catch (error) {
      recorder.close(trace, isCancellation(error) ? 'cancelled' : 'failed', errorText(error));
      throw error;
    }
    recorder.close(trace, 'done');
  }

  // Said to whoever waits for it: lifespan, `ready`.
  telemetry?.catch(() => {});

  const application = async (...[scope, receive, send]: Parameters<Application>): Promise<void> => {
    if (scope.type === 'lifespan')
      return lifespan(app, scope, receive, send, options.blame ?? debug, telemetry);
    if (!useful) return app(scope, receive, send);
    if (pages !== null && scope.type === 'http') {
      const local = localPath(scope);
      if (local.startsWith(path) || `${local}/` === path) {
        const verdict = await gate.check(scope);
        if (verdict === 'open') return pages.serve(scope, receive, send, local);
        if (verdict === 'explain') return pages.explain(send);
      }
    }
    return recorded(scope, receive, send);
  };
  keepProperties(app, application);
  // `createApp` hangs its databases on what it gets from here, after this.
  if (pages !== null)
    pages.databases = () => (application as { databases?: Databases | null }).databases ?? null;
  return Object.defineProperties(application, {
    recorder: { value: recorder },
    ready: { value: telemetry ?? Promise.resolve() },
    stop: {
      value: async (): Promise<void> => {
        recorder.stop();
        undoPropagation?.();
        await telemetry;
        stopTelemetry?.();
      },
    },
  }) as unknown as XrayApplication;
}

type Rest = [receive: Parameters<Application>[1], send: Parameters<Application>[2]];

/** The path below the mount point: ASGI gives it with the root path in front. */
export function localPath(scope: HttpScope): string {
  const { path, rootPath } = scope;
  return rootPath !== '' && path.startsWith(`${rootPath}/`) ? path.slice(rootPath.length) : path;
}

function describe(trace: Trace, scope: HttpScope | WebSocketScope, recorder: Recorder): void {
  trace.method = scope.type === 'http' ? scope.method : 'WS';
  trace.scheme = scope.scheme;
  trace.path = cut(scope.path, 2000);
  trace.query = cut(scope.queryString, 2000);
  trace.client = scope.client?.[0] ?? null;
  readTraceContext(trace, scope.headers);
  if (recorder.headers) {
    let bytes = 0;
    for (const [, value] of scope.headers) bytes += value.length;
    trace.headers =
      bytes <= 8192
        ? scope.headers
        : scope.headers.slice(0, 40).map(([name, value]) => [cut(name, 100), cut(value, 200)] as const);
  }
}

function noted(
  trace: Trace,
  event: SendEvent,
  timing: boolean,
  pages: Pages | null,
  scope: HttpScope | WebSocketScope,
): SendEvent {
  switch (event.type) {
    case 'http.response.start': {
      trace.headAt = performance.now();
      trace.responseStatus = event.status;
      if (!timing) return event;
      const headers = [...(event.headers ?? []), ['server-timing', serverTiming(trace)] as const];
      if (pages !== null) headers.push(['x-sobaya-xray', `${scope.rootPath}${pages.linkTo(trace.id)}`]);
      return { ...event, headers };
    }
    case 'http.response.body':
      trace.bytesOut += event.body?.byteLength ?? 0;
      return event;
    case 'websocket.accept':
      trace.headAt = performance.now();
      trace.responseStatus = 101;
      return event;
    case 'websocket.send':
      trace.bytesOut += event.bytes?.byteLength ?? event.text?.length ?? 0;
      return event;
    default:
      return event;
  }
}

/** Loop blame runs while the application is up. A watchdog that cannot start is no reason not to serve. */
async function lifespan(
  app: Application,
  scope: LifespanScope,
  receive: Rest[0],
  send: Rest[1],
  blame: boolean,
  telemetry: Promise<void> | null,
): Promise<void> {
  await telemetry;
  const stop = blame ? await debugMode().catch(() => null) : null;
  try {
    await app(scope, receive, send);
  } finally {
    await stop?.();
  }
}

/** `createApp`'s application carries its configuration as properties; so does the wrapped one. */
function keepProperties(from: object, to: object): void {
  const descriptors = Object.getOwnPropertyDescriptors(from) as Record<string, PropertyDescriptor>;
  for (const [name, descriptor] of Object.entries(descriptors)) {
    if (name === 'length' || name === 'name' || name === 'prototype') continue;
    if ('value' in descriptor) Object.defineProperty(to, name, descriptor);
    else
      Object.defineProperty(to, name, {
        configurable: true,
        enumerable: descriptor.enumerable ?? true,
        get: () => (from as Record<string, unknown>)[name],
      });
  }
}
