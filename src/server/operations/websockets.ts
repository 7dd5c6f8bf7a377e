import type { Application, SendEvent, WebSocketScope } from '../../asgi/index.ts';
import type { AccessEntry } from './access-log.ts';

export interface WebSocketObserver {
  began(): void;
  ended(entry: AccessEntry): void;
}

/** Tells the observer of WebSockets, which no exchange stands for. */
export function observed(app: Application, observer: WebSocketObserver): Application {
  return async (scope, receive, send) => {
    if (scope.type !== 'websocket') return await app(scope, receive, send);
    const entry = new WebSocketEntry(scope);
    observer.began();
    try {
      await app(scope, receive, (event) => {
        entry.sent(event);
        return send(event);
      });
    } finally {
      observer.ended(entry);
    }
  };
}

/** A WebSocket as the access log shows it: the status of its handshake, the bytes of its messages. */
class WebSocketEntry implements AccessEntry {
  readonly scope: WebSocketScope;
  readonly startedAt = performance.now();
  status = 0;
  sentLength = 0;
  responseHeaders: AccessEntry['responseHeaders'] = null;

  constructor(scope: WebSocketScope) {
    this.scope = scope;
  }

  sent(event: SendEvent): void {
    if (event.type === 'websocket.send')
      this.sentLength += event.bytes?.length ?? Buffer.byteLength(event.text ?? '');
    else if (this.status !== 0) return;
    else if (event.type === 'websocket.accept') {
      this.status = 101;
      this.responseHeaders = event.headers ?? null;
    } else if (event.type === 'websocket.close') this.status = 403;
    else if (event.type === 'websocket.http.response.start') {
      this.status = event.status;
      this.responseHeaders = event.headers ?? null;
    }
  }
}
