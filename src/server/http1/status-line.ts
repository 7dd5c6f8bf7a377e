import { STATUS_CODES } from '../../asgi/status/index.ts';

const lines: string[] = [];

/** The status line of HTTP/1.1 with its CRLF. */
export function statusLine(status: number): string {
  return (lines[status] ??= `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
}

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? '';
}
