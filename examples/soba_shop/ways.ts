/** Four ways to ask five suppliers. Each way is three lines; what differs is who waits for whom. */
import { createTask, gather } from 'sobaya/asyncio';
import { AsyncClient } from 'sobaya/client';
import { blockingGet } from '../hello_async_world/blocking_get.ts';
import { type Supplier, type SupplierSite, startSuppliers, suppliers } from './suppliers.ts';

export interface Answer {
  readonly supplier: Supplier;
  readonly price: number;
  /** Milliseconds since the way was begun. */
  readonly from: number;
  readonly to: number;
}

export interface Measured {
  readonly id: WayId;
  readonly ms: number;
  readonly answers: readonly Answer[];
  /** Its x-ray; null when nobody records. */
  readonly xray: string | null;
}

export type WayId = 'one-after-another' | 'tasks' | 'gather' | 'blocking';
type Ask = (supplier: Supplier) => Promise<Answer>;

let site: Promise<SupplierSite> | null = null;
let client: AsyncClient | null = null;

/** The suppliers are started when somebody asks for the first time. */
async function open(): Promise<{ client: AsyncClient; url: string }> {
  site ??= startSuppliers();
  const { url } = await site;
  client ??= new AsyncClient({ baseUrl: url, timeout: 5000 });
  return { client, url };
}

export async function closeSuppliers(): Promise<void> {
  await client?.close();
  await (await site)?.[Symbol.asyncDispose]();
  client = null;
  site = null;
}

async function oneAfterAnother(ask: Ask): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const supplier of suppliers) answers.push(await ask(supplier));
  return answers;
}

async function tasks(ask: Ask): Promise<Answer[]> {
  const started = suppliers.map((supplier) => createTask(() => ask(supplier), { name: supplier.name }));
  const answers: Answer[] = [];
  for (const task of started) answers.push(await task);
  return answers;
}

async function gathered(ask: Ask): Promise<Answer[]> {
  return await gather(...suppliers.map((supplier) => () => ask(supplier)));
}

const ways: readonly [WayId, (ask: Ask) => Promise<Answer[]>, 'async' | 'blocking'][] = [
  ['one-after-another', oneAfterAnother, 'async'],
  ['tasks', tasks, 'async'],
  ['gather', gathered, 'async'],
  // The same gather; only the call inside holds the thread.
  ['blocking', gathered, 'blocking'],
];

/** Asks all suppliers in each of the ways, one way after the other, and measures. */
export async function measureWays(): Promise<Measured[]> {
  const { client, url } = await open();
  const measured: Measured[] = [];
  // Loaded with the page that needs it: the shop opens sooner.
  const { timeline } = await import('sobaya/xray');
  for (const [id, way, kind] of ways) {
    const began = performance.now();
    const now = (): number => Math.round(performance.now() - began);
    const ask: Ask = async (supplier) => {
      const from = now();
      const price =
        kind === 'async'
          ? (await client.get(`${supplier.id}/price`)).raiseForStatus().json<{ price: number }>().price
          : (JSON.parse(blockingGet(`${url}/${supplier.id}/price`)) as { price: number }).price;
      return { supplier, price, from, to: now() };
    };
    // Each way is drawn by itself: the page links to it.
    const { value: answers, xray } = await timeline(id, () => way(ask));
    measured.push({ id, ms: now(), answers, xray: xray?.url ?? null });
  }
  return measured;
}
