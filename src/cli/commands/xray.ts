import { readFile, stat, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type { Planned, RequestRecord, SpanRecord } from '../../xray/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';

interface Options {
  readonly url: string;
  readonly follow?: boolean;
  readonly plan?: boolean;
  readonly export?: string;
  readonly limit: string;
  readonly width?: string;
}

interface Listed {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly state: string;
  readonly duration: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly hints: readonly { readonly title: string; readonly weight: number }[];
}

export const command: CommandDefinition<Options> = {
  name: 'xray',
  summary: 'Shows what requests of a running application did, or a recorded file',

  configure(command: Command): void {
    command
      .argument(
        '[what]',
        'a request (its id, "last", "slowest" or a part of its path), or an exported file; nothing: the list',
      )
      .option('--url <url>', 'where the application runs', 'http://127.0.0.1:8000')
      .option('--follow', 'go on with new requests until ctrl-c')
      .option('--plan', 'ask the database for the plans of the queries, and which index would help')
      .option('--export <file>', 'save what is shown as a file for the page or for later')
      .option('--limit <number>', 'most requests in the list', '20')
      .option('--width <columns>', 'of the drawing (default: the terminal)');
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<number> {
    const what = args[0];
    const { drawText, exportFile, importFile } = await import('../../xray/index.ts');
    const width = Number(options.width ?? process.stdout.columns ?? 100) || 100;
    const color = process.stdout.isTTY === true && !process.env['NO_COLOR'];
    const draw = (request: RequestRecord): void => context.print(drawText(request, { width, color }));

    if (what?.endsWith('.json')) {
      const { size } = await stat(what).catch((cause: Error) => {
        throw fault('SBY_XRAY_BAD_FILE', { file: what, problem: cause.message }, { cause });
      });
      if (size > 64 * 1024 * 1024)
        throw fault('SBY_XRAY_BAD_FILE', { file: what, problem: 'it is larger than 64 MB' });
      for (const request of importFile(await readFile(what, 'utf8'), what)) draw(request);
      return 0;
    }

    const page = new XrayPage(options.url);
    if (options.follow === true) return follow(page, draw);
    const { requests } = await page.list();
    const chosen = what === undefined ? [] : choose(requests, what);
    if (what !== undefined && chosen.length === 0) {
      context.warn(
        `No recorded request matches "${what}". ${requests.length === 0 ? 'None was recorded yet: open a page of the application first.' : 'Without an argument the list is shown.'}`,
      );
      return 1;
    }
    if (what === undefined) {
      for (const line of table(requests.slice(0, Number(options.limit) || 20))) context.print(line);
      if (requests.length === 0)
        context.print('Nothing was recorded yet: open a page of the application first.');
    }
    const records: RequestRecord[] = [];
    for (const one of chosen) {
      const request = await page.request(one.id);
      records.push(request);
      draw(request);
      if (options.plan === true) for (const line of await page.plans(request)) context.print(line);
    }
    if (options.export !== undefined) {
      const all =
        what === undefined
          ? await Promise.all(requests.slice(0, 200).map(({ id }) => page.request(id)))
          : records;
      await writeFile(options.export, exportFile(all));
      context.warn(`Saved ${all.length} ${all.length === 1 ? 'request' : 'requests'} in ${options.export}`);
    }
    return 0;
  },
};

function choose(requests: readonly Listed[], what: string): Listed[] {
  if (what === 'last') return requests.slice(0, 1);
  if (what === 'slowest') return [...requests].sort((a, b) => b.duration - a.duration).slice(0, 1);
  const byId = requests.find(({ id }) => id === what);
  return byId === undefined ? requests.filter(({ path }) => path.includes(what)).slice(0, 1) : [byId];
}

/** What a request brought along must not steer the terminal. */
function shown(line: string): string {
  return line.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '�');
}

function* table(requests: readonly Listed[]): Generator<string> {
  for (const { id, method, path, status, state, duration, counts, hints } of requests) {
    const queries = counts['query'] ? ` ${counts['query']}q` : '';
    const outgoing = counts['client'] ? ` ${counts['client']}→` : '';
    const line = `${id.padEnd(11)} ${String(status ?? state).padStart(7)} ${duration.toFixed(1).padStart(9)} ms  ${method} ${path}${queries}${outgoing}`;
    yield shown(line);
    for (const { title, weight } of hints)
      yield `${' '.repeat(34)}${weight === 3 ? '●' : '○'} ${shown(title)}`;
  }
}

/** The data behind the page of a running application. */
class XrayPage {
  readonly #base: URL;

  constructor(url: string) {
    if (!URL.canParse(url)) throw fault('SBY_XRAY_UNREACHABLE', { url, why: 'that is no URL' });
    this.#base = new URL('/__xray__/api/', url);
  }

  async #get(path: string, method = 'GET'): Promise<Response> {
    const url = new URL(path, this.#base);
    const response = await fetch(url, {
      redirect: 'manual',
      method,
      headers: { 'x-sobaya-xray': '1' },
    }).catch((cause: Error) => {
      const reason = (cause.cause as { code?: string } | undefined)?.code ?? cause.message;
      throw fault(
        'SBY_XRAY_UNREACHABLE',
        { url: this.#base.origin, why: `no answer (${reason})` },
        { cause },
      );
    });
    if (response.status === 403)
      throw fault('SBY_XRAY_UNREACHABLE', {
        url: this.#base.origin,
        why: 'it shows its x-ray to its own machine only',
      });
    if (!response.ok || !/json|event-stream/.test(response.headers.get('content-type') ?? ''))
      throw fault('SBY_XRAY_UNREACHABLE', {
        url: this.#base.origin,
        why: `it answers, but has no x-ray (status ${response.status})`,
      });
    return response;
  }

  async list(): Promise<{ requests: Listed[] }> {
    return (await (await this.#get('requests')).json()) as { requests: Listed[] };
  }

  async request(id: string): Promise<RequestRecord> {
    const { request } = (await (await this.#get(`requests/${encodeURIComponent(id)}`)).json()) as {
      request: RequestRecord;
    };
    return request;
  }

  /** Plans of the queries of a request: of each shape that which took longest, at most ten. */
  async plans(request: RequestRecord): Promise<string[]> {
    const { planText } = await import('../../xray/index.ts');
    const shapes = new Map<string, SpanRecord>();
    const took = (span: SpanRecord): number => (span.end ?? request.duration) - span.start;
    for (const span of request.spans) {
      if (span.kind !== 'query') continue;
      const known = shapes.get(span.shape ?? span.name);
      if (known === undefined || took(span) > took(known)) shapes.set(span.shape ?? span.name, span);
    }
    const chosen = [...shapes.values()].sort((a, b) => took(b) - took(a)).slice(0, 10);
    const lines: string[] = chosen.length === 0 ? ['It made no queries.'] : [];
    for (const span of chosen) {
      const response = await this.#get(`requests/${encodeURIComponent(request.id)}/plan/${span.id}`, 'POST');
      lines.push('', ...planText((await response.json()) as Planned, span, took(span)));
    }
    return lines.map(shown);
  }

  /** Ids of requests as they finish. */
  async *finished(): AsyncGenerator<string> {
    const response = await this.#get('feed');
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const event = text.slice(0, at);
        text = text.slice(at + 2);
        if (!event.startsWith('event: batch')) continue;
        const { requests } = JSON.parse(event.slice(event.indexOf('data: ') + 6)) as { requests: Listed[] };
        for (const one of requests.reverse()) if (one.state !== 'running') yield one.id;
      }
    }
  }
}

async function follow(page: XrayPage, draw: (request: RequestRecord) => void): Promise<number> {
  for await (const id of page.finished()) draw(await page.request(id));
  return 0;
}
