/**
 * ASGI 3.0 in TypeScript. Keys are camelCase, event types are spelled as in the specification; headers are
 * `[name, value]` pairs of latin-1 text with lower-case names, in order and with duplicates; bodies are bytes.
 * Prose, defaults and rules: docs/asgi/.
 */

export type Header = readonly [name: string, value: string];
export type Headers = readonly Header[];
export type State = Record<string, unknown>;

export interface AsgiVersions {
  readonly version: '3.0';
  readonly specVersion: string;
}

export interface TlsExtension {
  /** The server's certificate, PEM; null where the server cannot know it. */
  readonly serverCert: string | null;
  readonly clientCertChain: readonly string[];
  readonly clientCertName: string | null;
  readonly clientCertError: string | null;
  /** As on the wire: 0x0303 is TLS 1.2, 0x0304 is TLS 1.3. */
  readonly tlsVersion: number | null;
  readonly cipherSuite: number | null;
}

/** What a server can do beyond the core; a key that is absent is not supported on this connection. */
export interface Extensions {
  readonly 'websocket.http.response'?: Readonly<Record<string, never>>;
  readonly 'http.response.push'?: Readonly<Record<string, never>>;
  readonly 'http.response.zerocopysend'?: Readonly<Record<string, never>>;
  readonly 'http.response.pathsend'?: Readonly<Record<string, never>>;
  readonly 'http.response.early_hint'?: Readonly<Record<string, never>>;
  readonly 'http.response.trailers'?: Readonly<Record<string, never>>;
  readonly 'http.response.debug'?: Readonly<Record<string, never>>;
  /** Of the test client alone: what a server never says. */
  readonly 'sobaya.test'?: { readonly enforceCsrfChecks: boolean };
  readonly tls?: TlsExtension;
  readonly [name: string]: unknown;
}

interface ConnectionScope {
  readonly asgi: AsgiVersions;
  readonly httpVersion: '1.0' | '1.1' | '2' | '3';
  /** Decoded path (percent-decoded, UTF-8). */
  readonly path: string;
  /** The path as it came, still percent-encoded. */
  readonly rawPath: string;
  /** Still encoded, without the question mark. */
  readonly queryString: string;
  readonly rootPath: string;
  readonly headers: Headers;
  readonly client: readonly [host: string, port: number] | null;
  /** `[path, null]` for a unix socket. */
  readonly server: readonly [host: string, port: number | null] | null;
  /** A shallow copy of what lifespan start-up left. */
  readonly state?: State;
  readonly extensions?: Extensions;
}

export interface HttpScope extends ConnectionScope {
  readonly type: 'http';
  readonly method: string;
  readonly scheme: 'http' | 'https';
}

export interface WebSocketScope extends ConnectionScope {
  readonly type: 'websocket';
  readonly scheme: 'ws' | 'wss';
  readonly subprotocols: readonly string[];
}

export interface LifespanScope {
  readonly type: 'lifespan';
  readonly asgi: AsgiVersions;
  /** Empty at start-up; what the application puts here, every connection scope gets a shallow copy of. */
  readonly state?: State;
}

export type Scope = HttpScope | WebSocketScope | LifespanScope;

// ---- events, by direction

export interface HttpRequestEvent {
  readonly type: 'http.request';
  readonly body: Uint8Array;
  readonly moreBody: boolean;
}
export interface HttpDisconnectEvent {
  readonly type: 'http.disconnect';
}
export interface HttpResponseStartEvent {
  readonly type: 'http.response.start';
  readonly status: number;
  readonly headers?: Headers;
  readonly trailers?: boolean;
}
export interface HttpResponseBodyEvent {
  readonly type: 'http.response.body';
  readonly body?: Uint8Array;
  readonly moreBody?: boolean;
}
export interface HttpResponseTrailersEvent {
  readonly type: 'http.response.trailers';
  readonly headers: Headers;
  readonly moreTrailers?: boolean;
}
export interface HttpResponsePathsendEvent {
  readonly type: 'http.response.pathsend';
  /** Absolute. Content-Type and Content-Length are the application's. */
  readonly path: string;
}
export interface HttpResponseZeroCopySendEvent {
  readonly type: 'http.response.zerocopysend';
  readonly file: number;
  readonly offset?: number;
  readonly count?: number;
  readonly moreBody?: boolean;
}
export interface HttpResponseEarlyHintEvent {
  readonly type: 'http.response.early_hint';
  readonly links: readonly string[];
}
export interface HttpResponsePushEvent {
  readonly type: 'http.response.push';
  readonly path: string;
  readonly headers: Headers;
}
export interface HttpResponseDebugEvent {
  readonly type: 'http.response.debug';
  readonly info: Readonly<Record<string, unknown>>;
}

export interface WebSocketConnectEvent {
  readonly type: 'websocket.connect';
}
export interface WebSocketReceiveEvent {
  readonly type: 'websocket.receive';
  readonly bytes?: Uint8Array | null;
  readonly text?: string | null;
}
export interface WebSocketDisconnectEvent {
  readonly type: 'websocket.disconnect';
  readonly code: number;
  readonly reason: string;
}
export interface WebSocketAcceptEvent {
  readonly type: 'websocket.accept';
  readonly subprotocol?: string | null;
  readonly headers?: Headers;
}
export interface WebSocketSendEvent {
  readonly type: 'websocket.send';
  readonly bytes?: Uint8Array | null;
  readonly text?: string | null;
}
export interface WebSocketCloseEvent {
  readonly type: 'websocket.close';
  readonly code?: number;
  readonly reason?: string | null;
}
export interface WebSocketHttpResponseStartEvent {
  readonly type: 'websocket.http.response.start';
  readonly status: number;
  readonly headers?: Headers;
}
export interface WebSocketHttpResponseBodyEvent {
  readonly type: 'websocket.http.response.body';
  readonly body?: Uint8Array;
  readonly moreBody?: boolean;
}

export interface LifespanStartupEvent {
  readonly type: 'lifespan.startup';
}
export interface LifespanShutdownEvent {
  readonly type: 'lifespan.shutdown';
}
export interface LifespanStartupCompleteEvent {
  readonly type: 'lifespan.startup.complete';
}
export interface LifespanStartupFailedEvent {
  readonly type: 'lifespan.startup.failed';
  readonly message?: string;
}
export interface LifespanShutdownCompleteEvent {
  readonly type: 'lifespan.shutdown.complete';
}
export interface LifespanShutdownFailedEvent {
  readonly type: 'lifespan.shutdown.failed';
  readonly message?: string;
}

export type HttpReceiveEvent = HttpRequestEvent | HttpDisconnectEvent;
export type HttpSendEvent =
  | HttpResponseStartEvent
  | HttpResponseBodyEvent
  | HttpResponseTrailersEvent
  | HttpResponsePathsendEvent
  | HttpResponseZeroCopySendEvent
  | HttpResponseEarlyHintEvent
  | HttpResponsePushEvent
  | HttpResponseDebugEvent;
export type WebSocketReceiveEvents = WebSocketConnectEvent | WebSocketReceiveEvent | WebSocketDisconnectEvent;
export type WebSocketSendEvents =
  | WebSocketAcceptEvent
  | WebSocketSendEvent
  | WebSocketCloseEvent
  | WebSocketHttpResponseStartEvent
  | WebSocketHttpResponseBodyEvent;
export type LifespanReceiveEvent = LifespanStartupEvent | LifespanShutdownEvent;
export type LifespanSendEvent =
  | LifespanStartupCompleteEvent
  | LifespanStartupFailedEvent
  | LifespanShutdownCompleteEvent
  | LifespanShutdownFailedEvent;

export type ReceiveEvent = HttpReceiveEvent | WebSocketReceiveEvents | LifespanReceiveEvent;
export type SendEvent = HttpSendEvent | WebSocketSendEvents | LifespanSendEvent;

/** Waits for the next event from the client. */
export type Receive = () => Promise<ReceiveEvent>;
/** Hands an event to the server; resolves when the server can take more (back-pressure). */
export type Send = (event: SendEvent) => Promise<void>;

/**
 * What a server of ours can do beside ASGI. It stands on the `send` function itself, so that whoever wraps `send` to see
 * or change events hides it, and gets the events of the specification.
 */
export interface DirectSend {
  (event: SendEvent): Promise<void>;
  readonly direct?: DirectResponse;
}
export interface DirectResponse {
  /** The whole response at once. Only ASCII: then its text is its bytes. No HEAD, and a status that has content. */
  respond(status: number, headers: Headers, text: string): Promise<void>;
  /** The memory of a body event is free again when its `send` has resolved: nothing is kept of it. */
  readonly borrows: true;
}
/** An ASGI application: called once per HTTP request, WebSocket connection and lifespan. */
export type Application = (scope: Scope, receive: Receive, send: Send) => Promise<void>;
