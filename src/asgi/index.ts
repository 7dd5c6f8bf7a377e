/** ASGI 3.0 in TypeScript: the contract between servers and applications. */
export { checked } from './checked.ts';
export { ApplicationCommunicator } from './communicator.ts';
export { type FetchHandler, fromFetch, toFetch } from './fetch.ts';
export { fromNode, type NodeListener, toNode } from './node.ts';
export type * from './types.ts';
