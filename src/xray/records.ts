import type { KindName, StatusName } from './kinds.ts';

/**
 * A recorded request as plain data: what the analysis reads, the page draws, and the file holds. Times are
 * milliseconds since the request began unless said otherwise. Everything in it is redacted already.
 */
export interface RequestRecord {
  readonly id: string;
  /** W3C trace id, 32 hexadecimal digits. */
  readonly traceId: string;
  readonly type: 'http' | 'websocket' | 'recording';
  readonly method: string;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** The pattern that matched, `orders/<int:id>/`; null when no view was reached. */
  readonly route: string | null;
  readonly view: string | null;
  readonly status: number | null;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly error: string | null;
  /** When it began, ms since 1970. */
  readonly startedAt: number;
  /** Until the application had ended; so far, while it is running. */
  readonly duration: number;
  /** When the head of the response was handed to the server; null before. */
  readonly headAt: number | null;
  readonly client: string | null;
  readonly bytesOut: number;
  readonly headers: readonly (readonly [string, string])[];
  /** The request's own task; 0 when it ran outside of one. */
  readonly task: number;
  readonly spans: readonly SpanRecord[];
  /** How many spans there were, the forgotten ones included. */
  readonly spanCount: number;
  /** Spans per kind, the forgotten ones included. */
  readonly counts: Readonly<Partial<Record<KindName, number>>>;
  /** Whether call sites were recorded. */
  readonly sites: boolean;
  /** Whether it is known which results later calls used. */
  readonly dependencies: boolean;
}

export interface SpanRecord {
  /** In order of beginning; the request itself is 0. */
  readonly id: number;
  /** -1 for the request. */
  readonly parent: number;
  /** Id of the task that waited. */
  readonly task: number;
  readonly kind: KindName;
  readonly name: string;
  readonly start: number;
  /** null: still open. */
  readonly end: number | null;
  readonly status: StatusName;
  readonly error?: string;
  /** What repeats when the same thing is asked again: the SQL without values, method and path without ids. */
  readonly shape?: string;
  /** Rows of a query, status of an outgoing request, ms asked of a sleep. */
  readonly amount?: number;
  /** ms in line for a connection or a thread, before the work began. */
  readonly waited?: number;
  /** Who stood in line before. */
  readonly queued?: number;
  readonly detail?: string;
  /** Id of the timeline that shows what happened inside, where that has one of its own. */
  readonly inner?: string;
  readonly params?: readonly string[];
  readonly site?: Site;
  /** Ids of spans whose results this one used, as far as values tell. */
  readonly uses?: readonly number[];
  /** On blocked stretches. */
  readonly blocked?: BlockedRecord;
}

export interface BlockedRecord {
  /** Whether this request held the loop, or had to wait for somebody who did. */
  readonly role: 'culprit' | 'victim';
  readonly functionName: string | null;
  /** The native call inside, `fs.readFileSync`. */
  readonly native: string | null;
  readonly exact: boolean;
  readonly task: string | null;
  /** What held the loop: "GET /report/"; null when it was no recorded request. */
  readonly request: string | null;
  readonly requestId: string | null;
  readonly frames: readonly string[];
  /** Requests that stood in line, for the culprit. */
  readonly victims?: readonly { readonly id: string; readonly label: string; readonly ms: number }[];
}

/** A place in the source, from 1. */
export interface Site {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function: string;
}
