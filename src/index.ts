/** The daily-use surface: what most files of an application import. Everything else: `sobaya/<room>`. */
export {
  type App,
  type AppOptions,
  createApp,
  defineApp,
  type SobayaApplication,
} from './application/index.ts';
export { createTask, gather, run, sleep, taskGroup, timeout } from './asyncio/index.ts';
export {
  Http404,
  type HttpRequest,
  HttpResponse,
  JsonResponse,
  type Middleware,
  PermissionDenied,
  redirect,
  StreamingHttpResponse,
  type View,
} from './http/index.ts';
export { include, path, rePath, reverse, reverser, websocket } from './urls/index.ts';
export { getObjectOr404, render } from './views/index.ts';
