/** Compiled, not run: what urls accept and what they refuse. */
import type { HttpRequest } from 'sobaya/http';
import { HttpResponse } from 'sobaya/http';
import { converter, include, type ParamsOf, path, reverse, reverser } from 'sobaya/urls';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {}

same<Equal<ParamsOf<'orders/<int:id>/'>, { id: number }>>();
same<Equal<ParamsOf<'<slug:shop>/<int:id>-<name>.html'>, { shop: string; id: number; name: string }>>();
same<Equal<ParamsOf<'about/'>, {}>>();

const none = (): HttpResponse => new HttpResponse();
async function detail(_request: HttpRequest, { id }: { id: number }): Promise<HttpResponse> {
  return new HttpResponse(String(id));
}
function texts(_request: HttpRequest, { id }: { id: string }): HttpResponse {
  return new HttpResponse(id);
}

path('orders/<int:id>/', detail, { name: 'order-detail' });
path('orders/<slug:id>/', texts);
path('', none);
path('orders/<int:id>/', none);
path('orders/<int:id>/<str:tab>/', detail);
path('orders/<int:id>/', (_request, { id }) => new HttpResponse(id.toFixed()));
path('orders/<int:id>/', async (request, params) => {
  same<Equal<typeof params, { id: number }>>();
  return new HttpResponse(request.path);
});
path('web/', () => new Response('web-standard'));

// @ts-expect-error the route gives a number, the view takes a string
path('orders/<int:id>/', texts);
// @ts-expect-error the route gives a string, the view takes a number
path('orders/<id>/', detail);
// @ts-expect-error the route has no id
path('orders/', detail);
// @ts-expect-error the route says pk, the view id
path('orders/<int:pk>/', detail);
// @ts-expect-error there is no converter "integer"
path('orders/<integer:id>/', detail);
// @ts-expect-error a view gives a response
path('orders/', () => {});
// @ts-expect-error a view gives a response, not data
path('orders/', () => ({ orders: [] }));
// @ts-expect-error an async view gives a response too
path('orders/', async () => 'hello');
// @ts-expect-error a view is called with a request, not with params
path('orders/<int:id>/', (id: number) => new HttpResponse(String(id)));

// ---- converters of one's own
const year = converter({ regex: '[0-9]{4}', toValue: Number, toUrl: String });
path('archive/<year:year>/', (_request, { year }) => new HttpResponse(year.toFixed()), {
  converters: { year },
});
// @ts-expect-error the converter gives a number
path('archive/<year:year>/', (_request, params: { year: string }) => new HttpResponse(params.year), {
  converters: { year },
});

// ---- parameters of the include around
function shopOrder(_request: HttpRequest, { shop, id }: { shop: string; id: number }): HttpResponse {
  return new HttpResponse(shop + id);
}
path('<int:id>/', shopOrder, { under: '<slug:shop>/' });
// @ts-expect-error the parameter shop comes from nowhere
path('<int:id>/', shopOrder);

// ---- reverse by view
reverse(detail, { id: 3 });
reverse(none);
reverse(none, {}, { query: { page: 2 } });
reverse('order-detail', { id: 3 });
// @ts-expect-error the id is missing
reverse(detail);
// @ts-expect-error the id is a number
reverse(detail, { id: 'three' });
// @ts-expect-error there is no such parameter
reverse(detail, { id: 3, tab: 'x' });

// ---- reverse by name
const shop = [path('', none, { name: 'menu' }), path('<int:id>/', detail, { name: 'order' })] as const;
const urls = [
  path('', none, { name: 'home' }),
  path('unnamed/', none),
  include('shop/<slug:branch>/', shop, { namespace: 'shop' }),
  include('plain/', [path('<uuid:key>/', none, { name: 'plain' })]),
] as const;
const url = reverser(urls);
url('home');
url('shop:menu', { branch: 'kyoto' });
url('shop:order', { branch: 'kyoto', id: 3 });
url('plain', { key: '9b2f6f0e-0000-4000-8000-000000000000' });
// @ts-expect-error there is no such name
url('homer');
// @ts-expect-error the name is in a namespace
url('order', { branch: 'kyoto', id: 3 });
// @ts-expect-error the branch is missing
url('shop:order', { id: 3 });
// @ts-expect-error the id is a number
url('shop:order', { branch: 'kyoto', id: '3' });
// @ts-expect-error parameters are missing
url('shop:menu');
