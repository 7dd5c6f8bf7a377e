import type { Application } from '../asgi/index.ts';
import { debugWanted } from '../asyncio/index.ts';
import type { XrayOptions } from '../xray/index.ts';

/**
 * The application under x-ray. Only where somebody asked: debug mode alone is not enough; `SOBAYA_DEBUG` (set by `sobaya runserver`) or the option is. Otherwise not even loaded.
 */
export function recorded(
  application: Application,
  option: boolean | XrayOptions | undefined,
  debug: boolean,
): Application {
  if (option === false || (option === undefined && !(debug && debugWanted()))) return application;
  const given = typeof option === 'object' ? option : {};
  const options: XrayOptions = { debug, ...given };
  const loading = import('../xray/index.ts').then(({ xray }) => xray(application, options));
  // A failure to load is told to whoever calls, not to the process.
  loading.catch(() => {});
  return async (scope, receive, send) => (await loading)(scope, receive, send);
}
