/** ASGI 3.0 in TypeScript: the contract between servers and applications. */
export { checked } from './checked.ts';
export { ApplicationCommunicator } from './communicator.ts';
export { type FetchHandler, fromFetch, toFetch } from './fetch.ts';
export { fromNode, type NodeListener, type ToNodeOptions, toNode } from './node.ts';
export type * from './types.ts';
export {
  fromWsgi,
  type StartResponse,
  type WsgiAnswer,
  type WsgiApplication,
  type WsgiEnviron,
  WsgiInput,
  type WsgiTurn,
  wsgi,
} from './wsgi.ts';
