/** An application with and without x-ray, and what one recorded request costs the loop. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gather, tracePromise } from '../../src/asyncio/index.ts';
import { AsyncClient } from '../../src/client/index.ts';
import { integer, Model, text } from '../../src/db/index.ts';
import { createApp, defineApp, HttpResponse, JsonResponse, path } from '../../src/index.ts';
import { serve, silentLog } from '../../src/server/index.ts';
import { Recorder, snapshot, spanChannel, xray } from '../../src/xray/index.ts';
import type { Measured, Served } from '../harness.ts';

interface Options {
  readonly view: 'hello' | 'busy' | 'spans';
  /** none: not even loaded; off: loaded and wrapped, nothing recorded; on: every request; sites: with call sites. */
  readonly xray: 'none' | 'off' | 'on' | 'sites';
}

class Bowl extends Model({ name: text({ maxLength: 40 }), price: integer() }) {}

export async function start({ view, xray: mode }: Options): Promise<Served | Measured> {
  if (view === 'spans') return spans(mode === 'sites');
  const hello = (): HttpResponse => new HttpResponse('Hello');
  let client: AsyncClient | null = null;
  async function busy(): Promise<JsonResponse> {
    let sum = 0;
    for (let i = 1; i <= 5; i++) sum += (await Bowl.get({ id: i })).price;
    const answers = await gather(
      ...Array.from(
        { length: 10 },
        (_, id) => async () =>
          (await (client as AsyncClient).get('', { params: { id, ms: 0 } })).json<{ price: number }>().price,
      ),
    );
    return new JsonResponse({ sum: answers.reduce((all, one) => all + one, sum) });
  }
  const application = createApp({
    apps: [defineApp({ label: 'bench', models: [Bowl] })],
    urls: [path('', hello), path('busy/', busy)],
    databases: { default: `sqlite:${join(mkdtempSync(join(tmpdir(), 'xray-bench-')), 'db.sqlite3')}` },
    debug: false,
    xray: false,
  });
  if (view === 'busy') {
    const child = fork(fileURLToPath(import.meta.resolve('./upstream.ts')), { stdio: 'ignore' });
    child.unref();
    const [port] = (await once(child, 'message')) as [number];
    child.channel?.unref();
    client = new AsyncClient({ baseUrl: `http://127.0.0.1:${port}` });
    await application.run(async () => {
      await application.databases
        .get('default')
        .execute(
          'create table bench_bowl (id integer primary key, name text not null, price integer not null)',
          [],
        );
      for (let i = 1; i <= 5; i++) await Bowl.create({ name: `bowl ${i}`, price: i * 100 });
    });
  }
  const served =
    mode === 'none'
      ? application
      : mode === 'off'
        ? xray(application)
        : xray(application, { permission: () => false, callSites: mode === 'sites' });
  const server = await serve(served, { port: 0, log: silentLog });
  return { port: server.port };
}

/** Fifty spans in one request: CPU of the loop per request, without the work itself. */
function spans(callSites: boolean): Measured {
  const recorder = new Recorder({ callSites });
  const work = (): Promise<void> => Promise.resolve();
  async function request(recorded: boolean): Promise<void> {
    const trace = recorded ? recorder.open('http') : null;
    const fifty = async (): Promise<void> => {
      for (let i = 0; i < 49; i++)
        await (spanChannel.start.hasSubscribers ? tracePromise(spanChannel, work, { name: 'step' }) : work());
    };
    if (trace === null) return fifty();
    await recorder.run(trace, fifty);
    recorder.close(trace, 'done');
  }
  async function cpu(recorded: boolean, times: number): Promise<number> {
    const before = process.threadCpuUsage();
    for (let i = 0; i < times; i++) await request(recorded);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / times;
  }
  return {
    async round() {
      const times = callSites ? 200 : 1000;
      recorder.stop();
      const bare = await cpu(false, times);
      recorder.start();
      const with_ = await cpu(true, times);
      const last = [...recorder.finished.values()].at(-1);
      const count = last === undefined ? 0 : (snapshot(last)?.spanCount ?? 0);
      return { microseconds: with_ - bare, spans: count };
    },
  };
}
