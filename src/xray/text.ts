import { ms, place } from './analysis/hints.ts';
import { analyse, type Hint, splitTime } from './analysis/index.ts';
import { type KindName, waitingKinds } from './kinds.ts';
import type { RequestRecord, SpanRecord } from './records.ts';

export interface TextOptions {
  /** Columns of the terminal. Default: 100. */
  readonly width?: number;
  /** ANSI colours. Default: false. */
  readonly color?: boolean;
  /** Most spans drawn. Default: 60. */
  readonly spans?: number;
  /** Default: those of `analyse`. */
  readonly hints?: readonly Hint[];
}

const colors: Partial<Record<KindName, number>> = {
  request: 37,
  middleware: 90,
  view: 90,
  template: 90,
  query: 34,
  transaction: 36,
  client: 32,
  sleep: 90,
  wait: 35,
  thread: 33,
  task: 36,
  span: 37,
  blocked: 31,
};

/** Control characters would reach the terminal: they are shown, not sent. */
export function printable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '�');
}

/** A recorded request as a waterfall of text, with its hints below. */
export function drawText(request: RequestRecord, options: TextOptions = {}): string {
  const { width = 100, color = false, spans: most = 60, hints = analyse(request) } = options;
  const paint = (code: number, text: string): string => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  const bold = (text: string): string => (color ? `\x1b[1m${text}\x1b[0m` : text);
  const split = splitTime(request);
  const status = request.status === null ? '' : ` ${request.status}`;
  const name = printable(
    request.type === 'recording'
      ? request.path || 'recording'
      : `${request.method} ${request.path}${request.query ? `?${request.query}` : ''}`,
  );
  const lines = [
    `${bold(name)}${status} in ${ms(request.duration)}${request.state === 'running' ? ', still running' : ''}${request.view ? ` · ${printable(request.view)}` : ''}`,
    `own work ${ms(split.own)} · waiting ${ms(split.waiting)} · blocked by others ${ms(split.blocked)}${countsOf(request)}`,
    '',
  ];
  const rows = rowsOf(request, most);
  const labelWidth = Math.min(Math.max(24, Math.floor(width * 0.45)), 60);
  const barWidth = Math.max(10, width - labelWidth - 12);
  const total = Math.max(request.duration, 0.001);
  for (const { span, depth } of rows.shown) {
    const at = (time: number): number => Math.round((Math.max(0, Math.min(time, total)) / total) * barWidth);
    const from = Math.min(at(span.start), barWidth - 1);
    const to = Math.max(from + 1, at(span.end ?? total));
    const mark = span.kind === 'blocked' ? '█' : waitingKinds.has(span.kind) ? '━' : '─';
    const bar = `${' '.repeat(from)}${paint(colors[span.kind] ?? 37, mark.repeat(to - from))}${' '.repeat(barWidth - to)}`;
    const error =
      span.status === 'error' ? '✗ ' : span.status === 'cancelled' ? '⊘ ' : span.end === null ? '… ' : '';
    const label = fit(`${'  '.repeat(depth)}${error}${labelOf(span)}`, labelWidth);
    const time = ms((span.end ?? total) - span.start).padStart(8);
    lines.push(`${label} │${bar}│${time}${place(span.site) ? `  ${paint(90, place(span.site))}` : ''}`);
  }
  if (rows.left > 0) lines.push(`… and ${rows.left} more`);
  for (const hint of hints) {
    lines.push(
      '',
      `${paint(hint.weight === 3 ? 31 : 33, hint.weight === 3 ? '●' : '○')} ${bold(printable(hint.title))}`,
    );
    lines.push(`  ${printable(hint.text)}`);
    if (hint.site !== null) lines.push(`  ${hint.site.file}:${hint.site.line}:${hint.site.column}`);
    if (hint.change !== null) {
      for (const line of hint.change.before.split('\n'))
        lines.push(`  ${paint(31, `- ${printable2(line)}`)}`);
      for (const line of hint.change.after.split('\n')) lines.push(`  ${paint(32, `+ ${printable2(line)}`)}`);
    }
    lines.push(`  ${paint(90, printable(hint.unknown))}`);
  }
  return `${lines.join('\n')}\n`;
}

function printable2(line: string): string {
  return line.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '�');
}

function countsOf(request: RequestRecord): string {
  const { query = 0, client = 0, task = 0 } = request.counts;
  const parts: string[] = [];
  if (query > 0) parts.push(`${query} ${query === 1 ? 'query' : 'queries'}`);
  if (client > 0) parts.push(`${client} outgoing`);
  if (task > 0) parts.push(`${task} ${task === 1 ? 'task' : 'tasks'}`);
  return parts.length === 0 ? '' : ` · ${parts.join(' · ')}`;
}

export function labelOf(span: SpanRecord): string {
  const name = printable(span.name);
  switch (span.kind) {
    case 'task':
      return `task ${name}`;
    case 'thread':
      return `thread ${name}()`;
    case 'blocked':
      return `${span.blocked?.role === 'culprit' ? 'HELD THE LOOP' : 'in line behind'} ${name}`;
    case 'middleware':
    case 'view':
    case 'template':
      return `${span.kind} ${name}`;
    case 'client':
      return span.amount === undefined ? name : `${name} ${span.amount}`;
    case 'query':
      return span.amount === undefined ? name : `${name} [${span.amount}]`;
    default:
      return name;
  }
}

function fit(text: string, width: number): string {
  // East Asian characters take two columns.
  let used = 0;
  let out = '';
  for (const char of text) {
    const wide =
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/.test(
        char,
      )
        ? 2
        : 1;
    if (used + wide > width - 1) {
      out += '…';
      used++;
      break;
    }
    out += char;
    used += wide;
  }
  return out + ' '.repeat(Math.max(0, width - used));
}

/** Depth first in order of time; the longest are kept when there are too many. */
function rowsOf(
  request: RequestRecord,
  most: number,
): { shown: { span: SpanRecord; depth: number }[]; left: number } {
  const children = new Map<number, SpanRecord[]>();
  for (const span of request.spans) {
    const list = children.get(span.parent);
    if (list === undefined) children.set(span.parent, [span]);
    else list.push(span);
  }
  const rows: { span: SpanRecord; depth: number }[] = [];
  const seen = new Set<number>();
  const visit = (parent: number, depth: number): void => {
    const list = (children.get(parent) ?? []).sort((a, b) => a.start - b.start || a.id - b.id);
    for (const span of list) {
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      rows.push({ span, depth: Math.min(depth, 8) });
      visit(span.id, depth + 1);
    }
  };
  visit(-1, 0);
  if (rows.length <= most) return { shown: rows, left: 0 };
  const length = ({ span }: { span: SpanRecord }): number => (span.end ?? request.duration) - span.start;
  const keep = new Set([...rows].sort((a, b) => length(b) - length(a)).slice(0, most));
  return { shown: rows.filter((row) => keep.has(row)), left: rows.length - most };
}
