export { PostgresBackend } from './backend.ts';
export type { PostgresOptions } from './common.ts';
export { NativePostgresBackend } from './native.ts';
