export { PostgresBackend, type PostgresOptions } from './backend.ts';
export { NativePostgresBackend } from './native.ts';
