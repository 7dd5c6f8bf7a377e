import type { Receive, Send, WebSocketScope } from '../asgi/index.ts';
import { currentContext, isCancellation } from '../asyncio/index.ts';
import {
  type HttpRequest,
  isAllowedHost,
  type RequestSettings,
  WebSocketConnection,
  type WebSocketView,
} from '../http/index.ts';
import { type Resolver, socketOrigins } from '../urls/index.ts';
import { pathInfo } from './handler.ts';

export interface WebSocketParts {
  readonly resolver: Resolver;
  readonly settings: RequestSettings;
  readonly report: (error: unknown, request: HttpRequest) => void;
}

/** One WebSocket connection: host and origin checked, the view found and called, the connection closed after it. */
export async function serveWebSocket(
  parts: WebSocketParts,
  scope: WebSocketScope,
  receive: Receive,
  send: Send,
): Promise<void> {
  const first = await receive();
  if (first.type !== 'websocket.connect') return;
  const socket = new WebSocketConnection(scope, receive, send, parts.settings);
  const { request } = socket;
  const host = request.header('host') ?? '';
  if (!isAllowedHost(host, parts.settings.allowedHosts)) return await socket.reject(400, 'Bad Request');
  const match = parts.resolver.resolveWebSocket(pathInfo(scope));
  if (match === null) return await socket.reject(404, 'Not Found');
  const view = match.leaf.view as WebSocketView<unknown>;
  if (!isAllowedOrigin(request, socketOrigins.get(view) ?? [])) return await socket.reject(403, 'Forbidden');
  const { leaf, params } = match;
  request.match = {
    route: leaf.route,
    name: leaf.name,
    namespaces: leaf.namespaces,
    viewName: leaf.viewName,
    params,
    view,
  };
  const context = currentContext();
  // A view that waits for messages sees the end there; one that waits for something else is cancelled.
  socket.onGone(() => context.scope.cancel());
  try {
    await view(socket, params);
    if (!socket.isClosed) await socket.close();
  } catch (error) {
    if (context.scope.cancelled && isCancellation(error, context.scope.reason)) {
      if (socket.closeCode === null) throw error;
      return;
    }
    parts.report(error, request);
    if (socket.isOpen) await socket.close(1011, 'internal error');
    else if (!socket.isClosed) await socket.reject(500, 'Internal Server Error');
  } finally {
    if (request.holds) await request.close();
  }
}

/** Browsers send the Origin of the page that connects, and the cookies of this site with it. */
function isAllowedOrigin(request: HttpRequest, allowed: '*' | readonly string[]): boolean {
  const origin = request.header('origin');
  if (origin === null || allowed === '*') return true;
  return origin === `${request.scheme}://${request.header('host')}` || allowed.includes(origin);
}
