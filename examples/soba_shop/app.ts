/** The shop as an application: its models, its pages, what stands around them, where its data is. */
import { fileURLToPath } from 'node:url';
import { createApp, defineApp } from 'sobaya';
import { locale, setLanguage } from 'sobaya/i18n';
import { csrf, securityHeaders, staticFiles } from 'sobaya/middleware';
import { path } from 'sobaya/urls';
import './messages.ts';
import { Dish, Order, OrderLine } from './models.ts';
import * as views from './views.ts';
import { closeSuppliers } from './ways.ts';

const spoken = { languages: ['en', 'ja'] } as const;

/** An example is run by who reads it; a shop of your own says so in the environment, with `sobaya runserver`. */
const development: boolean = process.env['NODE_ENV'] !== 'production';

export const shop = defineApp({
  label: 'shop',
  models: [Dish, Order, OrderLine],
  migrations: new URL('./migrations/', import.meta.url),
  urls: [
    path('', views.menu, { name: 'menu' }),
    path('orders/', views.orders, { name: 'orders' }),
    path('orders/new/', views.newOrder, { name: 'new-order' }),
    path('orders/<int:id>/', views.orderDetail, { name: 'order' }),
    path('orders/<int:id>/serve/', views.serveOrder, { name: 'serve' }),
    path('suppliers/', views.suppliers, { name: 'suppliers' }),
    path('language/', setLanguage(spoken), { name: 'set-language' }),
  ],
});

export const application = createApp({
  apps: [shop],
  urls: shop.urls,
  middleware: [
    securityHeaders(),
    staticFiles({ root: new URL('./static/', import.meta.url) }),
    locale(spoken),
    csrf(),
  ],
  databases: {
    default:
      process.env['DATABASE_URL'] ?? `sqlite:${fileURLToPath(new URL('./db.sqlite3', import.meta.url))}`,
  },
  // Every request drawn, at /__xray__/: look at the suppliers page there.
  debug: development,
  xray: development,
  errorViews: { 404: views.notFound },
  lifespan: () => closeSuppliers,
});
