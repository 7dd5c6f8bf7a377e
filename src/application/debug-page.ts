import { isSobayaError } from '../errors/index.ts';
import type { HttpRequest } from '../http/index.ts';
import type { Leaf } from '../urls/index.ts';
import { excerpt, type Frame, framesOf } from './stack.ts';

export function escapeHtml(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const secret = /cookie|authorization|token|secret|password|api[-_]?key|csrf|session|signature/i;

/** What of a request may be shown on a developer's screen: values of names that sound like secrets are not. */
function shown(name: string, value: string): string {
  return secret.test(name) && value !== '' ? '••••••' : value;
}

function rows(pairs: Iterable<readonly [string, unknown]>): string {
  const lines = [...pairs].map(
    ([name, value]) =>
      `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(shown(name, String(value)))}</td></tr>`,
  );
  return lines.length === 0 ? '<p class="none">none</p>' : `<table>${lines.join('')}</table>`;
}

function requestSection(request: HttpRequest): string {
  const { scope, match } = request;
  let query: readonly (readonly [string, string])[] = [];
  try {
    query = [...request.query];
  } catch {
    query = [['(cannot be read)', scope.queryString.slice(0, 200)]];
  }
  return `<section><h2>Request</h2>
<p><code>${escapeHtml(request.method)} ${escapeHtml(request.fullPath.slice(0, 2000))}</code> from <code>${escapeHtml(scope.client?.[0] ?? 'unknown')}</code></p>
${match === null ? '' : `<h3>Route</h3>${rows([['route', match.route], ['view', match.viewName], ...Object.entries(match.params).map(([name, value]) => [`params.${name}`, value] as const)])}`}
<h3>Query</h3>${rows(query)}
<h3>Headers</h3>${rows(scope.headers)}</section>`;
}

function frameHtml(frame: Frame, open: boolean): string {
  const lines = frame.own || open ? excerpt(frame) : [];
  const place = `<span class="call">${escapeHtml(frame.call)}</span> <span class="place">${escapeHtml(frame.shown)}:${frame.line}:${frame.column}</span>`;
  if (lines.length === 0) return `<div class="frame">${place}</div>`;
  const code = lines
    .map(
      (line) =>
        `<span class="${line.current ? 'line current' : 'line'}"><b>${line.number}</b>${escapeHtml(line.text)}\n</span>`,
    )
    .join('');
  return `<details class="frame${frame.own ? ' own' : ''}"${open ? ' open' : ''}><summary>${place}</summary><pre>${code}</pre></details>`;
}

/** Frames of the application with their source; runs of frames of Node, packages and Sobaya folded away. */
function framesHtml(frames: readonly Frame[], opened: Frame | undefined): string {
  let html = '';
  let folded: string[] = [];
  const fold = (): void => {
    if (folded.length > 0)
      html += `<details class="frame"><summary>${folded.length} frames of Node, packages and Sobaya</summary>${folded.join('')}</details>`;
    folded = [];
  };
  for (const frame of frames) {
    if (frame.own || frame === opened) {
      fold();
      html += frameHtml(frame, frame === opened);
    } else folded.push(frameHtml(frame, false));
  }
  fold();
  return html;
}

function errorSection(error: unknown, first: boolean): string {
  if (!(error instanceof Error))
    return `<section><h2>${first ? '' : 'Caused by '}a value that is no Error</h2><pre>${escapeHtml(error)}</pre></section>`;
  const frames = framesOf(error);
  const opened = frames.find((frame) => frame.own) ?? frames[0];
  const fix = isSobayaError(error) && error.fix !== '' ? `<p class="fix">${escapeHtml(error.fix)}</p>` : '';
  const title = isSobayaError(error) ? error.what : error.message;
  const where =
    isSobayaError(error) && error.where !== '' ? `<p class="where">${escapeHtml(error.where)}</p>` : '';
  return `<section>${first ? '' : `<h2>Caused by ${escapeHtml(error.name)}: ${escapeHtml(title)}</h2>`}${first ? '' : where + fix}
${framesHtml(frames, opened)}</section>`;
}

const style = `
:root{color-scheme:light dark;--ink:#23201c;--paper:#fbf8f3;--line:#e2dbcf;--soba:#8a5a2b;--hot:#b3261e;--code:#fff;--soft:#6d655b}
@media(prefers-color-scheme:dark){:root{--ink:#ece5da;--paper:#1d1a17;--line:#3a342d;--soba:#d9a066;--hot:#ff8a80;--code:#26221e;--soft:#a59b8e}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
header,section{max-width:70rem;margin:0 auto;padding:1rem 1.5rem}header{border-bottom:4px solid var(--soba);padding-top:2rem}
h1{margin:0;font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:.5rem 0}h3{font-size:.95rem;margin:1rem 0 .3rem;color:var(--soft)}
.kind{color:var(--hot);font-weight:600}.where{color:var(--soft);overflow-wrap:anywhere}.fix{border-left:4px solid var(--soba);padding:.5rem .8rem;background:var(--code);overflow-wrap:anywhere}
.frame{margin:.3rem 0;border:1px solid var(--line);border-radius:6px;background:var(--code);padding:.35rem .7rem;opacity:.75;font-size:.9rem}.own{opacity:1}
summary{cursor:pointer}.call{font-weight:600}.place{color:var(--soft);float:right}pre,code{font:13px/1.55 ui-monospace,monospace}pre{overflow-x:auto;margin:.4rem -.7rem}
.line{display:block;padding:0 .7rem}.line b{display:inline-block;width:3.5em;color:var(--soft);font-weight:400;user-select:none}.current{background:color-mix(in srgb,var(--hot) 14%,transparent)}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{width:16rem;font-weight:500}
.none{color:var(--soft);margin:0}footer{max-width:70rem;margin:0 auto;padding:1rem 1.5rem 3rem;color:var(--soft);font-size:.85rem}`;

function page(title: string, head: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="none"><title>${escapeHtml(title)}</title><style>${style}</style></head><body><header>${head}</header>${body}<footer>You see this page because the application runs with <code>debug: true</code>. With <code>debug: false</code> a stranger sees a plain page without any of this.</footer></body></html>`;
}

/** The page for an error in a view: what, where in the source, what to do, and the request. */
export function errorPage(request: HttpRequest, error: unknown, status: number): string {
  const name = error instanceof Error ? error.name : typeof error;
  const what = isSobayaError(error) ? error.what : error instanceof Error ? error.message : String(error);
  const where =
    isSobayaError(error) && error.where !== '' ? `<p class="where">${escapeHtml(error.where)}</p>` : '';
  const fix = isSobayaError(error) && error.fix !== '' ? `<p class="fix">${escapeHtml(error.fix)}</p>` : '';
  const code = isSobayaError(error) ? ` · ${error.code}` : '';
  let body = errorSection(error, true);
  let depth = 0;
  const seen = new Set<unknown>([error]);
  for (
    let cause = causeOf(error);
    cause !== undefined && depth < 5 && !seen.has(cause);
    cause = causeOf(cause)
  ) {
    seen.add(cause);
    body += errorSection(cause, false);
    depth++;
  }
  if (error instanceof AggregateError)
    for (const one of error.errors.slice(0, 5)) body += errorSection(one, false);
  const head = `<p class="kind">${status} · ${escapeHtml(name)}${escapeHtml(code)}</p><h1>${escapeHtml(what)}</h1>${where}${fix}<p class="where">at <code>${escapeHtml(request.method)} ${escapeHtml(request.path.slice(0, 500))}</code></p>`;
  return page(`${name} at ${request.path}`, head, body + requestSection(request));
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

/** The page for an address without route: the routes that were tried, in order. */
export function notFoundPage(request: HttpRequest, error: unknown, leaves: readonly Leaf[]): string {
  const message = isSobayaError(error) ? error.what : 'Not found';
  const list = leaves
    .filter((leaf) => leaf.kind === 'http')
    .slice(0, 500)
    .map(
      (leaf) =>
        `<tr><th><code>/${escapeHtml(leaf.route)}</code></th><td>${escapeHtml(leaf.viewName)}</td></tr>`,
    )
    .join('');
  const tried = request.match
    ? `<section><p>The route <code>/${escapeHtml(request.match.route)}</code> matched, and its view <code>${escapeHtml(request.match.viewName)}</code> said that there is nothing.</p></section>`
    : `<section><h2>Routes tried, in this order</h2>${list === '' ? '<p class="none">The application has no routes.</p>' : `<table>${list}</table>`}</section>`;
  const head = `<p class="kind">404</p><h1>${escapeHtml(request.match ? message : 'No route matches')}</h1><p class="where"><code>${escapeHtml(request.method)} ${escapeHtml(request.path.slice(0, 500))}</code></p>`;
  return page(`404 at ${request.path}`, head, tried + requestSection(request));
}

/** The same for a terminal. */
export function errorText(
  request: HttpRequest,
  error: unknown,
  status: number,
  leaves: readonly Leaf[],
): string {
  const lines = [`${status} at ${request.method} ${request.path}`, ''];
  if (status === 404 && request.match === null) {
    lines.push('No route matches. Routes tried, in this order:');
    for (const leaf of leaves.slice(0, 500))
      if (leaf.kind === 'http') lines.push(`  /${leaf.route}  (${leaf.viewName})`);
    return `${lines.join('\n')}\n`;
  }
  for (let cause = error, depth = 0; cause !== undefined && depth < 5; cause = causeOf(cause), depth++) {
    if (depth > 0) lines.push('', 'caused by');
    if (!(cause instanceof Error)) {
      lines.push(String(cause));
      continue;
    }
    lines.push(`${cause.name}: ${cause.message}`);
    if (status < 500) continue;
    for (const frame of framesOf(cause))
      lines.push(`    at ${frame.call} (${frame.shown}:${frame.line}:${frame.column})`);
    const own = framesOf(cause).find((frame) => frame.own);
    if (own)
      for (const line of excerpt(own, 2))
        lines.push(`${line.current ? '  >' : '   '} ${String(line.number).padStart(5)} | ${line.text}`);
  }
  return `${lines.join('\n')}\n`;
}
