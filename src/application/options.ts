import { debugWanted } from '../asyncio/index.ts';
import type { DatabaseConfig, Databases } from '../db/index.ts';
import { fault } from '../errors/index.ts';
import type {
  BaseResponse,
  HttpRequest,
  Middleware,
  RequestLimits,
  RequestSettings,
  View,
} from '../http/index.ts';
import { addressList, defaultLimits } from '../http/index.ts';
import type { Templates } from '../templates/index.ts';
import type { Urls } from '../urls/index.ts';
import type { XrayOptions } from '../xray/index.ts';
import { checkOptions } from './check-options.ts';
import type { App } from './define-app.ts';

export interface AppOptions {
  /** Parts with models, urls and migrations of their own; their urls are included by you. */
  readonly apps?: readonly App[];
  readonly urls?: Urls;
  /** Outermost first. */
  readonly middleware?: readonly Middleware[];
  /** `{ default: 'sqlite:db.sqlite3' }`. */
  readonly databases?: Readonly<Record<string, DatabaseConfig>> | Databases;
  /**
   * Error pages with source, stack and request; for development only. Default: false, unless the environment says
   * development: `SOBAYA_DEBUG=1` (as `sobaya runserver` sets it) or `NODE_ENV=development`. A server that nobody told
   * anything shows nothing to strangers.
   */
  readonly debug?: boolean;
  /** Host names this application answers to; `.example.com` is the domain and all below. Default: those of the loopback. */
  readonly allowedHosts?: readonly string[];
  /** Signs cookies and tokens; at least 32 random characters. An array: the first signs, all verify. */
  readonly secretKey?: string | readonly string[] | undefined;
  /** Addresses and networks of proxies whose X-Forwarded headers are believed. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** What a path that only lacks (or only has) its last slash leads to. Default `append`: a redirect to the route with it. */
  readonly trailingSlash?: 'append' | 'strip' | 'exact';
  readonly limits?: Partial<RequestLimits>;
  /** Folder for large uploads while their request lasts. Default: the system's. */
  readonly uploadFolder?: string;
  /** Pages of your own by status; `404: (request, { error }) => response`. */
  readonly errorViews?: Readonly<Record<number, View<{ error: unknown }>>>;
  /** Called with every error that became a 500. Default: it is printed on stderr. */
  readonly onError?: (error: unknown, request: HttpRequest) => void;
  /**
   * X-ray: records what requests did and shows it at /__xray__/. Default: in debug mode when `SOBAYA_DEBUG` is set, as
   * `sobaya runserver` does. Options open it elsewhere, behind a permission.
   */
  readonly xray?: boolean | XrayOptions;
  /** What `render()` and generic views render with. */
  readonly templates?: Templates;
  /** Runs when the application starts and, with what it gives back, when it stops. */
  readonly lifespan?: () => LifespanHook;
}

/** Nothing, or a function for the end; or an async generator function's generator that yields once in between. */
export type LifespanHook = void | (() => unknown) | Promise<void | (() => unknown)>;

export type ErrorView = (request: HttpRequest, params: { error: unknown }) => unknown;
export type { BaseResponse };

const known = [
  'apps',
  'urls',
  'middleware',
  'databases',
  'debug',
  'allowedHosts',
  'secretKey',
  'trustedProxies',
  'trailingSlash',
  'limits',
  'uploadFolder',
  'errorViews',
  'onError',
  'lifespan',
  'templates',
  'xray',
] as const;

export function checkAppOptions(options: AppOptions): void {
  checkOptions('createApp', options, known);
  const bad = (option: string, why: string): Error =>
    fault('SBY_APPLICATION_BAD_OPTION', { callee: 'createApp', option, why, known: [] });
  const { apps = [], middleware = [], allowedHosts = [], limits = {} } = options;
  if (!Array.isArray(apps) || apps.some((app: unknown) => typeof (app as App | null)?.label !== 'string'))
    throw bad('apps', 'it takes an array of what defineApp() gives');
  const labels = new Set<string>();
  for (const { label } of apps as readonly App[]) {
    if (labels.has(label)) throw fault('SBY_APPLICATION_DUPLICATE_APP', { label });
    labels.add(label);
  }
  if (!Array.isArray(middleware)) throw bad('middleware', 'it takes an array of functions');
  if (!Array.isArray(allowedHosts) || allowedHosts.some((host: unknown) => typeof host !== 'string'))
    throw bad('allowedHosts', 'it takes an array of host names');
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(defaultLimits, name))
      throw bad(`limits.${name}`, `limits are ${Object.keys(defaultLimits).join(', ')}`);
    if (!(typeof value === 'number' && value >= 0))
      throw bad(`limits.${name}`, 'it takes a number, zero or more');
  }
  if (options.trailingSlash !== undefined && !['append', 'strip', 'exact'].includes(options.trailingSlash))
    throw bad('trailingSlash', 'it takes "append", "strip" or "exact"');
}

export function settingsFrom(options: AppOptions): RequestSettings {
  const debug = options.debug ?? (debugWanted() || process.env['NODE_ENV'] === 'development');
  const { secretKey = [] } = options;
  const secretKeys = (typeof secretKey === 'string' ? [secretKey] : secretKey).filter((key) => key !== '');
  for (const key of secretKeys)
    if (key.length < 16) throw fault('SBY_APPLICATION_WEAK_SECRET', { length: key.length });
  return Object.freeze({
    debug,
    allowedHosts: options.allowedHosts ?? [],
    secretKeys,
    trustedProxies: addressList(options.trustedProxies ?? []),
    limits: { ...defaultLimits, ...options.limits },
    uploadFolder: options.uploadFolder ?? null,
  });
}
