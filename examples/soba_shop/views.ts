import { atomic } from 'sobaya/db';
import { Http404, type HttpRequest, type HttpResponse, redirect } from 'sobaya/http';
import { getLanguage, gettext } from 'sobaya/i18n';
import { Templates } from 'sobaya/templates';
import { reverse } from 'sobaya/urls';
import { Dish, Order, OrderLine } from './models.ts';
import { checkOrder, emptyForm } from './order_form.ts';
import { type Measured, measureWays, type WayId } from './ways.ts';

export const languages = [
  { tag: 'en', label: 'English' },
  { tag: 'ja', label: '日本語' },
] as const;

const templates = new Templates({
  directories: [new URL('./templates/', import.meta.url)],
  contextProcessors: [
    (request) => ({
      language: getLanguage(),
      languages: languages.map((choice) => ({ ...choice, current: choice.tag === getLanguage() })),
      navigation: navigation((request as HttpRequest).path),
    }),
  ],
});

function navigation(path: string): { url: string; label: string; current: boolean }[] {
  return [
    { url: reverse('menu'), label: gettext('Menu') },
    { url: reverse('new-order'), label: gettext('Order') },
    { url: reverse('orders'), label: gettext('Orders') },
    { url: reverse('suppliers'), label: gettext('Suppliers') },
  ].map((item) => ({ ...item, current: item.url === path }));
}

/** The dishes that there are today, in the order of the menu. */
async function dishesOfToday(): Promise<Dish[]> {
  return await Dish.filter({ available: true }).orderBy('position', 'id');
}

export async function menu(request: HttpRequest): Promise<HttpResponse> {
  const dishes = await dishesOfToday();
  const titles = { hot: gettext('Hot soba'), cold: gettext('Cold soba'), side: gettext('On the side') };
  const sections = (['hot', 'cold', 'side'] as const)
    .map((kind) => ({ kind, title: titles[kind], dishes: dishes.filter((dish) => dish.kind === kind) }))
    .filter((section) => section.dishes.length > 0);
  return await templates.response(request, 'shop/menu.html', { sections });
}

export async function newOrder(request: HttpRequest): Promise<HttpResponse> {
  const dishes = await dishesOfToday();
  if (request.method !== 'POST') {
    const form = emptyForm(dishes, request.query.get('dish') ?? null);
    return await templates.response(request, 'shop/new_order.html', { form });
  }
  const { form, order: wanted } = checkOrder(await request.form(), dishes);
  if (wanted === null)
    return await templates.response(request, 'shop/new_order.html', { form }, { status: 422 });

  // The order and its lines are there together, or not at all.
  const order = await atomic(async () => {
    const { name, table, note, lines } = wanted;
    const created = await Order.create({ name, table, note });
    for (const { dish, quantity } of lines)
      await OrderLine.create({ order: created, dish, quantity, unitPrice: dish.price });
    return created;
  });
  return redirect(`${reverse('order', { id: order.id })}?thanks=1`);
}

export async function orders(request: HttpRequest): Promise<HttpResponse> {
  const latest = await Order.all().orderBy('-id').limit(50).prefetchRelated('lines__dish');
  const cooking = await Order.filter({ status: 'cooking' }).count();
  const rows = latest.map((order) => {
    const { id, name, table, status } = order;
    const lines = [...order.lines];
    return {
      id,
      name,
      table,
      status,
      summary: lines.map((line) => `${line.dish.title} × ${line.quantity}`).join(', '),
      total: lines.reduce((sum, line) => sum + line.price, 0),
    };
  });
  return await templates.response(request, 'shop/orders.html', { orders: rows, cooking });
}

async function findOrder(id: number): Promise<Order> {
  const order = await Order.filter({ id }).first();
  if (order === null) throw new Http404(`There is no order ${id}`);
  return order;
}

export async function orderDetail(request: HttpRequest, { id }: { id: number }): Promise<HttpResponse> {
  const order = await findOrder(id);
  const lines = await OrderLine.filter({ order: id }).selectRelated('dish').orderBy('id');
  const total = lines.reduce((sum, line) => sum + line.price, 0);
  const thanks = request.query.get('thanks') === '1';
  return await templates.response(request, 'shop/order.html', { order, lines, total, thanks });
}

export async function serveOrder(_request: HttpRequest, { id }: { id: number }): Promise<HttpResponse> {
  await findOrder(id);
  await Order.filter({ id }).update({ status: 'served' });
  return redirect(reverse('order', { id }));
}

export async function suppliers(request: HttpRequest): Promise<HttpResponse> {
  return await templates.response(request, 'shop/suppliers.html', { ways: drawn(await measureWays()) });
}

/** What the chart needs: everything as a share of the slowest way, so that the ways can be compared. */
function drawn(measured: readonly Measured[]): object[] {
  const longest = Math.max(...measured.map(({ ms }) => ms));
  const share = (ms: number): number => Math.round((ms / longest) * 1000) / 10;
  const texts: Record<WayId, readonly [title: string, about: string]> = {
    'one-after-another': [
      gettext('One after another'),
      gettext('await in a loop: each supplier is asked when the one before has answered. The waits add up.'),
    ],
    tasks: [
      gettext('Tasks'),
      gettext('createTask for each, then await them: all are asked at once. As long as the slowest.'),
    ],
    gather: [gettext('Gather'), gettext('The same in one line, with the answers in order.')],
    blocking: [
      gettext('Blocking'),
      gettext(
        'The same gather, but the call inside is no async one: it holds the only thread, and nothing overlaps.',
      ),
    ],
  };
  return measured.map(({ id, ms, answers, xray }) => ({
    id,
    ms,
    xray,
    title: texts[id][0],
    about: texts[id][1],
    width: share(ms),
    answers: answers.map(({ supplier, price, from, to }) => ({
      name: supplier.name,
      price,
      from,
      to,
      x: share(from),
      width: Math.max(0.5, share(to - from)),
    })),
  }));
}

export async function notFound(request: HttpRequest): Promise<HttpResponse> {
  return await templates.response(request, 'shop/not_found.html', {}, { status: 404 });
}
