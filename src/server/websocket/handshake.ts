import type { Headers } from '../../asgi/index.ts';
import type { RequestHead } from '../http1/head-parser.ts';

export interface Handshake {
  readonly key: string;
  readonly subprotocols: readonly string[];
  /** Sec-WebSocket-Extensions, its lines as one list; null when there is none. */
  readonly extensions: string | null;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** True when the request asks for a WebSocket, well or badly. */
export function asksForWebSocket(head: RequestHead): boolean {
  const { upgrade } = head;
  if (upgrade === null || head.method !== 'GET') return false;
  return upgrade === 'websocket' || upgrade.split(',').some((protocol) => protocol.trim() === 'websocket');
}

/** Checks the request of RFC 6455 4.2.1; a number is the status to refuse it with. */
export function readHandshake(head: RequestHead): Handshake | 400 | 426 {
  const keys = valuesOf(head.headers, 'sec-websocket-key');
  const versions = valuesOf(head.headers, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== '13') return 426;
  const key = keys[0];
  if (keys.length !== 1 || key === undefined || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return 400;
  if (head.chunked || head.contentLength > 0) return 400;
  const subprotocols = valuesOf(head.headers, 'sec-websocket-protocol')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  // Each is a token, and none stands there twice (RFC 6455 4.1).
  if (new Set(subprotocols).size !== subprotocols.length || !subprotocols.every((name) => token.test(name)))
    return 400;
  const extensions = valuesOf(head.headers, 'sec-websocket-extensions');
  return { key, subprotocols, extensions: extensions.length === 0 ? null : extensions.join(', ') };
}

function valuesOf(headers: Headers, name: string): string[] {
  return headers.filter((header) => header[0] === name).map((header) => header[1]);
}
