/** ASGI 3.0 in TypeScript: the contract between servers and applications. */
export type * from './types.ts';
