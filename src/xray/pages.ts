import { readFileSync } from 'node:fs';
import type { Application, Header, HttpScope } from '../asgi/index.ts';
import { createTask, sleep } from '../asyncio/index.ts';
import { analyse, splitTime } from './analysis/index.ts';
import { editorTemplate } from './editor.ts';
import { exportFile } from './file.ts';
import type { Databases } from './plan/index.ts';
import type { Recorder } from './recorder.ts';
import { snapshot } from './snapshot.ts';
import { readSourceLine } from './source.ts';
import { type Summary, summaryOf } from './summary.ts';
import type { Trace } from './trace.ts';

type Receive = Parameters<Application>[1];
type Send = Parameters<Application>[2];

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const safety: readonly Header[] = [
  [
    'content-security-policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['cache-control', 'no-store'],
];

const files = new Set([
  'index.html',
  'style.css',
  'icon.svg',
  'main.js',
  'dom.js',
  'format.js',
  'list.js',
  'detail.js',
  'waterfall.js',
  'kitchen.js',
  'compare.js',
  'file.js',
]);

const encoder = new TextEncoder();
/** Requests in the list at first, and in one batch of the live feed. */
const LISTED = 300;
const BATCH = 40;
/** Time on the loop for one batch, ms: a busy server does not get slower because somebody watches. */
const BUDGET = 5;

/** The page and its data, as a small ASGI application. Who may see it is decided before. */
export class Pages {
  readonly #recorder: Recorder;
  readonly #path: string;
  readonly #editor: string;
  readonly #debug: boolean;
  /** Of the application, for plans. */
  databases: () => Databases | null = () => null;
  #watchers = 0;

  constructor(recorder: Recorder, path: string, editor: string | undefined, debug = false) {
    this.#debug = debug;
    this.#recorder = recorder;
    this.#path = path;
    this.#editor = editorTemplate(editor);
  }

  linkTo(id: string): string {
    return `${this.#path}#/${id}`;
  }

  async serve(scope: HttpScope, receive: Receive, send: Send, local: string): Promise<void> {
    const rest = local.slice(this.#path.length);
    const { method } = scope;
    if (local.length < this.#path.length)
      return answer(send, 308, [['location', `${scope.rootPath}${this.#path}`]], '');
    if (rest === 'api/clear') {
      if (method !== 'POST' || !isOwn(scope)) return answer(send, 405, [['allow', 'POST']], 'POST only');
      this.#recorder.clear();
      return json(send, { cleared: true });
    }
    const planned = /^api\/requests\/([\w-]{1,40})\/plan\/(\d{1,9})$/.exec(rest);
    if (planned !== null) {
      if (method !== 'POST' || !isOwn(scope)) return answer(send, 405, [['allow', 'POST']], 'POST only');
      const trace = this.#recorder.get(planned[1] ?? '');
      if (trace === null) return json(send, { error: forgotten }, method, 404);
      const { planOf } = await import('./plan/index.ts');
      // Carrying a query out once more is for development; elsewhere its plan alone has to do.
      const analyze = this.#debug && new URLSearchParams(scope.queryString).has('analyze');
      return json(send, await planOf(trace, Number(planned[2]), this.databases(), analyze));
    }
    if (method !== 'GET' && method !== 'HEAD') return answer(send, 405, [['allow', 'GET, HEAD']], 'GET only');
    if (rest === 'api/requests') return json(send, this.#list(), method);
    if (rest === 'api/feed') return method === 'HEAD' ? json(send, {}, method) : this.#feed(receive, send);
    if (rest === 'api/export') return this.#export(scope, send, method);
    const one = /^api\/requests\/([\w-]{1,40})$/.exec(rest);
    if (one !== null) return this.#one(one[1] ?? '', send, method);
    return this.#file(rest === '' ? 'index.html' : rest, send, method);
  }

  async explain(send: Send): Promise<void> {
    await answer(
      send,
      403,
      [['content-type', 'text/plain; charset=utf-8']],
      'X-ray is open to this machine only: open it as http://localhost or http://127.0.0.1, or give xray() (createApp: the option xray) a permission: (scope) => boolean.\n',
    );
  }

  async #file(name: string, send: Send, method: string): Promise<void> {
    if (!files.has(name))
      return answer(
        send,
        404,
        [['content-type', 'text/plain; charset=utf-8']],
        'There is no such page here.\n',
      );
    // Read each time: these are small, only developers come here, and editing them shows at once.
    const body = readFileSync(new URL(`./page/${name}`, import.meta.url));
    const type = types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    await answer(send, 200, [['content-type', type]], method === 'HEAD' ? '' : body);
  }

  #traces(limit: number): Trace[] {
    const all = [...this.#recorder.finished.values()].slice(-limit);
    const running = [...this.#recorder.active].slice(-50);
    return [...all, ...running];
  }

  #list(): object {
    const requests: Summary[] = [];
    const until = performance.now() + 50;
    for (const trace of this.#traces(LISTED).reverse()) {
      const summary = summaryOf(trace);
      if (summary !== null) requests.push(summary);
      if (performance.now() > until) break;
    }
    return { editor: this.#editor, ...this.#stats(), requests };
  }

  #stats(): object {
    const { recorded, skipped, bytes, memory } = this.#recorder;
    return { now: performance.now(), recorded, skipped, bytes, memory };
  }

  async #one(id: string, send: Send, method: string): Promise<void> {
    const trace = this.#recorder.get(id);
    const record = trace === null ? null : snapshot(trace);
    if (record === null) return json(send, { error: forgotten }, method, 404);
    await json(
      send,
      { request: record, hints: analyse(record, { source: readSourceLine }), split: splitTime(record) },
      method,
    );
  }

  async #export(scope: HttpScope, send: Send, method: string): Promise<void> {
    const ids = new URLSearchParams(scope.queryString).get('ids')?.split(',').slice(0, 200) ?? null;
    const traces =
      ids === null
        ? [...this.#recorder.finished.values()].slice(-200)
        : ids.map((id) => this.#recorder.get(id)).filter((trace) => trace !== null);
    const records = traces.map(snapshot).filter((record) => record !== null);
    const name = `xray-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`;
    await answer(
      send,
      200,
      [
        ['content-type', 'application/json; charset=utf-8'],
        ['content-disposition', `attachment; filename="${name}"`],
      ],
      method === 'HEAD' ? '' : exportFile(records),
    );
  }

  /** Server-sent events: what finished since the last batch, at most four batches a second. */
  async #feed(receive: Receive, send: Send): Promise<void> {
    if (this.#watchers >= 20) return json(send, { error: 'Too many pages watch already.' }, 'GET', 503);
    this.#watchers++;
    let pending: Trace[] = [];
    let missed = 0;
    let gone = false;
    const stop = this.#recorder.onFinished((trace) => {
      pending.push(trace);
      if (pending.length > BATCH * 2) {
        missed += pending.length - BATCH;
        pending = pending.slice(-BATCH);
      }
    });
    const leaving = createTask(
      async () => {
        for (;;) if ((await receive()).type === 'http.disconnect') break;
        gone = true;
      },
      { name: 'x-ray feed' },
    );
    try {
      await send({
        type: 'http.response.start',
        status: 200,
        headers: [
          ...safety,
          ['content-type', 'text/event-stream; charset=utf-8'],
          ['x-accel-buffering', 'no'],
        ],
      });
      const event = (name: string, data: object): Promise<void> =>
        send({
          type: 'http.response.body',
          body: encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`),
          moreBody: true,
        });
      await event('hello', this.#stats());
      let quiet = 0;
      while (!gone) {
        await sleep(250);
        const batch = pending;
        pending = [];
        const running = [...this.#recorder.active].slice(-30);
        if (batch.length === 0 && missed === 0 && running.length === 0 && ++quiet < 40) continue;
        quiet = 0;
        const until = performance.now() + BUDGET;
        const requests: Summary[] = [];
        let left = missed;
        missed = 0;
        for (const trace of [...batch.reverse().slice(0, BATCH), ...running]) {
          if (performance.now() > until) left++;
          else {
            const summary = summaryOf(trace);
            if (summary !== null) requests.push(summary);
          }
        }
        await event('batch', { requests, left, ...this.#stats() });
      }
    } finally {
      stop();
      this.#watchers--;
      leaving.cancel();
    }
    await send({ type: 'http.response.body', body: new Uint8Array(0), moreBody: false });
  }
}

const forgotten = 'This request was forgotten, or was never recorded here.';

/** Other sites cannot send this header without being asked first (CORS), and nobody answers that question. */
function isOwn(scope: HttpScope): boolean {
  return scope.headers.some(([name]) => name === 'x-sobaya-xray');
}

async function answer(
  send: Send,
  status: number,
  headers: readonly Header[],
  content: string | Uint8Array,
): Promise<void> {
  const body = typeof content === 'string' ? encoder.encode(content) : content;
  await send({
    type: 'http.response.start',
    status,
    headers: [
      ...safety,
      ...headers,
      ...(body.byteLength > 0 ? [['content-length', String(body.byteLength)] as const] : []),
    ],
  });
  await send({ type: 'http.response.body', body, moreBody: false });
}

function json(send: Send, data: object, method = 'GET', status = 200): Promise<void> {
  return answer(
    send,
    status,
    [['content-type', 'application/json; charset=utf-8']],
    method === 'HEAD' ? '' : JSON.stringify(data),
  );
}
